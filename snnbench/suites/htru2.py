"""The suite ``htru2``: pulsars among candidates of the High Time Resolution Universe Survey (Lyon et al., MNRAS 459, 2016).

One task, in ten folds as Klambauer et al. (2017, section A4.3) used it: fold m tests and the fold before it validates.
"""

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from snnbench.errors import DataError, UnknownNameError
from snnbench.records import Dataset, Split, Task
from snnbench.resources import resource
from snnbench.suites.fetch.archive import sha256_of
from snnbench.suites.fetch.source import found_deeper
from snnbench.suites.splits import split_seed, stratified_folds

SUMMARY = "pulsar or not: 17,898 candidates of a radio survey, in ten folds"
URLS = ("https://archive.ics.uci.edu/ml/machine-learning-databases/00372/HTRU2.zip",)
ARCHIVES = ("HTRU2.zip",)
WANTED = re.compile(r"(?:^|/)HTRU_2\.csv$")
STANDARDISE = True
REPETITIONS = tuple(range(1, 11))

_FILE = "HTRU_2.csv"


def catalogue() -> pd.DataFrame:
    """Return the table of the suite's one task, indexed by name; ``n_test`` is the size of the first fold."""
    return pd.read_csv(resource("datasets", "htru2.csv"), index_col="name")


def tasks(folder: Path | None) -> tuple[list[Task], dict[str, str]]:
    """Return the task, or the reason why it is not at hand; the file is hashed and not parsed."""
    try:
        file = _file(folder)
    except DataError as error:
        return [], {"htru2": str(error)}
    row = catalogue().loc["htru2"]
    size = (int(row.n_samples), int(row.n_features), int(row.n_classes))
    return [Task("htru2", "htru2", "binary", *size, metric="auc", source=_FILE, sha256=sha256_of(file))], {}


def load(task: str, folder: Path | None) -> Dataset:
    """Return the features, not standardised, and the classes, 1 = pulsar.

    Raises:
        DataError: If the file is missing, damaged, or does not have the catalogue's numbers.
    """
    X, y = _read(task, folder)
    return Dataset(X=X.copy(), y=y.copy())


def splits(task: str, folder: Path | None) -> list[Split]:
    """Return one split a fold: fold m tests, fold m - 1 (the last for the first) validates, the other eight train.

    The folds are stratified and drawn once, from a seed that depends on the names of suite and task alone; the paper does not
    publish its own.

    Raises:
        DataError: If the file is missing, damaged, or does not have the catalogue's numbers.
    """
    _, y = _read(task, folder)
    folds = stratified_folds(y, len(REPETITIONS), np.random.Generator(np.random.PCG64(split_seed("htru2", task, 0, "folds"))))
    rows = [np.flatnonzero(folds == m) for m in REPETITIONS]
    return [
        Split(f"fold-{m}", np.flatnonzero((folds != m) & (folds != REPETITIONS[m - 2])), rows[m - 2], rows[m - 1])
        for m in REPETITIONS
    ]


def _file(folder: Path | None) -> Path:
    if folder is None:
        raise DataError("The suite htru2 needs its file: name it with --source DIR|FILE|URL.")
    places = [folder / _FILE, *sorted(folder.glob(f"*/{_FILE}"))]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise DataError(f"there is no {_FILE}{found_deeper(folder, _FILE)}")
    return file


@lru_cache(maxsize=2)
def _read(task: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    if task not in catalogue().index:
        raise UnknownNameError("task of suite 'htru2'", task, catalogue().index)
    try:
        return _checked(_file(folder), catalogue().loc[task])
    except DataError as error:
        raise DataError(f"Task '{task}': {error}") from error


def _checked(file: Path, row: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Read the file and compare it with the catalogue."""
    try:
        table = pd.read_csv(file, header=None, dtype=np.float64).to_numpy()
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(
            f"{_FILE} must be a table of numbers without a header, in commas: {error}. Fetch the data again."
        ) from error
    expected = (int(row.n_samples), int(row.n_features) + 1)
    if table.shape != expected:
        raise DataError(f"{_FILE} must have {expected[0]} rows of {expected[1]} columns, found {table.shape}. Fetch it again.")
    is_finite = np.isfinite(table)
    if not is_finite.all():
        at, column = np.argwhere(~is_finite)[0]
        raise DataError(f"{_FILE} must hold finite numbers, found {table[at, column]} in row {at + 1}, column {column + 1}.")
    y = table[:, -1]
    if not np.array_equal(np.unique(y), (0, 1)):
        raise DataError(f"The last column of {_FILE} must hold the classes 0 and 1, found {np.unique(y)[:5].tolist()}.")
    return np.ascontiguousarray(table[:, :-1]), y.astype(np.int64)
