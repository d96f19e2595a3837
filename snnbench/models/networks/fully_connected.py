"""What the fully connected networks of the paper share: the widths of their layers and the hyperparameters in every grid."""

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from snnbench.records import Config, Value

HYPERPARAMETERS = {
    "n_units": Annotated[int, Ge(1)],
    "n_layers": Annotated[int, Ge(1)],
    "form": Literal["rectangular", "conic"],
    "learning_rate": Annotated[float, Gt(0)],
    "dropout_rate": Annotated[float, Ge(0), Lt(1)],
}
"""Name and allowed values of each hyperparameter. Members of a stack share all but the learning and dropout rate."""

DEFAULTS: dict[str, Value] = {"dropout_rate": 0.0}
"""What a grid may leave out."""


def hidden_widths(config: Config, n_outputs: int) -> list[int]:
    """Return the width of each hidden layer.

    A rectangular network has ``n_units`` in all; in a conic one the widths fall (or rise) from ``n_units`` in the first
    hidden layer to the number of outputs by a geometric progression (Klambauer et al. 2017, section A4.1).
    """
    n_units, n_layers = int(config["n_units"]), int(config["n_layers"])
    if config["form"] == "rectangular":
        return [n_units] * n_layers
    ratio = (n_outputs / n_units) ** (1 / n_layers)
    return [max(1, round(n_units * ratio**layer)) for layer in range(n_layers)]


def dropout_rates(configs: Sequence[Config]) -> list[float]:
    """Return the dropout rate of each member, 0 where its grid does not say."""
    return [float(config.get("dropout_rate", 0.0)) for config in configs]
