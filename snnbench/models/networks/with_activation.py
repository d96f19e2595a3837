"""Fully connected networks with an activation, initial weights and dropout that the config names."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import nn

from snnbench.config import ModelSettings
from snnbench.errors import ConfigError
from snnbench.models.layers.activation import make_activation, saturation
from snnbench.models.layers.initialisation import load_fill
from snnbench.models.layers.stacked import SELU, AlphaDropout, Dropout, StackedLinear
from snnbench.models.networks.fully_connected import DEFAULTS, HYPERPARAMETERS, dropout_rates, hidden_widths
from snnbench.records import Config


@dataclass(frozen=True)
class Design:
    """What hidden layers are: ``scale * activation(x @ weight + bias) + shift``, weights of variance ``gain / n_in``.

    ``init`` is the import path of a function that draws them otherwise, see ``initialisation.Fill``.
    """

    activation: str = "torch.nn.functional.selu"
    gain: float = 1.0
    scale: float = 1.0
    shift: float = 0.0
    dropout: str = "alpha"
    init: str | None = None


class FullyConnected(nn.Sequential):
    """Stack of fully connected networks of one design; ``of`` makes the class of another.

    With SELU and alpha dropout it is ``snn``, with ReLU, plain dropout and a gain of 2 ``msrainit``: the same layers.

    Shape:
        input (n_stack, n_batch, n_features), output logits (n_stack, n_batch, n_outputs).
    """

    hyperparameters = HYPERPARAMETERS
    defaults = DEFAULTS
    design: ClassVar[Design] = Design()

    def __init__(self, configs: Sequence[Config], n_features: int, n_outputs: int) -> None:
        design, rates, n_stack = self.design, dropout_rates(configs), len(configs)
        widths = [n_features, *hidden_widths(configs[0], n_outputs)]
        fill = load_fill(design.init) if design.init else None
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            activation = make_activation(design.activation, n_stack, design.scale, design.shift)
            linear = StackedLinear(n_stack, n_in, n_out, design.gain, fill=fill)
            layers += [linear, activation, _dropout(design, activation, rates)]
        super().__init__(*layers, StackedLinear(n_stack, widths[-1], n_outputs, design.gain, fill=fill))

    @classmethod
    def of(cls, settings: ModelSettings) -> "type[FullyConnected]":
        """Return the class of the networks of a table.

        Raises:
            ConfigError: If its gain is still to be asked of the theory.
        """
        if isinstance(settings.gain, str):
            raise ConfigError(
                f"gain must be a number before anything is built, found '{settings.gain}'. `snnbench run` asks the theory, "
                "`snnbench theory analyse --toml` prints it."
            )
        values = {name: getattr(settings, name) for name in Design.__dataclass_fields__}
        return type(cls.__name__, (cls,), {"design": Design(**values), "__module__": cls.__module__})


def _dropout(design: Design, activation: nn.Module, rates: Sequence[float]) -> nn.Module:
    if design.dropout == "plain":
        return Dropout(rates)
    if isinstance(activation, SELU):
        return AlphaDropout(rates)
    return AlphaDropout(rates, design.scale * saturation(design.activation) + design.shift)
