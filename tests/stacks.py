"""Small stacks and rows to train them on, for the tests of networks and of the trainer."""

from collections.abc import Sequence

import numpy as np
import torch
from plain import REFERENCES
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.layers import counter_rng
from snnbench.models.layers.stacked import reset
from snnbench.records import Config, Dataset, TrainingRun, Value
from snnbench.training.loaders import order_keys
from snnbench.training.losses import Batch
from snnbench.training.optimizer import StackedSGD, by_autograd, is_chain, layer_by_layer, step
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack

N_FEATURES, N_CLASSES = 7, 3

FORMS = [(model, form) for model in REFERENCES for form in ("rectangular", "diavolo" if model == "resnet" else "conic")]
"""Every network of ``plain`` in every form; ``highway`` has no form: its second is the one with a projection."""


def rows(n_samples: int, n_features: int = N_FEATURES, n_classes: int = N_CLASSES, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)).astype(np.float32)
    return Dataset(X, (X[:, :n_classes] + 0.5 * rng.normal(size=(n_samples, n_classes))).argmax(axis=1))


def configs(
    model: str, learning_rates: Sequence[float], n_units=16, n_layers=2, form="rectangular", dropout_rate=0.0, **others: Value
) -> list[Config]:
    """Return one configuration a learning rate, its shape in the words of the model (a block is two layers or three)."""
    values: dict[str, Value] = {"n_units": n_units, "n_layers": n_layers, "form": form, "dropout_rate": dropout_rate, **others}
    if model == "resnet":
        values |= {"n_blocks": max(1, values.pop("n_layers") // 2), "bottleneck": 0.25}
    if model == "highway":
        values["n_units"] = 0 if values.pop("form") == "rectangular" else n_units
    return [Config(model, (*values.items(), ("learning_rate", rate))) for rate in learning_rates]


def orders(seed: int, n_samples: int, n_epochs: int) -> list[torch.Tensor]:
    """Return the (1, n_samples) order of rows in each epoch of a member."""
    keys, counter, n = order_keys([seed]), counter_rng.new_counter(), torch.tensor([n_samples])
    found = []
    for epoch in range(1, n_epochs + 1):
        counter_rng.start_epoch(counter, epoch)
        found.append(counter_rng.permutations(keys + counter, n, n_samples))
    return found


def batch_of(X: torch.Tensor, targets: torch.Tensor) -> Batch:
    """Return a batch without padding, from (n_stack, n_batch, …) rows."""
    n_labels = (~targets.isnan()).flatten(1).sum(dim=1) if targets.is_floating_point() else targets.shape[1]
    return Batch(X, targets, n_labels)


def train_epoch(
    network: nn.Module, optimizer: StackedSGD, X: torch.Tensor, y: torch.Tensor, order: torch.Tensor, batch_size: int
) -> np.ndarray:
    """Take one step a batch; return each member's mean loss over the labels."""
    n_stack, total, weight = len(optimizer.rates), 0.0, 0.0
    network.train()
    for rows_of_batch in order[0].split(batch_size):
        batch = batch_of(*(values[rows_of_batch].expand(n_stack, *[-1] * values.dim()) for values in (X, y)))
        total += step(network, optimizer, batch).double() * batch.weight
        weight += batch.weight
    return (total / torch.as_tensor(weight).clamp_min(1)).numpy()


def build(model: str, members: list[Config], n_features=N_FEATURES, n_classes=N_CLASSES) -> nn.Module:
    return load_class(NETWORKS[model])(members, n_features, n_classes)


def train(
    model: str, members: list[Config], seeds, n_epochs=5, batch_size=32, train_rows=None, n_classes=N_CLASSES, **settings
) -> TrainingRun:
    data = train_rows or rows(100)
    task_rows = TaskRows(data, rows(30, data.X.shape[1], n_classes, seed=1), n_classes)
    stack = stack_of_one_task("search", members, task_rows, seeds, n_epochs)
    network = initialise(build(model, members, data.X.shape[1], n_classes), seeds)
    return train_stack(network, stack, TrainingSettings(batch_size=batch_size, **settings))


CHAINS = [(model, form) for model, form in FORMS if is_chain(build(model, configs(model, [0.1], form=form)))]
"""Those of ``FORMS`` whose layers all have a ``backward`` of their own."""


def assert_equal_bits_by_autograd(network: nn.Module, batch: Batch) -> None:
    """Check that a step layer by layer gives the losses and the gradients of autograd, bit by bit."""
    found = []
    for way in (by_autograd, layer_by_layer):
        reset(network, [1, 1, 2])
        found.append(way(network, batch))
    (losses, gradients), (other_losses, other_gradients) = found
    assert torch.equal(losses, other_losses)
    for gradient, other in zip(gradients, other_gradients, strict=True):
        assert torch.equal(gradient, other)
