"""The stacked trainer: SGD on many networks of one shape at once, of one task or of several.

Each member has its own learning rate, order of rows and loss; the sum of the members' losses is differentiated, and since no
parameter is shared, every member gets the gradient it would have alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models.layers.padding import build_padded
from snnbench.models.layers.stacked import reset, select
from snnbench.records import Config, Dataset, Stage, TrainingRun
from snnbench.training.cuda_graph import replayed
from snnbench.training.early_stopping import best_epoch
from snnbench.training.loaders import MultiTaskLoader, SingleTaskLoader, TaskRows, derive_seed, test_outcome
from snnbench.training.losses import Batch
from snnbench.training.optimizer import StackedSGD, make_optimizer, step

_N_EPOCHS_UNREAD = {"cpu": 1, "cuda": 10}
"""Epochs between two looks at the losses and scores; each look makes a GPU wait."""

_SHARE_DEAD = 1 / 3
"""Of a stack: with as many members diverged or finished, it is made smaller."""


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
    fused: bool = True,
) -> TrainingRun:
    """Train all members on one task from their seeds for ``n_epochs``.

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
        fused: Whether layers that can are updated during the backward pass; it changes the rounding.
    """
    start = time.perf_counter()
    network.to(device)
    reset(network, [derive_seed(seed, "network") for seed in seeds])
    rows = TaskRows(train, held_out, 0, metric)
    feed = SingleTaskLoader(rows, seeds, settings.batch_size, device, next(network.parameters()).dtype)
    optimizer = make_optimizer(network, learning_rates, l2, settings.momentum, fused)
    curves = _train(network, feed, optimizer, stage, [n_epochs] * len(seeds))
    return _run_of(curves, range(len(seeds)), stage, settings, time.perf_counter() - start)


def train_across(
    network: Any,
    configs: Sequence[Config],
    stage: Stage,
    tasks: Sequence[TaskRows],
    task_of: Sequence[int],
    padded: tuple[int, int],
    n_batch: int,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    n_epochs: Sequence[int],
    settings: TrainingSettings,
    device: str = "cpu",
    l2: Sequence[float] = (),
    fused: bool = True,
    dtype: torch.dtype = torch.float32,
    drawn_on: str = "",
) -> list[TrainingRun]:
    """Train members of several tasks in one stack; return a run of one member for each, in their order.

    Every member is what ``train_stack`` would make of it but for rounding: it has its own rows, steps and stopping rule, and
    padding changes nothing (see ``snnbench.models.layers.padding``).

    Args:
        network: The class of the networks.
        configs: (n_stack,) of one shape.
        stage: ``"search"`` or ``"evaluate"``.
        tasks: The rows of each task.
        task_of: (n_stack,) the place in ``tasks`` of each member's task.
        padded: Numbers of features and outputs that every task fits into, of ``padded_size``.
        n_batch: Rows of a batch, padding included: the batch size, or less if no task has as many rows.
        learning_rates: (n_stack,).
        seeds: (n_stack,).
        n_epochs: (n_stack,) passes of each member over its rows.
        settings: Momentum and smoothing.
        device: ``"cpu"`` or ``"cuda"``.
        l2: (n_stack,) penalties, none by default.
        fused: As in ``train_stack``.
        dtype: Of the numbers.
        drawn_on: Where the initial weights are drawn, ``device`` if it is not said. The generators of devices differ, so
            trainings on a CPU and on a GPU can only be compared with weights that were drawn on one of them.
    """
    start = time.perf_counter()
    sizes = [(tasks[task].train.X.shape[1], tasks[task].n_outputs) for task in task_of]
    network_seeds = [derive_seed(seed, "network") for seed in seeds]
    stack = build_padded(network, configs, sizes, padded, network_seeds, torch.device(drawn_on or device), dtype).to(device)
    feed = MultiTaskLoader(tasks, task_of, seeds, n_batch, padded, device, dtype)
    optimizer = make_optimizer(stack, learning_rates, l2, settings.momentum, fused)
    curves = _train(stack, feed, optimizer, stage, n_epochs)
    seconds = (time.perf_counter() - start) / len(configs)
    return [_run_of(curves, [member], stage, settings, seconds) for member in range(len(configs))]


@dataclass(frozen=True, eq=False)
class _Curves:
    """What was seen of each member: losses and scores (n_epochs, n_stack), NaN after its last epoch; and its test.

    ``n_finite`` (n_stack,) counts the epochs before one that was not finite; ``tests`` holds score and probabilities.
    """

    train_loss: np.ndarray
    valid_score: np.ndarray
    n_epochs: np.ndarray
    n_finite: np.ndarray
    tests: dict[int, tuple[float, np.ndarray]]


def _train(
    network: nn.Module, rows: SingleTaskLoader | MultiTaskLoader, optimizer: StackedSGD, stage: Stage, n_epochs: Sequence[int]
) -> _Curves:
    """Train until the last member is finished or none is left; members that are done leave the stack now and then."""
    device, ends = optimizer.rates.device, np.array(n_epochs)
    train_loss, valid_score = (np.full((max(n_epochs), len(ends)), np.nan) for _ in range(2))
    curves = _Curves(train_loss, valid_score, ends, ends.copy(), {})
    members = np.arange(len(ends))  # who is at each place of the stack
    unread: list[tuple[torch.Tensor, ...]] = []
    train_epoch, score = _actions(network, rows, optimizer)
    for epoch in range(1, max(n_epochs) + 1):
        unread.append((train_epoch(epoch), *(score() if stage == "search" else ())))
        if stage == "evaluate" and (ends[members] == epoch).any():
            _test(network, rows, members, epoch, curves)
        if len(unread) < _N_EPOCHS_UNREAD[device.type] and epoch < max(n_epochs):
            continue
        _read(unread, epoch, members, curves)
        unread = []
        active = (curves.n_finite[members] >= epoch) & (ends[members] > epoch)
        if not active.any():
            break
        if active.mean() <= 1 - _SHARE_DEAD:
            members, places = members[active], torch.from_numpy(np.flatnonzero(active)).to(device)
            select(network, places)
            rows.select(places)
            train_epoch, score = _actions(network, rows, optimizer := optimizer.select(places))
    return curves


def _actions(
    network: nn.Module, rows: SingleTaskLoader | MultiTaskLoader, optimizer: StackedSGD
) -> tuple[Callable[[int], torch.Tensor], Callable[[], tuple[torch.Tensor, ...]]]:
    """Return what trains an epoch and gives the mean losses, and what scores the held-out rows."""
    device, n_stack = optimizer.rates.device, len(optimizer.rates)
    total, weight, scores = (torch.zeros(n_stack, dtype=torch.float64, device=device) for _ in range(3))
    finite = torch.zeros(n_stack, dtype=torch.bool, device=device)
    normalising: list[Any] = [layer for layer in network.modules() if hasattr(layer, "row_share")]
    for layer in network.modules():
        if hasattr(layer, "counter"):
            layer.counter = rows.counter

    def learn(next_batch: Callable[[], Batch]) -> None:
        if not network.training:
            network.train()
        batch = next_batch()
        for layer in normalising:
            layer.row_share = None if batch.row_share is None else batch.row_share.unsqueeze(-1)
        total.add_(step(network, optimizer, batch) * batch.weight)
        weight.add_(batch.weight)

    def take_score() -> None:
        network.eval()
        for target, values in zip((scores, finite), rows.score(network), strict=True):
            target.copy_(values)

    shuffle = replayed(rows.shuffle, device)
    # Batches of another shape are another recording.
    steps = [(n, replayed(partial(learn, next_batch), device)) for n, next_batch in rows.batches()]
    score_again = replayed(take_score, device) if rows.on_device else take_score

    def train_epoch(epoch: int) -> torch.Tensor:
        rows.start_epoch(epoch)
        shuffle()
        total.zero_()
        weight.zero_()
        for n_times, step_again in steps:
            for _ in range(n_times):
                step_again()
        return total / weight.clamp_min(1)

    def score() -> tuple[torch.Tensor, ...]:
        score_again()
        return scores.clone(), finite.clone()

    return train_epoch, score


def _read(unread: list[tuple[torch.Tensor, ...]], epoch: int, members: np.ndarray, curves: _Curves) -> None:
    """Write down the losses and scores of the epochs up to this one."""
    losses, *scored = (torch.stack(values).cpu().numpy() for values in zip(*unread, strict=True))
    first = epoch - len(losses)
    curves.train_loss[first:epoch, members] = losses
    is_lost = ~np.isfinite(losses)
    if scored:
        curves.valid_score[first:epoch, members], has_finite_outputs = scored
        is_lost |= ~has_finite_outputs
    n_finite = np.where(is_lost.any(axis=0), first + is_lost.argmax(axis=0), curves.n_epochs[members])
    curves.n_finite[members] = np.minimum(curves.n_finite[members], n_finite)


def _test(
    network: nn.Module, rows: SingleTaskLoader | MultiTaskLoader, members: np.ndarray, epoch: int, curves: _Curves
) -> None:
    """Test the members whose last epoch this is."""
    network.eval()
    outputs = rows.outputs(network).cpu()
    for place in np.flatnonzero(curves.n_epochs[members] == epoch):
        member = int(members[place])
        task, logits = rows.outputs_of(outputs, int(place))
        curves.tests[member] = test_outcome(task, logits)
        if not np.isfinite(logits).all():
            curves.n_finite[member] = min(curves.n_finite[member], epoch - 1)


def _run_of(curves: _Curves, members: Sequence[int], stage: Stage, settings: TrainingSettings, seconds: float) -> TrainingRun:
    """Return what came of some members; a diverged one has no score, and nothing after the epoch in which it was lost."""
    members = list(members)
    n_epochs, n_finite = curves.n_epochs[members], curves.n_finite[members]
    diverged = n_finite < n_epochs
    last = int(np.minimum(n_epochs, n_finite + 1).max())
    is_lost = np.arange(last).reshape(-1, 1) >= n_finite  # its own last epoch counts, whatever went wrong in it
    train_loss = np.where(is_lost, np.nan, curves.train_loss[:last, members])
    nothing = np.full(len(members), np.nan)
    if stage == "search":
        valid_score = np.where(diverged, np.nan, curves.valid_score[:last, members])
        epoch, score = best_epoch(valid_score, settings.smoothing_window, settings.smoothing == "centred")
        epoch = np.where(diverged, n_finite + 1, epoch)
        test_score, outputs = nothing, np.empty((len(members), 0, 0))
    else:
        valid_score, epoch, score = np.empty((0, len(members))), n_epochs, nothing
        nowhere = np.nan, np.empty((0, 0))
        tests = [nowhere if lost else curves.tests[member] for member, lost in zip(members, diverged, strict=True)]
        test_score = np.where(diverged, np.nan, [test for test, _ in tests])
        shape = max(found.shape for _, found in tests)
        outputs = np.stack([found if found.shape == shape else np.full(shape, np.nan) for _, found in tests])
    return TrainingRun(train_loss, valid_score, epoch, score, test_score, outputs, diverged, seconds)
