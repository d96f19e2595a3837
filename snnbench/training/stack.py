"""What is trained together: the rows of tasks, and the members of one stack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from snnbench.records import Config, Dataset, StackSize, Stage


@dataclass(frozen=True, eq=False)
class TaskRows:
    """The rows of one task and split that a stage may see, its number of outputs, and the name of its metric."""

    train: Dataset
    held_out: Dataset
    n_outputs: int
    metric: str = "accuracy"

    @property
    def n_features(self) -> int:
        """The number of features."""
        return self.train.X.shape[1]


@dataclass(frozen=True, eq=False)
class Scored:
    """A score, and the (n_held_out, n_outputs) outputs that have it.

    ``n_rounds`` counts those that an estimator kept which stopped by the held-out rows; 0 of others.
    """

    score: float
    outputs: np.ndarray
    n_rounds: int = 0


@dataclass(frozen=True, eq=False)
class Stack:
    """Networks of one shape that are trained together: of one task or, with a ``size``, of several that are padded to it.

    ``stage`` says what the held-out rows of the ``tasks`` are for: a search scores them after every epoch, an evaluation once.

    Shapes:
        configs: (n_stack,); what may differ are learning rates, dropout rates and penalties.
        task_of: (n_stack,), the place in ``tasks`` of each member's rows.
        seeds: (n_stack,), of each member's initial weights, orders of rows and dropout.
        n_epochs: (n_stack,) passes of each member over its rows; equal if the stack is of one task.
    """

    stage: Stage
    configs: Sequence[Config]
    tasks: Sequence[TaskRows]
    task_of: Sequence[int]
    seeds: Sequence[int]
    n_epochs: Sequence[int]
    size: StackSize | None = None

    def __len__(self) -> int:
        return len(self.configs)

    @property
    def learning_rates(self) -> list[float]:
        """(n_stack,)."""
        return [float(config["learning_rate"]) for config in self.configs]

    @property
    def l2(self) -> list[float]:
        """(n_stack,) penalties: ``l2 / 2`` times the sum of the squared weights is added to the loss that is differentiated."""
        return [float(config.get("l2", 0.0)) for config in self.configs]

    def part(self, first: int, last: int) -> "Stack":
        """Return the members from ``first`` to before ``last``, with the rows of their tasks alone."""
        members = slice(first, last)
        used = {task: place for place, task in enumerate(dict.fromkeys(self.task_of[members]))}
        return replace(
            self,
            configs=self.configs[members],
            tasks=[self.tasks[task] for task in used],
            task_of=[used[task] for task in self.task_of[members]],
            seeds=self.seeds[members],
            n_epochs=self.n_epochs[members],
        )


def stack_of_one_task(stage: Stage, configs: Sequence[Config], rows: TaskRows, seeds: Sequence[int], n_epochs: int) -> Stack:
    """Return a stack whose members share the rows of one task and the number of epochs."""
    return Stack(stage, configs, [rows], [0] * len(configs), seeds, [n_epochs] * len(configs))
