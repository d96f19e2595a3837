"""A ranking as a table: for the terminal, for a text file, for a paper, for a spreadsheet, for a program."""

import io
import json
import math
from collections.abc import Callable

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from snnbench import stats
from snnbench.report.ranking import Ranking, group_by_reason

TEXT_WIDTH = 80
MAX_NAMES = 20
"""Tasks named for one reason; the JSON format names all."""


def render_table(ranking: Ranking) -> RenderableType:
    """Return the ranking for a terminal: what was compared, the table, how it was tested and what was left out."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    header, *rows = _cells(ranking)
    table.add_column(header[0], overflow="fold")
    for name in header[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for model, *numbers in rows:
        # Text and not str: a model's name may look like markup, for example snn[paper].
        table.add_row(Text(model), *numbers, style="bold" if model == ranking.baseline else "")
    heading = [Text(line) for line in describe_comparison(ranking)]
    notes = [Text(line, style="dim") for line in describe_test(ranking)]
    title, *reasons = describe_left_out(ranking) or [""]
    left_out: list[RenderableType] = [Text(title, style="yellow")] if title else []
    left_out += [Padding(Text(line), (0, 0, 0, 2)) for line in reasons]
    return Group(*heading, Padding(table, (1, 0), expand=False), *notes, *left_out)


def as_text(content: RenderableType) -> str:
    """Return what a terminal of ``TEXT_WIDTH`` columns shows as plain text, without blanks at the ends of its lines."""
    file = io.StringIO()
    Console(file=file, width=TEXT_WIDTH, color_system=None, highlight=False, markup=False, emoji=False).print(content)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def render_text(ranking: Ranking) -> str:
    """Return what the terminal shows as plain text."""
    return as_text(render_table(ranking))


def render_markdown(ranking: Ranking) -> str:
    """Return a Markdown table between its captions, ready to paste."""
    header, *rows = [[cell.replace("|", r"\|") for cell in row] for row in _cells(ranking)]
    rule = [":---", *["---:"] * (len(header) - 1)]
    lines = ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)]
    title, *reasons = describe_left_out(ranking) or [""]
    left_out = [title, "\n".join(f"- {line}" for line in reasons)] if title else []
    paragraphs = [" ".join(describe_comparison(ranking)), "\n".join(lines), *describe_test(ranking), *left_out]
    return "\n\n".join(paragraphs) + "\n"


def render_csv(ranking: Ranking) -> str:
    """Return one row a model at full precision, empty = no value; captions would not be numbers, so there are none."""
    return ranking.table.to_csv(lineterminator="\n")


def render_json(ranking: Ranking) -> str:
    """Return everything at full precision, the scores of every task among it; NaN becomes null."""
    rows = ranking.table.assign(statistic=ranking.wilcoxon.statistic)
    content: dict[str, object] = {
        "subset": ranking.subset,
        "n_tasks": ranking.n_tasks,
        "n_models": ranking.n_models,
        "friedman": {
            "statistic": float(ranking.friedman.statistic[0]),
            "degrees_of_freedom": ranking.n_models - 1,
            "pvalue": float(ranking.friedman.pvalue[0]),
        },
        "wilcoxon": {
            "baseline": ranking.baseline,
            "alternative": ranking.wilcoxon.alternative,
            "zero_method": ranking.zero_method,
            "correction": ranking.correction,
            "description": _describe_wilcoxon(ranking),
        },
        "models": rows.reset_index().to_dict(orient="records"),
        "missing": ranking.missing,
        "left_out": dict(ranking.left_out),
        "models_left_out": dict(ranking.models_left_out),
        "scores": ranking.scores.to_dict(orient="index"),
    }
    return json.dumps(_with_null(content), indent=2, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Ranking], str]] = {
    "table": render_text,
    "json": render_json,
    "csv": render_csv,
    "markdown": render_markdown,
}


def describe_comparison(ranking: Ranking) -> list[str]:
    """Return the lines above a table: how much was compared, and whether the models differ at all."""
    subset = "" if ranking.subset == "all" else f"{ranking.subset} "
    n_asked = ranking.n_tasks + len(ranking.left_out)
    n_tasks = f"{ranking.n_tasks}" if n_asked == ranking.n_tasks else f"{ranking.n_tasks} of {n_asked}"
    counts = f"{_plural(ranking.n_models, 'model')} on {n_tasks} {subset}task{'' if n_asked == 1 else 's'}."
    if ranking.n_models == 1:
        return [counts, "There is nothing to compare a single model with: no tests, no p-values."]
    if ranking.n_tasks == 1:
        return [counts, "Friedman test: none, it needs at least 2 tasks."]
    statistic, pvalue = ranking.friedman.statistic[0], ranking.friedman.pvalue[0]
    test = f"Friedman test of equal ranks: chi-square = {statistic:.2f} ({ranking.n_models - 1} d.f.), p = {pvalue:.1e}."
    return [counts, test]


def describe_test(ranking: Ranking) -> list[str]:
    """Return the lines below a table that say what its columns mean and which test gave the p-values."""
    mean = (ranking.n_models + 1) / 2
    columns = f"rank: mean over the tasks, 1 = best, ties share; diff.: rank - {mean:g}; wins: a shared first place counts 1/k."
    if ranking.scores.isna().any(axis=None):
        columns += f" Missing: {stats.MISSING[ranking.missing]}."
    if ranking.n_models == 1:
        return [columns]
    return [columns, f"p: {_describe_wilcoxon(ranking)}"]


def describe_left_out(ranking: Ranking) -> list[str]:
    """Return the lines that name every task that was not compared, tasks of one reason together; none if all were."""
    if not ranking.left_out and not ranking.models_left_out:
        return []
    counts = [_plural(len(ranking.left_out), "task")] if ranking.left_out else []
    counts += [_plural(len(ranking.models_left_out), "model")] if ranking.models_left_out else []
    lines = [f"Left out: {' and '.join(counts)}."]
    lines += [f"{model}: {reason}" for model, reason in ranking.models_left_out.items()]
    for reason, tasks in group_by_reason(ranking.left_out).items():
        count = f" ({len(tasks)} tasks)" if len(tasks) > 1 else ""
        if len(tasks) > MAX_NAMES and reason == "no results":  # never asked for, most likely
            lines.append(f"{len(tasks)} tasks: no results")
            continue
        more = f" and {len(tasks) - MAX_NAMES} more" if len(tasks) > MAX_NAMES else ""
        lines.append(f"{reason}{count}: {', '.join(tasks[:MAX_NAMES])}{more}")
    return lines


def _describe_wilcoxon(ranking: Ranking) -> str:
    alternative = ranking.wilcoxon.alternative
    return stats.describe_wilcoxon(ranking.baseline, alternative, ranking.correction, ranking.zero_method)


def _cells(ranking: Ranking) -> list[list[str]]:
    """Return the header and one row a model; columns that would be empty are not there."""
    header = ["model", "rank", "diff.", "mean score", "wins"]
    pvalues = [("p", "pvalue"), (f"p ({ranking.correction})", "adjusted_pvalue")] if ranking.n_models > 1 else []
    if ranking.correction == "none":
        pvalues = pvalues[:1]
    rows = []
    for row in ranking.table.itertuples():
        numbers = [f"{row.mean_rank:.2f}", _signed(row.rank_difference), f"{row.mean_score:.4f}", f"{row.wins:.1f}"]
        rows.append([str(row.Index), *numbers, *(_pvalue(getattr(row, name)) for _, name in pvalues)])
    return [[*header, *(name for name, _ in pvalues)], *rows]


def _pvalue(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1e}"


def _signed(difference: float) -> str:
    # Adding zero turns the -0.0 that rounding leaves into 0.0.
    return f"{round(difference, 3) + 0.0:+.3f}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _with_null(content: object) -> object:
    """Return JSON content with null for every number that JSON does not have."""
    if isinstance(content, dict):
        return {key: _with_null(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_null(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
