"""What all jobs of a run share: what is trained and how, and where a process finds what it needs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from snnbench.config import ModelSettings, RunSettings
from snnbench.records import ON_CPU, Compute, Member, ModelEncoding, Task, Value
from snnbench.suites.loading import LoadedSuite


@dataclass(frozen=True)
class GpuUse:
    """How a GPU is filled: by which kernels, and with how many stacks at once.

    ``"fused"`` kernels (``snnbench.models.kernels``) round in another way than torch's, so they are part of a key; how many
    stacks are trained at once changes no number.
    """

    kernels: Literal["plain", "fused"] = "plain"
    n_at_once: int = 1


ONE_BY_ONE = GpuUse()
"""One stack after another, by torch's kernels."""


@dataclass(frozen=True)
class RunSpec:
    """What is trained in a run, and how: names, numbers and settings only, so that it travels.

    ``tasks`` are those of the suite by name; ``splits`` has for each of them the number of training rows of every split, by
    name. ``seed`` is that of the search.
    """

    suite: str
    tasks: Mapping[str, Task]
    splits: Mapping[str, Mapping[str, int]]
    settings: RunSettings
    compute: Compute = ON_CPU
    seed: int = 0
    gpu: GpuUse = ONE_BY_ONE

    def model(self, member: Member) -> ModelSettings:
        """Return the settings of a member's model."""
        return self.settings.models[member.config.model]

    def encoding(self, task: str, model: str) -> ModelEncoding | Literal[""]:
        """Return how a model gets the columns of a table: as its settings say, else as the task does; "" of other tasks."""
        of_task = self.tasks[task].encoding
        return of_task and (self.settings.models[model].encoding or of_task)

    def task(self, member: Member) -> Task:
        """Return the task of a member, with as many features as its model gets."""
        task = self.tasks[member.task]
        encoding = self.encoding(member.task, member.config.model)
        n_features = next((width for kind, width in task.widths if kind == encoding), task.n_features)
        return task if n_features == task.n_features else replace(task, n_features=n_features)

    def n_train(self, member: Member) -> int:
        """Return the number of training rows of a member."""
        return self.splits[member.task][member.split]


def specify_run(
    suite: str,
    loaded: LoadedSuite,
    settings: RunSettings,
    compute: Compute = ON_CPU,
    seed: int = 0,
    gpu: GpuUse = ONE_BY_ONE,
) -> RunSpec:
    """Return what is trained on the tasks and splits that were loaded."""
    splits = {task: {split.name: len(split.train) for split in splits} for task, splits in loaded.splits.items()}
    return RunSpec(suite, loaded.by_name, splits, settings, compute, seed, gpu)


@dataclass(frozen=True)
class NodeSetup:
    """Where another machine finds what it lacks.

    ``source`` is what the user named for the data (None = the official addresses), ``offline`` keeps it from the network, and
    ``code_folder`` holds a user's own models.
    """

    source: str | None = None
    offline: bool = False
    code_folder: Path | None = None


@dataclass(frozen=True)
class JobContext:
    """What all jobs of a run share, so that a job itself is names and numbers only.

    ``folder`` is where the data lies on this machine (None = it is embedded). ``limit_seconds`` is the time limit of one
    training; no number of those that finish depends on it.
    """

    spec: RunSpec
    folder: Path | None
    provenance: Mapping[str, Value] = field(default_factory=dict)
    node_setup: NodeSetup = field(default_factory=NodeSetup)
    limit_seconds: float = math.inf
