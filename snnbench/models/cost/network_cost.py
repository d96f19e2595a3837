"""How long a stack of networks will train: for the order of jobs, the plan's estimate and the remaining time.

A step costs something for each layer whatever its size (calls, small kernels), something for each unit and row, by the kind of
layer, and something for each weight. The constants are those of one CPU core, fitted by ``make bench-costs``;
``snnbench.training.speed`` scales them to this machine and the display corrects them as jobs finish, so only their proportions
matter.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import nn

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import NETWORKS, implementation, load_class, stack_key
from snnbench.models.activations import known_name
from snnbench.models.code import has_numba
from snnbench.models.cost.estimator_cost import fit_seconds
from snnbench.models.cost.shapes import SHAPES, Layer
from snnbench.records import Config, Task, Value

SECONDS = {
    "alpha_dropout call": 5.8e-05,
    "alpha_dropout unit": 5.7e-10,
    "batchnorm call": 7e-05,
    "batchnorm unit": 1.5e-09,
    "compiled alpha_dropout unit": 7.8e-11,
    "compiled dropout unit": 0,
    "compiled epoch": 0,
    "compiled flop": 9.7e-12,
    "compiled linear unit": 0,
    "compiled linear weight": 6.2e-10,
    "compiled product": 5.9e-07,
    "compiled relu unit": 0,
    "compiled row": 3.6e-08,
    "compiled selu unit": 0,
    "compiled step": 0,
    "dropout call": 4.6e-05,
    "dropout unit": 9.2e-10,
    "epoch": 0.00039,
    "flop": 1e-11,
    "highway call": 7.8e-05,
    "highway unit": 7.6e-09,
    "highway weight": 0,
    "layernorm call": 4.5e-05,
    "layernorm unit": 2.6e-09,
    "linear call": 2.7e-05,
    "linear unit": 1.3e-09,
    "linear weight": 7.3e-10,
    "product": 1.8e-06,
    "relu call": 0,
    "relu unit": 0,
    "residual call": 0,
    "residual unit": 1.8e-09,
    "selu call": 1.9e-05,
    "selu unit": 1.6e-09,
    "step": 0.00015,
    "weightnorm call": 6.1e-05,
    "weightnorm unit": 1.7e-09,
    "weightnorm weight": 1.8e-09,
}
"""Cost by what is counted, see ``counts``. The fit gives a cost of 0 to what always comes along with something else."""

_KINDS = {
    "AlphaDropout": "alpha_dropout",
    "Dropout": "dropout",
    "HighwayLayer": "highway",
    "ReLU": "relu",
    "Residual": "residual",
    "SELU": "selu",
    "StackedBatchNorm": "batchnorm",
    "StackedLayerNorm": "layernorm",
    "StackedLinear": "linear",
    "StackedWeightNormLinear": "weightnorm",
}
"""Classes of layers whose costs were measured."""

_MISH, _AUTOGRAD = 7e-9, 4e-9
"""Measured beside SELU by torch: mish, and by autograd softsign (nearly as fast as SELU), snake, PReLU (12e-9)."""

_COMPILED = {NETWORKS["msrainit"], NETWORKS["snn"]}

_SCORED = 0.25 / 3
"""Of a step's work: the rows that are scored after every epoch, a quarter of the training rows, go forward only."""

_N_SCORED_ROWS = 256

Shape = tuple[tuple[str, Value], ...]
"""The hyperparameters that the members of a stack share, see ``stack_key``."""


class Total(NamedTuple):
    """All layers of one kind together: their number, their units, how many have a matrix, and the weights of these."""

    n_layers: int
    n_units: int
    n_matrices: int
    n_weights: int


