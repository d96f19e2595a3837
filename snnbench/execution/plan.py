"""From tasks, grids and splits to jobs, minus what is stored already."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, product

from snnbench.config import ModelSettings, expand_grid
from snnbench.execution.gpu_stacks import gpu_cost, gpu_members, merge_groups
from snnbench.execution.keys import Keys
from snnbench.models import canonical, check_config, check_network, network_class, stack_key
from snnbench.models.cost.gpu_cost import seconds_at_once
from snnbench.models.cost.memory import process_bytes
from snnbench.models.cost.network_cost import member_seconds, network_work
from snnbench.models.estimators.building import families
from snnbench.models.estimators.stopping import check_stopping_on
from snnbench.models.layers.padding import stack_size, stacks_across_tasks, steps_class
from snnbench.records import Code, Config, Job, Member, Stage
from snnbench.results.selection import choice
from snnbench.training.context import RunSpec

MAX_STACK = 24
"""Members of a stack at most: beyond it, a step takes proportionally longer and a killed job loses more."""

MIN_CHUNK_SECONDS, MAX_CHUNK_SECONDS = 0.1, 5.0
"""Fits of an estimator share jobs of about this length, so that tiny ones do not each pay for a file."""

_STACKS_PER_PLACE = 4
"""Where several stacks are trained at once, a job has so many for each place: the last ones seldom leave a place empty."""

_CHUNKS_PER_WORKER = 4
"""Where the whole plan is short, these jobs are shortened until each worker has so many: none waits long for the last."""


@dataclass(frozen=True)
class Stored:
    """What need not be trained again: the ``keys`` of rows, and by model the ``other`` code whose rows count, best first."""

    keys: Collection[str] = ()
    other: Mapping[str, Sequence[Code]] = field(default_factory=dict)

    def as_stored(self, model: str, member: Callable[[Code | None], Member]) -> Member:
        """Return a member as it is stored, by the code at hand if it can be; else as it is to be trained.

        Args:
            model: Its model.
            member: Returns the member by some code; None for that at hand.
        """
        wanted = member(None)
        if wanted.key in self.keys:
            return wanted
        others = (member(code) for code in self.other.get(model, ()))
        return next((other for other in others if other.key in self.keys), wanted)


_USUAL_STOP = 2 / 3
"""Of the epochs: where early stopping ends, on average over the tasks of core."""


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    ``members`` holds all trainings of the search stage, by key, whether stored or not; ``jobs`` those still to be done, longest
    first; ``n_evaluations`` how many selected configurations will be evaluated.
    """

    members: Mapping[str, Member]
    jobs: tuple[Job, ...]
    n_stored: int
    n_evaluations: int

    @property
    def seconds(self) -> float:
        """Planned cost of the jobs, one after another."""
        return sum(job.seconds for job in self.jobs)


def plan_search(spec: RunSpec, models: Sequence[str], stored: Stored, n_workers: int = 1) -> Plan:
    """Lay out every configuration of every model on every split; configurations that make the same model are trained once.

    Args:
        spec: What is trained, and how.
        models: Which of its models.
        stored: What need not be trained again.
        n_workers: Processes that the jobs are spread over.

    Raises:
        ConfigError: If a grid has a value that its model does not allow.
    """
    grids = {model: search_grid(model, spec.settings.models[model]) for model in models}
    for model, grid in grids.items():
        for first in islice(spec.tasks.values(), 1):
            check_network(grid[0], spec.settings.models[model], first.n_features, first.n_outputs)
            check_stopping_on(spec.settings.models[model], first)
    members: dict[str, Member] = {}
    keys = Keys(spec)
    for task in spec.tasks:
        for split, grid in product(spec.splits[task], grids.values()):
            for config in grid:
                of_code = partial(search_member, spec, task, split, config, keys=keys)
                member = stored.as_stored(config.model, of_code)
                members[member.key] = member
    missing = [member for key, member in members.items() if key not in stored.keys]
    jobs = make_jobs(spec, "search", missing, n_workers)
    choices = {choice(config, spec.settings.select_by) for grid in grids.values() for config in grid}
    n_evaluations = sum(map(len, spec.splits.values())) * len(choices)
    return Plan(members, jobs, len(members) - len(missing), n_evaluations)


def search_work(plan: Plan, spec: RunSpec) -> tuple[int, int]:
    """Return the optimiser steps and the floating-point operations of all networks of a search, stored or not."""
    batch_size = spec.settings.training.batch_size
    works = [
        network_work(m.config, spec.model(m), spec.task(m), spec.n_train(m), m.n_epochs, batch_size)
        for m in plan.members.values()
    ]
    return sum(steps for steps, _ in works), sum(flops for _, flops in works)


