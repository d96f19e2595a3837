"""The gradients of a stack: by autograd for any network, or layer by layer for one whose layers know their derivative.

Both call the same kernels in the same order, so their results are equal bit by bit; a test holds them to it.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

LossAndGradients = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]]
"""(batch, targets) → each member's loss (n_stack,) and the gradients in the order of ``network.parameters()``."""


def gradients_of(network: nn.Module) -> LossAndGradients:
    """Choose the faster of the two ways that the network allows."""
    if isinstance(network, nn.Sequential) and all(hasattr(layer, "backward") for layer in network):
        return lambda batch, targets: layer_by_layer(network, batch, targets)
    return lambda batch, targets: by_autograd(network, batch, targets)


def by_autograd(network: nn.Module, batch: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Differentiate the sum of the members' mean softmax cross-entropies.

    Args:
        network: Any stacked network.
        batch: (n_stack, n_batch, n_features).
        targets: (n_stack, n_batch) class indices.
    """
    # Classes before rows: torch's softmax over a short last axis is several times slower.
    losses = functional.cross_entropy(network(batch).mT, targets, reduction="none").mean(dim=1)
    gradients = torch.autograd.grad(losses.sum(), list(network.parameters()))
    return losses.detach(), list(gradients)


@torch.inference_mode()
def layer_by_layer(
    network: nn.Sequential, batch: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """As ``by_autograd``, for a chain of layers that have a ``backward``."""
    signals = [batch]
    for layer in network:
        signals.append(layer(signals[-1]))
    losses, gradient = _cross_entropy(signals[-1], targets)
    gradients: list[torch.Tensor] = []
    for layer, x, y in zip(reversed(network), reversed(signals[:-1]), reversed(signals), strict=False):
        gradient, of_parameters = cast(Any, layer).backward(gradient, x, y)
        gradients[:0] = of_parameters
    return losses, gradients


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each member's mean softmax cross-entropy (n_stack,) and its gradient (n_stack, n_batch, n_outputs)."""
    log_probabilities = logits.mT.log_softmax(dim=1)
    index = targets.unsqueeze(1)
    losses = -log_probabilities.gather(1, index).squeeze(1)
    of_log_probabilities = torch.zeros_like(log_probabilities).scatter_(1, index, -1 / targets.shape[1])
    gradient = torch.ops.aten._log_softmax_backward_data(of_log_probabilities, log_probabilities, 1, logits.dtype)
    return losses.mean(dim=1), gradient.mT
