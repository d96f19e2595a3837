"""What a suite is, and the suites that there are."""

import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import pandas as pd

    from snnbench.records import Dataset, Split, Task

SUITES = {
    "core": "snnbench.suites.core",
    "htru2": "snnbench.suites.htru2",
    "tox21": "snnbench.suites.tox21.suite",
    "uci": "snnbench.suites.uci",
}


class Suite(Protocol):
    """What a suite's module offers; for a suite of arrays, ``suites/arrays.py`` makes the functions.

    ``folder`` is where its files lie (None for embedded tasks).

    ``URLS``: the official addresses of its archive (empty = embedded); ``ARCHIVES``: the archives' file names; ``WANTED``:
    which of their files are needed; ``STANDARDISE``: whether features are standardised on the training rows or used as
    published; ``REPETITIONS``: which of the splits are run unless others are asked for, counted from 1.

    A suite whose features are worth preparing once also has ``Options``, a pydantic model of the config's table ``[data]``, and
    ``prepare(folder, cache, options, report)``, which returns the folder that the functions below read.
    """

    SUMMARY: str
    URLS: tuple[str, ...]
    ARCHIVES: tuple[str, ...]
    WANTED: re.Pattern[str] | None
    STANDARDISE: bool
    REPETITIONS: tuple[int, ...]

    def catalogue(self) -> "pd.DataFrame":
        """One row a task: n_samples, n_features, n_classes, n_test, size, repetitions; indexed by name."""
        ...

    def tasks(self, folder: Path | None) -> "tuple[list[Task], dict[str, str]]":
        """Return the tasks at hand, and the reason for every other one; quick."""
        ...

    def load(self, task: str, folder: Path | None) -> "Dataset":
        """Return a task's arrays, checked against the catalogue."""
        ...

    def splits(self, task: str, folder: Path | None) -> "list[Split]":
        """Return a task's repetitions or folds, as many as the catalogue says."""
        ...


def load_suite(name: str, folder: Path | None = None) -> Suite:
    """Import a suite's module, or find a suite of the user's.

    Args:
        name: Of the suite.
        folder: Where its files lie, if they are at hand: a suite of the user's describes itself there. Without them it is known
            by name once it, or results of it, were opened in this process.

    Raises:
        UnknownNameError: If there is no such suite.
    """
    if name in SUITES:
        return cast(Suite, import_module(SUITES[name]))
    from snnbench.suites.folder import is_frozen, open_frozen
    from snnbench.suites.own import recall

    if folder is not None and is_frozen(folder):
        return cast(Suite, open_frozen(folder))
    return cast(Suite, recall(name, SUITES))


def keep_catalogue(results: Path, suite: str, folder: Path | None) -> None:
    """Copy the catalogue of a suite of the user's into a results folder; comparisons then need no data."""
    if suite not in SUITES:
        from snnbench.suites.folder import open_frozen
        from snnbench.suites.own import recall, write_catalogue

        write_catalogue(results, recall(suite, SUITES) if folder is None else open_frozen(folder))


def know_suites(folders: Iterable[Path]) -> None:
    """Let suites of the user's be found by their names, from the results of their runs.

    Raises:
        DataError: If a catalogue among the results is damaged.
    """
    from snnbench.suites.own import remember_results

    remember_results(folders, SUITES)


def command_words(suite: str) -> tuple[str, ...]:
    """Return what one types after ``snnbench run`` for a suite: its name, or what opened tables of the user's."""
    from snnbench.suites.own import recall

    return (suite,) if suite in SUITES else tuple(recall(suite, SUITES).entry.command)


def split_numbers(suite: str, names: Iterable[str]) -> list[int]:
    """Return the numbers of splits by their names, as ``--repetition`` counts them; none of a split without a number."""
    from snnbench.suites.own import recall

    n_folds = {} if suite in SUITES else {entry.n_folds for entry in recall(suite, SUITES).entry.tasks.values()}
    per_repeat = max(n_folds, default=0)
    numbers = set()
    for name in names:
        found = re.fullmatch(r"repeat-(\d+)-fold-(\d+)|.*-(\d+)", name)
        if found and found[1]:
            numbers.add((int(found[1]) - 1) * per_repeat + int(found[2]))
        elif found:
            numbers.add(int(found[3]))
    return sorted(numbers)
