"""The stacked trainer: SGD on many networks of one shape at once, of one task or of several.

Each member has its own learning rate, order of rows and loss; the sum of the members' losses is differentiated, and since no
parameter is shared, every member gets the gradient it would have alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models.layers.padding import build_padded
from snnbench.models.layers.stacked import reset, select
from snnbench.records import TrainingRun
from snnbench.training.compiled.choice import compile_stack
from snnbench.training.cuda_graph import new_pool, replayed
from snnbench.training.early_stopping import best_epoch
from snnbench.training.loaders import MultiTaskLoader, SingleTaskLoader, derive_seed, score_logits
from snnbench.training.losses import Batch
from snnbench.training.optimizer import StackedSGD, make_optimizer, step
from snnbench.training.stack import Scored, Stack

if TYPE_CHECKING:
    from snnbench.training.compiled.trainer import CompiledStack

_N_EPOCHS_UNREAD = {"cpu": 1, "cuda": 10}
"""Epochs between two looks at the losses and scores; each look makes a GPU wait."""

_SHARE_DEAD = 1 / 3
"""Of a stack: with as many members diverged or finished, it is made smaller."""


def build_network(
    network: Any, stack: Stack, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> nn.Module:
    """Build the network of a stack with the initial weights of its members, padded if they are of several tasks.

    Args:
        network: The class, built as ``network(configs, n_features, n_outputs)``.
        stack: The members.
        device: Where they are trained.
        dtype: Of their numbers.
    """
    if stack.size is None:
        (rows,) = stack.tasks
        return initialise(network(stack.configs, rows.n_features, rows.n_outputs).to(device, dtype), stack.seeds)
    sizes = [(stack.tasks[task].n_features, stack.tasks[task].n_outputs) for task in stack.task_of]
    padded, seeds = (stack.size.n_features, stack.size.n_outputs), _network_seeds(stack.seeds)
    return build_padded(network, stack.configs, sizes, padded, seeds, torch.device(device), dtype)


def initialise(network: nn.Module, seeds: Sequence[int]) -> nn.Module:
    """Give a network that is not padded the initial weights of its members' seeds (n_stack,); return it."""
    reset(network, _network_seeds(seeds))
    return network


def _network_seeds(seeds: Sequence[int]) -> list[int]:
    return [derive_seed(seed, "network") for seed in seeds]


