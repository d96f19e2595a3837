"""Results folders as a whole: what is in them, merging those of several machines, and taking away what nobody needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snnbench.errors import SnnbenchError
from snnbench.records import LASTING, digest, is_lasting
from snnbench.results.data_versions import VERSIONED, check_versions, list_versions
from snnbench.results.files import result_files
from snnbench.results.reading import read_files, read_rows
from snnbench.results.store import MAX_ROWS, read_results, read_while_steady, settings_file, store_table
from snnbench.results.writing import locked, prepare_store, write_table, write_text

OLDER = "older"
"""A word in the place of a digest of data: all versions of a task's data but the newest."""
OUTCOME = ("status", "valid_score", "test_score", "best_epoch", "train_loss", "valid_curve", "test_outputs")
"""What two rows with one key must agree in."""

_COUNTS = ["n_tasks", "n_search", "n_evaluations", "n_infeasible", "n_timeout", "n_failed", "seconds", "finished_at"]
_UNSCORED = {"infeasible": "infeasible", "timeout": "out of time", "failed": "failed"}
"""What to call the rows that may be tried again once they are removed."""
_RUN = ["suite", "preset", "model", "device", "cpu", "snnbench_version"]


@dataclass(frozen=True)
class Conflict:
    """Two rows with one key and different outcomes; the one in the target is kept."""

    key: str
    task: str
    model: str
    stage: str
    kept: float
    refused: float
    source: str


@dataclass
class Merged:
    """What a merge did, in rows."""

    n_new: int = 0
    n_equal: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


@dataclass(frozen=True)
class Removal:
    """A file that is not needed, or of which some rows are not (``keys``); and why."""

    file: Path
    keys: tuple[str, ...]
    reason: str


def list_runs(folders: Sequence[Path]) -> pd.DataFrame:
    """Return what is stored, one row for each suite, preset, model, device, CPU and version.

    Returns:
        With seeds (``"0, 1, 2"``), n_tasks, n_search, n_evaluations, n_infeasible, n_timeout, n_failed, seconds (of all
        trainings) and finished_at (the latest).
    """
    rows = read_results(folders, ["stage", "task", "seed", "seconds", *_RUN])
    if rows.empty:
        return pd.DataFrame(columns=[*_RUN, "seeds", *_COUNTS])
    rows = rows.assign(**{name: rows[name].fillna("") for name in _RUN if rows[name].dtype == object})
    counted = {name: rows["stage"] == name for name in ("search", "evaluate")}
    counted |= {name: rows["status"] == name for name in _UNSCORED}
    groups = rows.assign(**counted).groupby(_RUN, sort=True, dropna=False)
    return groups.agg(
        seeds=("seed", lambda seeds: ", ".join(map(str, sorted(set(seeds))))),
        n_tasks=("task", "nunique"),
        n_search=("search", "sum"),
        n_evaluations=("evaluate", "sum"),
        n_infeasible=("infeasible", "sum"),
        n_timeout=("timeout", "sum"),
        n_failed=("failed", "sum"),
        seconds=("seconds", "sum"),
        finished_at=("finished_at", "max"),
    ).reset_index()


def find_rows(folders: Sequence[Path], beginning: str, data: str = "") -> pd.DataFrame:
    """Return the stored rows whose key begins so, with all their columns.

    Args:
        folders: Results folders.
        beginning: That of a key; with ``data`` it may be empty.
        data: The beginning of the digest of a version of a task's data: its rows only; empty for all.

    Raises:
        SnnbenchError: If there is none.
    """
    rows = read_results(folders, VERSIONED)
    if data:
        check_versions(rows, [data])
        rows = rows[rows["task_sha256"].str.startswith(data).fillna(False).astype(bool)]
    found = rows[rows["key"].str.startswith(beginning)] if (beginning or data) and not rows.empty else rows.iloc[:0]
    if found.empty:
        raise SnnbenchError(
            f"A key or its beginning must be that of a stored row, found none for '{beginning}' among {len(rows):,}. "
            "`snnbench results ls --rows` lists the keys."
        )
    return read_results(folders, keys=list(found["key"]))


def merge(sources: Sequence[Path], target: Path) -> Merged:
    """Copy the rows of results folders that ``target`` does not have; nothing in ``target`` is ever overwritten.

    Only a row that failed or ran out of time gives way, to one that lasts longer (``records.LASTING``).

    Raises:
        StoreError: If a file cannot be read or the target not be written.
    """
    prepare_store(target)
    merged = Merged()
    known = read_while_steady([target], lambda files: {row["key"]: row for file in files for row in _outcomes(file)})
    for source in sources:
        waiting: list[pa.Table] = []
        for file in result_files(source):
            new = {row["key"]: row for row in _outcomes(file) if _is_new(row, known.get(row["key"]), merged, source)}
            if new:
                table = read_files([file], None, pa.array(new))
                waiting += [] if table is None else [table]
                known |= new
            if sum(map(len, waiting)) >= MAX_ROWS:
                _copy(target, waiting)
                waiting = []
        _copy(target, waiting)
        for settings in (source / "_settings").glob("*.json"):
            place = settings_file(target, settings.stem)
            if not place.exists():
                write_text(place, settings.read_text(encoding="utf-8"))
        for catalogue in (source / "_suites").glob("*.json"):
            place = target / "_suites" / catalogue.name
            if not place.exists():
                write_text(place, catalogue.read_text(encoding="utf-8"))
    return merged


