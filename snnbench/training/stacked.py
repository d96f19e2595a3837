"""The stacked trainer: SGD on many networks of one shape at once.

Each member has its own learning rate, order of rows and loss; the sum of the members' losses is differentiated, and since no
parameter is shared, every member gets the gradient it would have alone.
"""

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.metrics import METRICS
from snnbench.models.layers import reset
from snnbench.records import Dataset, Stage, TrainingRun, digest
from snnbench.training.early_stopping import best_epoch
from snnbench.training.gradients import gradients_of, probabilities_of

_N_SCORED_ROWS = 256
"""Rows scored in one pass; the same for stacks of any size, because a matrix product may round by its number of rows."""


def train_stack(
    network: nn.Module,
    stage: Stage,
    train: Dataset,
    held_out: Dataset,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    n_epochs: int,
    settings: TrainingSettings,
    metric: str = "accuracy",
    device: str = "cpu",
    l2: Sequence[float] = (),
) -> TrainingRun:
    """Train all members from their seeds for ``n_epochs``.

    In a search the held-out rows are scored after every epoch and each member's stopping epoch is found; in an evaluation
    they are scored once, at the end. A member whose loss or outputs are not finite has diverged: its score is NaN, and its
    neighbours go on as if it were not there.

    Args:
        network: Maps (n_stack, n_batch, n_features) to logits (n_stack, n_batch, n_outputs).
        stage: ``"search"`` or ``"evaluate"``.
        train: Rows to learn from.
        held_out: Validation rows in a search, test rows in an evaluation.
        learning_rates: (n_stack,).
        seeds: (n_stack,) one a member, for its initial weights, its orders of rows and its dropout.
        n_epochs: Passes over the training rows.
        settings: Batch size, momentum and smoothing.
        metric: Name of the score.
        device: ``"cpu"`` or ``"cuda"``.
        l2: (n_stack,) penalties: ``l2 / 2`` times the sum of the squared weights is added to the loss that is differentiated,
            not to the one that is recorded; none by default.
    """
    start = time.perf_counter()
    reset(network, [derive_seed(seed, "network") for seed in seeds])
    network.to(device)
    dtype = next(network.parameters()).dtype
    X, y = torch.from_numpy(train.X).to(device, dtype), torch.from_numpy(train.y).to(device)
    y = y.to(dtype) if y.is_floating_point() else y
    X_held_out = torch.from_numpy(held_out.X).to(device, dtype)
    parameters = list(network.parameters())
    steps = [_per_member(learning_rates, parameter).neg_() for parameter in parameters]
    penalties = _penalties(network, l2)
    velocities = [torch.zeros_like(parameter) for parameter in parameters] if settings.momentum else None
    orders = _Orders(seeds, len(y))

    train_loss, valid_score = [], []
    finite = np.ones(len(seeds), dtype=bool)
    for _ in range(n_epochs):
        order = orders.draw().to(device)
        momentum = settings.momentum
        loss = _train_epoch(network, parameters, steps, X, y, order, settings.batch_size, velocities, momentum, penalties)
        train_loss.append(loss)
        finite &= np.isfinite(loss)
        if stage == "search":
            outputs = _outputs(network, X_held_out, len(seeds))
            valid_score.append(METRICS[metric](held_out.y, outputs))
            finite &= np.isfinite(outputs).all(axis=(1, 2))
        if not finite.any():
            break
    nothing = np.full(len(seeds), np.nan)
    if stage == "search":
        curves = np.where(finite, np.array(valid_score), np.nan)
        epoch, score = best_epoch(curves, settings.smoothing_window, settings.smoothing == "centred")
        test_score, outputs = nothing, np.empty((len(seeds), 0, 0))
    else:
        curves, epoch, score = np.empty((0, len(seeds))), np.full(len(seeds), n_epochs), nothing
        outputs = _outputs(network, X_held_out, len(seeds))
        finite &= np.isfinite(outputs).all(axis=(1, 2))
        test_score = np.where(finite, METRICS[metric](held_out.y, outputs), np.nan)
    return TrainingRun(
        train_loss=np.array(train_loss),
        valid_score=curves,
        best_epoch=epoch,
        best_score=score,
        test_score=test_score,
        test_outputs=_probabilities(torch.from_numpy(outputs), y).numpy(),
        diverged=~finite,
        seconds=time.perf_counter() - start,
    )


