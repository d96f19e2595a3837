"""The charts of one's own runs: learning curves, selected hyperparameters, costs."""

from typing import Any

import numpy as np
import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.report.charts import COLOURS, WIDTH, describe
from snnbench.report.runs import Runs

_LABEL = 15
"""Pixels of a line of text."""
_LEAST_SPAN = 0.02
"""Of scores on an axis: without it, differences that mean nothing would fill the figure."""


def draw_curves(runs: Runs) -> Any:
    """Draw the learning curves of one task; in a browser it can be chosen.

    Raises:
        SnnbenchError: If no network was trained.
    """
    import altair as alt

    tasks = _tasks_with_curves(runs)
    task = alt.param(name="task", value=tasks[0], bind=alt.binding_select(options=tasks, name="task "))
    caption = f"'Validation score on ' + task + '; thick: mean of {runs.window} epochs; diamond: stopping epoch'"
    return (
        _smooth(_curves(runs).properties(data=runs.curves).transform_filter("datum.task == task"), runs)
        .add_params(task)
        .properties(
            width=WIDTH, height=320, title=alt.Title(alt.expr(caption), anchor="start", fontSize=12, fontWeight="normal")
        )
    )


def draw_curves_of_tasks(runs: Runs) -> Any:
    """Draw the learning curves of every task, small ones side by side; of a single task as ``draw_curves`` does.

    Raises:
        SnnbenchError: If no network was trained.
    """
    import altair as alt

    tasks = _tasks_with_curves(runs)
    if len(tasks) == 1:
        return draw_curves(runs)
    caption = f"Validation score by epoch; thick: mean of {runs.window} epochs; diamond: stopping epoch"
    header = alt.Header(labelFontSize=12, labelFontWeight="bold")
    small = _curves(runs, title=None).properties(width=190, height=120)
    page = small.facet(alt.Facet("task:N", title=None, header=header), columns=4, data=runs.curves)
    return _smooth(page, runs).resolve_scale(y="independent").properties(title=describe(caption, 220 * min(len(tasks), 4)))


def _tasks_with_curves(runs: Runs) -> list[str]:
    if runs.curves.empty:
        raise SnnbenchError(
            "Learning curves need networks that were trained here, found none: published results have no curves, estimators "
            "neither. Train one with `snnbench run`."
        )
    return sorted(set(runs.curves["task"]))


