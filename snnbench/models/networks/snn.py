"""The self-normalizing network: SELU, weights of variance 1/n, alpha dropout."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from snnbench.models.layers.stacked import SELU, AlphaDropout, StackedLinear
from snnbench.models.networks.fully_connected import DEFAULTS, HYPERPARAMETERS, dropout_rates, hidden_widths
from snnbench.records import Config


class SNN(nn.Sequential):
    """Stack of self-normalizing networks (Klambauer et al., NIPS 2017, section 2).

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
            layers += [StackedLinear(len(configs), n_in, n_out, gain=1), SELU(), AlphaDropout(rates)]
        super().__init__(*layers, StackedLinear(len(configs), widths[-1], n_outputs, gain=1))
