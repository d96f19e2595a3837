"""Critical-difference diagrams: mean ranks on a line, and bars over models that a test does not tell apart.

Demšar, JMLR 7 (2006), figure 1; which models a bar joins is said in ``find_cliques``.
"""

from typing import Any

import numpy as np
import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.report.analysis import Analysis
from snnbench.report.charts import check_several_tasks, describe
from snnbench.report.ranking import MANY_MODELS

WIDTH = 560
_ROW = 20
"""Pixels of a row."""
_NARROW, _NARROWEST = 22, 11
"""Pixels that a rank on the axis needs, and half of them."""
_STEPS, _MOST_TICKS = (1, 2, 5), 16
"""Ranks between two ticks of the axis, and the most that there may be of them but one; enough for ``MANY_MODELS``."""


def draw_nemenyi(analysis: Analysis) -> Any:
    """Draw the diagram of the Nemenyi test, with its critical difference.

    Raises:
        SnnbenchError: If there is one model or one task, or there are too many models.
    """
    _check(analysis)
    comparison = analysis.comparison
    means = comparison.table["mean_rank"].to_numpy(dtype=float)
    differ = np.abs(means[:, np.newaxis] - means) > comparison.critical_difference
    title = (
        f"Mean ranks on {comparison.n_tasks} tasks; bars join models that the Nemenyi test does not tell apart "
        f"(p ≥ {_level(analysis)})"
    )
    return _draw(analysis, differ, title, comparison.critical_difference)


def draw_wilcoxon(analysis: Analysis) -> Any:
    """Draw the diagram of all pairwise Wilcoxon tests.

    Raises:
        SnnbenchError: If there is one model or one task, or there are too many models.
    """
    _check(analysis)
    differ = analysis.pairwise.adjusted_pvalue < analysis.comparison.options.alpha
    title = (
        f"Mean ranks on {analysis.comparison.n_tasks} tasks; bars join neighbours of which no two differ by a Wilcoxon test "
        f"({analysis.pairwise_correction.capitalize()}, p ≥ {_level(analysis)})"
    )
    return _draw(analysis, differ, title)


def _check(analysis: Analysis) -> None:
    n_models = analysis.comparison.n_models
    if n_models < 2:
        raise SnnbenchError("A critical-difference diagram needs at least two models, found one; run or name another.")
    if n_models > MANY_MODELS:
        raise SnnbenchError(
            f"A critical-difference diagram shows at most {MANY_MODELS} models, found {n_models}; choose some with --model."
        )
    check_several_tasks(analysis.comparison)


def _level(analysis: Analysis) -> str:
    return f"{analysis.comparison.options.alpha:g}"


def _draw(analysis: Analysis, differ: np.ndarray, title: str, critical_difference: float | None = None) -> Any:
    import altair as alt

    table = analysis.comparison.table
    cliques = find_cliques(differ)
    means = table["mean_rank"].to_numpy(dtype=float)
    above = 1.6 if critical_difference is None else 3.0
    low = int(np.floor(means[0]))
    high = max(int(np.ceil(means[-1])), low + 1)
    # The bracket may be longer than the axis, which ends at the last rank that there is.
    end = high if critical_difference is None else max(high, low + critical_difference)
    first_label = 0.6 * (len(cliques) + 1) + 0.6
    n_left = (len(means) + 1) // 2
    rows = [first_label + (place if place < n_left else len(means) - 1 - place) for place in range(len(means))]
    x = alt.X("rank:Q", scale=alt.Scale(domain=[low, end], nice=False), axis=None)
    y = alt.Y("row:Q", scale=alt.Scale(domain=[-above, first_label + n_left], reverse=True, nice=False), axis=None)
    points = pd.DataFrame(
        {
            "model": [str(model) for model in table.index],
            "rank": means,
            "row": rows,
            "axis": 0.0,
            "label": [
                f"{model}  {mean:.2f}" if k < n_left else f"{mean:.2f}  {model}"
                for k, (model, mean) in enumerate(zip(table.index, means, strict=True))
            ],
        }
    )
    left, right = points.iloc[:n_left], points.iloc[n_left:]
    layers = [
        *_axis(low, high, x, y),
        alt.Chart(points).mark_rule(strokeWidth=1).encode(x=x, y=y, y2="axis"),
        alt.Chart(left).mark_rule(strokeWidth=1).encode(x=x, y=y, x2=alt.value(0)),
        alt.Chart(right).mark_rule(strokeWidth=1).encode(x=x, y=y, x2=alt.value("width")),
        alt.Chart(left).mark_text(align="right", dx=-5, fontSize=12).encode(x=alt.value(0), y=y, text="label:N"),
        alt.Chart(right).mark_text(align="left", dx=5, fontSize=12).encode(x=alt.value("width"), y=y, text="label:N"),
    ]
    if cliques:
        bars = pd.DataFrame(
            {
                "rank": [means[start] - _overhang(means, start, -1, end - low) for start, _ in cliques],
                "to": [means[last] + _overhang(means, last, 1, end - low) for _, last in cliques],
                "row": [0.6 * (number + 1) for number in range(len(cliques))],
                "models": [", ".join(map(str, table.index[start : last + 1])) for start, last in cliques],
            }
        )
        layers.append(
            alt.Chart(bars)
            .mark_rule(strokeWidth=5)
            .encode(x=x, x2="to:Q", y=y, tooltip=alt.Tooltip("models:N", title="not told apart"))
        )
    if critical_difference is not None:
        layers += _bracket(low, critical_difference, x, y)
    height = _ROW * (above + first_label + n_left)
    return alt.layer(*layers).properties(
        width=WIDTH, height=height, title=describe(title), view=alt.ViewBackground(stroke=None)
    )


