"""The tasks and splits of a run, loaded and checked before anything is trained."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from snnbench.errors import ConfigError, DataError, UnknownNameError
from snnbench.metrics import one_class_labels
from snnbench.records import Dataset, Split, Task
from snnbench.suites import Suite, load_suite
from snnbench.suites.encoding import table_widths
from snnbench.suites.features import split_features
from snnbench.suites.folder import FolderSuite
from snnbench.suites.scales import restandardise


@dataclass(frozen=True)
class LoadedSuite:
    """The tasks at hand with the splits to run, and the reason for every wanted task that is not.

    ``notes`` say what a user should know of them before a score is read.
    """

    tasks: tuple[Task, ...]
    splits: Mapping[str, Sequence[Split]]
    missing: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Task]:
        """The tasks by their names."""
        return {task.name: task for task in self.tasks}

    @cached_property
    def n_train(self) -> dict[tuple[str, str], int]:
        """The number of training rows of each (task, split)."""
        return {(name, split.name): len(split.train) for name, splits in self.splits.items() for split in splits}


def load_tasks(
    suite: str,
    folder: Path | None,
    tasks: Sequence[str] = (),
    repetitions: Sequence[int] = (),
    preprocessing: str = "as-published",
) -> LoadedSuite:
    """Load and check every wanted task, so that nothing is wrong with the data once training begins.

    Args:
        suite: Name of the suite.
        folder: Where its files lie.
        tasks: Names of the wanted tasks; none for all of the suite.
        repetitions: Numbers of the wanted splits, from 1; none for those that the suite names.
        preprocessing: ``"restandardise"`` leaves out the tasks whose features it cannot standardise again.

    Raises:
        DataError: If a task's files are damaged, a feature cannot be represented, a task that was named is not at hand, or
            ``preprocessing`` is for published features and those of the suite are standardised by us anyway.
        UnknownNameError: If there is no such task.
    """
    module = load_suite(suite, folder)
    known = [str(name) for name in module.catalogue().index]
    check_tasks(suite, tasks)
    found, missing = module.tasks(folder)
    wanted = set(tasks or (*known, *missing))
    missing = {name: reason for name, reason in missing.items() if name in wanted}
    if preprocessing == "restandardise":
        missing |= _not_restandardised(suite, folder, [task.name for task in found if task.name in wanted])
    if tasks and missing:
        name, reason = next(iter(missing.items()))
        raise DataError(f"Task '{name}' is not at hand: {reason}. Fetch the data again or name another --source.")
    at_hand: list[Task] = []
    numbers = set(repetitions or module.REPETITIONS)
    splits: dict[str, list[Split]] = {}
    notes: list[str] = []
    for task in found:
        if task.name not in wanted or task.name in missing:
            continue
        # Its splits and its arrays one after the other, so that its files are read once.
        splits[task.name] = [split for k, split in enumerate(module.splits(task.name, folder), start=1) if k in numbers]
        dataset = module.load(task.name, folder)
        at_hand.append(replace(task, widths=table_widths(dataset)))
        _check_features(task, dataset, splits[task.name], module.STANDARDISE, preprocessing)
        notes += own_notes(module, task.name)
        notes += _label_notes(task, dataset.y, splits[task.name])
    return LoadedSuite(tuple(at_hand), splits, missing, tuple(notes))


def own_notes(suite: Suite, task: str) -> list[str]:
    """Return what was decided about a table of the user's when it was read; nothing for a task of another suite."""
    return [f"{task}: {note}" for note in suite.notes(task)] if isinstance(suite, FolderSuite) else []


def _label_notes(task: Task, y: np.ndarray, splits: Sequence[Split]) -> Iterator[str]:
    """Name the labels of a multilabel task that have no score among the rows of a split, because these are of one class."""
    if task.kind != "multilabel":
        return
    for split in splits:
        for part, rows in (("validation", split.valid), ("test", split.test)):
            if names := [task.labels[label] for label in one_class_labels(y[rows])]:
                yield (
                    f"{task.name}, {split.name}: fewer than two classes of {', '.join(names)} were measured among the {part} "
                    "rows, which leaves this out of the mean there."
                )


def _check_features(task: Task, dataset: Dataset, splits: Sequence[Split], is_raw: bool, preprocessing: str) -> None:
    for split in splits:
        try:
            split_features(dataset, split, is_raw, preprocessing)
        except DataError as error:
            raise DataError(f"Task '{task.name}', {split.name}: {error}") from error


def _not_restandardised(suite: str, folder: Path | None, names: Sequence[str]) -> dict[str, str]:
    """Return the reason for every task whose features cannot be standardised again."""
    module = load_suite(suite, folder)
    if module.STANDARDISE:
        raise DataError(
            f"--preprocessing restandardise is for features that were published standardised; those of {suite} are "
            "standardised on the training rows anyway. Leave it out."
        )
    reasons = {}
    for name in names:
        try:
            restandardise(module.load(name, folder), module.splits(name, folder)[0])
        except DataError as error:
            reasons[name] = str(error)
    return reasons


def check_repetitions(suite: str, numbers: Iterable[int], what: str) -> None:
    """Check numbers of splits against the catalogue.

    Args:
        suite: Whose splits.
        numbers: Of them, from 1.
        what: What an error calls them.

    Raises:
        ConfigError: If the suite has no such split.
    """
    most = int(load_suite(suite).catalogue()["repetitions"].max())
    for number in numbers:
        if not 1 <= number <= most:
            raise ConfigError(f"{what} must be 1 to {most}, found {number}.")


def check_tasks(suite: str, tasks: Sequence[str]) -> None:
    """Check names against the catalogue.

    Raises:
        UnknownNameError: If the suite has no such task.
    """
    known = [str(name) for name in load_suite(suite).catalogue().index]
    for name in tasks:
        if name not in known:
            raise UnknownNameError(f"task of {suite}", name, known, f"`snnbench data list {suite}` lists them.")
