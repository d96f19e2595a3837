r"""A comparison as a LaTeX table for a paper: a short caption, the best in bold, the explanation as a comment."""

import textwrap

from snnbench.report.numbers import write_pvalue
from snnbench.report.ranking import BASELINE, ModelComparison
from snnbench.report.summary import conclude, describe_comparison, describe_test, plural

DISPLAY_NAMES = {
    "snn": "SNN",
    "msrainit": "MSRAinit",
    "batchnorm": "BatchNorm",
    "layernorm": "LayerNorm",
    "weightnorm": "WeightNorm",
    "highway": "Highway",
    "resnet": "ResNet",
    "svm": "SVM",
    "random_forest": "Random forest",
}
"""The names of our models as papers write them; others stay as they are."""
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_COMMENT_WIDTH = 98


def render_latex(comparison: ModelComparison) -> str:
    r"""Return a table in the style of booktabs; it needs ``\usepackage{booktabs}`` and no other package."""
    header, rows = _header(comparison), _rows(comparison)
    columns = "l" + "r" * (len(header) - 1)
    lines = [" & ".join(row) + r" \\" for row in rows]
    explanation = [*describe_comparison(comparison), conclude(comparison), *describe_test(comparison)]
    comments = [f"% {line}" for text in explanation for line in textwrap.wrap(text, _COMMENT_WIDTH)]
    return "\n".join(
        [
            *comments,
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_caption(comparison)}}}",
            r"\label{tab:comparison}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(header) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape_latex(text: str) -> str:
    """Return a text that LaTeX prints as it is."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def display_name(model: str) -> str:
    """Return a model's name as a paper writes it, what stands in brackets behind it included."""
    name, bracket, rest = model.partition("[")
    return escape_latex(DISPLAY_NAMES.get(name, name) + bracket + rest)


def _caption(comparison: ModelComparison) -> str:
    of_what = comparison.suite or ", ".join(comparison.origin.tables)
    text = f"Mean ranks of {plural(comparison.n_models, 'model')} on {plural(comparison.n_tasks, 'task')}"
    text += f" of {of_what}" if of_what else ""
    text += f" by {comparison.metric}" if comparison.metric else ""
    text += " (1 is best), with 95\\,\\% intervals"
    caption = escape_latex(text).replace(escape_latex("95\\,\\%"), r"95\,\%")
    if comparison.n_models > 1:
        adjusted = {"none": "", "holm": ", Holm-adjusted", "hochberg": ", Hochberg-adjusted", "shaffer": ", Shaffer-adjusted"}
        caption += (
            f". W/T/L: tasks on which {display_name(comparison.baseline)} wins, ties, loses; "
            f"$p$: Wilcoxon signed-rank test against it{adjusted[comparison.options.correction]}"
        )
    return caption + "."


def _header(comparison: ModelComparison) -> list[str]:
    names = ["Model", "Rank", r"95\,\%", "Difference", "Score", *(["Tasks"] if _are_unlike(comparison) else [])]
    return [*names, "W/T/L", "$p$"] if comparison.n_models > 1 else names


def _rows(comparison: ModelComparison) -> list[list[str]]:
    table = comparison.table
    # A mean over fewer tasks is no better or worse than another one.
    whole = table.loc[table["n_scores"] == comparison.n_tasks, "mean_score"]
    best_rank, best_score = table["mean_rank"].round(2).min(), whole.round(4).max()
    rows = []
    for row in table.itertuples():
        cells = [
            display_name(str(row.Index)),
            _bold(f"{row.mean_rank:.2f}", round(row.mean_rank, 2) == best_rank),
            f"{row.low:.2f}--{row.high:.2f}",
            f"${row.rank_difference + 0.0:+.2f}$",
            _bold(
                _minus(f"{row.mean_score:.4f}"), row.n_scores == comparison.n_tasks and round(row.mean_score, 4) == best_score
            ),
        ]
        cells += [str(row.n_scores)] if _are_unlike(comparison) else []
        if comparison.n_models > 1:
            is_baseline = row.verdict == BASELINE
            cells += ["--" if is_baseline else f"{row.won}/{row.tied}/{row.lost}"]
            cells += ["--" if is_baseline else _pvalue(row.adjusted_pvalue)]
        rows.append(cells)
    return rows


def _are_unlike(comparison: ModelComparison) -> bool:
    """Return whether mean scores are of unlike sets of tasks, which the table then counts."""
    return bool((comparison.table["n_scores"] < comparison.n_tasks).any())


def _pvalue(value: float) -> str:
    text = write_pvalue(value).removeprefix("= ").replace("–", "--")
    return f"${text}$" if text.startswith("<") else text


def _minus(number: str) -> str:
    return f"${number}$" if number.startswith("-") else number


def _bold(text: str, is_best: bool) -> str:
    return rf"\textbf{{{text}}}" if is_best else text
