"""Figure 2: the vector field of the moment map, and the fixed point that it leads to."""

from typing import Any

import numpy as np
import pandas as pd

from snnbench.figure_files import BLUE, ORANGE
from snnbench.paper.theory.fixed_points import fixed_point
from snnbench.paper.theory.moment_map import moment_map

MEANS = (-0.1, 0.1)
VARIANCES = (0.8, 1.5)
"""The domain of Theorem 1."""

_N_COLUMNS, _N_ROWS = 11, 15
_WIDTH, _HEIGHT = 420, 420
_ARROW_SHARE = 0.14
"""Of a step, as long as the arrows are drawn: whole steps would lie across each other."""


def vector_field(omega: float = 0.0, tau: float = 1.0) -> pd.DataFrame:
    """Return the map at the points of a grid: mean, variance, next_mean, next_variance.

    Raises:
        SnnbenchError: If the moment map does not hold for ω or τ.
    """
    mean, variance = np.meshgrid(np.linspace(*MEANS, _N_COLUMNS), np.linspace(*VARIANCES, _N_ROWS))
    next_mean, next_variance = moment_map(mean, variance, omega, tau)
    columns = {"mean": mean, "variance": variance, "next_mean": next_mean, "next_variance": next_variance}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def draw_vector_field(omega: float = 0.0, tau: float = 1.0) -> Any:
    """Return the chart: an arrow from every point a part of the way to its image, and the fixed point as a star.

    Raises:
        SnnbenchError: If the moment map does not hold for ω or τ, or has no fixed point there.
    """
    import altair as alt

    field = vector_field(omega, tau)
    star = pd.DataFrame([fixed_point(omega, tau)], columns=["mean", "variance"])
    step_mean, step_variance = field["next_mean"] - field["mean"], field["next_variance"] - field["variance"]
    field["to_mean"], field["to_variance"] = (
        field["mean"] + _ARROW_SHARE * step_mean,
        field["variance"] + _ARROW_SHARE * step_variance,
    )
    x_domain, y_domain = _padded(MEANS, star["mean"][0]), _padded(VARIANCES, star["variance"][0])
    # A mark's angle is in degrees clockwise from up, on the paper and not in the units of the axes.
    right = step_mean * _WIDTH / (x_domain[1] - x_domain[0])
    up = step_variance * _HEIGHT / (y_domain[1] - y_domain[0])
    field["angle"] = np.degrees(np.arctan2(right, up)) % 360
    x = alt.X("mean:Q", title="mean μ", scale=alt.Scale(domain=x_domain, nice=False), axis=alt.Axis(grid=False))
    y = alt.Y("variance:Q", title="variance ν", scale=alt.Scale(domain=y_domain, nice=False), axis=alt.Axis(grid=False))
    arrows = alt.Chart(field)
    lines = arrows.mark_rule(color=BLUE, strokeWidth=1.1).encode(x=x, y=y, x2="to_mean", y2="to_variance")
    heads = arrows.mark_point(shape="triangle", filled=True, color=BLUE, size=26, opacity=1).encode(
        x=alt.X("to_mean:Q", scale=alt.Scale(domain=x_domain)),
        y=alt.Y("to_variance:Q", scale=alt.Scale(domain=y_domain)),
        angle=alt.Angle("angle:Q", scale=alt.Scale(domain=[0, 360], range=[0, 360])),
    )
    point = alt.Chart(star).mark_point(shape=_STAR, filled=True, color=ORANGE, size=220, opacity=1).encode(x=x, y=y)
    mean, variance = (round(float(value), 4) + 0.0 for value in star.iloc[0])
    title = f"Moment map of SELU, ω = {omega:g}, τ = {tau:g}: fixed point ({mean:g}, {variance:g})"
    return (lines + heads + point).properties(width=_WIDTH, height=_HEIGHT, title=title)


_STAR = (
    "M0,-1 L0.225,-0.309 L0.951,-0.309 L0.363,0.118 L0.588,0.809 L0,0.382 "
    "L-0.588,0.809 L-0.363,0.118 L-0.951,-0.309 L-0.225,-0.309 Z"
)
"""A star of five points as an SVG path, which Vega has no name for."""


def _padded(limits: tuple[float, float], value: float) -> list[float]:
    """Return limits with a margin that also take the value in."""
    low, high = min(limits[0], value), max(limits[1], value)
    margin = 0.06 * (high - low)
    return [low - margin, high + margin]
