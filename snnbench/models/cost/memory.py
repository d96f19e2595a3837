"""How much memory a stack takes: for how many members fit together."""

from collections.abc import Sequence

from snnbench.config import ModelSettings
from snnbench.models import implementation
from snnbench.models.cost.network_cost import network_size
from snnbench.records import Config, StackSize, Task

_BYTES = 4
_COPIES_OF_WEIGHTS = 3
"""Weights, a gradient or an effective weight, and one more while either is made."""

STACK_BYTES = int(0.75e9)
"""What a stack may be estimated to take on a CPU, where processes share the memory and more members are no faster."""

_PACKAGES_BYTES = int(0.6e9)
"""Of a process that has loaded torch, scikit-learn and pandas."""

_COPIES_OF_ROWS = 8
"""Of a task's values: as loaded, standardised and on the way, twice as large each; of a split, and what an estimator makes."""

_ESTIMATOR_BYTES = int(0.25e9)
"""Of a fitted estimator other than a large forest; the kernel cache of an SVM is most of it."""

_BYTES_OF_A_ROW_IN_A_TREE = 80
"""A fully grown tree has about a leaf a row, and a node more."""

_COPIES_OF_SIGNALS = 8
"""Of each unit's value for each row: what the derivative needs of it, and temporary results."""


def member_bytes(config: Config, model: ModelSettings, size: StackSize, momentum: bool = False) -> int:
    """Estimate the memory of one member of a stack, generously; the rows of its task are left out.

    Args:
        config: Its configuration.
        model: Where it comes from.
        size: Of its stack, padding included.
        momentum: Whether velocities and gradients are stored beside the weights.
    """
    n_weights, n_units = network_size(implementation(config.model, model), config, size.n_features, size.n_outputs)
    return _BYTES * ((_COPIES_OF_WEIGHTS + 2 * momentum) * n_weights + _COPIES_OF_SIGNALS * n_units * size.n_batch)


def process_bytes(configs: Sequence[Config], model: ModelSettings, task: Task, batch_size: int) -> int:
    """Estimate the memory of a process that trains networks together or fits estimators one after another, generously.

    Args:
        configs: Those of the members, all on one task.
        model: Where they come from.
        task: The task with the most values, of several.
        batch_size: Rows of a batch of networks.
    """
    n_values = task.n_samples * (task.n_features + task.n_outputs)
    if model.estimator:
        n_trees = max(int(config.get("n_estimators", 0)) for config in configs)
        fitted = max(_ESTIMATOR_BYTES, n_trees * task.n_samples * _BYTES_OF_A_ROW_IN_A_TREE)
    else:
        size = StackSize(task.n_features, task.n_outputs, batch_size)
        each = [member_bytes(config, model, size) for config in configs]
        fitted = max(max(each), min(STACK_BYTES, sum(each)))
    return int(_PACKAGES_BYTES + _COPIES_OF_ROWS * _BYTES * n_values + fitted)


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
