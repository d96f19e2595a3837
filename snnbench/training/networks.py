"""The networks of a job: cut into stacks that fit into memory, and trained."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import network_class
from snnbench.models.cost.memory import STACK_BYTES, fitting, member_bytes
from snnbench.models.layers.padding import stack_size, stacks_across_tasks
from snnbench.models.layers.precision import precision
from snnbench.records import Compute, StackSize, TrainedMember, TrainingRun
from snnbench.training.stack import Stack
from snnbench.training.stacked import build_network, train_stack

_GPU_SHARE = 0.8
"""Of the memory that is free, what a stack may be estimated to take."""


def train_networks(
    stack: Stack,
    model: ModelSettings,
    settings: TrainingSettings,
    compute: Compute,
    fused: bool = False,
    budget: float | None = None,
) -> Iterator[TrainedMember]:
    """Train members of one shape class; yield what training gave each, in their order.

    They are cut into parts by an estimate of their memory. A part that is too large all the same is halved, down to one
    member, whose error is then raised. How they are cut does not change what comes of them.

    Args:
        stack: The members.
        model: Where they come from.
        settings: Of the training.
        compute: How they are computed.
        fused: Whether by the kernels of ``snnbench.models.kernels``.
        budget: Bytes that they may take; by default what is free.
    """
    network = network_class(stack.configs[0].model, model)
    size = _size(stack, network, settings, compute)
    stack = replace(stack, size=size) if stacks_across_tasks(network, compute) else stack
    needed = [member_bytes(config, model, size, bool(settings.momentum)) for config in stack.configs]
    train = partial(_train, network, settings=settings, device=compute.device, fused=fused)
    first = 0
    with precision(compute.precision):
        for n_members in fitting(needed, budget_bytes(compute) if budget is None else budget):
            yield from _halved(train, stack.part(first, first + n_members))
            first += n_members


def stack_bytes(stack: Stack, model: ModelSettings, settings: TrainingSettings, compute: Compute) -> int:
    """Estimate the memory of a stack, generously; the rows of its tasks are left out."""
    size = _size(stack, network_class(stack.configs[0].model, model), settings, compute)
    return sum(member_bytes(config, model, size, bool(settings.momentum)) for config in stack.configs)


def _size(stack: Stack, network: Any, settings: TrainingSettings, compute: Compute) -> StackSize:
    rows = stack.tasks[stack.task_of[0]]
    n_train = len(rows.train.y)
    if stacks_across_tasks(network, compute):
        return stack_size(stack.configs[0], rows.n_features, rows.n_outputs, n_train, settings.batch_size)
    return StackSize(rows.n_features, rows.n_outputs, min(settings.batch_size, n_train))


def _halved(train: Callable[[Stack], TrainingRun], stack: Stack) -> Iterator[TrainedMember]:
    """Train a stack or, where the memory runs out, its two halves."""
    try:
        run = train(stack)
        yield from (run.member(place) for place in range(len(stack)))
        return
    except (RuntimeError, MemoryError) as error:
        if len(stack) == 1 or not is_out_of_memory(error):
            raise
    # Outside the handler, whose traceback would keep the memory of the stack that was too large.
    torch.cuda.empty_cache()
    middle = len(stack) // 2
    for part in (stack.part(0, middle), stack.part(middle, len(stack))):
        yield from _halved(train, part)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error, or one that it came from, means that memory ran out; torch's libraries say it in many ways."""
    words = str(error).lower()
    says_so = any(part in words for part in ("out of memory", "allocate memory", "alloc_failed"))
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or says_so:
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and is_out_of_memory(cause)


def _train(network: Any, stack: Stack, settings: TrainingSettings, device: str, fused: bool) -> TrainingRun:
    """Build and train a stack; the seconds count both."""
    start = time.perf_counter()
    built = build_network(network, stack, device)
    if fused:
        from snnbench.models.kernels.fusing import fuse  # needs Triton

        built = fuse(built)
    run = train_stack(built, stack, settings)
    return replace(run, seconds=time.perf_counter() - start)


def budget_bytes(compute: Compute) -> float:
    """Return the bytes that stacks may be estimated to take now."""
    if compute.device == "cpu":
        return STACK_BYTES
    torch.cuda.empty_cache()  # what torch keeps for itself is free, too
    return _GPU_SHARE * torch.cuda.mem_get_info()[0]
