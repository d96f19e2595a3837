"""The suites: one module each, with the names of ``Suite``."""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import pandas as pd
from pydantic import ValidationError

from snnbench.errors import ConfigError, DataError, UnknownNameError
from snnbench.records import Dataset, Split, Task, Value
from snnbench.suites.source import cache_folder, locate

SUITES = {
    "core": "snnbench.suites.core",
    "htru2": "snnbench.suites.htru2",
    "tox21": "snnbench.suites.tox21",
    "uci": "snnbench.suites.uci",
}


class Suite(Protocol):
    """What a suite's module offers. ``folder`` is where its files lie (None for embedded tasks).

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


def open_source(
    suite: str,
    source: str | None = None,
    report: Callable[[str], None] = lambda message: None,
    options: Mapping[str, Value] | None = None,
) -> Path | None:
    """Return the folder with a suite's files, downloaded, unpacked and prepared if need be; None for an embedded suite.

    Args:
        suite: Name of the suite.
        source: A folder, an archive or a URL; None for the suite's official addresses.
        report: Is told what is being done.
        options: How the features are prepared, where the suite leaves a choice.

    Raises:
        UnknownNameError: If there is no such suite or option.
        ConfigError: If an option has a wrong value.
        DataError: If the files cannot be had, or an embedded suite is given a source.
    """
    module = load_suite(suite)
    _check_options(suite, options or {})
    if module.URLS:
        folder = locate(suite, module.URLS, source, module.ARCHIVES, module.WANTED, report=report)
        prepare = getattr(module, "prepare", None)
        return folder if prepare is None else prepare(folder, cache_folder() / suite, options or {}, report)
    if source is not None:
        raise DataError(f"The suite {suite} is embedded and has no --source, found '{source}'. Leave it out.")
    return None


def _check_options(suite: str, options: Mapping[str, Value]) -> None:
    schema = getattr(load_suite(suite), "Options", None)
    known = schema.model_fields if schema else {}
    for name in options:
        if name not in known:
            raise UnknownNameError(f"key in the config's table [data] for suite {suite}", name, known)
    try:
        if schema:
            schema.model_validate(dict(options))
    except ValidationError as error:
        finding = error.errors()[0]
        raise ConfigError(f"[data] {finding['loc'][0]}: {finding['msg']}, found {finding['input']!r}.") from error
