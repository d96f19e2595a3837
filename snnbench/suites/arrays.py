"""Suites whose tasks are arrays, made by a function each: nothing to download, a catalogue and splits without further code.

Such a suite's module names its tasks and binds what ``array_suite`` returns::

    SUMMARY = "2 shapes in the plane"
    URLS, ARCHIVES, WANTED, STANDARDISE, REPETITIONS = EMBEDDED

    def _ring() -> Arrays: ...
    def _cross() -> Arrays: ...

    catalogue, tasks, load, splits = array_suite("shapes", {"ring": _ring, "cross": _cross})
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from snnbench.errors import DataError, UnknownNameError
from snnbench.records import Dataset, Split, Task
from snnbench.suites.splits import N_REPETITIONS, draw_test, draw_validation, repetition_name, split_seed

Arrays = tuple[np.ndarray, np.ndarray]
"""X (n_samples, n_features) and y (n_samples,), classes counted from 0."""

EMBEDDED: tuple[tuple[str, ...], tuple[str, ...], None, bool, tuple[int, ...]] = ((), (), None, True, (1,))
"""``URLS, ARCHIVES, WANTED, STANDARDISE, REPETITIONS`` of a suite without files: standardised on the training rows."""


class ArraySuite(NamedTuple):
    """The functions of ``Suite``; their ``folder`` is not used."""

    catalogue: Callable[[], pd.DataFrame]
    tasks: Callable[[Path | None], tuple[list[Task], dict[str, str]]]
    load: Callable[[str, Path | None], Dataset]
    splits: Callable[[str, Path | None], list[Split]]


@dataclass(frozen=True, eq=False)
class _Source:
    """A suite's name, the function that makes each task's arrays, and its own catalogue if it has one."""

    suite: str
    builders: Mapping[str, Callable[[], Arrays]]
    catalogue: Callable[[], pd.DataFrame] | None


def array_suite(
    suite: str, builders: Mapping[str, Callable[[], Arrays]], catalogue: Callable[[], pd.DataFrame] | None = None
) -> ArraySuite:
    """Return what a suite's module offers, from the arrays of its tasks.

    Args:
        suite: Name of the suite.
        builders: By task, the function that makes its arrays; the same ones whenever it is called.
        catalogue: A table that the arrays are held to; without it the catalogue is what the arrays have.
    """
    source = _Source(suite, builders, catalogue)
    own = catalogue or (lambda: _catalogue(source).copy())
    return ArraySuite(own, partial(_tasks, source), partial(_load, source), partial(_splits, source))


def array_generator(suite: str, task: str) -> np.random.Generator:
    """Return the source of randomness for the arrays of a task that is drawn."""
    return _generator(suite, task, 0, "data")


def sha256_of_arrays(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of values, shapes and types, whatever the machine's order of bytes."""
    sha256 = hashlib.sha256()
    for array in arrays:
        little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        sha256.update(f"{little_endian.dtype.str}{little_endian.shape}".encode())
        sha256.update(little_endian.tobytes())
    return sha256.hexdigest()


@lru_cache(maxsize=8)
def _catalogue(source: _Source) -> pd.DataFrame:
    """Return one row a task with the numbers of its arrays, indexed by name."""
    rows = {}
    for name in source.builders:
        X, y = _arrays(source, name)
        rows[name] = {
            "n_samples": len(y),
            "n_features": X.shape[1],
            "n_classes": int(y.max()) + 1,
            "n_test": len(draw_test(y, _generator(source.suite, name, 1, "test"))),
            "size": "large" if len(y) >= 1000 else "small",
            "repetitions": N_REPETITIONS,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def _tasks(source: _Source, folder: Path | None) -> tuple[list[Task], dict[str, str]]:
    """Return all tasks; none is ever missing."""
    return [_task(source, name) for name in source.builders], {}


def _load(source: _Source, task: str, folder: Path | None) -> Dataset:
    """Return the arrays of a task, not standardised.

    Returns:
        X (n_samples, n_features) float64 and y (n_samples,) int64, copies that the caller may change.

    Raises:
        UnknownNameError: If the suite has no such task.
        DataError: If the arrays are no features and classes, or do not have the catalogue's numbers of them.
    """
    if task not in source.builders:
        raise UnknownNameError(f"task of suite '{source.suite}'", task, source.builders)
    X, y = _arrays(source, task)
    return Dataset(X=X.copy(), y=y.copy())


def _splits(source: _Source, task: str, folder: Path | None) -> list[Split]:
    """Return the four repetitions: a random quarter tests, a fifth of the other rows validates.

    Raises:
        UnknownNameError: If the suite has no such task.
        DataError: If the arrays do not match the catalogue.
    """
    y = _load(source, task, folder).y
    repetitions = []
    for k in range(1, N_REPETITIONS + 1):
        test = draw_test(y, _generator(source.suite, task, k, "test"))
        others = np.setdiff1d(np.arange(len(y)), test)
        train, valid = draw_validation(y, others, _generator(source.suite, task, k, "validation"))
        repetitions.append(Split(name=repetition_name(k), train=train, valid=valid, test=test))
    return repetitions


@lru_cache(maxsize=64)
def _task(source: _Source, name: str) -> Task:
    X, y = _arrays(source, name)
    n_classes = int(y.max()) + 1
    return Task(
        suite=source.suite,
        name=name,
        kind="binary" if n_classes == 2 else "multiclass",
        n_samples=X.shape[0],
        n_features=X.shape[1],
        n_outputs=n_classes,
        metric="accuracy",
        source="embedded",
        sha256=sha256_of_arrays(X, y),
    )


@lru_cache(maxsize=64)
def _arrays(source: _Source, task: str) -> Arrays:
    """Make the arrays of a task and check them."""
    X, y = source.builders[task]()
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.int64)
    classes = np.unique(y)
    if X.ndim != 2 or y.shape != X.shape[:1] or len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        raise DataError(
            f"Task '{task}' of {source.suite} must be X (n_samples, n_features) and y (n_samples,) with the classes 0, 1 and "
            f"so on, found shapes {X.shape} and {y.shape}, classes {classes[:5].tolist()}. Mend the function that makes it."
        )
    if source.catalogue is None:
        return X, y
    row = source.catalogue().loc[task]
    expected = tuple(int(row[column]) for column in ("n_samples", "n_features", "n_classes"))
    found = (*X.shape, len(classes))
    if found != expected:
        raise DataError(
            f"Task '{task}' must have (rows, features, classes) = {expected} by datasets/{source.suite}.csv, found {found}; "
            "reinstall snnbench and scikit-learn."
        )
    return X, y


def _generator(suite: str, task: str, repetition: int, purpose: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(split_seed(suite, task, repetition, purpose)))
