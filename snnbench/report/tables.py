"""A ranking as a table: for the terminal, for a text file, for a paper, for a spreadsheet."""

import io
import math
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from snnbench.report.numbers import short_pvalue
from snnbench.report.printed import find_printed
from snnbench.report.ranking import BASELINE, BETTER, WORSE, ModelComparison
from snnbench.report.summary import conclude, describe_comparison, describe_left_out, describe_sensitivity, describe_test

TEXT_WIDTH = 100
_NAME_WIDTH = 22
"""Columns that a model's name keeps before other columns are dropped; a longer name is folded."""
_DROPPED_FIRST = ("95%", "equiv.", "p", "diff.", "w/t/l", "score", "tasks")
_DROPPED_BESIDE_PRINTED = ("95%", "equiv.", "tasks", "w/t/l", "score", "p (paper)", "paper", "diff.")
"""Columns that a narrow terminal does without, in this order; every other format has them."""
_MARKS = {WORSE: "* worse", BETTER: "* better"}


def render_table(comparison: ModelComparison, width: int = TEXT_WIDTH) -> RenderableType:
    """Return the ranking for a terminal: what was compared, the table, the conclusion, how it was tested, what was left out."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    header, *rows = _fit(_cells(comparison), width)
    table.add_column(header[0], overflow="fold")
    for name in header[1:]:
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    for model, *numbers in rows:
        style = "bold" if model == comparison.baseline else ""
        # Text and not str: a model's name may look like markup, for example snn[paper].
        table.add_row(Text(model), *numbers, style=style)
    heading = [Text(line) for line in describe_comparison(comparison)]
    notes = [Text(line, style="dim") for line in describe_test(comparison)]
    sensitivity = [Text(line) for line in describe_sensitivity(comparison)]
    title, *reasons = describe_left_out(comparison) or [""]
    left_out: list[RenderableType] = [Text(title, style="yellow")] if title else []
    left_out += [Padding(Text(line), (0, 0, 0, 2)) for line in reasons]
    conclusion = [Text(conclude(comparison), style="bold"), *sensitivity, Text("")]
    return Group(*heading, Padding(table, (1, 0), expand=False), *conclusion, *notes, *left_out)


def as_text(content: RenderableType, width: int = TEXT_WIDTH) -> str:
    """Return what a terminal of so many columns shows as plain text, without blanks at the ends of its lines."""
    file = io.StringIO()
    # In a notebook rich would show the text below the cell and leave the file empty.
    plain = Console(file=file, width=width, color_system=None, highlight=False, markup=False, emoji=False, force_jupyter=False)
    plain.print(content)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def render_text(comparison: ModelComparison) -> str:
    """Return what the terminal shows as plain text."""
    return as_text(render_table(comparison))


def render_markdown(comparison: ModelComparison) -> str:
    """Return a Markdown table between its captions, ready to paste."""
    lines = markdown_lines([[cell.strip() for cell in row] for row in _cells(comparison)])
    title, *reasons = describe_left_out(comparison) or [""]
    left_out = [title, "\n".join(f"- {line}" for line in reasons)] if title else []
    conclusion = [f"**{conclude(comparison)}**", *describe_sensitivity(comparison)]
    paragraphs = [
        " ".join(describe_comparison(comparison)),
        "\n".join(lines),
        *conclusion,
        *describe_test(comparison),
        *left_out,
    ]
    return "\n\n".join(paragraphs) + "\n"


def markdown_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table of a header and rows; the first column is of words, the others of numbers."""
    header, *rows = [[cell.replace("|", r"\|") for cell in row] for row in cells]
    rule = [":---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)]


def render_csv(comparison: ModelComparison) -> str:
    """Return one row a model at full precision, empty = no value; captions would not be numbers, so there are none."""
    return comparison.table.to_csv(lineterminator="\n")


def cell_probability(value: float) -> str:
    """Return a probability as the tables show it."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def cell_signed(difference: float) -> str:
    """Return a difference with its sign."""
    # Adding zero turns the -0.0 that rounding leaves into 0.0.
    return f"{round(difference, 3) + 0.0:+.3f}"


def _cells(comparison: ModelComparison) -> list[list[str]]:
    """Return the header and one row a model; columns that would be empty are not there."""
    unlike = (comparison.table["n_scores"] < comparison.n_tasks).any()
    printed = find_printed(comparison)
    header = ["model", "rank", "95%", "diff.", *(["paper"] if printed else []), "score", *(["tasks"] if unlike else [])]
    tested = comparison.n_models > 1
    corrected = tested and comparison.options.correction != "none"
    if tested:
        header += [
            "w/t/l",
            "p",
            *(["p (paper)"] if printed else []),
            *([f"p ({comparison.options.correction})"] if corrected else []),
            "equiv.",
            "verdict",
        ]
    equivalent = comparison.bayesian["p_equivalent"].droplevel(0) if tested else {}
    rows = []
    for row in comparison.table.itertuples():
        is_baseline = row.verdict == BASELINE
        cells = [str(row.Index), f"{row.mean_rank:.2f}", f"{row.low:.2f}-{row.high:.2f}"]
        cells += [cell_signed(row.rank_difference)]
        cells += [cell_signed(printed.table.at[row.Index, "rank_difference"])] if printed else []
        cells += [f"{row.mean_score:.4f}", *([str(row.n_scores)] if unlike else [])]
        if tested:
            cells += ["-" if is_baseline else f"{row.won}/{row.tied}/{row.lost}", short_pvalue(row.pvalue)]
            cells += [short_pvalue(printed.table.at[row.Index, "pvalue"])] if printed else []
            cells += [short_pvalue(row.adjusted_pvalue)] if corrected else []
            cells += ["-" if is_baseline else cell_probability(float(equivalent[row.Index]))]
            cells += [_MARKS.get(row.verdict, f"  {row.verdict}")]
        rows.append(cells)
    return [header, *rows]


def _fit(cells: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Return the cells without the columns that a width has no room for."""
    columns = [list(column) for column in zip(*cells, strict=True)]
    for name in _DROPPED_BESIDE_PRINTED if "paper" in cells[0] else _DROPPED_FIRST:
        widths = [max(map(len, column)) for column in columns]
        if min(widths[0], _NAME_WIDTH) + sum(widths[1:]) + 2 * (len(widths) - 1) <= width:
            break
        columns = [column for column in columns if column[0] != name]
    return [list(row) for row in zip(*columns, strict=True)]
