"""From tasks, grids and splits to jobs, minus what is stored already."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import partial

from snnbench.config import PROTOCOL_VERSION, ModelSettings, RunSettings, expand_grid
from snnbench.models import canonical, check_config, check_network, implementation, load_class, stack_key
from snnbench.models.code import code_of
from snnbench.models.cost.memory import process_bytes
from snnbench.models.cost.network_cost import member_seconds, network_work
from snnbench.models.estimators.building import families
from snnbench.models.layers.padding import batch_class, padded_size, stacks_across_tasks, steps_class
from snnbench.records import ON_CPU, Code, Compute, Config, Job, Member, Split, Stage, Task, digest
from snnbench.results.selection import choice
from snnbench.suites.loading import LoadedSuite

MAX_STACK = 24
"""Members of a stack at most: beyond it, a step takes proportionally longer and a killed job loses more."""

MAX_GPU_STACK = 1024
"""Members of a stack on a GPU at most, however narrow: they are set up one by one."""

MAX_GPU_UNITS = 264 * 256
"""Members times width of a stack on a GPU: with so many, each step fills a chip of 132 processors twice."""

MIN_CHUNK_SECONDS, MAX_CHUNK_SECONDS = 0.1, 5.0
"""Estimator configurations are bundled into jobs of about this length, so that tiny fits do not each pay for a file."""

_CHUNKS_PER_WORKER = 4
"""Where the whole plan is short, bundles are shortened until each worker has so many: none waits long for the last."""


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


def plan_search(
    suite: str,
    loaded: LoadedSuite,
    settings: RunSettings,
    models: Sequence[str],
    seed: int,
    stored: Stored,
    compute: Compute = ON_CPU,
    n_workers: int = 1,
) -> Plan:
    """Lay out every configuration of every model on every split; configurations that make the same model are trained once.

    Args:
        suite: Name of the suite.
        loaded: The tasks and splits to run.
        settings: The resolved config.
        models: Which of its models.
        seed: Of the run.
        stored: What need not be trained again.
        compute: How networks are computed; their numbers depend on it.
        n_workers: Processes that the jobs are spread over.

    Raises:
        ConfigError: If a grid has a value that its model does not allow.
    """
    grids = {model: search_grid(model, settings.models[model]) for model in models}
    for model, grid in grids.items():
        for task in loaded.tasks[:1]:
            check_network(grid[0], settings.models[model], task.n_features, task.n_outputs)
    members: dict[str, Member] = {}
    for task in loaded.tasks:
        for split in loaded.splits[task.name]:
            for grid in grids.values():
                for config in grid:
                    of_code = partial(search_member, task, split, config, settings, seed, compute)
                    member = stored.as_stored(config.model, of_code)
                    members[member.key] = member
    missing = [member for key, member in members.items() if key not in stored.keys]
    jobs = make_jobs("search", suite, missing, loaded, settings, compute, n_workers)
    choices = {choice(config, settings.select_by) for grid in grids.values() for config in grid}
    n_evaluations = sum(map(len, loaded.splits.values())) * len(choices)
    return Plan(members, jobs, len(members) - len(missing), n_evaluations)


def search_work(plan: Plan, loaded: LoadedSuite, settings: RunSettings) -> tuple[int, int]:
    """Return the optimiser steps and the floating-point operations of all networks of a search, stored or not."""
    batch_size = settings.training.batch_size
    works = []
    for member in plan.members.values():
        model, n_train = settings.models[member.config.model], loaded.n_train[member.task, member.split]
        works.append(network_work(member.config, model, loaded.by_name[member.task], n_train, member.n_epochs, batch_size))
    return sum(steps for steps, _ in works), sum(flops for _, flops in works)


def search_member(
    task: Task,
    split: Split,
    config: Config,
    settings: RunSettings,
    seed: int,
    compute: Compute = ON_CPU,
    code: Code | None = None,
) -> Member:
    """Return the member that trains a configuration for the whole of the epochs, by other code than that at hand if given."""
    n_epochs = 0 if settings.models[config.model].estimator else settings.training.n_epochs
    key = digest(["search", *_identity(task, split.name, config, settings, seed, compute, code), n_epochs])
    return Member(task.name, split.name, config, seed, n_epochs, key)


def evaluation_member(
    task: Task,
    search: Member,
    best_epoch: int,
    settings: RunSettings,
    seed: int,
    compute: Compute = ON_CPU,
    code: Code | None = None,
) -> Member:
    """Return the member that trains a selected configuration to its stopping epoch and tests it.

    With the search's own seed it repeats the very training that was selected. Its key includes the grid that it was selected
    from: another grid may select the same configuration, but that is another result.
    """
    config = search.config
    identity = _identity(task, search.split, config, settings, seed, compute, code)
    key = digest(["evaluate", *identity, best_epoch, search.seed, settings.grid_digest(config.model)])
    return replace(search, n_epochs=best_epoch, seed=seed, key=key, search_seed=search.seed)


def plan_evaluation(
    search: Plan,
    selected: Mapping[str, int],
    loaded: LoadedSuite,
    settings: RunSettings,
    stored: Stored,
    n_seeds: int = 1,
    compute: Compute = ON_CPU,
) -> tuple[Job, ...]:
    """Lay out the evaluations of each selected configuration, minus those stored.

    Args:
        search: The plan whose members were searched.
        selected: The stopping epoch of each selected member, by key.
        loaded: The tasks and splits of the run.
        settings: The resolved config.
        stored: What need not be trained again.
        n_seeds: Final trainings of each: one from the search's seed, others from the seeds after it.
        compute: How networks are computed.
    """
    if not selected:
        return ()
    members = []
    for key, best_epoch in selected.items():
        found = search.members[key]
        task = loaded.by_name[found.task]
        for seed in range(found.seed, found.seed + n_seeds):
            of_code = partial(evaluation_member, task, found, best_epoch, settings, seed, compute)
            members.append(stored.as_stored(found.config.model, of_code))
    missing = [member for member in members if member.key not in stored.keys]
    return make_jobs("evaluate", loaded.tasks[0].suite, missing, loaded, settings, compute)


def make_jobs(
    stage: Stage,
    suite: str,
    members: Iterable[Member],
    loaded: LoadedSuite,
    settings: RunSettings,
    compute: Compute = ON_CPU,
    n_workers: int = 1,
) -> tuple[Job, ...]:
    """Group members into jobs, longest first.

    Networks of one shape on one split become one stack or, across tasks, those of one shape class; on a CPU those with dropout
    apart from those without (its noise would cost them half their speed). Configurations of an estimator are bundled while
    they are short.
    """
    groups: dict[object, list[Member]] = defaultdict(list)
    for member in members:
        groups[_group(member, settings, loaded, compute)].append(member)
    jobs = []
    grown: list[list[tuple[float, list[Member]]]] = []
    for group in groups.values():
        model = settings.models[group[0].config.model]
        if model.estimator:
            grown.append([(_seconds(one, model, loaded, settings), one) for one in families(model, group)])
            continue
        size = _job_size(group[0], loaded, compute)
        group.sort(key=lambda member: -member.n_epochs)  # members that end together leave a stack together
        for chunk in (group[start : start + size] for start in range(0, len(group), size)):
            seconds = _seconds(chunk, model, loaded, settings)
            jobs.append(Job(stage, suite, tuple(chunk), seconds, _memory(chunk, model, loaded, settings)))
    whole = sum(job.seconds for job in jobs) + sum(seconds for group in grown for seconds, _ in group)
    longest = min(MAX_CHUNK_SECONDS, max(MIN_CHUNK_SECONDS, whole / n_workers / _CHUNKS_PER_WORKER))
    for estimators in grown:
        for seconds, chunk in _chunks(estimators, longest):
            model = settings.models[chunk[0].config.model]
            jobs.append(Job(stage, suite, tuple(chunk), seconds, _memory(chunk, model, loaded, settings)))
    return tuple(sorted(jobs, key=lambda job: -job.seconds))


def _chunks(fits: Iterable[tuple[float, list[Member]]], longest: float) -> list[tuple[float, list[Member]]]:
    """Join fits, longest first, into bundles of at most ``longest`` seconds; a longer one stays alone.

    Args:
        fits: Seconds and members of what cannot be split.
        longest: Seconds.
    """
    bundles: list[tuple[float, list[Member]]] = []
    for seconds, members in sorted(fits, key=lambda fit: -fit[0]):
        if bundles and bundles[-1][0] + seconds <= longest:
            bundles[-1] = (bundles[-1][0] + seconds, bundles[-1][1] + members)
        else:
            bundles.append((seconds, members))
    return bundles


def _group(member: Member, settings: RunSettings, loaded: LoadedSuite, compute: Compute) -> object:
    """Return what the members of one job share."""
    config, model = member.config, settings.models[member.config.model]
    if model.estimator:
        return member.task, member.split, config.model
    shape = config.model, stack_key(config), compute.device == "cpu" and config.get("dropout_rate", 0) != 0
    if not stacks_across_tasks(load_class(implementation(config.model, model)), compute):
        return *shape, member.task, member.split, member.n_epochs
    task, n_train = loaded.by_name[member.task], loaded.n_train[member.task, member.split]
    batch_size = settings.training.batch_size
    size = padded_size(config, task.n_features, task.n_outputs), batch_class(n_train, batch_size)
    return *shape, *size, steps_class(n_train, batch_size), task.kind == "multilabel"


def _job_size(first: Member, loaded: LoadedSuite, compute: Compute) -> int:
    """Return how many networks a job may have at most."""
    if compute.device == "cpu":
        return MAX_STACK
    width = int(first.config.get("n_units", 0)) or loaded.by_name[first.task].n_features
    return min(max(MAX_STACK, MAX_GPU_UNITS // width), MAX_GPU_STACK)


def _seconds(members: Sequence[Member], model: ModelSettings, loaded: LoadedSuite, settings: RunSettings) -> float:
    """Estimate a stack or a family of an estimator: members of one shape; those of one task and split share its steps."""
    of_task: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        of_task[member.task, member.split].append(member)
    seconds = 0.0
    for (task, split), group in of_task.items():
        configs, n_epochs = [member.config for member in group], max(member.n_epochs for member in group)
        n_train = loaded.n_train[task, split]
        seconds += member_seconds(configs, model, loaded.by_name[task], n_train, n_epochs, settings.training)
    return seconds


def _memory(members: Sequence[Member], model: ModelSettings, loaded: LoadedSuite, settings: RunSettings) -> int:
    """Estimate the memory of a job's process by the largest of its tasks."""
    tasks = {member.task: loaded.by_name[member.task] for member in members}
    largest = max(tasks.values(), key=lambda task: task.n_samples * task.n_features)
    return process_bytes([member.config for member in members], model, largest, settings.training.batch_size)


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


def _identity(
    task: Task, split: str, config: Config, settings: RunSettings, seed: int, compute: Compute, code: Code | None
) -> list[object]:
    """Return everything that the numbers of a training depend on."""
    table = settings.models[config.model]
    code = code or code_of(config.model, table)
    # An estimator knows neither epochs nor devices; a deep network's numbers on a CPU and on a GPU do not agree.
    how = [table.arguments] if table.estimator else [settings.training.model_dump(), *astuple(compute)]
    data = [task.suite, task.name, task.sha256, split, *settings.data_settings]
    return [*data, config.model, config.values, PROTOCOL_VERSION, *astuple(code), *how, seed]
