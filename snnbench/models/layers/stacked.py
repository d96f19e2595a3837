"""The layers that stacked networks are made of.

A stack trains ``n_stack`` networks of one shape at once: every parameter has a leading ``n_stack`` axis and a layer is one
batched matrix product. A member's numbers never depend on its neighbours: its draws come from its own seed, and every
kernel used here gives the same bits for a member alone and among others (CPU, one thread, float32; ``snnbench.mkl`` has the
setting of MKL that it needs, ``snnbench.training.exactness`` the test of a machine).

A layer with something random defines ``reset(seeds)``: one seed a member, from which all its draws follow. A layer may
define ``backward``, its derivative by the very kernels that autograd would call; a network whose layers all do is trained
without autograd's bookkeeping, which for narrow networks costs as much as the arithmetic.
``snnbench.models.layers.manual_backward`` helps where the derivative needs more than a layer's input and output.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import nn

from snnbench.models.layers import counter_rng
from snnbench.models.layers.precision import add_product, add_product_, product

Gradients = tuple[torch.Tensor, tuple[torch.Tensor, ...]]
"""What a layer's ``backward(gradient, x, y)`` returns: the gradients of its input x and of each of its parameters."""

ALPHA = 1.6732632423543772
"""α₀₁ of Klambauer et al. 2017, equation 14: with λ₀₁ it gives SELU its fixed point at mean 0, variance 1."""

SCALE = 1.0507009873554805
"""λ₀₁ of Klambauer et al. 2017, equation 14."""


def select(network: nn.Module, members: torch.Tensor) -> None:
    """Make a stack smaller: keep these members alone, in this order.

    Args:
        network: A stacked network.
        members: (n_kept,) int64, their places in the stack.
    """
    for layer in network.modules():
        for values in (*layer._parameters.values(), *layer._buffers.values()):
            if values is not None:
                values.data = values.data[members]
        if layer is not network and hasattr(layer, "select"):
            cast(Any, layer).select(members)


def reset(network: nn.Module, seeds: Sequence[int], draw: bool = True) -> None:
    """Draw all initial weights of a stack and restart its dropout streams.

    Args:
        network: A stacked network; each of its layers gets its own seeds, by its position in the network.
        seeds: (n_stack,) one seed a member. Members with equal seeds and shapes start equal and drop equal units.
        draw: Whether to touch layers that have parameters; otherwise the streams alone are restarted.
    """
    for position, layer in enumerate(network.modules()):
        has_parameters = any(True for _ in layer.parameters())
        if layer is not network and hasattr(layer, "reset") and (draw or not has_parameters):
            cast(Any, layer).reset([seed * 1_000_003 + position for seed in seeds])


@torch.no_grad()
def draw_weights(weight: nn.Parameter, seeds: Sequence[int], gain: float, fill: Callable[..., Any] | None = None) -> None:
    """Draw the weights of each member from its seed, on its device: normal with mean 0 and variance ``gain / n_in``.

    ``gain=1`` is the initialisation of self-normalizing networks (Klambauer et al. 2017, section 2), ``gain=2`` that of He et
    al. 2015, equation 10. Where there is a ``fill``, as ``initialisation.Fill``, its weights are multiplied by ``gain ** 0.5``.

    Shape:
        weight (n_stack, n_in, n_out), seeds (n_stack,).
    """
    _, n_in, n_out = weight.shape
    first_of: dict[int, int] = {}
    for member, seed in enumerate(seeds):
        if seed in first_of:  # drawing costs more than copying, and a search's members differ in their rates alone
            weight[member] = weight[first_of[seed]]
            continue
        first_of[seed] = member
        generator = torch.Generator(weight.device).manual_seed(seed)
        if fill is None:
            weight[member] = torch.randn(n_in, n_out, generator=generator, device=weight.device) * (gain / n_in) ** 0.5
        else:
            drawn = torch.empty(n_out, n_in, device=weight.device)
            fill(drawn, generator=generator)
            weight[member] = drawn.mT * gain**0.5


