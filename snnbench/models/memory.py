"""How much memory a stack takes: for how many members fit together."""

from collections.abc import Sequence

from snnbench.config import ModelSettings
from snnbench.models import implementation
from snnbench.models.cost import network_size
from snnbench.records import Config

_BYTES = 4
_COPIES_OF_WEIGHTS = 3
"""Weights, a gradient or an effective weight, and one more while either is made."""

_COPIES_OF_SIGNALS = 8
"""Of each unit's value for each row: what the derivative needs of it, and temporary results."""


def member_bytes(config: Config, model: ModelSettings, size: tuple[int, int], n_batch: int, momentum: bool = False) -> int:
    """Estimate the memory of one member of a stack, generously; the rows of its task are left out.

    Args:
        config: Its configuration.
        model: Where it comes from.
        size: Numbers of features and outputs, padding included.
        n_batch: Rows of a batch.
        momentum: Whether velocities and gradients are stored beside the weights.
    """
    n_weights, n_units = network_size(implementation(config.model, model), config, *size)
    return _BYTES * ((_COPIES_OF_WEIGHTS + 2 * momentum) * n_weights + _COPIES_OF_SIGNALS * n_units * n_batch)


def fitting(members_bytes: Sequence[int], budget_bytes: float) -> list[int]:
    """Split a stack into as few as fit: return the sizes of consecutive parts, each within the budget or of one member."""
    sizes, free = [0], budget_bytes
    for n_bytes in members_bytes:
        if sizes[-1] and n_bytes > free:
            sizes.append(0)
            free = budget_bytes
        sizes[-1] += 1
        free -= n_bytes
    return sizes
