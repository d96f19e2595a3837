"""The charts of one's own runs: learning curves, selected hyperparameters, costs."""

from typing import Any

from snnbench.errors import SnnbenchError
from snnbench.report.charts import COLOURS, WIDTH
from snnbench.report.runs import Runs


def draw_curves(runs: Runs) -> Any:
    """Draw the validation scores of the selected configurations by epoch, smoothed and not, with the stopping epochs.

    The task is the first that was asked for, or the first by name; in a browser it can be chosen.

    Raises:
        SnnbenchError: If no network was trained.
    """
    import altair as alt

    if runs.curves.empty:
        raise SnnbenchError("Learning curves need a network among the models, found none. Train one with `snnbench run`.")
    tasks = sorted(set(runs.curves["task"]))
    models = [model for model in runs.models if model in set(runs.curves["model"])]
    task = alt.param(name="task", value=tasks[0], bind=alt.binding_select(options=tasks, name="task "))
    legend = alt.Legend(title=None, symbolOpacity=1, symbolStrokeWidth=3)
    colour = alt.Color("model:N", scale=alt.Scale(domain=models, range=_repeat(len(models))), legend=legend)
    x = alt.X("epoch:Q", title="epoch", scale=alt.Scale(nice=False))
    title = "validation score"
    frame: list[int | None] = [-(runs.window - 1), 0] if not runs.centred else [-((runs.window - 1) // 2), runs.window // 2]
    base = (
        alt.Chart(runs.curves)
        .transform_filter("datum.task == task")
        .transform_flatten(["valid"])
        .transform_window(epoch="row_number()", groupby=["model"], ignorePeers=True)
        .transform_window(smoothed="mean(valid)", size="count()", frame=frame, groupby=["model"], ignorePeers=True)
    )
    raw = base.mark_line(opacity=0.35, strokeWidth=1).encode(
        x=x, y=alt.Y("valid:Q", title=title, scale=alt.Scale(zero=False)), color=colour
    )
    whole = f"datum.size == min({runs.window}, datum.n_epochs)"
    smooth = (
        base.transform_filter(whole)
        .mark_line(strokeWidth=2.5)
        .encode(
            x=x,
            y=alt.Y("smoothed:Q", title=title, scale=alt.Scale(zero=False)),
            color=colour,
            tooltip=[alt.Tooltip("model:N"), alt.Tooltip("epoch:Q"), alt.Tooltip("smoothed:Q", format=".4f")],
        )
    )
    stop = (
        base.transform_filter("datum.epoch == datum.best_epoch")
        .mark_point(filled=True, size=110, shape="diamond", opacity=1)
        .encode(
            x=x,
            y=alt.Y("smoothed:Q", title=title, scale=alt.Scale(zero=False)),
            color=colour,
            tooltip=[
                alt.Tooltip("model:N"),
                alt.Tooltip("epoch:Q", title="stopping epoch"),
                alt.Tooltip("smoothed:Q", format=".4f"),
            ],
        )
    )
    caption = f"'Validation score on ' + task + '; thick: mean of {runs.window} epochs; diamond: stopping epoch'"
    return (
        alt.layer(raw, smooth, stop)
        .add_params(task)
        .properties(width=WIDTH, height=320, title=alt.Title(alt.expr(caption), anchor="start", fontSize=13))
    )


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
        order = {value: place for place, value in enumerate(values)}
        counts["place"] = counts["value"].map(order)
        counts["value"] = counts["value"].astype(str)
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
            .properties(width=WIDTH - 120, height=alt.Step(20), title=alt.Title(str(name), anchor="start", fontSize=13))
        )
    return alt.vconcat(*charts).resolve_scale(color="independent")


def draw_cost(runs: Runs) -> Any:
    """Draw how long the trainings of a model took on a task, search included, against its mean score.

    Raises:
        SnnbenchError: If nothing was trained.
    """
    import altair as alt

    if runs.costs.empty:
        raise SnnbenchError("Costs need finished trainings, found none. Train models with `snnbench run`.")
    x = alt.X("seconds:Q", title="training seconds a task, search included (mean)", scale=alt.Scale(type="log", nice=True))
    y = alt.Y("mean_score:Q", title="mean score", scale=alt.Scale(zero=False, padding=25))
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("seconds:Q", format=".3g"),
        alt.Tooltip("mean_rank:Q", format=".2f", title="mean rank"),
        alt.Tooltip("mean_score:Q", format=".4f", title="mean score"),
    ]
    base = alt.Chart(runs.costs)
    points = base.mark_point(filled=True, size=90, color=COLOURS[0], opacity=1).encode(x=x, y=y, tooltip=tooltip)
    names = base.mark_text(align="left", dx=9, dy=-6).encode(x=x, y=y, text="model:N")
    return alt.layer(points, names).properties(width=WIDTH, height=320)


def _repeat(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


def _shades(count: int) -> list[str]:
    """Return shades of one hue, light to dark: values have an order, and their shades show it."""
    light, dark = (0xBF, 0xD8, 0xF5), (0x1B, 0x49, 0x8C)
    steps = [k / max(count - 1, 1) for k in range(count)]
    return ["#" + "".join(f"{round(a + (b - a) * t):02x}" for a, b in zip(light, dark, strict=True)) for t in steps]
