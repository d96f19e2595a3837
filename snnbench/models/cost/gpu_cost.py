"""How long a stack of networks trains on a GPU: what its kernels wait for, move and compute.

A step takes ``kernels * floor + bytes / bandwidth + operations / rate``. The floor is what a kernel costs that waits for the
one before it and has hardly anything to do. A product of matrices fills a processor for each tile of its output; one with fewer
tiles than processors leaves the others idle, whatever their rate.

The counts are those of the kernels that the layers call (``tests/test_gpu_cost.py`` counts them). **The constants of the card
have not been measured yet**: they follow from the data sheet of an H100, and the stage ``steps`` of the GPU kit fits them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from snnbench.models import stack_key
from snnbench.models.cost.network_cost import Layer, Shape, network_layers
from snnbench.records import Config, StackSize

_BYTES = 4


@dataclass(frozen=True)
class Gpu:
    """A card: seconds of a kernel in a recording, bytes and operations a second, and its processors."""

    floor: float
    bandwidth: float
    rate: float
    n_processors: int


H100 = Gpu(floor=2.2e-6, bandwidth=2.5e12, rate=2.0e14, n_processors=132)
"""Three quarters of the memory's 3.35 TB/s, and two fifths of the 495 tf32 TFLOP/s for products that are 128 rows high."""

_TILE_UNITS = 128
"""Units of a tile of a product; its rows are those of a batch."""


@dataclass(frozen=True)
class Calls:
    """Of a layer in a step: kernels, and how often its signals (n_batch, n_units) and its weights are read or written."""

    kernels: int = 0
    signals: float = 0.0
    weights: float = 0.0


PLAIN = {
    "alpha_dropout": Calls(16, 18),
    "batchnorm": Calls(35, 22),
    "dropout": Calls(12, 12),
    "highway": Calls(20, 24.5, 6),
    "layernorm": Calls(6, 12),
    "linear": Calls(6, 8, 4),
    "relu": Calls(2, 5),
    "residual": Calls(2, 6),
    "selu": Calls(7, 16),
    "weightnorm": Calls(22, 8, 22),
}
"""By torch's kernels, with the bias, which layers with a normalisation leave out: what these need beyond it is theirs.

Masks of dropout are counted for one member of three: those of one seed and rate share them.
"""

FUSED = {
    "alpha_dropout": Calls(),
    "batchnorm": Calls(0, 1),
    "dropout": Calls(),
    "highway": Calls(5, 9.5, 4),
    "layernorm": Calls(1, 1.5),
    "linear": Calls(5, 11, 4),
    "relu": Calls(),
    "residual": Calls(0, 3),
    "selu": Calls(),
    "weightnorm": Calls(7, 11, 11),
}
"""By the kernels of ``snnbench.models.kernels``: three products, and one kernel each way for all that follows."""

_STEP_KERNELS = 40
"""Of a step whatever the network: a batch is gathered, the loss differentiated and added up."""

_FORWARD = 1 / 3
"""Of a step's work: what scoring a batch takes."""

_IDLE = 0.1
"""Of a step: what waiting and idle processors may take in a stack that is large enough."""

_N_SCORED_ROWS, _HELD_OUT = 256, 0.25
"""Rows scored at once, and the share of a task's training rows that are held out beside them."""


@dataclass(frozen=True)
class Work:
    """Of a stack's step: kernels, bytes, operations, and these as if idle processors computed as well."""

    kernels: float
    n_bytes: float
    operations: float
    filled_operations: float

    def seconds(self, gpu: Gpu) -> float:
        """Return what a step takes alone on the card."""
        return self.kernels * gpu.floor + self.n_bytes / gpu.bandwidth + self.filled_operations / gpu.rate

    def busy_seconds(self, gpu: Gpu) -> float:
        """Return what a step takes at least, whatever else fills the card meanwhile."""
        return self.n_bytes / gpu.bandwidth + self.operations / gpu.rate


