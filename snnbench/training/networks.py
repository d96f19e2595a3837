"""The networks of a job: cut into stacks that fit into memory, and trained."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import implementation, load_class
from snnbench.models.cost.memory import STACK_BYTES, fitting, member_bytes
from snnbench.models.layers.padding import batch_class, padded_size, stacks_across_tasks
from snnbench.models.layers.precision import precision
from snnbench.records import Compute, Config, Stage, TrainingRun
from snnbench.training.loaders import TaskRows
from snnbench.training.stacked import train_across, train_stack

_GPU_SHARE = 0.8
"""Of the memory that is free, what a stack may be estimated to take."""


@dataclass(frozen=True, eq=False)
class NetworkMember:
    """One network to train: its configuration, rows, seed and number of epochs."""

    config: Config
    rows: TaskRows
    seed: int
    n_epochs: int


_Found = tuple[TrainingRun, int]
"""A run and the place of a member in it."""


def train_networks(
    members: Sequence[NetworkMember], model: ModelSettings, stage: Stage, settings: TrainingSettings, compute: Compute
) -> Iterator[_Found]:
    """Train members of one shape class; yield for each, in their order, a run and its place in it.

    They are cut into stacks by an estimate of their memory. A stack that is too large all the same is halved, down to one
    member, whose error is then raised. How they are cut does not change what comes of them.
    """
    path = implementation(members[0].config.model, model)
    network = load_class(path)
    sizes = [_size(member, network, compute, settings) for member in members]
    needed = [
        member_bytes(member.config, model, *size, bool(settings.momentum)) for member, size in zip(members, sizes, strict=True)
    ]
    train = partial(_train, network, stage=stage, settings=settings, compute=compute)
    first = 0
    with precision(compute.precision):
        for n_members in fitting(needed, _budget_bytes(compute)):
            yield from _halved(partial(train, sizes[first]), members[first : first + n_members])
            first += n_members


def _halved(train: Callable[[Sequence[NetworkMember]], list[_Found]], members: Sequence[NetworkMember]) -> Iterator[_Found]:
    """Train members in one stack or, where the memory runs out, in two halves."""
    try:
        yield from train(members)
        return
    except (RuntimeError, MemoryError) as error:
        if len(members) == 1 or not is_out_of_memory(error):
            raise
    # Outside the handler, whose traceback would keep the memory of the stack that was too large.
    torch.cuda.empty_cache()
    middle = len(members) // 2
    for part in (members[:middle], members[middle:]):
        yield from _halved(train, part)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error, or one that it came from, means that memory ran out; torch's libraries say it in many ways."""
    words = str(error).lower()
    says_so = any(part in words for part in ("out of memory", "allocate memory", "alloc_failed"))
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or says_so:
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and is_out_of_memory(cause)


def _train(
    network: Any,
    size: tuple[tuple[int, int], int],
    members: Sequence[NetworkMember],
    stage: Stage,
    settings: TrainingSettings,
    compute: Compute,
) -> list[_Found]:
    configs = [member.config for member in members]
    learning_rates = [float(config["learning_rate"]) for config in configs]
    seeds, l2 = [member.seed for member in members], [float(config.get("l2", 0.0)) for config in configs]
    n_epochs = [member.n_epochs for member in members]
    device = compute.device
    if stacks_across_tasks(network, compute):
        tasks = list({id(member.rows): member.rows for member in members}.values())
        places = {id(rows): place for place, rows in enumerate(tasks)}
        task_of = [places[id(member.rows)] for member in members]
        padded, n_batch = size
        runs = train_across(
            network, configs, stage, tasks, task_of, padded, n_batch, learning_rates, seeds, n_epochs, settings, device, l2
        )
        return [(run, 0) for run in runs]
    rows = members[0].rows
    stack: nn.Module = network(configs, rows.train.X.shape[1], rows.n_outputs)
    run = train_stack(
        stack, stage, rows.train, rows.held_out, learning_rates, seeds, n_epochs[0], settings, rows.metric, device, l2
    )
    return [(run, place) for place in range(len(members))]


def _size(member: NetworkMember, network: Any, compute: Compute, settings: TrainingSettings) -> tuple[tuple[int, int], int]:
    """Return what decides a member's memory: features and outputs, and rows of a batch."""
    own, n_train = (member.rows.train.X.shape[1], member.rows.n_outputs), len(member.rows.train.y)
    if not stacks_across_tasks(network, compute):
        return own, min(settings.batch_size, n_train)
    return padded_size(member.config, *own), batch_class(n_train, settings.batch_size)


def _budget_bytes(compute: Compute) -> float:
    if compute.device == "cpu":
        return STACK_BYTES
    torch.cuda.empty_cache()  # what torch keeps for itself is free, too
    return _GPU_SHARE * torch.cuda.mem_get_info()[0]
