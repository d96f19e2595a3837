"""The frozen form of a suite: a folder that is read without a guess, by workers and on machines without the sources.

``suite.toml`` lists the tasks, ``data/<task>.parquet`` holds the columns that models see (numbers and words) and the target,
``splits/<task>.parquet`` (split, row, part) which rows train, validate and test. What the columns declare stands in the
metadata of the data file. A task's SHA-256 covers all of it, and is computed again whenever the task is read.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snnbench.records import ONE_HOT, Column, Encoding, Split, Task
from snnbench.suites.encoding import encoded_width

FORMAT = 1
"""Of the folder; part of every task's SHA-256, and raised when the same source gives other numbers."""
SCHEMA_KEY = b"snnbench"
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class FrozenTask:
    """A task as it is written: arrays, what the columns declare, splits, and what a user should know.

    ``n_folds`` is the number of folds of a repeat (0: the splits are no folds). ``findings`` are the flags of the audit with
    their details, also those that the arrays no longer show.
    """

    name: str
    X: np.ndarray
    columns: tuple[Column, ...]
    y: np.ndarray
    classes: tuple[str, ...]
    splits: Sequence[Split]
    metric: str = "accuracy"
    encoding: Encoding = ONE_HOT
    source: str = ""
    n_folds: int = 0
    notes: tuple[str, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()

    @property
    def sha256(self) -> str:
        """Identify everything that a number may depend on."""
        encoding = [self.encoding.kind, self.encoding.max_levels, self.encoding.min_rows]
        columns = [[column.name, list(column.levels), column.has_gaps] for column in self.columns]
        sha256 = hashlib.sha256(json.dumps([FORMAT, columns, list(self.classes), self.metric, encoding]).encode())
        sha256.update(np.ascontiguousarray(np.where(np.isnan(self.X), np.nan, self.X + 0.0), dtype="<f8").tobytes())
        sha256.update(self.y.astype("<i8").tobytes())
        for split in self.splits:
            sha256.update(json.dumps([split.name, *(len(getattr(split, part)) for part in PARTS)]).encode())
            for part in PARTS:
                sha256.update(getattr(split, part).astype("<i8").tobytes())
        return sha256.hexdigest()

    def described(self, suite: str) -> Task:
        """Return what a run needs to know of the task."""
        return Task(
            suite=suite,
            name=self.name,
            kind="binary" if len(self.classes) == 2 else "multiclass",
            n_samples=len(self.y),
            n_features=sum(encoded_width(column, self.encoding) for column in self.columns),
            n_outputs=len(self.classes),
            metric=self.metric,
            source=self.source,
            sha256=self.sha256,
            encoding=self.encoding.kind,
        )


@dataclass(frozen=True)
class FrozenSuite:
    """What is written of a suite beside its tasks; ``command`` is what opens it again, ``missing`` the tasks left out."""

    name: str
    summary: str
    command: tuple[str, ...]
    missing: dict[str, str] = field(default_factory=dict)


def write_task(folder: Path, suite: str, task: FrozenTask) -> dict[str, object]:
    """Write the files of a task, and return its table of ``suite.toml``."""
    for part in ("data", "splits"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    data, splits = f"data/{task.name}.parquet", f"splits/{task.name}.parquet"
    arrays = [
        _as_words(values, column.levels) if column.levels else pa.array(values, from_pandas=True)
        for column, values in zip(task.columns, task.X.T, strict=True)
    ]
    arrays.append(_as_words(task.y.astype(np.float64), task.classes))
    schema = {
        "columns": [[column.name, list(column.levels), column.has_gaps] for column in task.columns],
        "classes": list(task.classes),
        "encoding": [task.encoding.kind, task.encoding.max_levels, task.encoding.min_rows],
    }
    names = [f"x{number}" for number in range(1, len(task.columns) + 1)]
    table = pa.table(dict(zip([*names, "target"], arrays, strict=True)))
    pq.write_table(table.replace_schema_metadata({SCHEMA_KEY: json.dumps(schema)}), folder / data, compression="zstd")
    pq.write_table(_split_table(task.splits), folder / splits, compression="zstd")
    described = task.described(suite)
    return {
        "file": data,
        "splits": splits,
        "sha256": described.sha256,
        "source": task.source,
        "metric": task.metric,
        "encoding": task.encoding.kind,
        "n_samples": described.n_samples,
        "n_features": described.n_features,
        "n_classes": described.n_outputs,
        "n_test": len(task.splits[0].test),
        "repetitions": len(task.splits),
        "n_folds": task.n_folds,
        "notes": list(task.notes),
        "findings": [list(finding) for finding in task.findings],
    }


def write_suite(folder: Path, suite: FrozenSuite, tasks: dict[str, dict[str, object]]) -> None:
    """Write ``suite.toml``, last of all: a folder with it is whole."""
    head = {"format": FORMAT, "name": suite.name, "summary": suite.summary, "command": list(suite.command)}
    lines = [f"{key} = {_toml(value)}" for key, value in head.items()]
    for name, table in tasks.items():
        lines += ["", f"[tasks.{_toml(name)}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    lines += ["", "[missing]", *(f"{_toml(name)} = {_toml(reason)}" for name, reason in suite.missing.items())]
    (folder / "suite.toml").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _as_words(numbers: np.ndarray, levels: Sequence[str]) -> pa.Array:
    codes = pa.array(numbers, pa.float64(), from_pandas=True).cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(levels, pa.string()))


def _split_table(splits: Sequence[Split]) -> pa.Table:
    names, rows, parts = [], [], []
    for number, split in enumerate(splits):
        for part, name in enumerate(PARTS):
            found = getattr(split, name)
            names.append(np.full(len(found), number, dtype=np.int32))
            rows.append(found.astype(np.int64))
            parts.append(np.full(len(found), part, dtype=np.int32))
    split_names = pa.array([split.name for split in splits], pa.string())
    return pa.table(
        {
            "split": pa.DictionaryArray.from_arrays(pa.array(np.concatenate(names)), split_names),
            "row": np.concatenate(rows),
            "part": pa.DictionaryArray.from_arrays(pa.array(np.concatenate(parts)), pa.array(PARTS)),
        }
    )


def _toml(value: object) -> str:
    """Return a value as TOML: JSON's strings, numbers and lists are TOML's, but for the control character DEL."""
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")
