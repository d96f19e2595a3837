"""The ReLU network with the initialisation of He et al. ("MSRA"): weights of variance 2/n, ordinary dropout."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from snnbench.models.layers.stacked import Dropout, ReLU, StackedLinear
from snnbench.models.networks.fully_connected import DEFAULTS, HYPERPARAMETERS, dropout_rates, hidden_widths
from snnbench.records import Config


class MSRAInit(nn.Sequential):
    """Stack of ReLU networks without normalisation (He et al. 2015, section 2.2; ``msrainit`` in Table A11).

    Shape:
        input (n_stack, n_batch, n_features), output logits (n_stack, n_batch, n_outputs).
    """

    can_be_padded = True
    hyperparameters = HYPERPARAMETERS
    defaults = DEFAULTS

    def __init__(self, configs: Sequence[Config], n_features: int, n_outputs: int) -> None:
        rates = dropout_rates(configs)
        widths = [n_features, *hidden_widths(configs[0], n_outputs)]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [StackedLinear(len(configs), n_in, n_out, gain=2), ReLU(), Dropout(rates)]
        super().__init__(*layers, StackedLinear(len(configs), widths[-1], n_outputs, gain=2))
