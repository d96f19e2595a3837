"""A suite read from a frozen folder, with the names of ``Suite``; see ``snnbench.suites.frozen`` for what lies there."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from annotated_types import Ge, Le, MinLen
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from snnbench.errors import DataError, UnknownNameError
from snnbench.metrics import METRICS, MULTILABEL_METRICS
from snnbench.records import Column, Dataset, Encoding, Split, Task, TaskEncoding
from snnbench.suites.description import DESCRIPTION, read_toml
from snnbench.suites.frozen import FORMAT, PARTS, SCHEMA_KEY, FrozenTask

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
"""What a suite or a task may be called: it is the name of a file, too."""

_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
_LARGE = 1000
"""Rows from which the catalogues call a task large."""


def is_file_name(name: str) -> bool:
    """Say whether a name may be that of a file on every system: Windows keeps some for devices and cuts a last dot."""
    return bool(re.fullmatch(NAME, name)) and name[-1] != "." and not _DEVICES.fullmatch(name.partition(".")[0].lower())


class TaskEntry(BaseModel):
    """A task in the ``suite.toml`` of a frozen folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: Annotated[str, StringConstraints(pattern=rf"^data/{NAME}\.parquet$")]
    splits: Annotated[str, StringConstraints(pattern=rf"^splits/{NAME}\.parquet$")]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    source: str
    metric: str
    encoding: TaskEncoding = "one-hot"
    n_samples: Annotated[int, Ge(3)]
    n_features: Annotated[int, Ge(1)]
    n_classes: Annotated[int, Ge(2)]
    n_test: Annotated[int, Ge(1)]
    repetitions: Annotated[int, Ge(1), Le(10_000)]
    n_folds: Annotated[int, Ge(0)]
    notes: list[str] = []
    findings: list[list[str]] = []


class SuiteEntry(BaseModel):
    """The ``suite.toml`` of a frozen folder; without its tasks' files it is the catalogue that results keep."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: int
    name: _Name
    summary: str
    command: list[str]
    tasks: Annotated[dict[_Name, TaskEntry], MinLen(1)]
    missing: dict[str, str] = {}


@dataclass(frozen=True)
class FolderSuite:
    """A suite of the user's: its catalogue, and functions that read the folder they are given.

    The upper-case names are those of a suite's module.
    """

    entry: SuiteEntry
    URLS: tuple[str, ...] = ()
    ARCHIVES: tuple[str, ...] = ()
    WANTED: re.Pattern[str] | None = None
    STANDARDISE: bool = True

    @property
    def SUMMARY(self) -> str:  # noqa: N802
        """What the suite is, in a line."""
        return self.entry.summary

    @property
    def REPETITIONS(self) -> tuple[int, ...]:  # noqa: N802
        """The splits that are run unless others are asked for: all folds of a single table, else the first of each."""
        tasks = list(self.entry.tasks.values())
        return tuple(range(1, (tasks[0].n_folds or tasks[0].repetitions) + 1)) if len(tasks) == 1 else (1,)

    def catalogue(self) -> pd.DataFrame:
        """Return the table of the suite's tasks, indexed by name."""
        numbers = ("n_samples", "n_features", "n_classes", "n_test", "repetitions", "n_folds")
        rows = [{name: getattr(task, name) for name in numbers} for task in self.entry.tasks.values()]
        table = pd.DataFrame(rows, index=pd.Index(self.entry.tasks, name="name"))
        return table.assign(size=np.where(table["n_samples"] >= _LARGE, "large", "small"))

    def tasks(self, folder: Path | None) -> tuple[list[Task], dict[str, str]]:
        """Return the tasks whose files are there, and the reason for every other one; nothing is parsed."""
        entries = read_entry(_known(folder)).tasks
        found, missing = [], dict(self.entry.missing)
        for name in self.entry.tasks:
            if name not in entries:
                missing[name] = f"{_known(folder) / DESCRIPTION} does not list it"
                continue
            entry = entries[name]
            if absent := [file for file in (entry.file, entry.splits) if not (_known(folder) / file).is_file()]:
                missing[name] = f"there is no {absent[0]}"
                continue
            found.append(_described(self.entry.name, name, entry))
        return found, missing

    def load(self, task: str, folder: Path | None) -> Dataset:
        """Return the columns of a table, checked against what the folder says of it.

        Raises:
            UnknownNameError: If there is no such task.
            DataError: If a file is missing, damaged, or not the one that the folder was made with.
        """
        found = _read(self.entry.name, task, _known(folder))
        return Dataset(found.X.copy(), found.y.copy(), found.columns, found.encoding)

    def splits(self, task: str, folder: Path | None) -> list[Split]:
        """Return the splits of a task; raises as ``load``."""
        found = _read(self.entry.name, task, _known(folder)).splits
        return [Split(split.name, *(getattr(split, part).copy() for part in PARTS)) for split in found]

    def classes(self, task: str, folder: Path | None) -> tuple[str, ...]:
        """Return the names of a task's classes, in the order of their numbers; raises as ``load``."""
        return _read(self.entry.name, task, _known(folder)).classes

    def notes(self, task: str) -> list[str]:
        """Return what a user should know of a task before a score is read."""
        return self.entry.tasks[task].notes

    def findings(self, task: str) -> list[tuple[str, str]]:
        """Return the flags of the audit, with details, that were found when the table was read."""
        return [(flag, detail) for flag, detail in self.entry.tasks[task].findings]


def open_frozen(folder: Path) -> FolderSuite:
    """Return the suite of a frozen folder.

    Raises:
        DataError: If the folder holds none.
    """
    return FolderSuite(read_entry(folder))