def train_stack(
    network: nn.Module, stack: Stack, settings: TrainingSettings, fused: bool = True, compiled: bool = True
) -> TrainingRun:
    """Train all members of a stack, each for its number of epochs.

    In a search the held-out rows are scored after every epoch and each member's stopping epoch is found; in an evaluation
    they are scored once, at the member's end. A member whose loss or outputs are not finite has diverged: its score is NaN,
    and its neighbours go on as if it were not there. Across tasks, a member is what it would be in a stack of its own task
    but for rounding: it has its own rows, steps and stopping rule, and padding changes nothing (see
    ``snnbench.models.layers.padding``).

    Args:
        network: Maps (n_stack, n_batch, n_features) to logits (n_stack, n_batch, n_outputs). It has the members' initial
            weights (``build_network``, ``initialise``), and is trained where and with what precision they are.
        stack: The members.
        settings: Batch size, momentum and smoothing.
        fused: Whether layers that can are updated during the backward pass; it changes the rounding.
        compiled: Whether networks that can are trained by the compiled step, see ``snnbench.training.compiled``; so does it.
    """
    start = time.perf_counter()
    first = next(network.parameters())
    rows: SingleTaskLoader | MultiTaskLoader
    if stack.size is None:
        rows = SingleTaskLoader(stack, settings.batch_size, first.device, first.dtype)
    else:
        rows = MultiTaskLoader(stack, stack.size, first.device, first.dtype)
    optimizer = make_optimizer(network, stack.learning_rates, stack.l2, settings.momentum, fused)
    fast = compile_stack(network, rows, optimizer) if compiled and isinstance(rows, SingleTaskLoader) else None
    curves = _train(network, rows, optimizer, stack) if fast is None else _train_compiled(network, fast, stack)
    return _run_of(curves, stack, settings, time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class _Curves:
    """What was seen of each member: losses and scores (n_epochs, n_stack), NaN after its last epoch; and its test.

    ``n_finite`` (n_stack,) counts the epochs before one that was not finite.
    """

    train_loss: np.ndarray
    valid_score: np.ndarray
    n_epochs: np.ndarray
    n_finite: np.ndarray
    tests: dict[int, Scored]


def _train(network: nn.Module, rows: SingleTaskLoader | MultiTaskLoader, optimizer: StackedSGD, stack: Stack) -> _Curves:
    """Train until the last member is finished or none is left; members that are done leave the stack now and then."""
    device, curves = optimizer.rates.device, _new_curves(stack)
    ends, n_most = curves.n_epochs, len(curves.train_loss)
    members = np.arange(len(ends))  # who is at each place of the stack
    unread: list[tuple[torch.Tensor, ...]] = []
    train_epoch, score = _actions(network, rows, optimizer)
    for epoch in range(1, n_most + 1):
        unread.append((train_epoch(epoch), *(score() if stack.stage == "search" else ())))
        if stack.stage == "evaluate" and (ends[members] == epoch).any():
            network.eval()
            _test(rows, rows.outputs(network).cpu(), members, epoch, curves)
        if len(unread) < _N_EPOCHS_UNREAD[device.type] and epoch < n_most:
            continue
        _note([torch.stack(values).cpu().numpy() for values in zip(*unread, strict=True)], epoch, members, curves)
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

    pool = new_pool(device)  # the orders, the steps and the scores of a stack are never computed at the same time
    shuffle = replayed(rows.shuffle, device, pool)
    # Batches of another shape are another recording.
    steps = [(n, replayed(partial(learn, next_batch), device, pool)) for n, next_batch in rows.batches()]
    score_again = replayed(take_score, device, pool) if rows.on_device else take_score

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


def _train_compiled(network: nn.Module, fast: "CompiledStack", stack: Stack) -> _Curves:
    """As ``_train``, some epochs at a time; a member that is done is left as it is."""
    curves, members, epoch = _new_curves(stack), np.arange(len(stack)), 0
    n_most = len(curves.train_loss)
    while epoch < n_most and (active := curves.n_finite >= epoch).any():
        n_epochs = min(fast.n_epochs_at_once(), n_most - epoch)
        losses, outputs = fast.train(epoch + 1, n_epochs, active, is_scored=stack.stage == "search")
        epoch += n_epochs
        _note([losses, *(fast.loader.score_outputs(outputs) if len(outputs) else ())], epoch, members, curves)
    fast.write_back()
    if stack.stage == "evaluate":  # by torch, with the very bits that the network gives to whoever asks it
        network.eval()
        _test(fast.loader, fast.loader.outputs(network), members, n_most, curves)
    return curves


def _new_curves(stack: Stack) -> _Curves:
    ends = np.array(stack.n_epochs)
    train_loss, valid_score = (np.full((ends.max(), len(ends)), np.nan) for _ in range(2))
    return _Curves(train_loss, valid_score, ends, ends.copy(), {})


def _note(found: Sequence[np.ndarray], epoch: int, members: np.ndarray, curves: _Curves) -> None:
    """Write down the losses of the epochs up to this one and, in a search, the scores and whether all outputs were finite."""
    losses, *scored = found
    first = epoch - len(losses)
    curves.train_loss[first:epoch, members] = losses
    is_lost = ~np.isfinite(losses)
    if scored:
        curves.valid_score[first:epoch, members], has_finite_outputs = scored
        is_lost |= ~has_finite_outputs
    n_finite = np.where(is_lost.any(axis=0), first + is_lost.argmax(axis=0), curves.n_epochs[members])
    curves.n_finite[members] = np.minimum(curves.n_finite[members], n_finite)


def _test(
    rows: SingleTaskLoader | MultiTaskLoader, outputs: torch.Tensor, members: np.ndarray, epoch: int, curves: _Curves
) -> None:
    """Test the members whose last epoch this is by their logits of the held-out rows."""
    for place in np.flatnonzero(curves.n_epochs[members] == epoch):
        member = int(members[place])
        task, logits = rows.outputs_of(outputs, int(place))
        curves.tests[member] = score_logits(task, logits)
        if not np.isfinite(logits).all():
            curves.n_finite[member] = min(curves.n_finite[member], epoch - 1)


def _run_of(curves: _Curves, stack: Stack, settings: TrainingSettings, seconds: float) -> TrainingRun:
    """Return what came of the members; a diverged one has no score, and nothing after the epoch in which it was lost."""
    n_epochs, diverged = np.minimum(curves.n_epochs, curves.n_finite + 1), curves.n_finite < curves.n_epochs
    last = int(n_epochs.max())
    is_lost = np.arange(last).reshape(-1, 1) >= curves.n_finite  # its own last epoch counts, whatever went wrong in it
    train_loss = np.where(is_lost, np.nan, curves.train_loss[:last])
    nothing = np.full(len(stack), np.nan)
    if stack.stage == "search":
        valid_score = np.where(diverged, np.nan, curves.valid_score[:last])
        stopping, score = _stopping_epochs(valid_score, n_epochs, stack, settings)
        stopping = np.where(diverged, n_epochs, stopping)
        test_score, outputs = nothing, (np.empty((0, 0)),) * len(stack)
    else:
        valid_score, stopping, score = np.empty((0, len(stack))), curves.n_epochs, nothing
        nowhere = Scored(np.nan, np.empty((0, 0)))
        tests = [nowhere if lost else curves.tests[member] for member, lost in enumerate(diverged)]
        test_score, outputs = np.array([test.score for test in tests]), tuple(test.outputs for test in tests)
    return TrainingRun(train_loss, valid_score, n_epochs, stopping, score, test_score, outputs, diverged, seconds)


def _stopping_epochs(
    valid_score: np.ndarray, n_epochs: np.ndarray, stack: Stack, settings: TrainingSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return each member's stopping epoch and its score there: at once if all have the same epochs, else one by one."""
    find = partial(best_epoch, window=settings.smoothing_window, centred=settings.smoothing == "centred")
    if stack.size is None:
        return find(valid_score)
    found = [find(valid_score[:n, [member]]) for member, n in enumerate(n_epochs)]
    epochs, scores = zip(*found, strict=True)
    return np.concatenate(epochs), np.concatenate(scores)