def _is_new(row: dict[str, Any], known: dict[str, Any] | None, merged: Merged, source: Path) -> bool:
    """Say whether a row is to be copied, and count what it is otherwise."""
    ranks = [LASTING.get(one["status"], len(LASTING)) for one in (known, row) if one is not None]
    if known is None or ranks[0] < ranks[1]:
        merged.n_new += 1
        return True
    if not is_lasting(row["status"]) or row["outcome"] == known["outcome"]:
        merged.n_equal += 1
    else:
        score = "valid_score" if row["stage"] == "search" else "test_score"
        merged.conflicts.append(
            Conflict(row["key"], row["task"], row["model"], row["stage"], known[score], row[score], str(source))
        )
    return False


def _copy(target: Path, tables: Sequence[pa.Table]) -> None:
    """Store rows in the target, by suite and stage."""
    if not tables:
        return
    table = pa.concat_tables(tables, promote_options="permissive")
    for suite in pc.unique(table["suite"]).to_pylist():
        of_suite = table.filter(pc.equal(table["suite"], suite))
        for stage in pc.unique(of_suite["stage"]).to_pylist():
            store_table(target / suite, stage, of_suite.filter(pc.equal(of_suite["stage"], stage)))


def find_superfluous(folder: Path, failed: bool = False, settings: str = "", data: str = "") -> list[Removal]:
    """Find what a results folder does not need: what killed runs left half-written, and rows that stand there twice.

    Args:
        folder: A results folder.
        failed: Whether rows that failed, ran out of time or are infeasible go, too, so that the next run tries them again.
        settings: The beginning of a settings digest (see ``results ls``) whose rows go, too.
        data: The beginning of the digest of a version of a task's data whose rows go, too; or ``OLDER`` for those of all
            versions but the newest of each task.

    Raises:
        StoreError: If a file cannot be read.
        UnknownNameError: If no version of the data begins so.
    """
    gone = _versions_to_go(folder, data)
    removals = [Removal(file, (), "left half-written by a run that was killed") for file in folder.rglob(".*.tmp")]
    columns = ("key", "suite", "task", "status", "settings_digest", "task_sha256")
    files = {file: read_rows(file, columns) for file in result_files(folder)}
    finished = {row["key"] for rows in files.values() for row in rows if is_lasting(row["status"])}
    seen: set[str] = set()
    for file, rows in files.items():
        reasons: dict[str, list[str]] = {}
        for row in rows:
            gives_way = row["key"] in finished and not is_lasting(row["status"])
            if settings and str(row["settings_digest"]).startswith(settings):
                reasons.setdefault(f"of settings {settings}", []).append(row["key"])
            elif (row["suite"], row["task"], row["task_sha256"]) in gone:
                reasons.setdefault("of an older version of the data" if data == OLDER else f"of data {data}", []).append(
                    row["key"]
                )
            elif row["status"] in _UNSCORED and (failed or gives_way):
                reasons.setdefault(_UNSCORED[row["status"]], []).append(row["key"])
            elif row["key"] in seen:
                reasons.setdefault("stored twice", []).append(row["key"])
            else:
                seen.add(row["key"])
        removals += [Removal(file, tuple(keys), reason) for reason, keys in reasons.items()]
    return removals


def _versions_to_go(folder: Path, data: str) -> set[tuple[str, str, str]]:
    """Return suite, task and digest of the versions of data that are named, or of all but the newest."""
    if not data:
        return set()
    rows = read_results([folder], VERSIONED)
    versions = list_versions(rows)
    if data == OLDER:
        go = versions.duplicated(["suite", "task"], keep="first")
    else:
        check_versions(rows, [data])
        go = versions["data"].str.startswith(data)
    return set(versions.loc[go.astype(bool), ["suite", "task", "data"]].itertuples(index=False, name=None))


def remove(removals: Iterable[Removal]) -> None:
    """Take rows out of their files, and files away that have none left.

    Raises:
        StoreError: If a file cannot be replaced; what is not removed stays whole.
    """
    by_file: dict[Path, set[str]] = {}
    for removal in removals:
        by_file.setdefault(removal.file, set()).update(removal.keys)
    for file, keys in by_file.items():
        with locked(file.parent):
            table = pq.read_table(file) if keys else None
            if table is not None and len(keys) < len(table):
                write_table(file, table.filter(pc.invert(pc.is_in(table["key"], pa.array(sorted(keys))))))
            else:
                file.unlink(missing_ok=True)


def _outcomes(file: Path) -> list[dict[str, Any]]:
    """Return what identifies the rows of a file, with a digest of what two equal rows agree in."""
    kept = ("key", "stage", "task", "model", "status", "valid_score", "test_score")
    rows = read_rows(file, list(dict.fromkeys([*kept, *OUTCOME])))
    return [{name: row[name] for name in kept} | {"outcome": digest([repr(row[name]) for name in OUTCOME])} for row in rows]
