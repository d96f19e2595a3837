"""The highway network: gates choose, unit by unit, between a transformation of the input and the input itself."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from pydantic import FiniteFloat
from torch import nn

from snnbench.models.layers.manual_backward import manual_backward, manual_forward
from snnbench.models.layers.precision import add_product, product
from snnbench.models.layers.stacked import Dropout, Gradients, ReLU, StackedLinear, draw_weights
from snnbench.models.networks.fully_connected import HYPERPARAMETERS, dropout_rates
from snnbench.records import Config, Value


class HighwayLayer(nn.Module):
    """``y = gate * transform + (1 - gate) * x`` (Srivastava, Greff & Schmidhuber 2015, equation 3).

    The transform is ``relu`` and the gate ``sigmoid`` of an affine map of x; one ``baddbmm`` computes both, the transform's
    units first. A negative bias of the gate carries the input through at first (section 2.2). Dropout acts on the transform
    alone: on the way of the carried input the noise of all layers would multiply, and after 32 layers at rate 0.5 nothing would
    be left.

    Shape:
        (n_stack, n_batch, n_units), unchanged.
    """

    n_parts = 2  # the last axis of weight and bias: transform, then gate

    def __init__(self, n_units: int, gate_bias: float, rates: Sequence[float]) -> None:
        super().__init__()
        self.gate_bias = gate_bias
        self.weight = nn.Parameter(torch.empty(len(rates), n_units, 2 * n_units))
        self.bias = nn.Parameter(torch.zeros(len(rates), 1, 2 * n_units))
        self.dropout = Dropout(rates)

    @torch.no_grad()
    def reset(self, seeds: Sequence[int]) -> None:
        """Draw each member's weights from its seed, with variance 2/n; set the gates' biases."""
        draw_weights(self.weight, seeds, gain=2)
        of_transform, of_gate = self.bias.chunk(2, dim=-1)
        of_transform.zero_()
        of_gate.fill_(self.gate_bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return manual_forward(self, x)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return manual_backward(self, gradient)

    def compute(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        transform, gate = add_product(self.bias, x, self.weight).chunk(2, dim=-1)
        transform.relu_()
        # The sigmoid as a tanh: torch.sigmoid rounds the last elements of a tensor in another way than the rest, so that a
        # member would depend on the stack's size.
        gate.mul_(0.5).tanh_().mul_(0.5).add_(0.5)
        dropped = self.dropout(transform)
        return torch.lerp(x, dropped, gate), (x, transform, gate, dropped)

    def derive(self, gradient: torch.Tensor, *saved: torch.Tensor) -> Gradients:
        x, transform, gate, dropped = saved
        through = gradient * gate
        of_dropped, _ = self.dropout.backward(through, transform, dropped)
        of_transform = torch.ops.aten.threshold_backward(of_dropped, transform, 0)
        of_gate = torch.ops.aten.sigmoid_backward(gradient * (dropped - x), gate)
        of_affine = torch.cat([of_transform, of_gate], dim=-1)
        of_x = add_product(gradient - through, of_affine, self.weight.mT)
        return of_x, (product(x.mT, of_affine), of_affine.sum(dim=1, keepdim=True))


class Highway(nn.Sequential):
    """Stack of highway networks (Srivastava et al. 2015; initialisation as in He et al. 2015, gate bias -1).

    The layers are as wide as the inputs, since the SNN paper gives no width and its accuracies fit that one: 0.5255 on
    chess-krvk with its 6 inputs, where we find 0.517, and 0.754 at width 64. With ``n_units`` above 0, a plain ReLU layer comes
    first and the layers have that width, as in section 2.1 of the paper.

    Shape:
        input (n_stack, n_batch, n_features), output logits (n_stack, n_batch, n_outputs).
    """

    can_be_padded = True
    hyperparameters = {name: HYPERPARAMETERS[name] for name in ("n_layers", "learning_rate", "dropout_rate")} | {
        "n_units": Annotated[int, Ge(0)],
        "gate_bias": FiniteFloat,
    }
    defaults: ClassVar[dict[str, Value]] = {"dropout_rate": 0.0, "n_units": 0, "gate_bias": -1.0}

    def __init__(self, configs: Sequence[Config], n_features: int, n_outputs: int) -> None:
        values = self.defaults | dict(configs[0].values)
        n_stack, rates = len(configs), dropout_rates(configs)
        width = int(values["n_units"]) or n_features
        first = [StackedLinear(n_stack, n_features, width, gain=2), ReLU(), Dropout(rates)] if values["n_units"] else []
        layers = [HighwayLayer(width, float(values["gate_bias"]), rates) for _ in range(int(values["n_layers"]))]
        super().__init__(*first, *layers, StackedLinear(n_stack, width, n_outputs, gain=2))