@dataclass(frozen=True)
class StackCost:
    """Seconds of a stack's training alone on a card, and those that no other stack can fill."""

    seconds: float
    busy_seconds: float


@cache
def _layers_of(path: str, shape: Shape, has_dropout: bool, n_features: int, n_outputs: int) -> tuple[Layer, ...]:
    layers = network_layers(path, shape, n_features, n_outputs)
    return tuple(layer for layer in layers if has_dropout or not layer.kind.endswith("dropout"))


def member_layers(path: str, config: Config, n_features: int, n_outputs: int) -> tuple[Layer, ...]:
    """Return the layers of a configuration's network, without dropout where its rate is 0."""
    return _layers_of(path, stack_key(config), bool(config.get("dropout_rate", 0)), n_features, n_outputs)


def step_work(layers: Sequence[Layer], n_stack: int, n_batch: int, fused: bool, gpu: Gpu = H100) -> Work:
    """Return the work of a stack's step.

    Args:
        layers: Those of a member, padding included; see ``member_layers``.
        n_stack: Members.
        n_batch: Rows of a batch.
        fused: Whether by fused kernels.
        gpu: For the number of processors.
    """
    table = FUSED if fused else PLAIN
    kernels, n_values, operations, filled = float(_STEP_KERNELS), 0.0, 0.0, 0.0
    for layer in layers:
        calls = table[layer.kind]
        kernels += calls.kernels
        n_values += calls.signals * n_batch * layer.n_units + calls.weights * layer.n_weights
        own = 6.0 * n_stack * n_batch * layer.n_weights
        tiles = n_stack * math.ceil(layer.n_units / _TILE_UNITS) * math.ceil(n_batch / 128)
        operations += own
        filled += own * max(1.0, gpu.n_processors / tiles)
    return Work(kernels, _BYTES * n_stack * n_values, operations, filled)


def stack_cost(
    layers: Sequence[Layer], n_stack: int, size: StackSize, n_train: int, n_epochs: int, fused: bool, gpu: Gpu = H100
) -> StackCost:
    """Estimate the training of a stack.

    Args:
        layers: Those of a member, padding included.
        n_stack: Members.
        size: For the rows of a batch.
        n_train: Training rows of the largest task: the others wait for it at the end of an epoch.
        n_epochs: Passes of the member with most.
        fused: Whether by fused kernels.
        gpu: The card.
    """
    work = step_work(layers, n_stack, size.n_batch, fused, gpu)
    scored = _HELD_OUT * n_train / _N_SCORED_ROWS
    scored_kernels = _FORWARD * math.ceil(scored) * work.kernels * gpu.floor
    scored_rows = _FORWARD * scored * _N_SCORED_ROWS / size.n_batch * work.busy_seconds(gpu)
    n_steps = math.ceil(n_train / size.n_batch)
    return StackCost(
        n_epochs * (n_steps * work.seconds(gpu) + scored_kernels + scored_rows),
        n_epochs * (n_steps * work.busy_seconds(gpu) + scored_rows),
    )


def seconds_at_once(costs: Sequence[StackCost], n_at_once: int) -> float:
    """Return the seconds of stacks of which some are trained at once: their waiting overlaps, their work adds up."""
    return max(sum(cost.seconds for cost in costs) / n_at_once, sum(cost.busy_seconds for cost in costs))


def stack_members(layers: Sequence[Layer], n_batch: int, n_most: int, fused: bool, gpu: Gpu = H100) -> int:
    """Return how many members a stack needs so that a further one costs about what it computes, at most ``n_most``.

    That is where waiting and idle processors are a tenth of a step: larger stacks are hardly faster and lose more when a job is
    killed.
    """
    n_stack = 1
    while n_stack < n_most:
        work = step_work(layers, n_stack, n_batch, fused, gpu)
        if work.seconds(gpu) <= (1 + _IDLE) * work.busy_seconds(gpu):
            break
        n_stack *= 2
    return min(n_stack, n_most)