def descend_chain(
    layers: Iterable[nn.Module], signals: Sequence[torch.Tensor], gradient: torch.Tensor, shrink: torch.Tensor | None
) -> torch.Tensor:
    """Take one step of gradient descent through a chain of layers, backward, each updated as soon as it is passed.

    A layer that can update itself without storing its gradient defines ``descend``, as ``StackedLinear`` does.

    Args:
        layers: Each with a ``backward``.
        signals: What went into the first layer and came out of each.
        gradient: Of the last signal, times the learning rate.
        shrink: (n_stack, 1, 1) what an L2 penalty leaves of the penalised weights in a step; None without penalty.

    Returns:
        The gradient of the first signal, times the learning rate.
    """
    for layer, x, y in zip(reversed(list(layers)), reversed(signals[:-1]), reversed(signals), strict=False):
        if hasattr(layer, "descend"):
            gradient = cast(Any, layer).descend(gradient, x, y, shrink)
            continue
        gradient, of_parameters = cast(Any, layer).backward(gradient, x, y)
        for (name, parameter), of_parameter in zip(layer.named_parameters(), of_parameters, strict=True):
            if shrink is not None and name in getattr(layer, "penalised", ("weight",)):
                parameter.mul_(shrink)
            parameter.sub_(of_parameter)
    return gradient


class StackedLinear(nn.Module):
    """``x @ weight + bias`` for every member, in one ``baddbmm``; weights as ``draw_weights`` says, biases zero.

    ``bias=False`` leaves the bias out, for a layer whose normalisation brings its own. ``is_first`` is set by who trains it.

    Shape:
        input (n_stack, n_batch, n_in), output (n_stack, n_batch, n_out).
    """

    def __init__(
        self, n_stack: int, n_in: int, n_out: int, gain: float, bias: bool = True, fill: Callable[..., Any] | None = None
    ) -> None:
        super().__init__()
        self.gain, self.fill, self.is_first = gain, fill, False
        self.weight = nn.Parameter(torch.empty(n_stack, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_stack, 1, n_out)) if bias else None

    @torch.no_grad()
    def reset(self, seeds: Sequence[int]) -> None:
        """Draw each member's weights from its seed; set the biases to zero."""
        draw_weights(self.weight, seeds, self.gain, self.fill)
        if self.bias is not None:
            self.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return product(x, self.weight) if self.bias is None else add_product(self.bias, x, self.weight)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        of_weight = product(x.mT, gradient)
        of_parameters = (of_weight,) if self.bias is None else (of_weight, gradient.sum(dim=1, keepdim=True))
        return self._of_input(gradient), of_parameters

    def descend(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, shrink: torch.Tensor | None) -> torch.Tensor:
        """Take the step of a ``gradient`` that has the learning rate in it, without storing the weights' own gradient.

        ``shrink`` (n_stack, 1, 1) is what an L2 penalty leaves of the weights. Returns the gradient of x.
        """
        of_x = self._of_input(gradient)
        if shrink is not None:
            self.weight.mul_(shrink)
        add_product_(self.weight, x.mT, gradient, alpha=-1)
        if self.bias is not None:
            self.bias.sub_(gradient.sum(dim=1, keepdim=True))
        return of_x

    def _of_input(self, gradient: torch.Tensor) -> torch.Tensor:
        # Nobody asks for the gradient of the data, and with many features it would cost as much as that of the weights.
        return gradient if self.is_first else product(gradient, self.weight.mT)


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

    The masks are hashes of a member's seed, the time, the row and the unit (see ``snnbench.models.layers.counter_rng``), so
    they depend on nothing else, not even on how far the layer is padded. Members of one seed and rate share a mask, made once;
    so do all members of rate 0. The trainer gives all layers one ``counter`` and advances it.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.rates = tuple(rates)
        self.places = torch.empty(0, 0, dtype=torch.int32)
        self.counter = counter_rng.new_counter()
        self.derived: dict[torch.dtype, tuple[torch.Tensor, ...]] = {}

    def reset(self, seeds: Sequence[int]) -> None:
        """Restart the streams; draws nothing yet."""
        members = [(seed if rate else 0, rate) for seed, rate in zip(seeds, self.rates, strict=True)]
        distinct = {member: place for place, member in enumerate(dict.fromkeys(members))}
        self.places = torch.empty(0, 0, dtype=torch.int32)
        self.keys = counter_rng.keys_of([seed for seed, _ in distinct]).view(-1, 1, 1)
        self.keep = torch.tensor([1 - rate for _, rate in distinct]).view(-1, 1, 1)
        self.thresholds = counter_rng.thresholds([1 - rate for _, rate in distinct])
        self.member_of = torch.tensor([distinct[member] for member in members])
        self.derived = {}

    def select(self, members: torch.Tensor) -> None:
        """Keep these members alone."""
        self.rates = tuple(self.rates[member] for member in members.tolist())
        used, self.member_of = self.member_of[members.to(self.member_of.device)].unique(return_inverse=True)
        self.keys, self.keep, self.thresholds = self.keys[used], self.keep[used], self.thresholds[used]
        self.derived = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return masks of 0 and 1, (n_distinct, n_batch, n_units)."""
        n_batch, n_units = x.shape[1:]
        if self.places.shape[0] < n_batch or self.places.shape[1] != n_units or self.places.device != x.device:
            self.places = counter_rng.places(n_batch, n_units, x.device)
            for name in ("keys", "keep", "thresholds", "member_of", "counter"):
                setattr(self, name, getattr(self, name).to(x.device))
            self.derived = {}
        return counter_rng.bernoulli_mask(self.keys + self.counter, self.places[:n_batch], self.thresholds).to(x.dtype)

    def constants(
        self, dtype: torch.dtype, derive: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
    ) -> tuple[torch.Tensor, ...]:
        """Return what follows from the (n_distinct, 1, 1) keep probabilities alone: computed once, not in every step."""
        if dtype not in self.derived:
            self.derived[dtype] = derive(self.keep.to(dtype))
        return self.derived[dtype]

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Give every member its values; a single set is broadcast instead of copied."""
        return values if len(values) == 1 else values.index_select(0, self.member_of)


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
        kept = self.masks(x)
        (keep,) = self.masks.constants(x.dtype, lambda keep: (keep,))
        self.scale = self.masks.spread(kept / keep)
        return x * self.scale

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return gradient * self.scale if any(self.masks.rates) else gradient, ()

    def affine(self, dtype: torch.dtype) -> torch.Tensor:
        """Return (n_stack, 3): what a member's kept units are multiplied by, what is then added, what dropped ones become."""
        (keep,) = self.masks.constants(dtype, lambda keep: (keep,))
        return torch.cat([1 / keep, 0 * keep, 0 * keep], dim=1)[self.masks.member_of, :, 0]


