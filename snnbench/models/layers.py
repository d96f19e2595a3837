"""The layers that stacked networks are made of.

A stack trains ``n_stack`` networks of one shape at once: every parameter has a leading ``n_stack`` axis and a layer is one
batched matrix product. A member's numbers never depend on its neighbours: its draws come from its own seed, and every
kernel used here gives the same bits for a member alone and among others (CPU, one thread, at least two inputs and two units a
layer: products with a single column are computed in another way for a stack of one).

A layer with something random defines ``reset(seeds)``: one seed a member, from which all its draws follow. A layer may
define ``backward``, its derivative by the very kernels that autograd would call; a network whose layers all do is trained
without autograd's bookkeeping, which for narrow networks costs as much as the arithmetic. ``snnbench.models.by_hand`` helps
where the derivative needs more than a layer's input and output.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

Gradients = tuple[torch.Tensor, tuple[torch.Tensor, ...]]
"""What a layer's ``backward(gradient, x, y)`` returns: the gradients of its input x and of each of its parameters."""

ALPHA = 1.6732632423543772
"""α₀₁ of Klambauer et al. 2017, equation 14: with λ₀₁ it gives SELU its fixed point at mean 0, variance 1."""

SCALE = 1.0507009873554805
"""λ₀₁ of Klambauer et al. 2017, equation 14."""


def reset(network: nn.Module, seeds: Sequence[int]) -> None:
    """Draw all initial weights of a stack and restart its dropout streams.

    Args:
        network: A stacked network; each of its layers gets its own seeds, by its position in the network.
        seeds: (n_stack,) one seed a member. Members with equal seeds and shapes start equal and drop equal units.
    """
    for position, layer in enumerate(network.modules()):
        if layer is not network and hasattr(layer, "reset"):
            cast(Any, layer).reset([seed * 1_000_003 + position for seed in seeds])


@torch.no_grad()
def draw_weights(weight: nn.Parameter, seeds: Sequence[int], gain: float) -> None:
    """Draw the weights of each member from its seed: normal with mean 0 and variance ``gain / n_in``.

    ``gain=1`` is the initialisation of self-normalizing networks (Klambauer et al. 2017, section 2), ``gain=2`` that of He et
    al. 2015, equation 10.

    Shape:
        weight (n_stack, n_in, n_out), seeds (n_stack,).
    """
    _, n_in, n_out = weight.shape
    for member, seed in enumerate(seeds):
        draws = torch.randn(n_in, n_out, generator=torch.Generator().manual_seed(seed))
        weight[member] = draws * (gain / n_in) ** 0.5


class StackedLinear(nn.Module):
    """``x @ weight + bias`` for every member, in one ``baddbmm``; weights as ``draw_weights`` says, biases zero.

    ``bias=False`` leaves the bias out, for a layer whose normalisation brings its own. ``is_first`` is set by who trains it.

    Shape:
        input (n_stack, n_batch, n_in), output (n_stack, n_batch, n_out).
    """

    def __init__(self, n_stack: int, n_in: int, n_out: int, gain: float, bias: bool = True) -> None:
        super().__init__()
        self.gain, self.is_first = gain, False
        self.weight = nn.Parameter(torch.empty(n_stack, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_stack, 1, n_out)) if bias else None

    @torch.no_grad()
    def reset(self, seeds: Sequence[int]) -> None:
        """Draw each member's weights from its seed; set the biases to zero."""
        draw_weights(self.weight, seeds, self.gain)
        if self.bias is not None:
            self.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.bmm(x, self.weight) if self.bias is None else torch.baddbmm(self.bias, x, self.weight)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        of_weight = torch.bmm(x.mT, gradient)
        of_parameters = (of_weight,) if self.bias is None else (of_weight, gradient.sum(dim=1, keepdim=True))
        # Nobody asks for the gradient of the data, and with many features it would cost as much as that of the weights.
        return gradient if self.is_first else torch.bmm(gradient, self.weight.mT), of_parameters