def member_seconds(
    configs: Sequence[Config],
    model: ModelSettings,
    task: Task,
    n_train: int,
    n_epochs: int,
    training: TrainingSettings,
) -> float:
    """Estimate a stack of networks, or a family of an estimator (one fit, or the sizes of one growing ensemble).

    Args:
        configs: Configurations, all of one shape.
        model: Where they come from.
        task: For the numbers of features and outputs.
        n_train: Training rows.
        n_epochs: Passes over them.
        training: For the batch size.
    """
    if model.estimator:
        if task.kind == "multilabel":  # a fit for each label, and nothing is grown
            return task.n_outputs * sum(fit_seconds(model, [config], task, n_train) for config in configs)
        return fit_seconds(model, configs, task, n_train)
    path = implementation(configs[0].model, model)
    totals = network_totals(path, configs[0], task.n_features, task.n_outputs)
    sizes = len(configs), n_train, training.batch_size
    if is_compiled(path, training.momentum, model):
        return n_epochs * sum(SECONDS[name] * count for name, count in compiled_counts(totals, *sizes).items())
    per_epoch = counts(totals, *sizes)
    beyond = _beyond_selu(model.activation) * per_epoch["selu unit"] if model.activation else 0.0
    return n_epochs * (beyond + sum(SECONDS[name] * count for name, count in per_epoch.items()))


def counts(totals: Mapping[str, Total], n_stack: int, n_train: int, batch_size: int) -> dict[str, float]:
    """Count what an epoch of a stack is made of: the names are those of ``SECONDS``.

    ``epoch`` and ``step`` are counted as such; ``<kind> call`` is a layer in a step; ``product`` one member's matrix product in
    a step; ``<kind> unit`` one member's unit for one row; ``flop`` an operation of its matrix products; ``<kind> weight`` one
    member's weight in a step, which is read and updated.
    """
    n_steps = math.ceil(n_train / batch_size)
    n_calls = n_steps + math.ceil(0.25 * n_train / _N_SCORED_ROWS) / 3
    n_rows = n_train * (1 + _SCORED) * n_stack
    found: dict[str, float] = {"epoch": 1, "step": n_steps, "product": 0, "flop": 0}
    for kind, total in totals.items():
        found[f"{kind} call"] = n_calls * total.n_layers
        found[f"{kind} unit"] = n_rows * total.n_units
        if total.n_matrices:
            found["product"] += n_calls * n_stack * total.n_matrices
            found["flop"] += 6 * n_rows * total.n_weights
            found[f"{kind} weight"] = n_steps * n_stack * total.n_weights
    return found


def is_compiled(path: str, momentum: float = 0.0, model: ModelSettings | None = None) -> bool:
    """Say whether a network of ours is trained by the compiled step (``snnbench.training.compiled``) on a CPU.

    Args:
        path: Its import path.
        momentum: Of the training.
        model: Its table, which may name an activation.
    """
    if model and model.activation:
        design = known_name(model.activation), model.dropout, model.scale, model.shift
        is_chain = design in (("selu", "alpha", 1, 0), ("relu", "plain", 1, 0))
    else:
        is_chain = path in _COMPILED
    return is_chain and not momentum and has_numba()


def _beyond_selu(activation: str) -> float:
    """Return what a unit of an activation takes beyond one of SELU, in seconds; of those with a derivative only mish does."""
    return {"mish": _MISH, None: _AUTOGRAD}.get(known_name(activation), 0.0)


def compiled_counts(totals: Mapping[str, Total], n_stack: int, n_train: int, batch_size: int) -> dict[str, float]:
    """As ``counts``, for the compiled step: it takes members one by one, so that ``step`` and ``row`` are a member's."""
    n_steps, n_rows = math.ceil(n_train / batch_size) * n_stack, n_train * (1 + _SCORED) * n_stack
    found: dict[str, float] = {"epoch": 1, "step": n_steps, "row": n_rows, "product": 0, "flop": 0}
    for kind, total in totals.items():
        found[f"{kind} unit"] = n_rows * total.n_units
        found["product"] += n_steps * total.n_matrices
        found["flop"] += 6 * n_rows * total.n_weights
        if total.n_matrices:
            found[f"{kind} weight"] = n_steps * total.n_weights
    return {f"compiled {name}": count for name, count in found.items()}


