"""How networks share a GPU by the cost model: how many make a stack, and what stacks take alone and at once."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from snnbench.models import implementation, network_class
from snnbench.models.cost.gpu_cost import H100, Gpu, StackCost, member_layers, seconds_at_once, stack_cost, stack_members
from snnbench.models.cost.network_cost import Layer
from snnbench.models.layers.padding import stack_size, stacks_across_tasks
from snnbench.records import Member, StackSize
from snnbench.training.context import RunSpec

MAX_GPU_STACK = 1024
"""Members of a stack on a GPU at most, however narrow: they are set up one by one."""


def gpu_cost(members: Sequence[Member], spec: RunSpec, card: Gpu = H100) -> StackCost:
    """Estimate a stack of networks of one shape; members of several tasks wait for the one with most rows."""
    n_train, n_epochs = max(map(spec.n_train, members)), max(member.n_epochs for member in members)
    size = _size(members[0], spec, n_train)
    return stack_cost(_layers(members, size, spec), len(members), size, n_train, n_epochs, _is_fused(spec), card)


def gpu_members(group: Sequence[Member], spec: RunSpec) -> int:
    """Return how many networks of one shape a stack has at most, so that few more would make it no faster."""
    size = _size(group[0], spec, spec.n_train(group[0]))
    return stack_members(_layers(group, size, spec), size.n_batch, min(MAX_GPU_STACK, len(group)), _is_fused(spec))


def merge_groups(groups: Mapping[tuple[Hashable, ...], list[Member]], spec: RunSpec) -> list[list[Member]]:
    """Join groups of networks of one shape class, whose keys differ in their steps (the last part) alone, where that is faster.

    Those with fewer steps then wait for the others at the end of an epoch, which costs work; but a step of few members costs
    hardly less than one of many. No number depends on it.
    """
    merged: list[list[Member]] = []
    of_shape: dict[tuple[Hashable, ...], list[list[Member]]] = defaultdict(list)
    for key, group in groups.items():
        is_across = not spec.model(group[0]).estimator and _is_across(group[0], spec)
        of_shape[key[:-1] if is_across else key].append(group)
    for same in of_shape.values():
        waiting = sorted(same, key=lambda group: -max(map(spec.n_train, group)))
        while waiting:
            joined = waiting.pop(0)
            while waiting and _is_faster(joined, waiting[0], spec):
                joined = joined + waiting.pop(0)
            merged.append(joined)
    return merged


def _is_faster(group: Sequence[Member], other: Sequence[Member], spec: RunSpec) -> bool:
    """Say whether one stack of both groups takes less than a stack of each, if one is not too large."""
    together = [*group, *other]
    if len(together) > max(len(group), gpu_members(together, spec)):
        return False
    apart = seconds_at_once([gpu_cost(group, spec), gpu_cost(other, spec)], spec.gpu.n_at_once)
    return seconds_at_once([gpu_cost(together, spec)], spec.gpu.n_at_once) < apart


def _is_across(member: Member, spec: RunSpec) -> bool:
    return stacks_across_tasks(network_class(member.config.model, spec.model(member)), spec.compute)


def _is_fused(spec: RunSpec) -> bool:
    return spec.gpu.kernels == "fused"


def _size(member: Member, spec: RunSpec, n_train: int) -> StackSize:
    task, batch_size = spec.task(member), spec.settings.training.batch_size
    if _is_across(member, spec):
        return stack_size(member.config, task.n_features, task.n_outputs, n_train, batch_size)
    return StackSize(task.n_features, task.n_outputs, min(batch_size, n_train))


def _layers(members: Sequence[Member], size: StackSize, spec: RunSpec) -> tuple[Layer, ...]:
    """Return the layers of a member's network; a stack has dropout if one of its members does."""
    config = max((member.config for member in members), key=lambda config: float(config.get("dropout_rate", 0)))
    path = implementation(config.model, spec.model(members[0]))
    return member_layers(path, config, size.n_features, size.n_outputs)
