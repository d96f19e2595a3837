"""Networks whose layers are joined to few kernels: a product, and one kernel for all that follows it."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import torch
import triton
from torch import nn

from snnbench.models.kernels import gates, weight_norm
from snnbench.models.kernels.following import (
    BatchNormed,
    Biased,
    Elementwise,
    Following,
    LayerNormed,
    Sums,
    column_tile,
)
from snnbench.models.layers.normalisation import StackedBatchNorm, StackedLayerNorm, StackedWeightNormLinear
from snnbench.models.layers.precision import add_product_, product
from snnbench.models.layers.stacked import SELU, AlphaDropout, Dropout, Gradients, ReLU, StackedLinear
from snnbench.models.networks.highway import HighwayLayer
from snnbench.models.networks.resnet import Residual

_BLOCK_IN, _BLOCK_OUT = 64, 32
"""A tile of weights."""


def fuse(network: nn.Module) -> nn.Module:
    """Return a network with the same parameters that computes the same with fewer kernels, or the network itself.

    It is to be trained layer by layer (``snnbench.training.optimizer``): its parts have a ``backward`` and a ``descend``, and
    nothing for autograd. Networks with parts that no kernel knows stay as they are.
    """
    if not isinstance(network, nn.Sequential):
        return network
    joined = _join(list(network))
    # An activation of its own would overwrite what the kernel before it needs again.
    if any(isinstance(layer, ReLU | SELU | Residual) for layer in joined):
        return network
    return nn.Sequential(*joined)


def _join(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """Join each layer that has weights or normalises with the activation and the dropout that follow it."""
    joined: list[nn.Module] = []
    waiting = list(layers)

    def take(*kinds: type[nn.Module]) -> nn.Module | None:
        return waiting.pop(0) if waiting and type(waiting[0]) in kinds else None

    while waiting:
        if isinstance(waiting[0], Residual) and len(waiting) > 1 and isinstance(waiting[1], ReLU):
            parts = _join(list(waiting[0].layers))
            if isinstance(parts[-1], StackedLinear) and parts[-1].bias is not None:
                parts[-1] = FusedLayer(parts[-1], None, Elementwise(None, None))
            if len(parts) > 1 and all(isinstance(part, FusedLayer) for part in parts) and _can_add(parts[-1]):
                block, relu = waiting.pop(0), waiting.pop(0)
                joined.append(ResidualBlock(cast(Any, parts), cast(Residual, block), relu))
                continue
        if isinstance(waiting[0], HighwayLayer):
            joined.append(FusedHighway(cast(HighwayLayer, waiting.pop(0))))
            continue
        linear = take(StackedLinear, StackedWeightNormLinear)
        normalise = take(StackedBatchNorm, StackedLayerNorm) if linear is None or linear.bias is None else None
        if linear is None and normalise is None:
            joined.append(waiting.pop(0))
            continue
        then = Elementwise(take(ReLU, SELU), take(Dropout, AlphaDropout))
        if normalise is None and (linear is None or linear.bias is None or not _does_something(then)):
            joined += [part for part in (linear, then.activation, then.dropout) if part is not None]
            continue
        joined.append(FusedLayer(linear, normalise, then))
    return joined


def _does_something(then: Elementwise) -> bool:
    return then.activation is not None or then.dropout is not None


def _can_add(part: nn.Module) -> bool:
    """Say whether a residual may be added in a part's kernel: there is neither activation nor dropout before the sum."""
    return (
        isinstance(part, FusedLayer) and isinstance(part.follow, BatchNormed | Biased) and not _does_something(part.follow.then)
    )


