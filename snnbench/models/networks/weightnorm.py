"""The ReLU network with weight normalisation."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from snnbench.models.layers.normalisation import StackedWeightNormLinear
from snnbench.models.layers.stacked import Dropout, ReLU
from snnbench.models.networks.fully_connected import DEFAULTS, HYPERPARAMETERS, dropout_rates, hidden_widths
from snnbench.records import Config


class WeightNorm(nn.Sequential):
    """Stack of ReLU networks whose weights are learned as length and direction (Salimans & Kingma 2016, equation 2).

    All layers, the output layer too, are reparametrised; initially they are those of He et al. 2015.

    Shape:
        input (n_stack, n_batch, n_features), output logits (n_stack, n_batch, n_outputs).
    """

    can_be_padded = True
    hyperparameters = HYPERPARAMETERS
    defaults = DEFAULTS

    def __init__(self, configs: Sequence[Config], n_features: int, n_outputs: int) -> None:
        n_stack, rates = len(configs), dropout_rates(configs)
        widths = [n_features, *hidden_widths(configs[0], n_outputs)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [StackedWeightNormLinear(n_stack, n_in, n_out, variance=2), ReLU(), Dropout(rates)]
        super().__init__(*layers, StackedWeightNormLinear(n_stack, widths[-1], n_outputs, variance=2))
