"""Every pair of models as a matrix of cells."""

from typing import Any

import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.report.analysis import Analysis
from snnbench.report.charts import check_several_tasks, describe
from snnbench.report.numbers import signed, write_pvalue
from snnbench.report.ranking import MANY_MODELS

CELL = (96, 54)
"""Width and height of a cell in pixels: three lines of text."""
_NARROW_CELL = 80
"""In cells of fewer pixels, as the page makes them on a phone, stands the mean difference alone, shortened."""
_LOWER, _EQUAL, _HIGHER = "#eaa98c", "#f6f4f0", "#97bbe8"
"""Pale, so that dark text is readable on all of them in light and dark pages."""
_INK = "#14171c"


def draw_pairs(analysis: Analysis) -> Any:
    """Draw every model (row) against every other (column): mean difference, wins/ties/losses, p; bold if significant.

    Raises:
        SnnbenchError: If there is one model or one task, or there are too many models.
    """
    import altair as alt

    comparison = analysis.comparison
    if not 2 <= comparison.n_models <= MANY_MODELS:
        raise SnnbenchError(
            f"A matrix of all pairs needs 2 to {MANY_MODELS} models, found {comparison.n_models}; choose some with --model."
        )
    check_several_tasks(comparison)
    named = [f"{model}  {mean:.4f}" for model, mean in comparison.table["mean_score"].items()]
    rows = dict(zip(comparison.table.index, named, strict=True))
    cells = _cells(analysis).assign(row=lambda table: table["model"].map(rows))
    width, height = CELL
    narrow = f"width < {_NARROW_CELL * comparison.n_models}"
    x = alt.X(
        "other:N",
        sort=list(map(str, rows)),
        title=None,
        axis=alt.Axis(orient="top", labelAngle=alt.expr(f"{narrow} ? -90 : -30"), labelLimit=200),
    )
    y = alt.Y(
        "row:N",
        sort=named,
        title=None,
        axis=alt.Axis(labelLimit=300, labelExpr=f"{narrow} ? split(datum.label, '  ')[0] : datum.label"),
    )
    largest = float(cells["mean_difference"].abs().max()) or 1.0
    colour = alt.Color(
        "mean_difference:Q",
        title="mean difference, row − column",
        scale=alt.Scale(domain=[-largest, 0, largest], range=[_LOWER, _EQUAL, _HIGHER], interpolate="rgb"),
        legend=alt.Legend(
            orient="bottom",
            gradientLength=alt.expr("min(280, width)"),
            titleLimit=400,
            labelExpr="datum.value ? format(datum.value, '+.2~r') : '0'",
        ),
    )
    names = ("model", "other", "difference", "counts", "p", "adjusted", "effect")
    lines = [
        ("difference", 12, f"{narrow} ? 0 : 1"),
        ("counts", 11, f"{narrow} ? 0 : 1"),
        ("adjusted", 11, f"{narrow} ? 0 : 1"),
        ("short", 9, f"{narrow} ? 1 : 0"),
    ]
    shown = alt.Chart(cells).encode(x=x, y=y, tooltip=[alt.Tooltip(f"{name}:N") for name in names])
    layers = [shown.mark_rect(stroke="#ffffff", strokeWidth=1).encode(color=colour)]
    for line, (text, size, shown_if) in enumerate(lines):
        for is_bold in (True, False):
            layers.append(
                shown.transform_filter(f"datum.significant === {str(is_bold).lower()}")
                .mark_text(
                    dy=0 if text == "short" else 15 * (line - 1),
                    fontSize=size,
                    fontWeight="bold" if is_bold else "normal",
                    color=_INK,
                    opacity=alt.expr(shown_if),
                )
                .encode(text=f"{text}:N")
            )
    return alt.layer(*layers).properties(
        width=width * comparison.n_models,
        height=height * comparison.n_models,
        title=describe(_describe(analysis), width * (comparison.n_models + 1)),
    )


def _cells(analysis: Analysis) -> pd.DataFrame:
    """Return the texts of the cells, an ordered pair a row."""
    pairs, alpha = analysis.pairs, analysis.comparison.options.alpha
    return pd.DataFrame(
        {
            "model": [str(model) for model, _ in pairs.index],
            "other": [str(other) for _, other in pairs.index],
            "mean_difference": pairs["mean_difference"].to_numpy(dtype=float),
            "difference": [signed(value, 4) for value in pairs["mean_difference"]],
            "short": [_shorten(value) for value in pairs["mean_difference"]],
            "counts": [f"{row.won} / {row.tied} / {row.lost}" for row in pairs.itertuples()],
            "p": [f"p {write_pvalue(value)}" for value in pairs["pvalue"]],
            "adjusted": [f"p {write_pvalue(value)}" for value in pairs["adjusted_pvalue"]],
            "effect": [f"rank-biserial {signed(value, 2)}" for value in pairs["rank_biserial"]],
            "significant": (pairs["adjusted_pvalue"] < alpha).to_numpy(),
        }
    )


def _shorten(difference: float) -> str:
    """Return a difference in at most five signs where it is below 10, as +.042 or −1.3."""
    return signed(difference, 3).replace("0.", ".", 1) if abs(difference) < 1 else signed(difference, 1)


def _describe(analysis: Analysis) -> str:
    comparison = analysis.comparison
    return (
        f"Row against column on {comparison.n_tasks} tasks: mean difference, wins / ties / losses of the row, Wilcoxon p "
        f"({analysis.pairwise_correction.capitalize()}, over all pairs); bold: p < {comparison.options.alpha:g}. "
        "Rows: mean score."
    )
