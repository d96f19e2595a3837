"""Mean and variance of the activations, layer by layer: what a network has, and what the moment map says."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from snnbench.errors import ConfigError
from snnbench.figure_files import BLUE, ORANGE
from snnbench.models.layers.stacked import StackedLinear
from snnbench.paper.theory.activations import Activation, find_activation, normal_moments

_LOG_RANGE = 50.0
"""Variances that differ by more are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Network:
    """An untrained network and its input: ``n_layers`` layers of ``n_units``, rows of independent normal features.

    ``tau`` is the sum of a unit's squared weights: 1 for the initialisation of SNNs, 2 for that of He et al. With
    ``normalised`` weights it is so exactly and the sum ω is 0, as in the theorems; as drawn, both are so on average only, and
    the ω of a unit is normal with variance τ.
    """

    activation: str = "selu"
    n_layers: int = 32
    n_units: int = 256
    n_rows: int = 2048
    tau: float = 1.0
    mean: float = 0.0
    variance: float = 1.0
    normalised: bool = True
    seed: int = 0


def measure_moments(network: Network) -> pd.DataFrame:
    """Return mean and variance over all units and rows, for the input (layer 0) and every layer.

    Returns:
        Columns layer, mean, variance, predicted_mean, predicted_variance; the prediction starts at the input's moments and
        goes from layer to layer by the map.

    Raises:
        UnknownNameError: If the activation is unknown.
        SnnbenchError: If its moments are not finite.
        ConfigError: If a number is out of range.
    """
    _check(network)
    activation = find_activation(network.activation)
    layer = StackedLinear(1, network.n_units, network.n_units, gain=1.0)
    generator = torch.Generator().manual_seed(network.seed)
    signal = torch.randn(1, network.n_rows, network.n_units, generator=generator).double()
    signal = network.mean + network.variance**0.5 * signal
    predicted = (network.mean, network.variance)
    rows = []
    for position in range(network.n_layers + 1):
        rows.append((position, float(signal.mean()), float(signal.var()), *predicted))
        layer.reset([network.seed * 1_000_003 + position + 1])
        with np.errstate(all="ignore"):
            signal = torch.from_numpy(activation((signal @ _weights(layer, network)).numpy()))
        predicted = _predict(activation, network, *predicted)
    return pd.DataFrame(rows, columns=["layer", "mean", "variance", "predicted_mean", "predicted_variance"])


def _predict(activation: Activation, network: Network, mean: float, variance: float) -> tuple[float, float]:
    """Return the map at τ and, for normalised weights, ω = 0.

    As drawn, the ω of the units are normal with variance τ. Then z, over units and rows alike, is N(0, τ·(ν + μ²)).
    """
    of_input = network.tau * (variance if network.normalised else variance + mean * mean)
    return normal_moments(activation, of_input) if of_input > 0 else (mean, variance)


def _check(network: Network) -> None:
    for name, value, smallest in (("layers", network.n_layers, 1), ("units", network.n_units, 2), ("rows", network.n_rows, 2)):
        if value < smallest:
            raise ConfigError(f"There must be at least {smallest} {name}, found {value}.")
    for name, number in (("variance", network.variance), ("tau", network.tau)):
        if not 0 < number < np.inf:
            raise ConfigError(f"The {name} must be above 0, found {number:g}.")


@torch.inference_mode()
def _weights(layer: StackedLinear, network: Network) -> torch.Tensor:
    weights = layer.weight.double()
    if network.normalised:
        weights = weights - weights.mean(dim=1, keepdim=True)
        weights = weights / weights.square().sum(dim=1, keepdim=True).sqrt()
    return weights * network.tau**0.5


def draw_moments(moments: pd.DataFrame, title: str) -> Any:
    """Return the chart: a panel for the means and one for the variances; points are measured, lines predicted."""
    import altair as alt

    panels = []
    for name in ("mean", "variance"):
        both = moments[[name, f"predicted_{name}"]]
        table = both.set_axis(["measured", "moment map"], axis=1).assign(layer=moments["layer"])
        table = table.melt("layer", var_name="curve", value_name=name)
        values = table[name]
        is_log = name == "variance" and values.min() > 0 and values.max() / values.min() > _LOG_RANGE
        colour = alt.Color(
            "curve:N",
            title=None,
            scale=alt.Scale(domain=["measured", "moment map"], range=[BLUE, ORANGE]),
            legend=alt.Legend(orient="top"),
        )
        # A mean that is 0 but for chance must not fill the panel.
        reach = max(0.5, 1.1 * float(values.abs().max()))
        domain = [min(1.1 * float(values.min()), -0.1 * reach), max(1.1 * float(values.max()), 0.1 * reach)]
        scale = alt.Scale(type="log") if is_log else alt.Scale(domain=domain) if name == "mean" else alt.Scale(zero=True)
        axis = alt.Axis(format="~e", tickCount=6, grid=False) if is_log else alt.Axis()
        base = alt.Chart(table).encode(
            x=alt.X(
                "layer:Q", title="layer (0 = input)", scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickMinStep=1)
            ),
            y=alt.Y(f"{name}:Q", title=f"{name} of the activations", scale=scale, axis=axis),
            color=colour,
        )
        points = base.transform_filter("datum.curve == 'measured'").mark_point(filled=True, size=32, opacity=1)
        lines = base.transform_filter("datum.curve == 'moment map'").mark_line(strokeWidth=1.8)
        panels.append((lines + points).properties(width=300, height=240))
    return alt.hconcat(*panels, title=title)
