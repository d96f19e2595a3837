"""Whether this machine gives a network the bits alone that it has among others: found by trying, not by a library's name.

The promise needs kernels whose sums depend neither on the size of a stack nor on where in memory a member lies. MKL has them
by a setting (``snnbench.mkl``); other libraries (OpenBLAS, ACL, Accelerate) have no such setting. So every process that trains
computes layers of awkward shapes and trains a small network, together and alone, and its rows say what came out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from torch import nn

from snnbench.models.layers.normalisation import StackedBatchNorm, StackedLayerNorm
from snnbench.models.layers.stacked import SELU, AlphaDropout, ReLU, StackedLinear, reset
from snnbench.records import Compute, Value
from snnbench.training.losses import Batch
from snnbench.training.optimizer import make_optimizer, step

_MEMBERS = range(3)
_SHAPES = (
    (1, 64, 7), (2, 33, 9), (5, 64, 5), (23, 64, 11), (23, 7, 5), (23, 5, 7), (37, 33, 33), (100, 16, 16),
    (23, 1, 33), (23, 33, 1), (100, 7, 1), (100, 1, 7), (1, 1, 1),
)  # fmt: skip
"""n_batch, n_in and n_out: multiples of a vector register and others, single rows, single inputs, single units."""
_N_FEATURES, _N_BATCH, _N_CLASSES, _N_STEPS = 7, 23, 5, 3


@dataclass(frozen=True)
class Exactness:
    """How many comparisons of a member alone and among others were made, and where their bits were not equal."""

    n_compared: int
    differing: tuple[str, ...]

    @property
    def words(self) -> str:
        """A sentence on whether the machine keeps the promise."""
        if not self.differing:
            return f"A network has the bits here that it has alone: {self.n_compared} comparisons agree."
        return (
            "A network may have other bits here than alone: its last digits may depend on what is trained beside it. "
            f"Found for {', '.join(self.differing)}. Where torch computes with MKL, MKL_CBWR must not be set otherwise."
        )


def describe_exactness(compute: Compute) -> dict[str, Value]:
    """Return a column of every stored row: whether a network that is trained so has the bits here that it has alone.

    Nothing is promised, and nothing tried, on a GPU, in bfloat16, and across tasks, where padding changes the rounding.
    """
    is_promised = compute.device == "cpu" and compute.precision != "bfloat16" and compute.stacking == "within-task"
    return {"equal_bits": is_promised and not examine_machine().differing}


@cache
def examine_machine() -> Exactness:
    """Compare members alone and among others in this process; takes milliseconds, and once only.

    The process must have been prepared (``snnbench.training.process``): the promise is that of one thread.
    """
    compared = list(_compare())
    return Exactness(len(compared), tuple(dict.fromkeys(what for what, is_equal in compared if not is_equal)))


def _compare() -> Iterator[tuple[str, bool]]:
    for n_batch, n_in, n_out in _SHAPES:
        shapes = ((n_batch, n_in), (n_batch, n_out), (n_in, n_out), (1, n_out))
        signals = [_unaligned(*shape) for shape in shapes]
        together = _layer(signals)
        for member in _MEMBERS:
            alone = [values[member : member + 1] for values in signals]
            # Members in their places are aligned as they are among others, copies as fresh memory is.
            found = _layer(alone if member % 2 else [values.clone() for values in alone])
            yield f"a layer {n_in}x{n_out} on {n_batch} rows", _are_equal(found, together, member)
    together = _network(_MEMBERS)
    for member in _MEMBERS:
        yield "a network", _are_equal(_network([member]), together, member)


def _unaligned(*shape: int) -> torch.Tensor:
    """Return (n_stack, *shape) normal numbers that begin in the middle of a vector register."""
    values = torch.empty(1 + len(_MEMBERS) * shape[0] * shape[1])
    return values[1:].normal_(generator=torch.Generator().manual_seed(0)).view(-1, *shape)


@torch.no_grad()
def _layer(signals: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return what a layer computes of its input, the gradient of its output, its weights and biases, and these after a step."""
    x, gradient, weight, bias = signals
    layer = StackedLinear(len(x), weight.shape[1], weight.shape[2], gain=1)
    layer.weight.data, cast(nn.Parameter, layer.bias).data = weight, bias
    y = layer(x)
    of_x, of_parameters = layer.backward(gradient, x, y)
    layer.weight.data, cast(nn.Parameter, layer.bias).data = weight.clone(), bias.clone()
    layer.descend(gradient, x, y, None)
    return [y, of_x, *of_parameters, *layer.parameters()]


def _network(seeds: Sequence[int]) -> list[torch.Tensor]:
    """Return the losses and the parameters of a network with a bit of everything after some steps."""
    n_stack = len(seeds)
    network = nn.Sequential(
        StackedLinear(n_stack, _N_FEATURES, 33, gain=1, bias=False),
        StackedBatchNorm(n_stack, 33, decay=0.9, eps=1e-3),
        SELU(),
        AlphaDropout([0.2] * n_stack),
        StackedLinear(n_stack, 33, 16, gain=1, bias=False),
        StackedLayerNorm(n_stack, 16),
        ReLU(),
        StackedLinear(n_stack, 16, _N_CLASSES, gain=1),
    ).train()
    reset(network, seeds)
    X = _unaligned(_N_BATCH, _N_FEATURES)[:1].expand(n_stack, -1, -1)
    targets = torch.arange(_N_BATCH).remainder(_N_CLASSES).expand(n_stack, -1)
    optimizer = make_optimizer(network, [0.1] * n_stack)
    losses = [step(network, optimizer, Batch(X, targets, _N_BATCH)) for _ in range(_N_STEPS)]
    return [*losses, *network.parameters(), *network.buffers()]


def _are_equal(alone: Sequence[torch.Tensor], together: Sequence[torch.Tensor], member: int) -> bool:
    return all(torch.equal(one, others[member : member + 1]) for one, others in zip(alone, together, strict=True))
