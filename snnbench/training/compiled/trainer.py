"""Trains a stack by the compiled step: what ``snnbench.training.stacked`` asks of it."""

from itertools import pairwise

import numpy as np
import torch

from snnbench.models.layers import counter_rng
from snnbench.models.layers.stacked import ALPHA, SCALE, SELU
from snnbench.training.compiled import passes
from snnbench.training.compiled.building import gemm_address, one_compiles
from snnbench.training.compiled.choice import Chain
from snnbench.training.compiled.epochs import Epochs, Members, Rows, Shape, Workspace, train
from snnbench.training.loaders import SingleTaskLoader
from snnbench.training.optimizer import StackedSGD

_ALIGNMENT = 16
"""Numbers: a layer's parameters begin at a multiple, so that vectors do not cross lines of the cache."""

_N_NUMBERS, _N_OPERATIONS = 2**20, 2**33
"""Of one call, unless an epoch has more: in orders of rows and outputs; and a part of a second, so that Ctrl-C is heard."""


class CompiledStack:
    """A stack whose parameters lie member by member, for as long as it is trained."""

    def __init__(self, layers: Chain, loader: SingleTaskLoader, optimizer: StackedSGD) -> None:
        self.layers, self.loader = layers, loader
        self.dtype = layers.linear[0].weight.dtype
        n_stack = len(optimizer.rates)
        self.offsets, n_parameters = _offsets(layers.widths)
        self.parameters = torch.zeros(n_stack, n_parameters, dtype=self.dtype)
        for source, target in self._places():
            target.copy_(source)
        self.shape = Shape(
            np.array(layers.widths),
            self.offsets,
            passes.SELU if layers.activation is SELU else passes.RELU,
            torch.tensor([SCALE, SCALE * ALPHA], dtype=self.dtype).numpy(),
            gemm_address(self.parameters.numpy().dtype),
        )
        self.members = self._members(optimizer)
        multilabel = loader.y.dim() == 2
        nothing = torch.empty(0, 0, dtype=self.dtype)
        classes, labels = (torch.empty(0, dtype=torch.int64), loader.y) if multilabel else (loader.y, nothing)
        self.rows = Rows(*(values.contiguous().numpy() for values in (loader.X, classes, labels, loader.X_held_out)))
        self.work = self._workspace()
        with one_compiles():
            self.train(1, 0, np.zeros(n_stack, dtype=bool), False)

    def n_epochs_at_once(self) -> int:
        """Return how many epochs ``train`` may be asked for in one call."""
        n_stack, n_rows, widths = len(self.members.rates), len(self.rows.X), self.layers.widths
        n_numbers = len(self.loader.keys) * n_rows + n_stack * len(self.rows.held_out) * widths[-1]
        n_operations = 6 * n_stack * n_rows * self.members.parameters.shape[1]
        return max(1, min(_N_NUMBERS // n_numbers, _N_OPERATIONS // n_operations))

    def train(self, first: int, n_epochs: int, is_active: np.ndarray, is_scored: bool) -> tuple[np.ndarray, np.ndarray]:
        """Train some epochs, counted from 1.

        Args:
            first: The first of them.
            n_epochs: How many.
            is_active: (n_stack,), who is trained.
            is_scored: Whether the outputs of the held-out rows are wanted after each epoch.

        Returns:
            The mean losses (n_epochs, n_stack), and the outputs (n_epochs, n_stack, n_held_out, n_outputs), of no epoch if they
            are not wanted; NaN after a loss that is not finite.
        """
        n_stack, n_samples, loader = len(is_active), len(self.rows.X), self.loader
        clocks = torch.empty(n_epochs, 1, dtype=torch.int32)
        for place in range(n_epochs):
            counter_rng.start_epoch(clocks[place], first + place)
        keys = (loader.keys + clocks).flatten()
        orders = counter_rng.permutations(keys, torch.full((len(keys),), n_samples), n_samples)
        shape = (n_epochs if is_scored else 0, n_stack, len(self.rows.held_out), self.layers.widths[-1])
        epochs = Epochs(
            orders.view(n_epochs, len(loader.keys), n_samples).numpy(),
            clocks.flatten().numpy(),
            np.full((n_epochs, n_stack), np.nan),
            np.full(shape, np.nan, dtype=self.members.parameters.dtype),
        )
        train(self.shape, self.members._replace(is_active=is_active), self.rows, epochs, self.work)
        return epochs.losses, epochs.outputs

    def write_back(self) -> None:
        """Give the network the parameters that were learned."""
        for source, target in self._places():
            source.copy_(target)

    def _places(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return each parameter of the network and its place here."""
        found = []
        for layer, starts in zip(self.layers.linear, self.offsets.tolist(), strict=True):
            for parameter, start in zip(layer.parameters(), starts, strict=True):  # weight, then bias
                values = parameter.data
                n_stack, *shape = values.shape
                found.append((values, self.parameters[:, start : start + values[0].numel()].view(n_stack, *shape)))
        return found

    def _members(self, optimizer: StackedSGD) -> Members:
        n_stack, dropout = len(optimizer.rates), self.layers.dropout
        rates = optimizer.rates.flatten()
        shrink = torch.ones_like(rates) if optimizer.l2 is None else 1 - rates * optimizer.l2.flatten()
        keys, thresholds = torch.zeros(n_stack, 0, dtype=torch.int32), torch.zeros(n_stack, dtype=torch.int32)
        affine, is_noisy = torch.zeros(n_stack, 3, dtype=self.dtype), torch.zeros(n_stack, dtype=torch.bool)
        if dropout:
            keys = torch.stack([layer.masks.keys[layer.masks.member_of].flatten() for layer in dropout], dim=1)
            masks = dropout[0].masks
            thresholds = masks.thresholds[masks.member_of].flatten()
            affine, is_noisy = dropout[0].affine(self.dtype), torch.tensor(masks.rates) > 0
        values = (self.parameters, rates, shrink, keys, thresholds, affine, is_noisy, self.loader.stream_of, is_noisy)
        return Members(*(one.contiguous().numpy() for one in values))

    def _workspace(self) -> Workspace:
        widths, n_batch = self.layers.widths, min(self.loader.batch_size, len(self.loader.y))
        n_signals, widest = n_batch * sum(widths), max(widths)
        signals, derivatives = (torch.empty(n_signals, dtype=self.dtype) for _ in range(2))
        hidden = widths[1:-1] if self.members.is_noisy.any() else []
        tables = {width: counter_rng.places(n_batch, width, torch.device("cpu")).flatten() for width in hidden}
        ends = np.cumsum([0, *(len(table) for table in tables.values())])
        starts = dict(zip(tables, ends, strict=False))
        places = torch.cat([*tables.values(), torch.empty(0, dtype=torch.int32)])
        n_outputs = self.rows.labels.shape[1]
        return Workspace(
            signals.numpy(),
            derivatives.numpy(),
            torch.empty(2, n_batch * widest, dtype=self.dtype).numpy(),
            torch.empty(max(n_in * n_out for n_in, n_out in pairwise(widths)), dtype=self.dtype).numpy(),
            places.numpy().view(np.uint32),
            np.array([starts[width] for width in hidden], dtype=np.int64),
            np.empty(n_batch, dtype=np.int64),
            torch.empty(n_batch, n_outputs, dtype=self.dtype).numpy(),
        )


def _offsets(widths: list[int]) -> tuple[np.ndarray, int]:
    """Return where each layer's weights and biases begin in a member's parameters, (n_layers, 2), and how many there are."""
    sizes = [size for n_in, n_out in pairwise(widths) for size in (n_in * n_out, n_out)]
    ends = np.cumsum([0, *(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)])
    return ends[:-1].reshape(-1, 2), int(ends[-1])
