"""The charts of a comparison: ranks, scores task by task, and Bayesian probabilities."""

import re
import textwrap
from typing import Any

import pandas as pd

from snnbench import stats
from snnbench.errors import SnnbenchError
from snnbench.report.analysis import Analysis
from snnbench.report.options import BAYESIAN_TESTS
from snnbench.report.ranking import ModelComparison

WIDTH = 600
COLOURS = ("#3f7fd1", "#d2691e", "#2e9e78", "#b05fc4", "#b8860b", "#d6517d", "#2f9fb5", "#7a8b3c", "#8a7bd8", "#9a6a4f")
"""Readable on white and on near-black; models beyond these repeat them and are told apart by their names."""
_OUTCOMES = ("#3f7fd1", "#9aa0a8", "#d2691e")
_NARROW = 330
"""Below so many pixels, as on a phone, the entries of a legend stand one below the other."""
_CIRCLE = "#8d97a6"
_LETTER = 7
"""Pixels of a letter in a wide font of size 12."""
_NAMED = 6
"""Tasks that the circle of a rank names when it is pointed at."""


def check_several_tasks(comparison: ModelComparison) -> None:
    """Check that there is something to draw across tasks.

    Raises:
        SnnbenchError: If there is one task only.
    """
    if comparison.n_tasks < 2:
        raise SnnbenchError(
            "A figure across tasks needs at least two tasks, found one; `snnbench compare` shows it split by split."
        )


def draw_ranks(analysis: Analysis) -> Any:
    """Draw the ranks of every model as a box (median and quartiles), with circles that say on how many tasks it has a rank.

    Raises:
        SnnbenchError: If there is one task only.
    """
    import altair as alt

    comparison = analysis.comparison
    check_several_tasks(comparison)
    ranks = stats.rank(comparison.scores)
    long = ranks.rename_axis(index="task", columns="model").stack().rename("rank").reset_index()
    counts = long.groupby(["model", "rank"])["task"].agg(number="size", tasks=_name_some).reset_index()
    boxes = pd.DataFrame({"median": ranks.median(), "mean": comparison.table["mean_rank"].astype(float)}).rename_axis("model")
    scale = alt.Scale(domain=[0.75, comparison.n_models + 0.25], nice=False)
    axis = alt.Axis(values=_rank_values(comparison.n_models), format="d")
    x = alt.X("rank:Q", title="rank on a task, 1 = best", scale=scale, axis=axis)
    y = alt.Y("model:N", sort=[str(model) for model in comparison.table.index], title=None)
    box: dict[str, Any] = {
        "box": {"color": COLOURS[0], "opacity": 0.35},
        "rule": {"color": COLOURS[0]},
        "median": {"opacity": 0},
    }
    size = alt.Size("number:Q", legend=None, scale=alt.Scale(domain=[0, int(counts["number"].max())], range=[0, 330]))
    said = [
        alt.Tooltip("model:N"),
        alt.Tooltip("rank:Q"),
        alt.Tooltip("number:Q", title="tasks"),
        alt.Tooltip("tasks:N", title="as"),
    ]
    summary = alt.Chart(boxes.reset_index()).encode(
        y=y,
        tooltip=[
            alt.Tooltip("model:N"),
            *(alt.Tooltip(f"{name}:Q", format=".2f", title=f"{name} rank") for name in ("median", "mean")),
        ],
    )
    return alt.layer(
        alt.Chart(long).mark_boxplot(extent="min-max", size=24, **box).encode(x=x, y=y),
        alt.Chart(counts).mark_circle(opacity=0.75, color=_CIRCLE).encode(x=x, y=y, size=size, tooltip=said),
        summary.mark_tick(color="currentColor", thickness=3, size=24, opacity=1).encode(x=alt.X("median:Q", scale=scale)),
        summary.mark_point(shape="diamond", size=90, filled=True, color=COLOURS[1], opacity=1).encode(
            x=alt.X("mean:Q", scale=scale)
        ),
    ).properties(
        width=WIDTH,
        height=34 * comparison.n_models,
        title=describe(
            f"Ranks on {comparison.n_tasks} tasks. Boxes: quartiles; lines: medians; diamonds: means; "
            "the larger a circle, the more tasks with that rank"
        ),
    )