def evaluation_seconds(spec: RunSpec, search: Plan, n_seeds: int) -> float:
    """Estimate the evaluations that follow the jobs of a search, one after another.

    What will be selected is not known: of every choice to be made one configuration, from the middle of its grid, is taken to
    stop at the usual epoch, and its seeds are trained as one stack.
    """
    choices: dict[Hashable, list[Member]] = defaultdict(list)
    for member in (member for job in search.jobs for member in job.members):
        choices[member.task, member.split, choice(member.config, spec.settings.select_by)].append(member)
    seconds = 0.0
    for members in choices.values():
        typical = members[len(members) // 2]
        n_epochs = round(_USUAL_STOP * typical.n_epochs)
        seconds += _seconds([replace(typical, n_epochs=n_epochs, seed=typical.seed + k) for k in range(n_seeds)], spec)
    return seconds


def search_member(
    spec: RunSpec, task: str, split: str, config: Config, code: Code | None = None, keys: Keys | None = None
) -> Member:
    """Return the member that trains a configuration for the whole of the epochs, by other code than that at hand if given."""
    n_epochs = 0 if spec.settings.models[config.model].estimator else spec.settings.training.n_epochs
    key = (keys or Keys(spec)).search(task, split, config, n_epochs, code)
    return Member(task, split, config, spec.seed, n_epochs, key)


def evaluation_member(spec: RunSpec, search: Member, best_epoch: int, seed: int, code: Code | None = None) -> Member:
    """Return the member that trains a selected configuration to its stopping epoch and tests it.

    With the search's own seed it repeats the very training that was selected.
    """
    ending = seed, best_epoch, search.seed
    key = Keys(spec).evaluation(search.task, search.split, search.config, ending, code)
    return replace(search, n_epochs=best_epoch, seed=seed, key=key, search_seed=search.seed)


def plan_evaluation(
    spec: RunSpec, search: Plan, selected: Mapping[str, int], stored: Stored, n_seeds: int = 1
) -> tuple[Job, ...]:
    """Lay out the evaluations of each selected configuration, minus those stored.

    Args:
        spec: What was searched, and how.
        search: The plan whose members were searched.
        selected: The stopping epoch of each selected member, by key.
        stored: What need not be trained again.
        n_seeds: Final trainings of each: one from the search's seed, others from the seeds after it.
    """
    members = []
    for key, best_epoch in selected.items():
        found = search.members[key]
        for seed in range(found.seed, found.seed + n_seeds):
            of_code = partial(evaluation_member, spec, found, best_epoch, seed)
            members.append(stored.as_stored(found.config.model, of_code))
    return make_jobs(spec, "evaluate", [member for member in members if member.key not in stored.keys])


@dataclass(frozen=True)
class _Part:
    """Members that stay together, and what they are planned to cost; of several stacks, the keys of each one's members."""

    members: tuple[Member, ...]
    seconds: float
    stacks: tuple[frozenset[str], ...] = ()


def make_jobs(spec: RunSpec, stage: Stage, members: Iterable[Member], n_workers: int = 1) -> tuple[Job, ...]:
    """Group members into jobs, longest first.

    Networks of one shape on one split become one stack or, across tasks, those of one shape class; on a CPU those with dropout
    apart from those without (its noise would cost them half their speed). Fits of an estimator share a job while they are
    short.
    """
    groups: dict[tuple[Hashable, ...], list[Member]] = defaultdict(list)
    for member in members:
        groups[_group(member, spec)].append(member)
    stacks: list[_Part] = []
    fits: list[list[_Part]] = []
    for group in merge_groups(groups, spec) if spec.compute.device == "cuda" else groups.values():
        if spec.model(group[0]).estimator:
            fits.append([_part(family, spec) for family in families(spec.model(group[0]), group)])
        else:
            stacks += [_part(stack, spec) for stack in _stacks(group, spec)]
    whole = sum(part.seconds for part in stacks) + sum(part.seconds for group in fits for part in group)
    longest = min(MAX_CHUNK_SECONDS, max(MIN_CHUNK_SECONDS, whole / n_workers / _CHUNKS_PER_WORKER))
    parts = [*stacks, *(chunk for group in fits for chunk in _chunks(group, longest))]
    parts.sort(key=lambda part: -part.seconds)
    parts = _joined(parts, spec) if spec.gpu.n_at_once > 1 else parts
    return tuple(Job(stage, spec.suite, p.members, p.seconds, _memory(p.members, spec), p.stacks) for p in parts)


def _joined(parts: Sequence[_Part], spec: RunSpec) -> list[_Part]:
    """Join stacks of one model that take about equally long into jobs that train several at once, the longest first."""
    by_model: dict[str, list[_Part]] = defaultdict(list)
    for part in parts:
        by_model[part.members[0].config.model].append(part)
    joined: list[_Part] = []
    for model, of_model in by_model.items():
        n = 1 if spec.settings.models[model].estimator else spec.gpu.n_at_once * _STACKS_PER_PLACE
        for start in range(0, len(of_model), n):
            together = of_model[start : start + n]
            members = tuple(member for part in together for member in part.members)
            stacks = tuple(frozenset(member.key for member in part.members) for part in together) if len(together) > 1 else ()
            seconds = together[0].seconds if len(together) == 1 else _seconds_at_once(together, spec)
            joined.append(_Part(members, seconds, stacks))
    return sorted(joined, key=lambda part: -part.seconds)


def _seconds_at_once(stacks: Sequence[_Part], spec: RunSpec) -> float:
    if spec.compute.device == "cpu":
        return sum(stack.seconds for stack in stacks)
    return seconds_at_once([gpu_cost(stack.members, spec) for stack in stacks], spec.gpu.n_at_once)


def _part(members: Sequence[Member], spec: RunSpec) -> _Part:
    return _Part(tuple(members), _seconds(members, spec))


def _stacks(group: Sequence[Member], spec: RunSpec) -> Iterator[Sequence[Member]]:
    """Cut networks of one shape into stacks; members that end together leave a stack together."""
    size, ordered = _job_size(group, spec), sorted(group, key=lambda member: -member.n_epochs)
    yield from (ordered[start : start + size] for start in range(0, len(group), size))


def _chunks(fits: Iterable[_Part], longest: float) -> list[_Part]:
    """Join fits, longest first, into chunks of at most ``longest`` seconds; a longer one stays alone."""
    chunks: list[_Part] = []
    for fit in sorted(fits, key=lambda fit: -fit.seconds):
        if chunks and chunks[-1].seconds + fit.seconds <= longest:
            chunks[-1] = _Part(chunks[-1].members + fit.members, chunks[-1].seconds + fit.seconds)
        else:
            chunks.append(fit)
    return chunks


def _group(member: Member, spec: RunSpec) -> tuple[Hashable, ...]:
    """Return what the members of one job share."""
    config, model, compute = member.config, spec.model(member), spec.compute
    if model.estimator:
        return member.task, member.split, config.model
    shape = config.model, stack_key(config), compute.device == "cpu" and config.get("dropout_rate", 0) != 0
    if not stacks_across_tasks(network_class(config.model, model), compute):
        return *shape, member.task, member.split, member.n_epochs
    task, n_train, batch_size = spec.task(member), spec.n_train(member), spec.settings.training.batch_size
    size = stack_size(config, task.n_features, task.n_outputs, n_train, batch_size)
    return *shape, size, task.kind == "multilabel", steps_class(n_train, batch_size)


def _job_size(group: Sequence[Member], spec: RunSpec) -> int:
    """Return how many networks a job may have at most."""
    return MAX_STACK if spec.compute.device == "cpu" else max(MAX_STACK, gpu_members(group, spec))


def _seconds(members: Sequence[Member], spec: RunSpec) -> float:
    """Estimate a stack or a family of an estimator: members of one shape; those of one task and split share its steps."""
    if spec.compute.device == "cuda" and not spec.model(members[0]).estimator:
        return gpu_cost(members, spec).seconds
    of_split: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        of_split[member.task, member.split].append(member)
    seconds = 0.0
    for group in of_split.values():
        configs, n_epochs = [member.config for member in group], max(member.n_epochs for member in group)
        task, n_train = spec.task(group[0]), spec.n_train(group[0])
        seconds += member_seconds(configs, spec.model(group[0]), task, n_train, n_epochs, spec.settings.training)
    return seconds


def _memory(members: Sequence[Member], spec: RunSpec) -> int:
    """Estimate the memory of a job's process by the largest of its tasks."""
    tasks = [spec.task(member) for member in {member.task: member for member in members}.values()]
    largest = max(tasks, key=lambda task: task.n_samples * task.n_features)
    configs = [member.config for member in members]
    return process_bytes(configs, spec.model(members[0]), largest, spec.settings.training.batch_size)


def search_grid(model: str, table: ModelSettings) -> list[Config]:
    """Return the configurations of a model's grid, those that make the same model once.

    Raises:
        ConfigError: If a value is not allowed, or a hyperparameter is missing.
        UnknownNameError: If the model has no hyperparameter of a name in the grid.
    """
    grid = expand_grid(model, table)
    if table.estimator:  # of which 9.0 neighbours are as good as 9
        check_config(Config(model, ()), table)
        grid = [canonical(config, table) for config in grid]
    for config in grid:
        check_config(config, table)
    # By key, as 1 and 1.0 are equal to Python even where they mean two things.
    return list({config.key: config for config in (canonical(config, table) for config in grid)}.values())