class FusedLayer(nn.Module):
    """A layer with weights, a normalisation, an activation and dropout; what there is of them, in this order.

    Shape:
        input (n_stack, n_batch, n_in), output (n_stack, n_batch, n_out).
    """

    def __init__(self, linear: nn.Module | None, normalise: nn.Module | None, then: Elementwise) -> None:
        super().__init__()
        self.linear = linear
        if normalise is None:
            self.follow: Any = Biased(lambda: cast(Any, linear).bias, then)
        else:
            self.follow = (BatchNormed if isinstance(normalise, StackedBatchNorm) else LayerNormed)(cast(Any, normalise), then)

    @property
    def is_first(self) -> bool:
        """Whether nobody asks for the gradient of the input."""
        return self.linear is not None and cast(Any, self.linear).is_first

    @is_first.setter
    def is_first(self, value: bool) -> None:
        if self.linear is not None:
            cast(Any, self.linear).is_first = value

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        follow = cast(Following, self.follow)
        if self.linear is None:
            return follow.output(x, residual)
        return follow.output(product(x, self._weight()), residual)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return self.through(gradient, x, y, None)

    def through(
        self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, summand: torch.Tensor | None, keeps: bool = False
    ) -> Gradients:
        """As ``backward``; the gradient of x is added to ``summand``, in place, if there is one."""
        of_z, sums = cast(Following, self.follow).of_product(gradient, y, updates=False, keeps=keeps)
        if self.linear is None:
            return of_z, sums
        of_x, of_weight = self._of_input(of_z, summand), product(x.mT, of_z)
        if not isinstance(self.linear, StackedWeightNormLinear):
            return of_x, (of_weight, *sums)
        of_gain = torch.empty_like(self.linear.gain)
        self._descend_direction(of_weight, None, of_gain)
        return of_x, (of_weight, of_gain, *sums)

    def descend(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, shrink: torch.Tensor | None) -> torch.Tensor:
        """Take the step of a ``gradient`` that has the learning rate in it; see ``StackedLinear.descend``."""
        return self.step(gradient, x, y, shrink, None)

    def step(
        self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, shrink: torch.Tensor | None,
        summand: torch.Tensor | None, keeps: bool = False,
    ) -> torch.Tensor:  # fmt: skip
        """As ``descend``; the gradient of x is added to ``summand``, in place, if there is one."""
        of_z, _ = cast(Following, self.follow).of_product(gradient, y, updates=True, keeps=keeps)
        if self.linear is None:
            return of_z
        of_x = self._of_input(of_z, summand)
        if isinstance(self.linear, StackedWeightNormLinear):
            self._descend_direction(product(x.mT, of_z), shrink)
            return of_x
        weight = cast(StackedLinear, self.linear).weight
        if shrink is not None:
            weight.mul_(shrink)
        add_product_(weight, x.mT, of_z, alpha=-1)
        return of_x

    def _of_input(self, of_z: torch.Tensor, summand: torch.Tensor | None) -> torch.Tensor:
        if self.is_first:
            return of_z
        is_normed = isinstance(self.linear, StackedWeightNormLinear)
        weight = self.__dict__["effective"][0] if is_normed else cast(StackedLinear, self.linear).weight
        if summand is None:
            return product(of_z, weight.mT)
        add_product_(summand, of_z, weight.mT, alpha=1)
        return summand

    def _weight(self) -> torch.Tensor:
        if not isinstance(self.linear, StackedWeightNormLinear):
            return cast(StackedLinear, self.linear).weight
        direction, gain = self.linear.direction, self.linear.gain
        weight, norms = torch.empty_like(direction), torch.empty_like(gain)
        n_stack, n_in, n_out = direction.shape
        tiny = torch.finfo(direction.dtype).tiny
        weight_norm.forward[(triton.cdiv(n_out, _BLOCK_OUT), n_stack)](
            direction, gain, weight, norms, n_in, n_out, TINY=tiny, BLOCK_IN=_BLOCK_IN, BLOCK_OUT=_BLOCK_OUT
        )
        if self.training:
            self.__dict__["effective"] = weight, norms
        return weight

    def _descend_direction(
        self, of_weight: torch.Tensor, shrink: torch.Tensor | None, of_gain: torch.Tensor | None = None
    ) -> None:
        """Descend, or with ``of_gain`` turn ``of_weight`` into the gradient of the directions and fill that of the gains."""
        layer, (_, norms) = cast(StackedWeightNormLinear, self.linear), self.__dict__.pop("effective")
        n_stack, n_in, n_out = of_weight.shape
        weight_norm.backward[(triton.cdiv(n_out, _BLOCK_OUT), n_stack)](
            of_weight, layer.direction, layer.gain, norms, shrink, of_gain, n_in, n_out,
            UPDATE=of_gain is None, BLOCK_IN=_BLOCK_IN, BLOCK_OUT=_BLOCK_OUT,
        )  # fmt: skip


