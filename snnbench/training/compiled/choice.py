"""Which stacks are trained by the compiled step: plain chains on a CPU, where numba is installed.

All others, and all on a GPU, across tasks, with momentum or with rounded factors, are trained by torch. Both are the same
mathematics, and differ in rounding. So a key holds the version of numba, or that it is not installed
(``snnbench.models.code``). It is imported by what trains a chain, and by nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from snnbench.errors import SnnbenchError
from snnbench.models.code import has_numba
from snnbench.models.layers.precision import factors_are_exact
from snnbench.models.layers.stacked import SELU, AlphaDropout, Dropout, ReLU, StackedLinear
from snnbench.records import Config, Dataset
from snnbench.training.loaders import SingleTaskLoader
from snnbench.training.optimizer import StackedSGD, make_optimizer
from snnbench.training.stack import TaskRows, stack_of_one_task

if TYPE_CHECKING:
    from snnbench.training.compiled.trainer import CompiledStack


@dataclass(frozen=True, eq=False)
class Chain:
    """Linear layers with one activation between them and perhaps dropout after each."""

    linear: Sequence[StackedLinear]
    activation: type[SELU] | type[ReLU]
    dropout: Sequence[AlphaDropout | Dropout]

    @property
    def widths(self) -> list[int]:
        """The number of inputs, then of each layer's units."""
        return [self.linear[0].weight.shape[1], *(layer.weight.shape[2] for layer in self.linear)]


def read_chain(network: nn.Module) -> Chain | None:
    """Return the layers of a network that consists of nothing else; None for all others."""
    layers: list[Any] = list(network) if isinstance(network, nn.Sequential) else []
    kinds = [type(layer) for layer in layers]
    for activation, dropout in ((SELU, AlphaDropout), (ReLU, Dropout), (SELU, None), (ReLU, None)):
        block = [StackedLinear, activation, *([dropout] if dropout else [])]
        if kinds != [*block * (len(kinds) // len(block)), StackedLinear]:
            continue
        linear = layers[:: len(block)]
        if all(layer.bias is not None for layer in linear):
            return Chain(linear, activation, layers[2 :: len(block)] if dropout else [])
    return None


def compile_stack(network: nn.Module, rows: SingleTaskLoader, optimizer: StackedSGD) -> "CompiledStack | None":
    """Return a stack for the compiled step; None if it is torch that trains it.

    Raises:
        SnnbenchError: If numba is installed but does not work.
    """
    on_cpu = optimizer.rates.device.type == "cpu" and optimizer.rates.dtype in (torch.float32, torch.float64)
    chain = read_chain(network) if on_cpu and optimizer.fused and factors_are_exact() else None
    return None if chain is None or not has_numba() else _load()(chain, rows, optimizer)


@cache
def prepare() -> None:
    """Compile the step, or load it, so that it takes no time later."""
    one = Dataset(np.zeros((1, 1), dtype=np.float32), np.zeros(1, dtype=np.int64))
    stack = stack_of_one_task("search", [Config("", (("learning_rate", 0.1),))], TaskRows(one, one, 1), [0], 1)
    network = nn.Sequential(StackedLinear(1, 1, 1, gain=1))
    rows = SingleTaskLoader(stack, 1, torch.device("cpu"), torch.float32)
    compile_stack(network, rows, make_optimizer(network, [0.1]))


@cache
def _load() -> "type[CompiledStack]":
    try:
        from snnbench.training.compiled.trainer import CompiledStack
    except ImportError as error:
        raise SnnbenchError(
            f"numba must work where it is installed, since keys name it, found: {error}. "
            "Repair it, or uninstall it: networks are then trained by torch, more slowly."
        ) from error
    return CompiledStack
