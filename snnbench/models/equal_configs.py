"""Hyperparameters of our networks that may not matter: known without torch, so that grids can be counted without it."""

from collections.abc import Callable, Mapping

from snnbench.records import Value


def without_idle_bottleneck(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the hyperparameters of a residual network; blocks that do not narrow have no bottleneck."""
    return {name: value for name, value in values.items() if name != "bottleneck" or values["form"] == "diavolo"}


EQUAL_CONFIGS: Mapping[str, Callable[[Mapping[str, Value]], dict[str, Value]]] = {
    "snnbench.models.networks.resnet.ResNet": without_idle_bottleneck,
}
"""What leaves out the hyperparameters that do not matter, by import path; the static method ``canonical`` of a network."""
