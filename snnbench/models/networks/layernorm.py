"""The ReLU network with layer normalisation."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from snnbench.models.layers.normalisation import StackedLayerNorm
from snnbench.models.layers.stacked import Dropout, ReLU, StackedLinear
from snnbench.models.networks.fully_connected import DEFAULTS, HYPERPARAMETERS, dropout_rates, hidden_widths
from snnbench.records import Config


class LayerNorm(nn.Sequential):
    """Stack of ReLU networks whose hidden layers are ``relu(normalise(x @ weight))`` (Ba et al. 2016, equation 4).

    The normalisation stands before ReLU and brings the layer's gain and bias, as in the paper's equation. Initialisation as in
    He et al. 2015. The output layer is not normalised.

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
            linear = StackedLinear(n_stack, n_in, n_out, gain=2, bias=False)
            layers += [linear, StackedLayerNorm(n_stack, n_out), ReLU(), Dropout(rates)]
        super().__init__(*layers, StackedLinear(n_stack, widths[-1], n_outputs, gain=2))
