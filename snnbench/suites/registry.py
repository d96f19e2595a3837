"""What a suite is, and the suites that there are."""

import re
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import pandas as pd

from snnbench.errors import UnknownNameError
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

    def catalogue(self) -> pd.DataFrame:
        """One row a task: n_samples, n_features, n_classes, n_test, size, repetitions; indexed by name."""
        ...

    def tasks(self, folder: Path | None) -> tuple[list[Task], dict[str, str]]:
        """Return the tasks at hand, and the reason for every other one; quick."""
        ...

    def load(self, task: str, folder: Path | None) -> Dataset:
        """Return a task's arrays, checked against the catalogue."""
        ...

    def splits(self, task: str, folder: Path | None) -> list[Split]:
        """Return a task's repetitions or folds, as many as the catalogue says."""
        ...


def load_suite(name: str) -> Suite:
    """Import a suite's module.

    Raises:
        UnknownNameError: If there is no such suite.
    """
    if name not in SUITES:
        raise UnknownNameError("suite", name, SUITES)
    return cast(Suite, import_module(SUITES[name]))
