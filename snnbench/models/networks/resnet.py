"""The residual network: each block adds to its input instead of replacing it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, cast

import torch
from annotated_types import Ge, Gt, Le
from torch import nn

from snnbench.models.equal_configs import without_idle_bottleneck
from snnbench.models.layers.normalisation import StackedBatchNorm
from snnbench.models.layers.stacked import Dropout, Gradients, ReLU, StackedLinear, descend_chain
from snnbench.models.networks.batchnorm import NORMALISATION, NORMALISATION_DEFAULTS
from snnbench.models.networks.fully_connected import HYPERPARAMETERS, dropout_rates
from snnbench.records import Config, Value


class Residual(nn.Module):
    """``x + layers(x)`` (He et al. 2016, equation 1). The first of the layers must not overwrite its input.

    Shape:
        (n_stack, n_batch, n_units), unchanged.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        signals = [x]
        for layer in self.layers:
            signals.append(layer(signals[-1]))
        if self.training and not torch.is_grad_enabled():
            self.__dict__["signals"] = signals
        return x + signals[-1]

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        signals = self.__dict__.pop("signals")
        of_signal = gradient
        of_parameters: tuple[torch.Tensor, ...] = ()
        for layer, before, after in zip(reversed(self.layers), reversed(signals[:-1]), reversed(signals), strict=False):
            of_signal, of_layer = cast(Any, layer).backward(of_signal, before, after)
            of_parameters = (*of_layer, *of_parameters)
        return gradient + of_signal, of_parameters

    def descend(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, shrink: torch.Tensor | None) -> torch.Tensor:
        """Take the step of a ``gradient`` that has the learning rate in it; see ``StackedLinear.descend``."""
        return gradient + descend_chain(self.layers, self.__dict__.pop("signals"), gradient, shrink)


class ResNet(nn.Sequential):
    """Stack of residual networks (He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016).

    Their form with fully connected layers for convolutions: a first layer ``relu(normalise(x @ weight))`` of ``n_units``, then
    ``n_blocks`` blocks ``relu(x + f(x))``, then the output layer. In f, batch normalisation follows every layer, and ReLU every
    layer but the last, whose ReLU comes after the addition. With ``form = "rectangular"``, f has 2 layers of ``n_units`` (their
    figure 2); with ``"diavolo"`` 3 layers, of ``bottleneck * n_units`` twice and then ``n_units`` (their figure 5, right; the
    SNN paper does not say how wide the second is). Dropout follows the ReLUs within f (Zagoruyko & Komodakis 2016, section
    2.4). The weights are initially those of He et al. 2015.

    The SNN paper does not say whether its residual networks were normalised. He et al. say that theirs are, after every layer,
    and without it the second moment of a signal is multiplied by 2.4 in every block (by a million in 16, initially), so that
    networks of 16 blocks could hardly have been trained; ``normalisation = "none"`` leaves it out.

    Shape:
        input (n_stack, n_batch, n_features), output logits (n_stack, n_batch, n_outputs).
    """

    can_be_padded = True
    hyperparameters = {
        "n_units": HYPERPARAMETERS["n_units"],
        "n_blocks": Annotated[int, Ge(1)],
        "form": Literal["rectangular", "diavolo"],
        "bottleneck": Annotated[float, Gt(0), Le(1)],
        "learning_rate": HYPERPARAMETERS["learning_rate"],
        "dropout_rate": HYPERPARAMETERS["dropout_rate"],
        "normalisation": Literal["batch", "none"],
    } | NORMALISATION
    defaults: ClassVar[dict[str, Value]] = {
        "bottleneck": 0.25,
        "dropout_rate": 0.0,
        "normalisation": "batch",
        **NORMALISATION_DEFAULTS,
    }

    canonical = staticmethod(without_idle_bottleneck)

    def __init__(self, configs: Sequence[Config], n_features: int, n_outputs: int) -> None:
        values = self.defaults | dict(configs[0].values)
        n_stack, n_units, rates = len(configs), int(values["n_units"]), dropout_rates(configs)
        narrow = max(1, round(float(values["bottleneck"]) * n_units))
        widths = [n_units, *([n_units] if values["form"] == "rectangular" else [narrow, narrow]), n_units]

        def linear(n_in: int, n_out: int) -> list[nn.Module]:
            if values["normalisation"] == "none":
                return [StackedLinear(n_stack, n_in, n_out, gain=2)]
            normalise = StackedBatchNorm(n_stack, n_out, float(values["decay"]), float(values["eps"]))
            return [StackedLinear(n_stack, n_in, n_out, gain=2, bias=False), normalise]

        layers = [*linear(n_features, n_units), ReLU()]
        for _ in range(int(values["n_blocks"])):
            inner = [layer for shape in pairwise(widths[:-1]) for layer in (*linear(*shape), ReLU(), Dropout(rates))]
            layers += [Residual(*inner, *linear(*widths[-2:])), ReLU()]
        super().__init__(*layers, StackedLinear(n_stack, n_units, n_outputs, gain=2))
