"""The two losses: each member's value and, stated by hand, its gradient.

The type of the targets chooses. Class indices (n_stack, n_batch): the softmax cross-entropy, averaged over the rows. Floats
(n_stack, n_batch, n_outputs), 0 and 1 and NaN = not measured: the binary cross-entropy of each output, averaged over the
measured labels of the batch; where there are none, loss and gradient are 0.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch of every member.

    ``X`` (n_stack, n_batch, n_features); ``targets`` as the module says; ``weight`` (n_stack,) is how much the batch counts in
    the epoch's mean loss: its rows or, for floats, its measured labels.

    A batch filled up with padding has a ``row_share`` (n_stack, n_batch): that of each row in its member's mean, 0 for the
    padding; and, if members differ in their classes, a ``class_mask`` (n_stack, 1, n_outputs): 0, or -inf for the padding.
    """

    X: torch.Tensor
    targets: torch.Tensor
    weight: torch.Tensor | float
    row_share: torch.Tensor | None = None
    class_mask: torch.Tensor | None = None


def loss_and_gradient(logits: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each member's loss (n_stack,) and its gradient (n_stack, n_batch, n_outputs)."""
    if batch.targets.is_floating_point():
        return _binary_cross_entropy(logits, batch.targets)
    if batch.row_share is not None:
        return _padded_cross_entropy(logits, batch.targets, batch.row_share, batch.class_mask)
    return _cross_entropy(logits, batch.targets)


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Call the kernels that autograd calls for ``nn.functional.cross_entropy``, so that bits are those of plain torch."""
    # Torch's softmax is several times slower over an axis shorter than a vector register; with fewer than 16 classes both axes
    # give the same bits.
    axis = 1 if logits.shape[-1] < 16 else 2
    log_probabilities = logits.movedim(-1, axis).log_softmax(dim=axis)
    index = targets.unsqueeze(axis)
    losses = -log_probabilities.gather(axis, index).squeeze(axis)
    of_log_probabilities = torch.zeros_like(log_probabilities).scatter_(axis, index, -1 / targets.shape[1])
    gradient = torch.ops.aten._log_softmax_backward_data(of_log_probabilities, log_probabilities, axis, logits.dtype)
    return losses.mean(dim=1), gradient.movedim(axis, -1).contiguous()


def _padded_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, row_share: torch.Tensor, class_mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    log_probabilities = (logits if class_mask is None else logits + class_mask).log_softmax(dim=-1)
    index, share = targets.unsqueeze(-1), row_share.unsqueeze(-1)
    losses = -(log_probabilities.gather(-1, index) * share).sum(dim=(1, 2))
    gradient = log_probabilities.exp_().mul_(share)
    return losses, gradient.scatter_add_(-1, index, -share)


def _binary_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute ``max(x, 0) - x y + log(1 + exp(-|x|))`` for a logit x and a label y.

    Unmeasured labels are cut out, not multiplied by zero, so that not even an infinite logit gets through.
    """
    measured = ~targets.isnan()
    n_measured = measured.flatten(1).sum(dim=1).clamp_min_(1).to(logits.dtype)
    labels = torch.where(measured, targets, 0)
    each = logits.clamp_min(0) - logits * labels + (-logits.abs()).exp_().log1p_()
    losses = torch.where(measured, each, 0).flatten(1).sum(dim=1) / n_measured
    gradient = torch.where(measured, (sigmoid(logits) - labels) / n_measured.view(-1, 1, 1), 0)
    return losses, gradient


def probabilities(logits: torch.Tensor, multilabel: bool) -> torch.Tensor:
    """Return what logits mean: a probability a label, or one a class."""
    return sigmoid(logits) if multilabel else logits.softmax(dim=-1)


def sigmoid(logits: torch.Tensor) -> torch.Tensor:
    """Return the sigmoid as a tanh: torch's rounds the last elements of a tensor in another way than the rest."""
    return (logits * 0.5).tanh_().mul_(0.5).add_(0.5)
