"""The rows of a stack: orders of rows, batches and scores, for members of one task or of several.

Both classes do the same for the trainer: ``start_epoch`` and then ``shuffle`` begin an epoch, ``batches`` says what gives its
batches and how many of them, ``score`` scores the held-out rows, without leaving the device if ``on_device``. A member's order
of rows is a function of its seed and the epoch alone. The state of an epoch lies in tensors that stay where they are, so that
``shuffle`` and a step can be recorded and replayed.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from snnbench.metrics import METRICS
from snnbench.models.layers import counter_rng
from snnbench.records import Dataset, StackSize, digest
from snnbench.training.losses import Batch, probabilities
from snnbench.training.stack import Scored, Stack, TaskRows

_N_SCORED_ROWS = 256
"""Rows scored in one pass; the same for stacks of any size, because a matrix product may round by its number of rows."""


class SingleTaskLoader:
    """One task whose rows all members share; a batch is gathered once and broadcast where members share their order too."""

    def __init__(self, stack: Stack, batch_size: int, device: torch.device, dtype: torch.dtype) -> None:
        (rows,), seeds = stack.tasks, stack.seeds
        self.rows, self.batch_size = rows, batch_size
        self.X, self.y = (_on_device(array, device, dtype) for array in (rows.train.X, rows.train.y))
        self.X_held_out = _on_device(rows.held_out.X, device, dtype)
        streams = {seed: place for place, seed in enumerate(dict.fromkeys(seeds))}
        self.keys, self.counter = order_keys(list(streams)).to(device), counter_rng.new_counter(device)
        self.stream_of = torch.tensor([streams[seed] for seed in seeds], device=device)
        self.n_samples = torch.full((len(streams),), len(self.y), device=device)
        self.n_whole, n_rest = divmod(len(self.y), batch_size)
        self.orders = torch.empty(len(streams), len(self.y), dtype=torch.int64, device=device)
        self.columns = torch.arange(batch_size, device=device)
        self.rest = torch.arange(len(self.y) - n_rest, len(self.y), device=device)
        self.n_labels = (~self.y.isnan()).sum(dim=1) if self.y.dim() == 2 else None
        self.y_held_out = _on_device(rows.held_out.y, device, dtype)
        self.on_device = torch.device(device).type != "cpu" and rows.metric == "accuracy"

    def select(self, members: torch.Tensor) -> None:
        """Keep these members alone."""
        self.stream_of = self.stream_of[members]

    def start_epoch(self, epoch: int) -> None:
        """Set the clock to the beginning of an epoch."""
        counter_rng.start_epoch(self.counter, epoch)

    def shuffle(self) -> None:
        """Begin the epoch of the clock with its orders of the rows."""
        self.orders.copy_(counter_rng.permutations(self.keys + self.counter, self.n_samples, len(self.y)))
        torch.arange(self.batch_size, out=self.columns)

    def batches(self) -> list[tuple[int, Callable[[], Batch]]]:
        """Return what gives the batches of an epoch, in their order, and how many: all of one shape, then a shorter one."""
        return [(self.n_whole, self.next_batch), (1 if len(self.rest) else 0, self.last_batch)]

    def next_batch(self) -> Batch:
        """Return the next whole batch of every member."""
        batch = self._batch(self.columns)
        self.columns.add_(self.batch_size)
        return batch

    def last_batch(self) -> Batch:
        """Return the rest of an epoch, which is shorter than a batch."""
        return self._batch(self.rest)

    def _batch(self, columns: torch.Tensor) -> Batch:
        counter_rng.advance(self.counter)
        rows, n_stack = self.orders.index_select(1, columns), len(self.stream_of)
        rows = rows if len(rows) == 1 else rows.index_select(0, self.stream_of)
        flat = rows.flatten()
        X = self.X.index_select(0, flat).view(*rows.shape, -1).expand(n_stack, -1, -1)
        targets = self.y.index_select(0, flat).view(*rows.shape, *self.y.shape[1:]).expand(n_stack, *[-1] * self.y.dim())
        return Batch(X, targets, rows.shape[1] if self.n_labels is None else self.n_labels[rows].sum(dim=1))

    def score(self, network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the held-out score of each member, and whether all its outputs are finite; both (n_stack,)."""
        if self.on_device:
            logits = self.outputs(network)
            n_correct = (logits.argmax(dim=-1) == self.y_held_out).sum(dim=1, dtype=torch.float64)
            return n_correct / len(self.y_held_out), logits.isfinite().all(dim=-1).all(dim=-1)
        scores, is_finite = self.score_outputs(self.outputs(network).cpu().numpy())
        return torch.from_numpy(scores), torch.from_numpy(is_finite)

    def score_outputs(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores (...) of logits (..., n_held_out, n_outputs) of the held-out rows, and whether all are finite."""
        flat = outputs.reshape(-1, *outputs.shape[-2:])
        scores, is_finite = _scores(self.rows, flat), np.isfinite(flat).all(axis=(1, 2))
        return scores.reshape(outputs.shape[:-2]), is_finite.reshape(outputs.shape[:-2])

    @torch.inference_mode()
    def outputs(self, network: nn.Module) -> torch.Tensor:
        """Return each member's logits of the held-out rows, (n_stack, n_held_out, n_outputs)."""
        n_stack = len(self.stream_of)
        parts = [network(rows.expand(n_stack, -1, -1)) for rows in self.X_held_out.split(_N_SCORED_ROWS)]
        return torch.cat(parts, dim=1)

    def outputs_of(self, outputs: torch.Tensor, place: int) -> tuple[TaskRows, np.ndarray]:
        """Return the rows of the member at a place of the stack, and its own logits of them, (n_held_out, n_outputs)."""
        return self.rows, outputs[place].cpu().numpy()


class MultiTaskLoader:
    """Several tasks, a member with the rows of its own: each batch is filled up to ``n_batch`` rows and padded in width.

    All rows lie in one table on the device, one task after the other, with a row of zeros at the end that stands for padding. A
    member whose task has fewer batches than others waits for them at the end of an epoch, with batches of padding alone.
    """

    def __init__(self, stack: Stack, size: StackSize, device: torch.device, dtype: torch.dtype) -> None:
        tasks, task_of = stack.tasks, stack.task_of
        n_features, n_outputs, n_batch = size.n_features, size.n_outputs, size.n_batch
        self.tasks, self.task_of, self.n_batch = tasks, list(task_of), n_batch
        self.X, self.y, train_starts = _table([task.train for task in tasks], n_features, n_outputs, device, dtype)
        self.X_held_out, self.y_held_out, starts = _table(
            [task.held_out for task in tasks], n_features, n_outputs, device, dtype
        )

        of_member = list(zip(task_of, stack.seeds, strict=True))
        streams = {stream: place for place, stream in enumerate(dict.fromkeys(of_member))}
        self.keys, self.counter = order_keys([seed for _, seed in streams]).to(device), counter_rng.new_counter(device)
        self.stream_of = torch.tensor([streams[stream] for stream in of_member], device=device)
        n_samples = [len(tasks[task].train.y) for task, _ in streams]
        self.n_samples = torch.tensor(n_samples, device=device)
        self.starts = torch.tensor([train_starts[task] for task, _ in streams], device=device).view(-1, 1)
        self.n_most = max(n_samples)
        self.n_whole = -(-self.n_most // n_batch)
        self.orders = torch.full((len(streams), self.n_whole * n_batch), len(self.X) - 1, device=device)
        self.columns = torch.arange(n_batch, device=device)

        n_held_out = [len(tasks[task].held_out.y) for task in task_of]
        width = -(-max(n_held_out) // _N_SCORED_ROWS) * _N_SCORED_ROWS
        columns, n = torch.arange(width, device=device), torch.tensor(n_held_out, device=device).view(-1, 1)
        first = torch.tensor([starts[task] for task in task_of], device=device).view(-1, 1)
        self.held_out = torch.where(columns < n, first + columns, len(self.X_held_out) - 1)
        own_outputs = torch.tensor([tasks[task].n_outputs for task in task_of], device=device).view(-1, 1, 1)
        is_class = torch.arange(n_outputs, device=device) < own_outputs
        self.class_mask = torch.where(is_class, 0.0, -torch.inf).to(dtype)
        self.on_device = {task.metric for task in tasks} == {"accuracy"}

    def select(self, members: torch.Tensor) -> None:
        """Keep these members alone."""
        self.task_of = [self.task_of[member] for member in members.tolist()]
        for name in ("stream_of", "held_out", "class_mask"):
            setattr(self, name, getattr(self, name)[members])

    def start_epoch(self, epoch: int) -> None:
        """Set the clock to the beginning of an epoch."""
        counter_rng.start_epoch(self.counter, epoch)

    def shuffle(self) -> None:
        """Begin the epoch of the clock with its orders of the rows."""
        rows = counter_rng.permutations(self.keys + self.counter, self.n_samples, self.n_most)
        is_row = torch.arange(self.n_most, device=rows.device) < self.n_samples.view(-1, 1)
        self.orders[:, : self.n_most] = torch.where(is_row, rows + self.starts, len(self.X) - 1)
        torch.arange(self.n_batch, out=self.columns)

    def batches(self) -> list[tuple[int, Callable[[], Batch]]]:
        """Return what gives the batches of an epoch, and how many."""
        return [(self.n_whole, self.next_batch)]

    def next_batch(self) -> Batch:
        """Return the next rows of every member, filled up with padding."""
        counter_rng.advance(self.counter)
        rows = self.orders.index_select(1, self.columns).index_select(0, self.stream_of)
        self.columns.add_(self.n_batch)
        flat = rows.flatten()
        X = self.X.index_select(0, flat).view(*rows.shape, -1)
        targets = self.y.index_select(0, flat).view(*rows.shape, *self.y.shape[1:])
        is_row = (rows < len(self.X) - 1).to(X.dtype)
        n_rows = is_row.sum(dim=1)
        weight = (~targets.isnan()).flatten(1).sum(dim=1) if targets.is_floating_point() else n_rows
        return Batch(X, targets, weight, is_row / n_rows.clamp_min(1).view(-1, 1), self.class_mask)

    def score(self, network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the held-out score of each member, and whether all its outputs are finite; both (n_stack,)."""
        outputs = self.outputs(network)
        if not self.on_device:
            outputs = outputs.cpu()
            found = [self.outputs_of(outputs, place) for place in range(len(outputs))]
            scores = [_scores(rows, own[np.newaxis])[0] for rows, own in found]
            finite = torch.tensor([bool(np.isfinite(own).all()) for _, own in found])
            return torch.tensor(scores, dtype=torch.float64), finite
        is_row = self.held_out < len(self.X_held_out) - 1
        targets = self.y_held_out.index_select(0, self.held_out.flatten()).view(self.held_out.shape)
        n_correct = (((outputs + self.class_mask).argmax(dim=-1) == targets) & is_row).sum(dim=1, dtype=torch.float64)
        is_finite = (outputs.isfinite() | (self.class_mask < 0)).all(dim=-1) | ~is_row
        return n_correct / is_row.sum(dim=1), is_finite.all(dim=1)

    @torch.inference_mode()
    def outputs(self, network: nn.Module) -> torch.Tensor:
        """Return each member's logits of the held-out rows and of the padding, (n_stack, n_padded, n_outputs)."""
        parts = []
        for rows in self.held_out.split(_N_SCORED_ROWS, dim=1):
            parts.append(network(self.X_held_out.index_select(0, rows.flatten()).view(*rows.shape, -1)))
        return torch.cat(parts, dim=1)

    def outputs_of(self, outputs: torch.Tensor, place: int) -> tuple[TaskRows, np.ndarray]:
        """Return the rows of the member at a place of the stack, and its own logits of them, (n_held_out, n_outputs)."""
        rows = self.tasks[self.task_of[place]]
        return rows, outputs[place, : len(rows.held_out.y), : rows.n_outputs].cpu().numpy()


def derive_seed(seed: int, purpose: str) -> int:
    """Return a seed of 31 bits for one purpose, so that the streams of a member are independent."""
    return int(digest([seed, purpose], length=8), 16) >> 1


def order_keys(seeds: Sequence[int]) -> torch.Tensor:
    """Return the keys from which the orders of rows follow, (n_seeds,)."""
    return counter_rng.keys_of([derive_seed(seed, "order") for seed in seeds])


def score_logits(rows: TaskRows, logits: np.ndarray) -> Scored:
    """Return the probabilities of one member's logits (n_held_out, n_outputs), as they are stored, and their score."""
    outputs = _exact_probabilities(rows, logits).astype(np.float32)
    return Scored(float(METRICS[rows.metric](rows.held_out.y, outputs[np.newaxis])[0]), outputs)


def _scores(rows: TaskRows, logits: np.ndarray) -> np.ndarray:
    """Return the score of each member's logits, (n_stack,), as if they were probabilities.

    Of classes, logits alone do not say in what order the rows stand; of labels they do, and without rounding.
    """
    as_they_are = rows.metric == "accuracy" or rows.held_out.y.ndim == 2
    return METRICS[rows.metric](rows.held_out.y, logits if as_they_are else _exact_probabilities(rows, logits))


def _exact_probabilities(rows: TaskRows, logits: np.ndarray) -> np.ndarray:
    """Return probabilities in float64, of which no small one has lost its digits."""
    return probabilities(torch.from_numpy(logits).double(), rows.held_out.y.ndim == 2).numpy()


def _on_device(array: np.ndarray, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    values = torch.from_numpy(array)
    return values.to(device, dtype if values.is_floating_point() else None)


def _table(
    datasets: Sequence[Dataset], n_features: int, n_outputs: int, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """Lay the rows of all tasks one under the other, then a row of padding; return X, y and where each task starts."""
    n_rows = [len(dataset.y) for dataset in datasets]
    starts = np.cumsum([0, *n_rows]).tolist()
    X = torch.zeros(starts[-1] + 1, n_features, dtype=dtype)
    multilabel = datasets[0].y.ndim == 2
    y = torch.full((len(X), n_outputs), torch.nan, dtype=dtype) if multilabel else torch.zeros(len(X), dtype=torch.int64)
    for start, dataset in zip(starts, datasets, strict=False):
        place = slice(start, start + len(dataset.y))
        X[place, : dataset.X.shape[1]] = torch.from_numpy(dataset.X)
        y[(place, slice(dataset.y.shape[1])) if multilabel else place] = torch.from_numpy(dataset.y)
    return X.to(device), y.to(device), starts[:-1]
