"""The gradients of a stack: by autograd for any network, or layer by layer for one whose layers know their derivative.

Both call the same kernels in the same order, so their results are equal bit by bit; a test holds them to it.

The type of the targets chooses the loss. Class indices (n_stack, n_batch): the softmax cross-entropy, averaged over the rows.
Floats (n_stack, n_batch, n_outputs), 0 and 1 and NaN = not measured: the binary cross-entropy of each output, averaged over the
measured labels of the batch; where there are none, loss and gradients are 0.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable

LossAndGradients = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]]
"""(batch, targets) → each member's loss (n_stack,) and the gradients in the order of ``network.parameters()``."""


def gradients_of(network: nn.Module) -> LossAndGradients:
    """Choose the faster of the two ways that the network allows."""
    if isinstance(network, nn.Sequential) and all(hasattr(layer, "backward") for layer in network):
        cast(Any, network[0]).is_first = True
        return lambda batch, targets: layer_by_layer(network, batch, targets)
    return lambda batch, targets: by_autograd(network, batch, targets)


def by_autograd(network: nn.Module, batch: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Differentiate the sum of the members' losses.

    Args:
        network: Any stacked network.
        batch: (n_stack, n_batch, n_features).
        targets: (n_stack, n_batch) class indices, or (n_stack, n_batch, n_outputs) labels, NaN = not measured.
    """
    logits = network(batch)
    logits.register_hook(lambda gradient: gradient.contiguous())  # sums over rows then run in nn.Sequential's order
    if targets.is_floating_point():
        losses = cast(torch.Tensor, _BinaryCrossEntropy.apply(logits, targets))
    else:
        axis = _class_axis(logits)
        losses = -_log_probabilities(logits).gather(axis, targets.unsqueeze(axis)).squeeze(axis).mean(dim=1)
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
    loss = _binary_cross_entropy if targets.is_floating_point() else _cross_entropy
    losses, gradient = loss(signals[-1], targets)
    gradients: list[torch.Tensor] = []
    for layer, x, y in zip(reversed(network), reversed(signals[:-1]), reversed(signals), strict=False):
        gradient, of_parameters = cast(Any, layer).backward(gradient, x, y)
        gradients[:0] = of_parameters
    return losses, gradients


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each member's mean softmax cross-entropy (n_stack,) and its gradient (n_stack, n_batch, n_outputs)."""
    axis = _class_axis(logits)
    log_probabilities = _log_probabilities(logits)
    index = targets.unsqueeze(axis)
    losses = -log_probabilities.gather(axis, index).squeeze(axis)
    of_log_probabilities = torch.zeros_like(log_probabilities).scatter_(axis, index, -1 / targets.shape[1])
    gradient = torch.ops.aten._log_softmax_backward_data(of_log_probabilities, log_probabilities, axis, logits.dtype)
    return losses.mean(dim=1), gradient.movedim(axis, -1).contiguous()


def _binary_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each member's mean over its measured labels (n_stack,) and the gradient (n_stack, n_batch, n_outputs).

    ``max(x, 0) - x y + log(1 + exp(-|x|))`` for a logit x and a label y. Unmeasured labels are cut out, not multiplied by zero, so that
    not even an infinite logit gets through.
    """
    measured = ~targets.isnan()
    n_measured = measured.flatten(1).sum(dim=1).clamp_min_(1).to(logits.dtype)
    labels = torch.where(measured, targets, 0)
    each = logits.clamp_min(0) - logits * labels + (-logits.abs()).exp_().log1p_()
    losses = torch.where(measured, each, 0).flatten(1).sum(dim=1) / n_measured
    probabilities = probabilities_of(logits)
    return losses, torch.where(measured, (probabilities - labels) / n_measured.view(-1, 1, 1), 0)


def probabilities_of(logits: torch.Tensor) -> torch.Tensor:
    """Return the sigmoid, computed as a tanh: torch's rounds the last elements of a tensor in another way than the rest."""
    return (logits * 0.5).tanh_().mul_(0.5).add_(0.5)


class _BinaryCrossEntropy(torch.autograd.Function):
    """What autograd needs to know of ``_binary_cross_entropy``."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        losses, gradient = _binary_cross_entropy(logits, targets)
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_losses: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * of_losses.view(-1, 1, 1), None


def _log_probabilities(logits: torch.Tensor) -> torch.Tensor:
    """Return the log-softmax, with the classes on ``_class_axis``."""
    axis = _class_axis(logits)
    return logits.movedim(-1, axis).log_softmax(dim=axis)


def _class_axis(logits: torch.Tensor) -> int:
    """Return where the classes stand while probabilities are computed: before the rows if they are few.

    Torch's softmax is several times slower over an axis shorter than a vector register; with fewer than 16 classes both give
    the same bits.
    """
    return 1 if logits.shape[-1] < 16 else 2