def _selu_(x: torch.Tensor) -> torch.Tensor:
    """Apply SELU in place, with ``exp(x) - 1`` as the paper's own TensorFlow did.

    ``torch.expm1`` costs more than the matrix product of a narrow layer, and ``F.selu`` rounds the last elements of a
    tensor in another way than the rest, so that a member would depend on the stack's size. The difference to ``expm1`` is
    at most 2⁻²⁴·λα in float32, the rounding of an activation near 1.
    """
    negative = x.clamp_max(0).exp_().sub_(1)
    return x.clamp_min_(0).mul_(SCALE).add_(negative, alpha=SCALE * ALPHA)


def _selu_gradient(gradient: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.elu_backward(gradient, ALPHA, SCALE, 1.0, True, y)


class _Selu(torch.autograd.Function):
    """What autograd needs to know of ``_selu_``."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
        y = _selu_(x)
        ctx.mark_dirty(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
        (y,) = ctx.saved_tensors
        return _selu_gradient(gradient, y)


class SELU(nn.Module):
    """``λx`` for x > 0, else ``λα(exp(x) - 1)`` (Klambauer et al. 2017, equation 2). Any shape; overwrites its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Selu.apply(x) if torch.is_grad_enabled() else _selu_(x)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return _selu_gradient(gradient, y), ()


class ReLU(nn.Module):
    """``max(x, 0)``. Any shape; overwrites its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu_()

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return torch.ops.aten.threshold_backward(gradient, y, 0), ()


class _KeepMasks(nn.Module):
    """Which units are kept, for every member by its own rate and stream.

    Members of one seed share a field of uniform numbers, drawn once and compared with each one's threshold: a field a
    member would cost more than the rest of a narrow layer. A member's mask depends on its seed, its rate and the shape of
    its batches alone.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.rates = tuple(rates)

    def reset(self, seeds: Sequence[int]) -> None:
        """Restart the streams; draws nothing yet."""
        distinct = list(dict.fromkeys(zip(seeds, self.rates, strict=True)))
        streams = list(dict.fromkeys(seeds))
        self.generators = [torch.Generator().manual_seed(seed) for seed in streams]
        self.stream_of = [streams.index(seed) for seed, _ in distinct]
        self.keep = torch.tensor([1 - rate for _, rate in distinct]).view(-1, 1, 1)
        self.member_of = [distinct.index(member) for member in zip(seeds, self.rates, strict=True)]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return masks of 0 and 1 and keep probabilities, (n_distinct, n_batch, n_units) and (n_distinct, 1, 1)."""
        fields = torch.stack([torch.rand(x.shape[1:], generator=generator) for generator in self.generators])
        kept = fields[self.stream_of] < self.keep
        return kept.to(x.device, x.dtype), self.keep.to(x.device, x.dtype)

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Give every member its values; a single set is broadcast instead of copied."""
        return values if len(values) == 1 else values[self.member_of]


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014): dropped units are 0, kept ones are divided by the keep probability.

    Shape:
        (n_stack, n_batch, n_units), unchanged. ``rates`` is (n_stack,); the identity in evaluation mode.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.masks = _KeepMasks(rates)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not any(self.masks.rates):
            return x
        kept, keep = self.masks(x)
        self.scale = self.masks.spread(kept / keep)
        return x * self.scale

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return gradient * self.scale if any(self.masks.rates) else gradient, ()


class AlphaDropout(nn.Module):
    """Dropout that keeps mean 0 and variance 1 (Klambauer et al. 2017, section 2, "New dropout technique").

    With keep probability q, dropped units are set to α′ = -λα; then all are mapped by ``a·x + b``, where
    ``a = (q + α′²q(1 - q))^(-1/2)`` and ``b = -a(1 - q)α′``.

    Shape:
        (n_stack, n_batch, n_units), unchanged. ``rates`` is (n_stack,); the identity in evaluation mode.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.masks = _KeepMasks(rates)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not any(self.masks.rates):
            return x
        kept, keep = self.masks(x)
        dropped = -SCALE * ALPHA
        a = (keep + dropped**2 * keep * (1 - keep)) ** -0.5
        scale = a * kept
        shift = (a - scale) * dropped - a * (1 - keep) * dropped
        self.scale = self.masks.spread(scale)
        return torch.addcmul(self.masks.spread(shift), x, self.scale)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return gradient * self.scale if any(self.masks.rates) else gradient, ()