DROPPED = -SCALE * ALPHA
"""What dropped units of SELU are set to: its value far below zero."""


class AlphaDropout(nn.Module):
    """Dropout that keeps mean 0 and variance 1 (Klambauer et al. 2017, section 2, "New dropout technique").

    With keep probability q, dropped units are set to α′, the value of the activation far below zero (-λα of SELU); then all are
    mapped by ``a·x + b``, where ``a = (q + α′²q(1 - q))^(-1/2)`` and ``b = -a(1 - q)α′``.

    Shape:
        (n_stack, n_batch, n_units), unchanged. ``rates`` is (n_stack,); the identity in evaluation mode. ``is_unit``
        (n_stack, 1, n_units) is 0 in the padding of a padded stack.
    """

    def __init__(self, rates: Sequence[float], dropped: float = DROPPED) -> None:
        super().__init__()
        self.masks, self.dropped = _KeepMasks(rates), dropped
        self.is_unit: torch.Tensor | None
        self.register_buffer("is_unit", None, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not any(self.masks.rates):
            return x
        kept = self.masks(x)
        a, offset = self.masks.constants(x.dtype, self._affine_map)
        scale = a * kept
        shift = self.masks.spread((a - scale) * self.dropped - offset)
        self.scale = self.masks.spread(scale)
        # What dropping would put into the units of the padding must not reach the next layer's weights.
        return torch.addcmul(shift if self.is_unit is None else shift * self.is_unit, x, self.scale)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return gradient * self.scale if any(self.masks.rates) else gradient, ()

    def affine(self, dtype: torch.dtype) -> torch.Tensor:
        """As ``Dropout.affine``."""
        a, offset = self.masks.constants(dtype, self._affine_map)
        return torch.cat([a, -offset, a * self.dropped - offset], dim=1)[self.masks.member_of, :, 0]

    def _affine_map(self, keep: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return ``a`` and ``-b`` for some keep probabilities."""
        a = (keep + self.dropped**2 * keep * (1 - keep)) ** -0.5
        return a, a * (1 - keep) * self.dropped
