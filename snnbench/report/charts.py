"""The charts of a comparison: ranks, scores task by task, and Bayesian probabilities."""

from typing import Any

import pandas as pd

from snnbench import stats
from snnbench.errors import SnnbenchError
from snnbench.report.analysis import Analysis

WIDTH = 600
COLOURS = ("#3f7fd1", "#d2691e", "#2e9e78", "#b05fc4", "#b8860b", "#d6517d", "#2f9fb5", "#7a8b3c", "#8a7bd8", "#9a6a4f")
"""Readable on white and on near-black; models beyond these repeat them and are told apart by their names."""
_OUTCOMES = ("#3f7fd1", "#9aa0a8", "#d2691e")
_MAX_POINTS = 6_000
"""Beyond these, a strip of single ranks is a solid bar and would make the page slow."""


def draw_ranks(analysis: Analysis) -> Any:
    """Draw the ranks of every model as a box (median and quartiles), the single tasks as points behind it."""
    import altair as alt

    comparison = analysis.comparison
    ranks = stats.rank(comparison.scores)
    long = ranks.rename_axis(index="task", columns="model").stack().rename("rank").reset_index()
    long["score"] = comparison.scores.stack(future_stack=True).to_numpy().round(4)
    models = [str(model) for model in comparison.table.index]
    y = alt.Y("model:N", sort=models, title=None)
    x = alt.X("rank:Q", title="rank on a task, 1 = best", scale=alt.Scale(domain=[0.5, comparison.n_models + 0.5], nice=False))
    base = alt.Chart(long)
    box = base.mark_boxplot(
        extent="min-max", size=16, color=COLOURS[0], opacity=0.85, median={"color": "#0d2038", "strokeWidth": 3}
    ).encode(x=x, y=y)
    means = (
        alt.Chart(pd.DataFrame({"model": models, "rank": comparison.table["mean_rank"].to_numpy(dtype=float)}))
        .mark_point(shape="diamond", size=70, filled=True, color=COLOURS[1], opacity=1)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("model:N"), alt.Tooltip("rank:Q", format=".2f", title="mean rank")])
    )
    layers = [box, means]
    if len(long) <= _MAX_POINTS:
        points = (
            base.transform_calculate(jitter="random()", shifted="datum.rank + 0.5 * (random() - 0.5)")
            .mark_circle(size=22, opacity=0.55, color=COLOURS[0])
            .encode(
                x=alt.X(
                    "shifted:Q",
                    scale=alt.Scale(domain=[0.5, comparison.n_models + 0.5], nice=False),
                    title="rank on a task, 1 = best",
                ),
                y=y,
                yOffset=alt.YOffset("jitter:Q", scale=alt.Scale(domain=[-1.2, 2.2])),
                tooltip=[alt.Tooltip(name) for name in ("task:N", "model:N", "rank:Q", "score:Q")],
            )
        )
        layers = [points, box.encode(opacity=alt.value(0.6)), means]
    return alt.layer(*layers).properties(width=WIDTH, height=34 * comparison.n_models)


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
            color=alt.Color("rank:Q", scale=alt.Scale(scheme="blues", reverse=True), legend=alt.Legend(title="rank, 1 = best")),
            tooltip=[alt.Tooltip(name) for name in ("task:N", "model:N", "score:Q", "rank:Q")],
        )
        .properties(width=alt.Step(34), height=alt.Step(9))
    )


def draw_scatter(analysis: Analysis) -> Any:
    """Draw one model's scores against another's, task by task.

    The two are the first that were asked for, or the best; in a browser both can be chosen.

    Raises:
        SnnbenchError: If there is one model only.
    """
    import altair as alt

    comparison = analysis.comparison
    if comparison.n_models < 2:
        raise SnnbenchError("A scatter plot needs two models, found one; run or name another.")
    models = [str(model) for model in comparison.table.index]
    first, second = [*comparison.options.models, *models][:2] if len(comparison.options.models) != 1 else models[:2]
    wide = comparison.scores.round(4).add_prefix("score of ").rename_axis(index="task").copy().reset_index()
    across = alt.param(name="across", value=second, bind=alt.binding_select(options=models, name="across "))
    up = alt.param(name="up", value=first, bind=alt.binding_select(options=models, name="up "))
    low, high = float(comparison.scores.min(axis=None)), float(comparison.scores.max(axis=None))
    pad = 0.02 * (high - low or 1.0)
    scale = alt.Scale(domain=[low - pad, high + pad], nice=False, zero=False)
    higher = "datum.y > datum.x ? 'above: up is higher' : datum.y < datum.x ? 'below: across is higher' : 'equal'"
    outcomes = ["above: up is higher", "equal", "below: across is higher"]
    points = (
        alt.Chart(wide)
        .transform_calculate(x="datum['score of ' + across]", y="datum['score of ' + up]")
        .transform_filter("isValid(datum.x) && isValid(datum.y)")
        .transform_calculate(outcome=higher, difference="datum.y - datum.x")
        .mark_point(filled=True, size=55, opacity=0.8)
        .encode(
            x=alt.X("x:Q", scale=scale, title=f"{comparison.metric or 'score'} of the model across"),
            y=alt.Y("y:Q", scale=scale, title=f"{comparison.metric or 'score'} of the model up"),
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(domain=outcomes, range=list(_OUTCOMES)),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            shape=alt.Shape("outcome:N", scale=alt.Scale(domain=outcomes, range=["triangle-up", "circle", "triangle-down"])),
            tooltip=[
                alt.Tooltip("task:N"),
                alt.Tooltip("x:Q", title="across"),
                alt.Tooltip("y:Q", title="up"),
                alt.Tooltip("difference:Q", title="difference", format="+.4f"),
            ],
        )
    )
    diagonal = (
        alt.Chart(pd.DataFrame({"x": [low - pad, high + pad]}))
        .mark_line(strokeDash=[4, 4], strokeWidth=1, color="#888888", clip=True)
        .encode(x=alt.X("x:Q", scale=scale), y=alt.Y("x:Q", scale=scale))
    )
    title = alt.Title(alt.expr("up + ' (up) against ' + across + ' (across), task by task'"), anchor="start", fontSize=13)
    return alt.layer(diagonal, points).add_params(up, across).properties(width=460, height=460, title=title)


def draw_bayes(analysis: Analysis) -> Any:
    """Draw how probable it is that the baseline is better, practically equivalent or worse than each model.

    Raises:
        SnnbenchError: If there is one model only.
    """
    import altair as alt

    comparison = analysis.comparison
    if comparison.n_models < 2:
        raise SnnbenchError("A Bayesian comparison needs two models, found one; run or name another.")
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
                legend=alt.Legend(title=None, orient="top", labelLimit=400),
            ),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("other:N", title="model"),
                alt.Tooltip("outcome:N"),
                alt.Tooltip("probability:Q", format=".3f"),
            ],
        )
        .properties(width=WIDTH, height=24 * len(models))
    )
