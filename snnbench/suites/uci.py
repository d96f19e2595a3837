"""The suite ``uci``: the 121 classification tasks of Fernández-Delgado et al. (JMLR 2014), as the paper used them.

Two layouts are read: ``data.tar.gz`` of Fernández-Delgado et al. (``<task>.txt``, ``*_R.dat``, ``conxuntos_kfold.dat``) and
``data_py.zip`` of the authors of self-normalizing networks (``<task>_py.dat``, ``labels_py.dat``, ``folds_py.dat``,
``validation_folds_py.dat``). Features are used as published, faults included.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from snnbench.errors import DataError, UnknownNameError
from snnbench.records import Dataset, Split, Task
from snnbench.resources import resource
from snnbench.suites.fetch.source import found_deeper
from snnbench.suites.splits import N_REPETITIONS, draw_validation, repetition_name, split_seed

SUMMARY = "the 121 UCI classification tasks of Fernández-Delgado et al. 2014"
URLS = (
    "http://persoal.citius.usc.es/manuel.fernandez.delgado/papers/jmlr/data.tar.gz",
    "http://www.bioinf.jku.at/people/klambauer/data_py.zip",
)
ARCHIVES = ("data.tar.gz", "data_py.zip")
WANTED = re.compile(r"(?:data/)?[^/]+/(?:[^/]+\.txt|[^/]+_R\.dat|conxuntos_kfold\.dat|[^/]+_py\.dat)")
STANDARDISE = False
REPETITIONS = (1,)


@dataclass(frozen=True, eq=False)
class _Files:
    """A task as read: its arrays, and the test and validation rows of each repetition (``valid`` is empty if not given)."""

    X: np.ndarray
    y: np.ndarray
    test: list[np.ndarray]
    valid: list[np.ndarray]


def catalogue() -> pd.DataFrame:
    """Return the table of the 121 tasks, indexed by name."""
    return pd.read_csv(resource("datasets", "uci.csv"), index_col="name")


def tasks(folder: Path | None) -> tuple[list[Task], dict[str, str]]:
    """Return the tasks whose files are in ``folder``, and for every other one the reason.

    Nothing is parsed here: the files are hashed, so that a result says which data it comes from.
    """
    found, missing = [], {}
    for name, row in catalogue().iterrows():
        try:
            files = _paths(str(name), folder)
        except DataError as error:
            missing[str(name)] = str(error)
            continue
        found.append(
            Task(
                suite="uci",
                name=str(name),
                kind="binary" if row.n_classes == 2 else "multiclass",
                n_samples=int(row.n_samples),
                n_features=int(row.n_features),
                n_outputs=int(row.n_classes),
                metric="accuracy",
                source=", ".join(sorted(file.name for file in files)),
                sha256=_sha256(files),
            )
        )
    return found, missing


def load(task: str, folder: Path | None) -> Dataset:
    """Return the arrays of a task as published; where there are two files, the training file's rows come first.

    Raises:
        DataError: If a file is missing, damaged, or does not have the catalogue's numbers.
    """
    files = _read(task, folder)
    return Dataset(X=files.X.copy(), y=files.y.copy())


def splits(task: str, folder: Path | None) -> list[Split]:
    """Return the four repetitions.

    Test rows: the official test file where there is one, else the k-th test line of ``conxuntos_kfold.dat`` (the four are
    independent hold-outs, not folds). Validation rows: the columns of ``data_py``, else a random fifth of the other rows.

    Raises:
        DataError: If a file is missing, damaged, or does not have the catalogue's numbers.
    """
    files = _read(task, folder)
    repetitions = []
    for k in range(1, N_REPETITIONS + 1):
        test = files.test[k - 1]
        others = np.setdiff1d(np.arange(len(files.y)), test)
        if files.valid:
            valid = files.valid[k - 1]
            train = np.setdiff1d(others, valid)
        else:
            rng = np.random.Generator(np.random.PCG64(split_seed("uci", task, k, "validation")))
            train, valid = draw_validation(files.y, others, rng)
        repetitions.append(Split(repetition_name(k), train, valid, test))
    return repetitions


def _paths(task: str, folder: Path | None) -> list[Path]:
    """Return the files of a task, in either layout."""
    if folder is None:
        raise DataError("The suite uci needs its files: name them with --source DIR|FILE|URL.")
    place = next((place for place in (folder / task, folder / "data" / task) if place.is_dir()), None)
    if place is None:
        raise DataError(f"there is no folder {task}/{found_deeper(folder, task)}")
    if (place / f"{task}_py.dat").exists():
        names = [f"{task}_py.dat", "labels_py.dat", "folds_py.dat", "validation_folds_py.dat"]
    elif (place / f"{task}.txt").exists():
        keys = _description(place / f"{task}.txt")
        if "fich1" not in keys:
            raise DataError(f"{task}.txt names no data file (fich1)")
        if wrong := [keys[key] for key in ("fich1", "fich2") if not re.fullmatch(r"[\w.+-]{1,100}", keys.get(key, "none"))]:
            raise DataError(f"{task}.txt must name plain files, found {wrong[0][:100]!r}")
        names = [f"{task}.txt", "conxuntos_kfold.dat", *(keys[key] for key in ("fich1", "fich2") if key in keys)]
    else:
        raise DataError(f"{task}/ has neither {task}.txt nor {task}_py.dat")
    if absent := [name for name in names if not (place / name).is_file()]:
        raise DataError(f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing")
    return [place / name for name in names]


def _description(file: Path) -> dict[str, str]:
    """Read ``key= value`` lines."""
    lines = (line.partition("=") for line in file.read_text(encoding="latin-1").splitlines())
    return {key.strip(): value.strip() for key, equals, value in lines if equals}


@lru_cache(maxsize=8)
def _read(task: str, folder: Path | None) -> _Files:
    if task not in catalogue().index:
        raise UnknownNameError("task of suite 'uci'", task, catalogue().index)
    try:
        paths = _paths(task, folder)
        files = _read_py(*paths) if paths[0].name.endswith("_py.dat") else _read_delgado(*paths)
        _check(task, files)
    except DataError as error:
        raise DataError(f"Task '{task}': {error}") from error
    return files


def _read_delgado(description: Path, partitions: Path, *data: Path) -> _Files:
    keys = _description(description)
    tables = [_table(file, separator=r"\s+", skip_rows=1) for file in data]
    for number, table in enumerate(tables, start=1):
        announced = keys.get(f"n_patrons{number}", "no number")
        if announced != str(len(table)):
            raise DataError(f"{description.name} announces {announced} rows for {data[number - 1].name}, found {len(table)}.")
    rows = np.concatenate(tables)
    test_file = [np.arange(len(tables[0]), len(rows))] * N_REPETITIONS
    test = test_file if len(tables) == 2 else _hold_outs(partitions, len(rows))
    return _Files(_features(rows[:, 1:-1], data[0]), _classes(rows[:, -1], data[0]), test, [])


def _hold_outs(file: Path, n_rows: int) -> list[np.ndarray]:
    """Return the test rows of each repetition: every second line."""
    try:
        lines = [
            np.array(line.split(), dtype=np.int64) for line in file.read_text(encoding="ascii").splitlines() if line.strip()
        ]
    except (ValueError, OverflowError) as error:
        raise DataError(f"{file.name} must hold row numbers only: {error}.") from error
    if len(lines) != 2 * N_REPETITIONS:
        raise DataError(f"{file.name} must have {2 * N_REPETITIONS} lines, found {len(lines)}.")
    for train, test in zip(lines[::2], lines[1::2], strict=True):
        if not np.array_equal(np.sort(np.concatenate([train, test])), np.arange(n_rows)):
            raise DataError(f"Each pair of lines of {file.name} must name every one of {n_rows} rows once; one does not.")
    return [np.sort(test) for test in lines[1::2]]


def _read_py(features: Path, labels: Path, tests: Path, validations: Path) -> _Files:
    X, y, test, valid = (_table(file, separator=",") for file in (features, labels, tests, validations))
    if len({len(X), len(y), len(test), len(valid)}) != 1:
        raise DataError(f"The four files must have equally many rows, found {len(X)}, {len(y)}, {len(test)}, {len(valid)}.")
    for file, columns in ((tests, test), (validations, valid)):
        if columns.shape[1] != N_REPETITIONS or not np.isin(columns, (0, 1)).all() or not columns.any(axis=0).all():
            raise DataError(f"{file.name} must have {N_REPETITIONS} columns of 0 and 1, with a 1 in each.")
    if ((test == 1) & (valid == 1)).any():
        raise DataError(f"No row may test and validate in the same column of {tests.name} and {validations.name}; one does.")
    rows_of = [[np.flatnonzero(column) for column in columns.T] for columns in (test, valid)]
    return _Files(_features(X, features), _classes(y[:, 0], labels), *rows_of)


def _table(file: Path, separator: str, skip_rows: int = 0) -> np.ndarray:
    try:
        table = pd.read_csv(file, sep=separator, header=None, skiprows=skip_rows, dtype=np.float64)
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{file.name} must be a table of numbers: {error}. Fetch the data again.") from error
    return table.to_numpy()


def _features(X: np.ndarray, file: Path) -> np.ndarray:
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise DataError(
            f"{file.name} must hold finite numbers, found {X[row, column]} in data row {row + 1}, feature {column + 1}."
        )
    return np.ascontiguousarray(X)


def _classes(y: np.ndarray, file: Path) -> np.ndarray:
    if not np.array_equal(y, np.floor(y)) or np.abs(y).max() > 1e6:
        raise DataError(f"The class column of {file.name} must hold whole numbers that count the classes.")
    return y.astype(np.int64)


def _check(task: str, files: _Files) -> None:
    """Compare what was read with the catalogue."""
    row = catalogue().loc[task]
    expected = {key: int(row[key]) for key in ("n_samples", "n_features", "n_classes", "n_test")}
    counts = np.bincount(files.y, minlength=expected["n_classes"]) if files.y.min() >= 0 else np.array([0])
    found = dict(zip(expected, (*files.X.shape, len(counts), len(files.test[0])), strict=True))
    if wrong := [f"{key} {expected[key]}, found {found[key]}" for key in expected if found[key] != expected[key]]:
        raise DataError(f"by the catalogue it must have {'; '.join(wrong)}. Fetch the data again.")
    if counts.min() < 2:
        raise DataError(
            f"every class needs at least 2 rows (to train and to test), class {counts.argmin()} has {counts.min()}."
        )


def _sha256(files: list[Path]) -> str:
    sha256 = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            sha256.update(hashlib.file_digest(stream, "sha256").digest())
    return sha256.hexdigest()
