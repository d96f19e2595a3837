"""How long a training will take: for the order of jobs, the plan's estimate and the remaining time.

The constants were fitted to one CPU core. ``snnbench.training.speed`` scales them to this machine and the display corrects
them as jobs finish, so only their proportions matter.
"""

import math
from collections.abc import Sequence
from functools import cache

import torch

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import PER_MEMBER, implementation, load_class, stack_key
from snnbench.records import Config, Task, Value

_SECONDS_PER_LAYER_STEP = 6e-5
"""What one layer of a stack costs in each step, whatever its size: calls, small kernels, short arrays."""

_SECONDS_PER_FLOP = 1.2e-11
_SECONDS_PER_UNIT = 1.5e-9
"""Of one member's unit for one row: activation, its derivative, and moving them through memory."""

_DROPOUT_FACTOR = 1.3
_SECONDS_PER_FIT = 0.003


def member_seconds(
    configs: Sequence[Config],
    model: ModelSettings,
    task: Task,
    n_train: int,
    n_epochs: int,
    training: TrainingSettings,
) -> float:
    """Estimate one job: a stack of networks, or fits of an estimator one after another.

    Args:
        configs: The job's configurations, all of one shape.
        model: Where they come from.
        task: For the numbers of features and outputs.
        n_train: Training rows.
        n_epochs: Passes over them.
        training: For the batch size.
    """
    if model.estimator:
        n_fits = task.n_outputs if task.kind == "multilabel" else 1
        return n_fits * sum(_fit_seconds(model.estimator, config, task, n_train) for config in configs)
    path = implementation(configs[0].model, model)
    n_layers, n_weights, n_units = network_size(path, stack_key(configs[0]), task.n_features, task.n_outputs)
    n_steps = math.ceil(n_train / training.batch_size)
    # A forward pass and two products of the same size backward; the validation rows are a quarter of the training rows.
    per_row = 2 * n_weights * (3 + 0.25) * _SECONDS_PER_FLOP + n_units * _SECONDS_PER_UNIT
    seconds = n_epochs * (n_steps * n_layers * _SECONDS_PER_LAYER_STEP + n_train * len(configs) * per_row)
    return seconds * (_DROPOUT_FACTOR if configs[0].get("dropout_rate", 0) else 1)


def network_work(
    config: Config, model: ModelSettings, task: Task, n_train: int, n_epochs: int, batch_size: int
) -> tuple[int, int]:
    """Return the optimiser steps of one training and its floating-point operations; nothing for an estimator.

    A weight costs two operations for each row forward and four backward; validation is left out.
    """
    if model.estimator:
        return 0, 0
    _, n_weights, _ = network_size(implementation(config.model, model), stack_key(config), task.n_features, task.n_outputs)
    return n_epochs * math.ceil(n_train / batch_size), n_epochs * 6 * n_weights * n_train


@cache
def network_size(path: str, shape: tuple[tuple[str, Value], ...], n_features: int, n_outputs: int) -> tuple[int, int, int]:
    """Return the number of layers with weights, of weights and of units, from a network without memory behind it."""
    config = Config("", (*shape, *((name, 0.0) for name in PER_MEMBER)))
    with torch.device("meta"):
        network = load_class(path)([config], n_features, n_outputs)
    matrices = [parameter for parameter in network.parameters() if parameter.numel() > parameter.shape[-1]]
    return max(1, len(matrices)), sum(p.numel() for p in matrices), sum(p.shape[-1] for p in matrices)


def _fit_seconds(estimator: str, config: Config, task: Task, n_train: int) -> float:
    values = dict(config.values)
    if estimator.endswith((".SVC", ".NuSVC", ".SVR")):
        return _SECONDS_PER_FIT + 3e-8 * n_train**2 * math.sqrt(task.n_features)
    n_trees = float(values.get("n_estimators", 1))
    return _SECONDS_PER_FIT + n_trees * (1e-3 + 5e-8 * n_train * math.log2(n_train + 1) * task.n_features)