def sum_up(layers: Iterable[Layer]) -> dict[str, Total]:
    """Add up layers by their kind."""
    totals: dict[str, Total] = {}
    for layer in layers:
        n_layers, n_units, n_matrices, n_weights = totals.get(layer.kind, (0, 0, 0, 0))
        has_matrix = layer.n_weights > 0
        totals[layer.kind] = Total(n_layers + 1, n_units + layer.n_units, n_matrices + has_matrix, n_weights + layer.n_weights)
    return totals


def network_work(
    config: Config, model: ModelSettings, task: Task, n_train: int, n_epochs: int, batch_size: int
) -> tuple[int, int]:
    """Return the optimiser steps of one training and its floating-point operations; nothing for an estimator.

    A weight costs two operations for each row forward and four backward; validation is left out.
    """
    if model.estimator:
        return 0, 0
    n_weights, _ = network_size(implementation(config.model, model), config, task.n_features, task.n_outputs)
    return n_epochs * math.ceil(n_train / batch_size), n_epochs * 6 * n_weights * n_train


def network_totals(path: str, config: Config, n_features: int, n_outputs: int) -> Mapping[str, Total]:
    """Return the layers of a configuration's network by their kind, without dropout where its rate is 0.

    Args:
        path: Import path of the network.
        config: The configuration.
        n_features: Inputs of the network.
        n_outputs: Outputs of the network.
    """
    return _totals(path, stack_key(config), bool(config.get("dropout_rate", 0)), n_features, n_outputs)


@cache
def _totals(path: str, shape: Shape, has_dropout: bool, n_features: int, n_outputs: int) -> Mapping[str, Total]:
    totals = sum_up(network_layers(path, shape, n_features, n_outputs))
    return {kind: total for kind, total in totals.items() if has_dropout or not kind.endswith("dropout")}


def network_size(path: str, config: Config, n_features: int, n_outputs: int) -> tuple[int, int]:
    """Return a network's numbers of weights and of units, those of layers with weights."""
    totals = [total for total in network_totals(path, config, n_features, n_outputs).values() if total.n_matrices]
    return sum(total.n_weights for total in totals), sum(total.n_units for total in totals)


def network_layers(path: str, shape: Shape, n_features: int, n_outputs: int) -> tuple[Layer, ...]:
    """Return the layers of a network in order, dropout whatever its rate: of ours by arithmetic, of others as built."""
    if path not in SHAPES:
        return built_layers(path, shape, n_features, n_outputs)
    values = getattr(load_class(path), "defaults", {}) | dict(shape)
    return tuple(SHAPES[path](values, n_features, n_outputs))


def _walk(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module and its parts in order, but not what a dropout layer consists of."""
    yield module
    if not _KINDS.get(type(module).__name__, "").endswith("dropout"):
        for part in module.children():
            yield from _walk(part)


def built_layers(path: str, shape: Shape, n_features: int, n_outputs: int) -> tuple[Layer, ...]:
    """Read the layers from a network without memory behind it."""
    config = Config("", (*shape, ("learning_rate", 0.0), ("dropout_rate", 0.0)))
    with torch.device("meta"):
        network = load_class(path)([config], n_features, n_outputs)
    layers: list[Layer] = []
    n_units = n_features
    for module in _walk(network):
        kind = _KINDS.get(type(module).__name__)
        matrices = [p for p in module.parameters(recurse=False) if p.dim() > 2 and p.shape[-2] > 1]
        if matrices:
            n_units = matrices[-1].shape[-1]
            layers.append(Layer(kind or "linear", n_units, sum(p.shape[-2] * p.shape[-1] for p in matrices)))
        elif kind:
            layers.append(Layer(kind, n_units))
        elif next(module.children(), None) is None:  # of someone's own: taken for an activation
            layers.append(Layer("selu", n_units))
        n_units = n_units // 2 if kind == "highway" else n_units  # its matrix serves the transform and the gate
    return tuple(layers)
