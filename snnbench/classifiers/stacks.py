"""All that the classifiers ask of the trainer: train a stack and hand back its networks one by one; compute their outputs."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.cost.memory import STACK_BYTES, fitting, member_bytes
from snnbench.records import Config, Dataset, StackSize
from snnbench.training.process import exact_process
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack

_N_PREDICTED_ROWS = 256
"""Rows of one pass, filled up with zeros: a matrix product may round by its number of rows, and so the outputs of a row depend
neither on how many rows are asked for at once nor on which they are."""


def train_networks(
    configs: Sequence[Config], rows: Dataset, n_outputs: int, seeds: Sequence[int], n_epochs: int, training: TrainingSettings
) -> list[nn.Module | None]:
    """Train networks of one shape on the same rows, as one stack or, if they are large, as a few.

    Args:
        configs: (n_stack,) that differ at most in what may differ within a stack.
        rows: Float32 features and classes from 0 on.
        n_outputs: Number of classes.
        seeds: (n_stack,).
        n_epochs: Passes over the rows.
        training: Batch size and momentum.

    Returns:
        A stack of one for each config, with the bits that it has when it is trained alone; None for one that diverged.
    """
    size = StackSize(rows.X.shape[1], n_outputs, min(training.batch_size, len(rows.y)))
    needed = [member_bytes(config, ModelSettings(grid={}), size, bool(training.momentum)) for config in configs]
    trained: list[nn.Module | None] = []
    with exact_process():
        for n_members in fitting(needed, STACK_BYTES):
            part = slice(len(trained), len(trained) + n_members)
            trained += _train(configs[part], rows, n_outputs, seeds[part], n_epochs, training)
    return trained


def _train(
    configs: Sequence[Config], rows: Dataset, n_outputs: int, seeds: Sequence[int], n_epochs: int, training: TrainingSettings
) -> list[nn.Module | None]:
    build = partial(load_class(NETWORKS[configs[0].model]), n_features=rows.X.shape[1], n_outputs=n_outputs)
    network: nn.Module = initialise(build(configs), seeds)
    # Members that diverged leave the stack, and what is registered here says who is left.
    network.register_buffer("members", torch.arange(len(configs)))
    task_rows = TaskRows(rows, Dataset(rows.X[:1], rows.y[:1]), n_outputs)
    run = train_stack(network, stack_of_one_task("evaluate", configs, task_rows, seeds, n_epochs), training)
    places = {int(member): place for place, member in enumerate(network.get_buffer("members"))}
    return [
        None if lost else _fill(build([configs[member]]), network, places[member]) for member, lost in enumerate(run.diverged)
    ]


def _fill(network: nn.Module, stack: nn.Module, place: int) -> nn.Module:
    """Give a stack of one the parameters and the running means of a member of another."""
    found = dict([*stack.named_parameters(), *stack.named_buffers()])
    for name, values in (*network.named_parameters(), *network.named_buffers()):
        values.data = found[name].data[place : place + 1].clone()
    return network.eval()


def compute_probabilities(network: nn.Module, X: np.ndarray) -> np.ndarray:
    """Return (n_samples, n_outputs) float64 probabilities of a stack of one for (n_samples, n_features) float32 rows."""
    parts = []
    with exact_process(), torch.inference_mode():
        for start in range(0, len(X), _N_PREDICTED_ROWS):
            rows = X[start : start + _N_PREDICTED_ROWS]
            filled = torch.zeros(1, _N_PREDICTED_ROWS, X.shape[1])
            filled[0, : len(rows)] = torch.from_numpy(rows)
            parts.append(network(filled)[0, : len(rows)].double().softmax(dim=-1).numpy())
    return np.concatenate(parts)