def _smooth(chart: Any, runs: Runs) -> Any:
    """Return the chart with a row an epoch: its validation score, and the mean of the window that chose the stopping epoch."""
    frame: list[int | None] = [-(runs.window - 1), 0] if not runs.centred else [-((runs.window - 1) // 2), runs.window // 2]
    by = {"groupby": ["task", "model"], "ignorePeers": True}
    return (
        chart.transform_flatten(["valid"])
        .transform_window(epoch="row_number()", **by)
        .transform_window(smoothed="mean(valid)", size="count()", frame=frame, **by)
    )


def _curves(runs: Runs, title: str | None = "validation score") -> Any:
    """Return the layers: raw and smoothed validation scores by epoch, and the stopping epochs; ``_smooth`` makes their rows."""
    import altair as alt

    models = [model for model in runs.models if model in set(runs.curves["model"])]
    legend = alt.Legend(title=None, symbolOpacity=1, symbolStrokeWidth=3, orient="top", columns=4)
    colour = alt.Color("model:N", scale=alt.Scale(domain=models, range=_repeat(len(models))), legend=legend)
    x = alt.X("epoch:Q", title="epoch", scale=alt.Scale(nice=False))
    y = alt.Scale(zero=False)
    base = alt.Chart()
    smoothed = alt.Y("smoothed:Q", title=title, scale=y)
    said = [alt.Tooltip("model:N"), alt.Tooltip("epoch:Q"), alt.Tooltip("smoothed:Q", format=".4f")]
    raw = base.mark_line(opacity=0.5, strokeWidth=1).encode(x=x, y=alt.Y("valid:Q", title=title, scale=y), color=colour)
    whole = f"datum.size == min({runs.window}, datum.n_epochs)"
    smooth = base.transform_filter(whole).mark_line(strokeWidth=2.5).encode(x=x, y=smoothed, color=colour, tooltip=said)
    stop = (
        base.transform_filter("datum.epoch == datum.best_epoch")
        .mark_point(filled=True, size=110, shape="diamond", opacity=1)
        .encode(x=x, y=smoothed, color=colour, tooltip=said)
    )
    return alt.layer(raw, smooth, stop)


def draw_hyperparameters(runs: Runs) -> Any:
    """Draw on which share of the tasks each value of a hyperparameter was selected, by model.

    Hyperparameters that have one value throughout are left out.

    Raises:
        SnnbenchError: If no model has a hyperparameter of a network.
    """
    import altair as alt

    if runs.selected.empty:
        raise SnnbenchError(
            "Selected hyperparameters need a network among the models, found none. Train one with `snnbench run`."
        )
    charts = []
    chosen = runs.selected.groupby("hyperparameter")["value"].transform("nunique") > 1
    for name, rows in runs.selected[chosen if chosen.any() else slice(None)].groupby("hyperparameter", sort=False):
        values = sorted(set(rows["value"]), key=lambda value: (isinstance(value, str), value))
        counts = rows.groupby(["model", "value"]).size().rename("tasks").reset_index()
        counts["share"] = counts["tasks"] / counts.groupby("model")["tasks"].transform("sum")
        counts["place"] = counts["value"].map({value: place for place, value in enumerate(values)})
        counts["value"] = counts["value"].map({value: str(value) for value in values})  # 1 and 1.0 are one value
        models = [model for model in runs.models if model in set(counts["model"])]
        charts.append(
            alt.Chart(counts)
            .mark_bar()
            .encode(
                x=alt.X(
                    "share:Q",
                    title=None,
                    axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
                    scale=alt.Scale(domain=[0, 1]),
                ),
                y=alt.Y("model:N", sort=models, title=None),
                color=alt.Color(
                    "value:N",
                    sort=[str(value) for value in values],
                    scale=alt.Scale(domain=[str(value) for value in values], range=_shades(len(values))),
                    legend=alt.Legend(title=None, orient="right"),
                ),
                order=alt.Order("place:Q"),
                tooltip=[alt.Tooltip("model:N"), alt.Tooltip("value:N", title=str(name)), alt.Tooltip("tasks:Q")],
            )
            .properties(
                width=WIDTH - 120, height=alt.Step(20), title=alt.Title(str(name), anchor="start", frame="group", fontSize=13)
            )
        )
    return alt.vconcat(*charts).resolve_scale(color="independent")


def draw_cost(runs: Runs) -> Any:
    """Draw how long the trainings of a model took on a task, search included, against its mean score.

    The names stand at the right edge, each joined to its point: so they never overlap, however wide the figure is shown.

    Raises:
        SnnbenchError: If nothing was trained.
    """
    import altair as alt

    if runs.costs.empty:
        raise SnnbenchError("Costs need finished trainings, found none. Train models with `snnbench run`.")
    costs, height = runs.costs, max(320, _LABEL * len(runs.costs))
    low, high = float(costs["mean_score"].min()), float(costs["mean_score"].max())
    pad = max(0.06 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    low, high = low - pad, high + pad
    row = (high - low) * _LABEL / height
    costs = costs.assign(label=spread_out(costs["mean_score"].to_numpy(dtype=float), row, low, high))
    x = alt.X(
        "seconds:Q",
        title="seconds a task, search included",
        scale=alt.Scale(type="log", domain=_log_domain(costs["seconds"]), nice=False),
        axis=alt.Axis(values=_log_ticks(costs["seconds"]), format="~g", labelFlush=False),
    )
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    y, label = alt.Y("mean_score:Q", title="mean score", scale=scale), alt.Y("label:Q", scale=scale)
    edge = alt.value("width")
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("seconds:Q", format=".3g"),
        alt.Tooltip("mean_rank:Q", format=".2f", title="mean rank"),
        alt.Tooltip("mean_score:Q", format=".4f", title="mean score"),
    ]
    colour = alt.Color("model:N", scale=alt.Scale(domain=list(costs["model"]), range=_repeat(len(costs))), legend=None)
    base = alt.Chart(costs)
    return alt.layer(
        base.mark_rule(opacity=0.6).encode(x=x, y=y, x2=edge, y2="label:Q", color=colour),
        base.mark_point(filled=True, size=90, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip),
        base.mark_text(align="left", dx=6, fontSize=12, clip=False).encode(x=edge, y=label, text="model:N"),
    ).properties(width=WIDTH, height=height)


def _log_domain(seconds: pd.Series) -> list[float]:
    """Return what a logarithmic axis shows: a little more than there is, and at least a power of ten."""
    low, high = float(seconds.min()), float(seconds.max())
    beyond = max(1.5, float(np.sqrt(10 * low / high)))
    return [low / beyond, high * beyond]


def _log_ticks(seconds: pd.Series) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten around some seconds; the powers alone beyond three of them."""
    powers = range(int(np.floor(np.log10(seconds.min()))) - 1, int(np.ceil(np.log10(seconds.max()))) + 2)
    digits = (1, 2, 5) if len(powers) <= 6 else (1,)
    return [digit * 10.0**power for power in powers for digit in digits]


def spread_out(places: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Return places that keep the order of the given ones, are at least a gap apart, and as near to them as can be.

    Args:
        places: (n,) numbers.
        gap: The least distance between two places.
        low: The lowest place.
        high: The highest place; there must be room for n - 1 gaps.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(places, kind="stable")
    offsets = gap * np.arange(len(places))
    spread = np.empty(len(places))
    # Less its offset, a place need only not fall below the one before it; bounds keep that.
    spread[order] = np.clip(isotonic_regression(places[order] - offsets).x, low, high - offsets[-1]) + offsets
    return spread


def _repeat(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


def _shades(count: int) -> list[str]:
    """Return shades of one hue, light to dark: values have an order, and their shades show it."""
    light, dark = (0xBF, 0xD8, 0xF5), (0x1B, 0x49, 0x8C)
    steps = [k / max(count - 1, 1) for k in range(count)]
    return ["#" + "".join(f"{round(a + (b - a) * t):02x}" for a, b in zip(light, dark, strict=True)) for t in steps]