class ResidualBlock(nn.Module):
    """``relu(x + layers(x))``; the sum is part of the last layer's kernel, and of the first one's product backward.

    Shape:
        (n_stack, n_units, n_units), unchanged.
    """

    def __init__(self, parts: Sequence[FusedLayer], block: Residual, relu: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        parts[-1].follow.then = Elementwise(relu, None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        signals = [x]
        for part in self.parts[:-1]:
            signals.append(part(signals[-1]))
        if self.training:
            self.__dict__["signals"] = signals
        return self.parts[-1](signals[-1], x)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        of_signal, of_parameters = gradient, cast(Sums, ())
        for part, before, after, summand, keeps in self._reversed(gradient, y):
            of_signal, of_part = part.through(of_signal, before, after, summand, keeps)
            of_parameters = (*of_part, *of_parameters)
        return of_signal, of_parameters

    def descend(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, shrink: torch.Tensor | None) -> torch.Tensor:
        """Take the step of a ``gradient`` that has the learning rate in it; see ``StackedLinear.descend``."""
        of_signal = gradient
        for part, before, after, summand, keeps in self._reversed(gradient, y):
            of_signal = part.step(of_signal, before, after, shrink, summand, keeps)
        return of_signal

    def _reversed(
        self, gradient: torch.Tensor, y: torch.Tensor
    ) -> Iterable[tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor | None, bool]]:
        """Yield the parts backward, with their signals; the last part puts what goes past the block into ``gradient``."""
        signals = [*self.__dict__.pop("signals"), y]
        for place in reversed(range(len(self.parts))):
            summand = gradient if place == 0 else None
            yield self.parts[place], signals[place], signals[place + 1], summand, place == len(self.parts) - 1


class FusedHighway(nn.Module):
    """A highway layer as a product and one kernel.

    Shape:
        (n_stack, n_batch, n_units), unchanged.
    """

    def __init__(self, layer: HighwayLayer) -> None:
        super().__init__()
        self.layer, self.then = layer, Elementwise(ReLU(), layer.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n_stack, n_rows, n_units = x.shape
        z, y, tile = product(x, self.layer.weight), torch.empty_like(x), column_tile(16, n_units)
        grid = (triton.cdiv(n_units, tile["BLOCK_UNITS"]), triton.cdiv(n_rows, tile["BLOCK_ROWS"]), n_stack)
        keys, counter, maps = self.then.mask(z).of_gradient
        gates.forward[grid](z, self.layer.bias, x.contiguous(), y, keys, counter, maps, n_rows, n_units, **tile)
        if self.training:
            self.__dict__["z"] = z
        return y

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        of_bias = torch.empty_like(self.layer.bias)
        of_z = self._of_affine(gradient, x, of_bias)
        of_weight = product(x.mT, of_z)
        add_product_(gradient, of_z, self.layer.weight.mT, alpha=1)
        return gradient, (of_weight, of_bias)

    def descend(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, shrink: torch.Tensor | None) -> torch.Tensor:
        """Take the step of a ``gradient`` that has the learning rate in it; see ``StackedLinear.descend``."""
        of_z = self._of_affine(gradient, x, None)
        add_product_(gradient, of_z, self.layer.weight.mT, alpha=1)
        if shrink is not None:
            self.layer.weight.mul_(shrink)
        add_product_(self.layer.weight, x.mT, of_z, alpha=-1)
        return gradient

    def _of_affine(self, gradient: torch.Tensor, x: torch.Tensor, of_bias: torch.Tensor | None) -> torch.Tensor:
        """Return the gradient of the product; ``gradient`` becomes that of x without it."""
        z = self.__dict__.pop("z")
        n_stack, n_rows, n_units = x.shape
        tile = column_tile(n_rows, n_units)
        gates.backward[(triton.cdiv(n_units, tile["BLOCK_UNITS"]), n_stack)](
            gradient, z, self.layer.bias, x.contiguous(), of_bias, *self.then.mask(z).of_gradient, n_rows, n_units,
            UPDATE=of_bias is None, **tile,
        )  # fmt: skip
        return z
