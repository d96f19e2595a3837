"""The gradients of a stack, and one step of gradient descent.

There are two ways to the gradients: autograd for any network, and layer by layer for one whose layers know their derivative.
Both call the same kernels in the same order, so their results are equal bit by bit; a test holds them to it. A chain of layers
can also descend while it differentiates: the learning rate runs through the derivative, and each layer is updated as soon as
it is passed, so that no gradient of a weight is ever stored. That is the same mathematics with other rounding; a test holds it
to the gradients in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import nn

from snnbench.models.layers.stacked import descend_chain
from snnbench.training.losses import Batch, loss_and_gradient


@dataclass(frozen=True, eq=False)
class StackedSGD:
    """How a stack descends.

    ``rates`` (n_stack, 1, 1) are the learning rates; ``l2`` (n_stack, 1, 1) the penalties, None if there are none: ``l2 / 2``
    times the sum of the squared weights is added to the loss that is differentiated. ``velocities`` has a tensor a parameter
    if there is momentum. ``by_layer`` differentiates layer by layer, ``fused`` also updates each layer on the way.
    """

    rates: torch.Tensor
    l2: torch.Tensor | None = None
    momentum: float = 0.0
    velocities: list[torch.Tensor] = field(default_factory=list)
    by_layer: bool = False
    fused: bool = False

    def select(self, members: torch.Tensor) -> "StackedSGD":
        """Return the descent of these members alone."""
        velocities = [velocity[members] for velocity in self.velocities]
        l2 = None if self.l2 is None else self.l2[members]
        return replace(self, rates=self.rates[members], l2=l2, velocities=velocities)


def make_optimizer(
    network: nn.Module, learning_rates: Sequence[float], l2: Sequence[float] = (), momentum: float = 0.0, fused: bool = True
) -> StackedSGD:
    """Choose the fastest descent that network and settings allow, or without ``fused`` the one that torch would take."""
    first = next(network.parameters())

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=first.dtype, device=first.device).view(-1, 1, 1)

    velocities = [torch.zeros_like(parameter) for parameter in network.parameters()] if momentum else []
    penalties, by_layer = column(l2) if any(l2) else None, is_chain(network)
    if by_layer:
        cast(Any, network)[0].is_first = True
    return StackedSGD(column(learning_rates), penalties, momentum, velocities, by_layer, fused and by_layer and not momentum)


def step(network: nn.Module, optimizer: StackedSGD, batch: Batch) -> torch.Tensor:
    """Take one step of SGD; return the members' losses before it (n_stack,). A member without a row stays as it is."""
    if optimizer.fused:
        return _descend(cast(nn.Sequential, network), optimizer, batch)
    losses, gradients = (layer_by_layer if optimizer.by_layer else by_autograd)(cast(nn.Sequential, network), batch)
    _update(network, optimizer, gradients, batch)
    return losses


def is_chain(network: nn.Module) -> bool:
    """Say whether a network is a chain of layers that know their derivative."""
    return isinstance(network, nn.Sequential) and all(hasattr(layer, "backward") for layer in network)


def by_autograd(network: nn.Module, batch: Batch) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Differentiate the sum of the members' losses; return them and the gradients in the order of ``parameters()``."""
    logits = network(batch.X)
    losses, gradient = loss_and_gradient(logits.detach(), batch)
    return losses, list(torch.autograd.grad(logits, list(network.parameters()), gradient))


@torch.inference_mode()
def layer_by_layer(network: nn.Sequential, batch: Batch) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """As ``by_autograd``, for a chain of layers that have a ``backward``."""
    signals = _forward(network, batch)
    losses, gradient = loss_and_gradient(signals[-1], batch)
    gradients: list[torch.Tensor] = []
    for layer, x, y in zip(reversed(network), reversed(signals[:-1]), reversed(signals), strict=False):
        gradient, of_parameters = cast(Any, layer).backward(gradient, x, y)
        gradients[:0] = of_parameters
    return losses, gradients


@torch.inference_mode()
def _descend(network: nn.Sequential, optimizer: StackedSGD, batch: Batch) -> torch.Tensor:
    signals = _forward(network, batch)
    losses, gradient = loss_and_gradient(signals[-1], batch)
    shrink = None
    if optimizer.l2 is not None:
        shrink = 1 - optimizer.rates * optimizer.l2
        shrink = shrink if batch.row_share is None else torch.where(_has_rows(batch), shrink, 1)
    descend_chain(network, signals, gradient.mul_(optimizer.rates), shrink)
    return losses


def _forward(network: nn.Sequential, batch: Batch) -> list[torch.Tensor]:
    signals = [batch.X]
    for layer in network:
        signals.append(layer(signals[-1]))
    return signals


@torch.inference_mode()
def _update(network: nn.Module, optimizer: StackedSGD, gradients: list[torch.Tensor], batch: Batch) -> None:
    parameters = list(network.parameters())
    rates = optimizer.rates.neg()
    if batch.row_share is not None:
        rates = torch.where(_has_rows(batch), rates, 0)
    if optimizer.l2 is not None:
        weights = penalised(network)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if id(parameter) in weights:
                gradient.addcmul_(parameter, _like(optimizer.l2, parameter))
    if optimizer.velocities:
        for velocity, gradient in zip(optimizer.velocities, gradients, strict=True):
            moved = velocity.mul(optimizer.momentum).add_(gradient)
            velocity.copy_(
                moved if batch.row_share is None else torch.where(_like(_has_rows(batch), velocity), moved, velocity)
            )
        gradients = optimizer.velocities
    for parameter, gradient in zip(parameters, gradients, strict=True):
        # addcmul rounds as torch.optim.SGD does; multiplying first and adding then would not.
        parameter.addcmul_(gradient, _like(rates, parameter))


def penalised(network: nn.Module) -> set[int]:
    """Return the ids of the parameters that an L2 penalty is of: weights, not biases and gains.

    A layer names them in an attribute ``penalised``; without one it is the parameter ``weight``.
    """
    return {
        id(parameter)
        for layer in network.modules()
        for name, parameter in layer.named_parameters(recurse=False)
        if name in getattr(layer, "penalised", ("weight",))
    }


def _has_rows(batch: Batch) -> torch.Tensor:
    """Return (n_stack, 1, 1) booleans: false for a member that has no row in this batch."""
    assert batch.row_share is not None
    return batch.row_share.any(dim=1).view(-1, 1, 1)


def _like(values: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Return (n_stack, 1, …) values that broadcast over a parameter of any number of axes."""
    return values.view(-1, *[1] * (parameter.dim() - 1))