def is_frozen(folder: Path) -> bool:
    """Say whether a folder is a frozen suite, and not one that a user described."""
    file = folder / DESCRIPTION
    return file.is_file() and "format" in read_toml(file)


def read_entry(folder: Path) -> SuiteEntry:
    """Read what a frozen folder says of its tasks.

    Raises:
        DataError: If it is damaged, or of another format.
    """
    file = folder / DESCRIPTION
    tables = read_toml(file)
    if tables.get("format") != FORMAT:
        raise DataError(f"{file} must say format = {FORMAT}, found {tables.get('format')!r}. Make the folder again.")
    return parse_entry(tables, file)


def parse_entry(tables: object, file: Path) -> SuiteEntry:
    """Validate the tables of a frozen ``suite.toml``.

    Raises:
        DataError: If they are not what snnbench writes.
    """
    try:
        entry = SuiteEntry.model_validate(tables)
    except ValidationError as error:
        finding = error.errors()[0]
        place = ".".join(map(str, finding["loc"]))
        raise DataError(
            f"{file} must be as snnbench wrote it, but {place}: {finding['msg']}. Make the folder again."
        ) from error
    for name, task in entry.tasks.items():
        known = [metric for metric in METRICS if metric not in MULTILABEL_METRICS]
        if task.metric not in known or any(len(finding) != 2 for finding in task.findings):
            raise DataError(f"{file} must be as snnbench wrote it, but the entry of {name} is not. Make the folder again.")
    return entry


def _known(folder: Path | None) -> Path:
    if folder is None:
        raise DataError("The files of this suite must be at hand: name its folder instead of the suite.")
    return folder


def _described(suite: str, name: str, entry: TaskEntry) -> Task:
    return Task(
        suite=suite,
        name=name,
        kind="binary" if entry.n_classes == 2 else "multiclass",
        n_samples=entry.n_samples,
        n_features=entry.n_features,
        n_outputs=entry.n_classes,
        metric=entry.metric,
        source=entry.source,
        sha256=entry.sha256,
        encoding=entry.encoding,
    )


@lru_cache(maxsize=4)
def _read(suite: str, task: str, folder: Path) -> FrozenTask:
    entries = read_entry(folder).tasks
    if task not in entries:
        raise UnknownNameError(f"task of suite '{suite}'", task, entries)
    entry = entries[task]
    try:
        found = _read_files(task, entry, folder)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
        raise DataError(
            f"Task '{task}': its files in {folder} must be as snnbench wrote them, but reading them says: {error}. Make the "
            "folder again."
        ) from error
    if found.described(suite) != _described(suite, task, entry):
        raise DataError(f"Task '{task}': its files in {folder} are not those that the folder was made with. Make it again.")
    return found


def _read_files(name: str, entry: TaskEntry, folder: Path) -> FrozenTask:
    table = pq.read_table(folder / entry.file)
    schema = json.loads((table.schema.metadata or {})[SCHEMA_KEY])
    columns = tuple(Column(str(column), tuple(map(str, levels)), bool(gaps)) for column, levels, gaps in schema["columns"])
    if len(columns) != table.num_columns - 1:
        raise ValueError(f"{len(columns)} columns are declared, {table.num_columns - 1} found")
    X = np.empty((table.num_rows, len(columns)))
    for number, column in enumerate(columns):
        X[:, number] = _level_numbers(table.column(number), column.levels) if column.levels else _numbers(table.column(number))
    y = _level_numbers(table.column(table.num_columns - 1), schema["classes"])
    if np.isnan(y).any():
        raise ValueError("a row has no class")
    kind, max_levels, min_rows = schema["encoding"]
    if kind not in ("one-hot", "ordinal"):
        raise ValueError(f"there is no encoding {kind!r}")
    return FrozenTask(
        name=name,
        X=Dataset(X, y, columns).X,
        columns=columns,
        y=y.astype(np.int64),
        classes=tuple(map(str, schema["classes"])),
        splits=_read_splits(folder / entry.splits, table.num_rows),
        metric=entry.metric,
        encoding=Encoding(kind, int(max_levels), int(min_rows)),
        source=entry.source,
        n_folds=entry.n_folds,
    )


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _level_numbers(column: pa.ChunkedArray, levels: Sequence[str]) -> np.ndarray:
    numbers = pc.index_in(column.cast(pa.string()), pa.array(levels, pa.string()))
    if numbers.null_count > column.null_count:
        raise ValueError("a level is not declared")
    return np.asarray(numbers.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _read_splits(file: Path, n_rows: int) -> list[Split]:
    table = pq.read_table(file)
    names = table.column("split").cast(pa.string())
    order = pc.unique(names).to_pylist()
    split = _level_numbers(names, order)
    part, row = _level_numbers(table.column("part"), PARTS), table.column("row").to_numpy()
    if not len(row) or len(row) != len(order) * n_rows or row.min() < 0 or row.max() >= n_rows or np.isnan(part).any():
        raise ValueError(f"every split must name each of {n_rows} rows once")
    borders = np.flatnonzero(np.diff(split)) + 1
    starts = np.concatenate([[0], borders, [len(split)]])
    if len(starts) != len(order) + 1:
        raise ValueError("the rows of a split must stand together")
    splits = []
    for name, first, last in zip(order, starts, starts[1:], strict=False):
        of_part = [row[first:last][part[first:last] == number].astype(np.int64) for number in range(len(PARTS))]
        splits.append(Split(str(name), *of_part))
        if min(map(len, of_part)) == 0 or sum(map(len, of_part)) != n_rows:
            raise ValueError(f"the split {name} must have rows that train, validate and test, each row once")
    return splits