def _overhang(means: np.ndarray, place: int, step: int, length: float) -> float:
    """Return how far a bar reaches beyond its last model: a little, and never as far as a model that it does not join."""
    neighbour = place + step
    gap = abs(means[neighbour] - means[place]) if 0 <= neighbour < len(means) else length
    return min(0.01 * length, gap / 3)


def _axis(low: int, high: int, x: Any, y: Any) -> list[Any]:
    import altair as alt

    step = next(step for step in _STEPS if (high - low) / step <= _MOST_TICKS)
    ranks = [rank for rank in range(low, high + 1) if rank % step == 0]
    ticks = pd.DataFrame({"rank": ranks, "number": range(len(ranks)), "row": 0.0, "top": -0.35})
    # As narrow as on a phone, every second or fourth rank is written.
    written = f"datum.number % (width < {_NARROWEST * len(ranks)} ? 4 : width < {_NARROW * len(ranks)} ? 2 : 1) ? 0 : 1"
    line = pd.DataFrame({"rank": [low], "to": [high], "row": 0.0})
    return [
        alt.Chart(line).mark_rule(strokeWidth=1.5).encode(x=x, x2="to:Q", y=y),
        alt.Chart(ticks).mark_rule().encode(x=x, y=y, y2="top"),
        alt.Chart(ticks).mark_text(dy=-16, fontSize=12, opacity=alt.expr(written)).encode(x=x, y=y, text="rank:Q"),
    ]


def _bracket(low: int, length: float, x: Any, y: Any) -> list[Any]:
    import altair as alt

    bracket = pd.DataFrame({"rank": [low], "to": [low + length], "row": -1.9})
    ends = pd.DataFrame({"rank": [low, low + length], "row": -2.1, "bottom": -1.7})
    text = pd.DataFrame({"rank": [low], "row": -1.9, "text": [f"critical difference {length:.2f}"]})
    return [
        alt.Chart(bracket).mark_rule(strokeWidth=2).encode(x=x, x2="to:Q", y=y),
        alt.Chart(ends).mark_rule(strokeWidth=2).encode(x=x, y=y, y2="bottom"),
        alt.Chart(text).mark_text(dy=-13, fontSize=12, align="left").encode(x=x, y=y, text="text:N"),
    ]


def find_cliques(differ: np.ndarray) -> list[tuple[int, int]]:
    """Return the longest runs of models, neighbours by mean rank, of which no two differ.

    A bar thus never covers two models that differ, whatever the test. By the Nemenyi test two models differ exactly if their
    mean ranks are far enough apart, so models without a common bar differ. A test of pairs need not follow the ranks: there,
    two models without a common bar may not differ either, as one between them does from one of them.

    Args:
        differ: (n_models, n_models) symmetric booleans, models in the order of their mean ranks; the diagonal is not used.

    Returns:
        First and last position of each run of at least two models; no run lies within another.
    """
    n_models = len(differ)
    runs: list[tuple[int, int]] = []
    last_end = 0
    for start in range(n_models):
        end = start
        while end + 1 < n_models and not differ[end + 1, start : end + 1].any():
            end += 1
        if end > start and end > last_end:
            runs.append((start, end))
            last_end = end
    return runs