def derive_seed(seed: int, purpose: str) -> int:
    """Return a seed of 31 bits for one purpose, so that the streams of a member are independent."""
    return int(digest([seed, purpose], length=8), 16) >> 1


class _Orders:
    """Each member's order of rows, epoch by epoch, from its own seed. Members of one seed share an order."""

    def __init__(self, seeds: Sequence[int], n_samples: int) -> None:
        distinct = list(dict.fromkeys(seeds))
        self.generators = [torch.Generator().manual_seed(derive_seed(seed, "order")) for seed in distinct]
        self.member_of = [distinct.index(seed) for seed in seeds]
        self.n_samples = n_samples

    def draw(self) -> torch.Tensor:
        """Return (n_stack, n_samples) row numbers, or (1, n_samples) when all members share them."""
        orders = torch.stack([torch.randperm(self.n_samples, generator=generator) for generator in self.generators])
        return orders if len(orders) == 1 else orders[self.member_of]


def _per_member(values: Sequence[float], parameter: torch.Tensor) -> torch.Tensor:
    """Return (n_stack, 1, …) values that broadcast over a parameter."""
    return torch.tensor(values, dtype=parameter.dtype, device=parameter.device).view(-1, *[1] * (parameter.dim() - 1))


def _penalties(network: nn.Module, l2: Sequence[float]) -> list[torch.Tensor | None]:
    """Return the (n_stack, 1, …) penalty of each parameter in their order, None for biases, gains and what has none.

    A layer names its weights in an attribute ``penalised``; without one it is the parameter ``weight``.
    """
    if not any(l2):
        return []
    penalised = {
        id(parameter)
        for layer in network.modules()
        for name, parameter in layer.named_parameters(recurse=False)
        if name in getattr(layer, "penalised", ("weight",))
    }
    return [_per_member(l2, parameter) if id(parameter) in penalised else None for parameter in network.parameters()]


def _train_epoch(
    network: nn.Module,
    parameters: list[nn.Parameter],
    steps: list[torch.Tensor],
    X: torch.Tensor,
    y: torch.Tensor,
    orders: torch.Tensor,
    batch_size: int,
    velocities: list[torch.Tensor] | None = None,
    momentum: float = 0.0,
    penalties: Sequence[torch.Tensor | None] = (),
) -> np.ndarray:
    """Take one SGD step a batch, the last and shorter batch included; return the mean loss over the labels (n_stack,)."""
    network.train()
    loss_and_gradients = gradients_of(network)
    n_stack = len(steps[0])
    total = torch.zeros(n_stack, dtype=torch.float64, device=X.device)
    n_labels = (~y.isnan()).sum(dim=1) if y.dim() == 2 else None
    for rows in orders.split(batch_size, dim=1):
        flat = rows.flatten()
        # A shared order is gathered once and broadcast: one copy of the rows serves all members.
        batch = X.index_select(0, flat).view(*rows.shape, -1).expand(n_stack, -1, -1)
        targets = y.index_select(0, flat).view(*rows.shape, *y.shape[1:]).expand(n_stack, *[-1] * y.dim())
        losses, gradients = loss_and_gradients(batch, targets)
        with torch.inference_mode():
            for gradient, parameter, l2 in zip(gradients, parameters, penalties, strict=False):
                if l2 is not None:
                    gradient.addcmul_(parameter, l2)
            if velocities is not None:
                gradients = [v.mul_(momentum).add_(gradient) for v, gradient in zip(velocities, gradients, strict=True)]
            for parameter, gradient, step in zip(parameters, gradients, steps, strict=True):
                # addcmul rounds as torch.optim.SGD does; multiplying first and adding then would not.
                parameter.addcmul_(gradient, step)
            total += losses * (rows.shape[1] if n_labels is None else n_labels[rows].sum(dim=1))
    return (total / (len(y) if n_labels is None else n_labels.sum().clamp_min(1))).cpu().numpy()


def _probabilities(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return what the logits mean for the kind of the targets: a probability a label, or one a class."""
    return probabilities_of(logits) if y.is_floating_point() else logits.softmax(dim=-1)


@torch.inference_mode()
def _outputs(network: nn.Module, X: torch.Tensor, n_stack: int) -> np.ndarray:
    """Return each member's logits on all rows, (n_stack, n_samples, n_outputs)."""
    network.eval()
    outputs = torch.cat([network(rows.expand(n_stack, -1, -1)) for rows in X.split(_N_SCORED_ROWS)], dim=1)
    return outputs.cpu().numpy()