def describe(words: str, width: int = WIDTH) -> Any:
    """Return what a figure says above itself, where it stands alone, in lines of so many pixels; the page has a caption."""
    import altair as alt

    words = re.sub(" ([<≥]) ", "\u00a0\\1\u00a0", words)  # no line ends within p < 0.05
    lines = textwrap.wrap(words, width // _LETTER)
    return alt.Title(lines, anchor="start", fontSize=12, fontWeight="normal", limit=0)


def _rank_values(n_models: int) -> list[int]:
    """Return the ranks that are written: 1 and, of many, round ones."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if n_models / step <= 15)
    return [1, *(rank for rank in range(step, n_models + 1, step) if rank > 1)]


def _name_some(tasks: pd.Series) -> str:
    more = f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else ""
    return ", ".join(map(str, tasks[:_NAMED])) + more


def draw_heatmap(analysis: Analysis) -> Any:
    """Draw the rank of every model on every task; tasks by name, models by mean rank. A missing score is left empty."""
    import altair as alt

    scores = analysis.comparison.scores
    ranks = stats.rank(scores).where(scores.notna())
    long = ranks.rename_axis(index="task", columns="model").stack(future_stack=True).rename("rank").reset_index()
    long["score"] = scores.stack(future_stack=True).to_numpy().round(4)
    models = [str(model) for model in scores.columns]
    return (
        alt.Chart(long)
        .mark_rect()
        .encode(
            x=alt.X("model:N", sort=models, title=None, axis=alt.Axis(orient="top", labelAngle=-45)),
            y=alt.Y("task:N", title=None, axis=alt.Axis(labelFontSize=8, labelOverlap=False)),
            color=alt.Color(
                "rank:Q",
                scale=alt.Scale(scheme="blues", reverse=True, domain=[1, max(len(models), 2)]),
                legend=alt.Legend(title="rank, 1 = best", values=_rank_values(len(models)), format="d"),
            ),
            tooltip=[alt.Tooltip(name) for name in ("task:N", "model:N", "score:Q", "rank:Q")],
        )
        .properties(width=alt.Step(34), height=alt.Step(9))
    )


def draw_scatter(analysis: Analysis) -> Any:
    """Draw one model's scores against another's, task by task.

    The two are the first that were asked for, or the best; in a browser both can be chosen.

    Raises:
        SnnbenchError: If there is one model, or one task.
    """
    import altair as alt

    comparison = analysis.comparison
    if comparison.n_models < 2:
        raise SnnbenchError("A scatter plot needs two models, found one; run or name another.")
    check_several_tasks(comparison)
    models = [str(model) for model in comparison.table.index]
    first, second = [*comparison.options.models, *models][:2] if len(comparison.options.models) != 1 else models[:2]
    wide = comparison.scores.round(4).add_prefix("score of ").rename_axis(index="task").copy().reset_index()
    across = alt.param(name="across", value=second, bind=alt.binding_select(options=models, name="horizontal axis "))
    up = alt.param(name="up", value=first, bind=alt.binding_select(options=models, name="vertical axis "))
    low, high = float(comparison.scores.min(axis=None)), float(comparison.scores.max(axis=None))
    pad = 0.02 * (high - low or 1.0)
    scale = alt.Scale(domain=[low - pad, high + pad], nice=False, zero=False)
    outcome = "datum.y > datum.x ? 'up' : datum.y < datum.x ? 'across' : 'equal'"
    outcomes = ["up", "equal", "across"]
    points = (
        alt.Chart(wide)
        .transform_calculate(x="datum['score of ' + across]", y="datum['score of ' + up]")
        .transform_filter("isValid(datum.x) && isValid(datum.y)")
        .transform_calculate(
            outcome=outcome,
            difference="datum.y - datum.x",
            first="up + ': ' + datum.y",
            second="across + ': ' + datum.x",
        )
        .mark_point(filled=True, size=55, opacity=0.8)
        .encode(
            x=alt.X("x:Q", scale=scale, title=None, axis=alt.Axis(tickCount=alt.expr("width / 55"))),
            y=alt.Y("y:Q", scale=scale, title=None, axis=alt.Axis(tickCount=alt.expr("height / 40"))),
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(domain=outcomes, range=list(_OUTCOMES)),
                legend=alt.Legend(
                    title=None,
                    orient="bottom",
                    offset=30,
                    columns=alt.expr(f"width < {_NARROW} ? 1 : 3"),
                    labelExpr="datum.label == 'up' ? up + ' higher' : datum.label == 'across' ? across + ' higher' : 'equal'",
                ),
            ),
            shape=alt.Shape("outcome:N", scale=alt.Scale(domain=outcomes, range=["triangle-up", "circle", "triangle-down"])),
            tooltip=[
                alt.Tooltip("task:N"),
                alt.Tooltip("first:N", title="up"),
                alt.Tooltip("second:N", title="across"),
                alt.Tooltip("difference:Q", title="difference", format="+.4f"),
            ],
        )
    )
    diagonal = (
        alt.Chart(pd.DataFrame({"x": [low - pad, high + pad]}))
        .mark_line(strokeDash=[4, 4], strokeWidth=1, color="#888888", clip=True)
        .encode(x=alt.X("x:Q", scale=scale), y=alt.Y("x:Q", scale=scale))
    )
    return (
        alt.layer(diagonal, points, *_named_axes(comparison.metric or "score"))
        .add_params(up, across)
        .properties(width=460, height=460)
    )


def _named_axes(what: str) -> list[Any]:
    """Return the titles of both axes as texts: Vega-Lite's own titles cannot follow the models that a reader chooses."""
    import altair as alt

    empty = alt.Chart(pd.DataFrame({"x": [0]}))
    words: dict[str, Any] = {"align": "center", "fontSize": 12, "clip": False}
    return [
        empty.mark_text(text=alt.expr(f"'{what} of ' + across"), baseline="top", **words).encode(
            x=alt.value(alt.expr("width / 2")), y=alt.value(alt.expr("height + 26"))
        ),
        empty.mark_text(text=alt.expr(f"'{what} of ' + up"), angle=270, baseline="middle", **words).encode(
            x=alt.value(-44), y=alt.value(alt.expr("height / 2"))
        ),
    ]


def draw_bayes(analysis: Analysis) -> Any:
    """Draw how probable it is that the baseline is better, practically equivalent or worse than each model.

    Raises:
        SnnbenchError: If there is one model, or one task.
    """
    import altair as alt

    comparison = analysis.comparison
    if comparison.n_models < 2:
        raise SnnbenchError("A Bayesian comparison needs two models, found one; run or name another.")
    check_several_tasks(comparison)
    rope = f"{comparison.rope:.2g}"
    names = {
        "p_higher": f"{comparison.baseline} better",
        "p_equivalent": f"equivalent (within {rope})",
        "p_lower": f"{comparison.baseline} worse",
    }
    table = analysis.comparison.bayesian.reset_index()[["other", *names]].rename(columns=names)
    long = table.melt("other", var_name="outcome", value_name="probability")
    long["place"] = long["outcome"].map({name: place for place, name in enumerate(names.values())})
    models = [str(model) for model in comparison.table.index if model != comparison.baseline]
    return (
        alt.Chart(long)
        .mark_bar()
        .encode(
            x=alt.X(
                "probability:Q",
                title="probability",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2f"),
            ),
            y=alt.Y("other:N", sort=models, title=None),
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(domain=list(names.values()), range=list(_OUTCOMES)),
                legend=alt.Legend(title=None, orient="top", labelLimit=400, columns=alt.expr(f"width < {_NARROW} ? 1 : 3")),
            ),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("other:N", title="model"),
                alt.Tooltip("outcome:N"),
                alt.Tooltip("probability:Q", format=".3f"),
            ],
        )
        .properties(
            width=WIDTH,
            height=24 * len(models),
            title=describe(
                f"{BAYESIAN_TESTS[comparison.options.bayes].capitalize()} of {comparison.baseline} against each model "
                f"on {comparison.n_tasks} tasks"
            ),
        )
    )
