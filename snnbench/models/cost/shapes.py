"""The layers of our own networks by arithmetic: the paper's grid has 20,000 sizes, and to build a network takes milliseconds.

A network that is not named here is built instead (``network_cost``); a test holds these to the networks as they are built.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from snnbench.models.networks.fully_connected import hidden_widths
from snnbench.models.registry import NETWORKS, WITH_ACTIVATION
from snnbench.records import Config, Value

Layers = Callable[[Mapping[str, Value], int, int], "Iterator[Layer]"]
"""(hyperparameters, n_features, n_outputs) → the layers in order, dropout whatever its rate."""


@dataclass(frozen=True)
class Layer:
    """A layer of one member: its kind, its units and the weights of its matrix."""

    kind: str
    n_units: int
    n_weights: int = 0


def _matrix(n_in: int, n_out: int, kind: str = "linear") -> Layer:
    return Layer(kind, n_out, n_in * n_out)


def _fully_connected(
    values: Mapping[str, Value], n_features: int, n_outputs: int, after: tuple[str, ...], kind: str = "linear"
) -> Iterator[Layer]:
    """Yield hidden layers, each a matrix and what comes ``after`` it, and the output layer."""
    widths = [n_features, *hidden_widths(Config("", tuple(values.items())), n_outputs)]
    for n_in, n_out in pairwise(widths):
        yield _matrix(n_in, n_out, kind)
        yield from (Layer(name, n_out) for name in after)
    yield _matrix(widths[-1], n_outputs, kind)


def _batchnorm(values: Mapping[str, Value], n_features: int, n_outputs: int) -> Iterator[Layer]:
    activated = ("batchnorm", "relu") if values["placement"] == "before" else ("relu", "batchnorm")
    yield from _fully_connected(values, n_features, n_outputs, (*activated, "dropout"))


def _highway(values: Mapping[str, Value], n_features: int, n_outputs: int) -> Iterator[Layer]:
    width = int(values["n_units"]) or n_features
    if values["n_units"]:
        yield from (_matrix(n_features, width), Layer("relu", width), Layer("dropout", width))
    for _ in range(int(values["n_layers"])):
        yield from (_matrix(width, 2 * width, "highway"), Layer("dropout", width))
    yield _matrix(width, n_outputs)


def _resnet(values: Mapping[str, Value], n_features: int, n_outputs: int) -> Iterator[Layer]:
    n_units = int(values["n_units"])
    narrow = max(1, round(float(values["bottleneck"]) * n_units))
    widths = [n_units, *([n_units] if values["form"] == "rectangular" else [narrow, narrow]), n_units]

    def linear(n_in: int, n_out: int) -> list[Layer]:
        return [_matrix(n_in, n_out), *([] if values["normalisation"] == "none" else [Layer("batchnorm", n_out)])]

    yield from (*linear(n_features, n_units), Layer("relu", n_units))
    for _ in range(int(values["n_blocks"])):
        yield Layer("residual", n_units)
        for n_in, n_out in pairwise(widths[:-1]):
            yield from (*linear(n_in, n_out), Layer("relu", n_out), Layer("dropout", n_out))
        yield from (*linear(*widths[-2:]), Layer("relu", n_units))
    yield _matrix(n_units, n_outputs)


_OURS: dict[str, Layers] = {
    "batchnorm": _batchnorm,
    "highway": _highway,
    "layernorm": partial(_fully_connected, after=("layernorm", "relu", "dropout")),
    "msrainit": partial(_fully_connected, after=("relu", "dropout")),
    "resnet": _resnet,
    "snn": partial(_fully_connected, after=("selu", "alpha_dropout")),
    "weightnorm": partial(_fully_connected, after=("relu", "dropout"), kind="weightnorm"),
}

SHAPES: dict[str, Layers] = {NETWORKS[name]: layers for name, layers in _OURS.items()} | {WITH_ACTIVATION: _OURS["snn"]}
"""By import path; a network with an activation of one's own costs about what SELU does."""
