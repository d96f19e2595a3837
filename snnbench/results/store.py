"""The results folder: one Parquet dataset, written job by job.

``results/<suite>/<stage>-<number>.parquet`` holds the rows of many jobs. Each finished job is stored by replacing the last file
by one that holds its rows, too, in one step, until that file is large and the next one begins: so there are few files, each is
whole at any moment, and no row is ever in two. A row that failed is replaced in the file where it stands. Runs can be killed,
repeated and merged by copying; ``pandas.read_parquet("results/<suite>")`` reads all rows of a suite, as do DuckDB and polars.
DuckDB and polars open a file twice: while a run writes, one that was replaced in between is an error, and to be read again.
No layout spares them that: where no key is ever twice, a row comes by a name that begins to mean something else, be it that of
a file or of the folder. At the end of a run nothing is written anew: there is a file for 384 rows (about 280 for the paper's
grid), which costs a reader 1 ms, while a compaction needs the room twice, lets other runs wait, and takes files away that
somebody may be reading. ``snnbench results compact`` does it when it suits.
``_settings/``, which Parquet readers ignore, holds the resolved settings of each run. Several runs may write to one folder at
once: they take turns, and a row that another one stored meanwhile is not stored again.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from snnbench.errors import StoreError
from snnbench.records import Job, Result, Value
from snnbench.results.exchange import recover
from snnbench.results.files import result_files
from snnbench.results.index import Index, Signature, look, signature_of
from snnbench.results.reading import READ_ERRORS, SCHEMA_KEY, SCHEMA_VERSION, find_damage, in_order, read_files
from snnbench.results.writing import locked, outside, write_table, write_text

MAX_ROWS, MAX_BYTES = 384, 2**20
"""A file with so many rows, or so large, grows no more: to write it again for each job would cost too much."""

_ATTEMPTS = 20
"""How often a folder is looked through whose files vanish while they are read, as they do when it is compacted."""
_LISTS = {"train_loss": pa.float64(), "valid_curve": pa.float64(), "test_targets": pa.int32(), "test_outputs": pa.float32()}

T = TypeVar("T")

_growing: dict[Path, tuple[Signature, pa.Table]] = {}
"""The rows of the files that this process wrote last, so that it need not read what it appends to."""


def write_results(results: Path, job: Job, rows: Sequence[Result]) -> None:
    """Store the rows of a finished job, atomically; those that are stored already are left out.

    A row that failed or ran out of time gives way to its next attempt: so a retried run leaves no key twice.

    Raises:
        StoreError: If the folder cannot be written or is full; nothing half-written stays behind.
    """
    folder = results / job.suite
    with locked(folder):
        index = look(folder)
        new = [_not_before(index.latest, row) for row in rows if not index.is_lasting(row.key)]
        if new:
            _store(index, job.stage, to_table(new))


def store_table(folder: Path, stage: str, table: pa.Table) -> None:
    """Store rows that another folder holds; those whose keys are stored for good are left out.

    Raises:
        StoreError: If the folder cannot be written.
    """
    with locked(folder):
        index = look(folder)
        new = [not index.is_lasting(key) for key in table["key"].to_pylist()]
        if any(new):
            _store(index, stage, table.filter(pa.array(new)))


def to_table(rows: Sequence[Result]) -> pa.Table:
    """Return results as a table, their provenance as flat columns."""
    flat = [{**{k: v for k, v in vars(row).items() if k != "provenance"}, **row.provenance} for row in rows]
    schema = pa.Table.from_pylist(flat[:1]).schema
    for name, item in _LISTS.items():
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.list_(item)))
    return pa.Table.from_pylist(flat, schema=schema)


def _store(index: Index, stage: str, table: pa.Table) -> None:
    """Write rows, each to the file where its key stands already, the others to the one that grows."""
    candidates = (name for name in index.growing(stage, MAX_ROWS, MAX_BYTES) if _rows_of(index, name) is not None)
    growing = next(candidates, f"{stage}-{secrets.token_hex(16)}.parquet")
    places = [index.places.get(key, growing) for key in table["key"].to_pylist()]
    damaged = {name for name in set(places) - {growing} if _rows_of(index, name) is None}
    places = [growing if name in damaged else name for name in places]
    for name in dict.fromkeys(places):
        is_alone = places.count(name) == len(places)
        _add(index, name, table if is_alone else table.filter(pa.array([place == name for place in places])))


def _add(index: Index, name: str, rows: pa.Table) -> None:
    """Put rows into a file, in the place of those with their keys."""
    file, before = index.folder / name, _rows_of(index, name)
    if before is not None:
        if any(index.places.get(key) == name for key in rows["key"].to_pylist()):
            before = before.filter(pc.invert(pc.is_in(before["key"], rows["key"].combine_chunks())))
        rows = pa.concat_tables([before, rows], promote_options="permissive")
    rows = rows.combine_chunks().replace_schema_metadata({SCHEMA_KEY: str(SCHEMA_VERSION)})
    write_table(file, rows, outside(file))
    index.note(name, rows)
    _growing[file.absolute()] = index.files[name].signature, rows
    if len(_growing) > len(("search", "evaluate")):
        _growing.pop(next(iter(_growing)))


def _rows_of(index: Index, name: str) -> pa.Table | None:
    """Return the rows of a file; None if there is none, or none that can be read."""
    file = index.folder / name
    known = _growing.get(file.absolute())
    try:
        if known is not None and known[0] == signature_of(file):
            return known[1]
        return read_files([file], None)
    except READ_ERRORS:
        return None


def _not_before(latest: str, row: Result) -> Result:
    """Return a row that is later than what is stored, whatever the clock says: the newest of several is the one that counts."""
    finished_at = str(row.provenance.get("finished_at", ""))
    if finished_at > latest or not finished_at:
        return row
    after = datetime.fromisoformat(latest) + timedelta(milliseconds=1)
    return replace(row, provenance={**row.provenance, "finished_at": after.isoformat(timespec="milliseconds")})


def write_settings(results: Path, name: str, settings: dict[str, object], provenance: dict[str, Value]) -> None:
    """Store the resolved settings of a run beside its results, under the name that its rows carry."""
    text = json.dumps({"settings": settings, "provenance": provenance}, indent=2) + "\n"
    write_text(settings_file(results, name), text)


def settings_file(results: Path, name: str) -> Path:
    """Return where the settings lie whose digest the rows carry: a JSON object with ``settings`` and ``provenance``."""
    return results / "_settings" / f"{name}.json"


def load_settings(file: Path) -> dict[str, Any]:
    """Return the resolved settings of one run from the file that ``settings_file`` names.

    Raises:
        OSError, ValueError, KeyError: If it is not there, or is none of ``write_settings``.
    """
    return dict(json.loads(file.read_text(encoding="utf-8"))["settings"])


def read_settings(folders: Iterable[Path]) -> dict[str, object]:
    """Return the newest of the settings stored by ``write_settings``; empty if there are none."""
    files = [file for folder in folders for file in (folder / "_settings").glob("*.json")]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        with suppress(OSError, ValueError):
            return load_settings(file)
    return {}


def read_results(
    folders: Iterable[Path], columns: Sequence[str] | None = None, keys: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return all stored rows, one for each key.

    Of several rows with one key (stored in two folders) the most lasting counts (``records.LASTING``), of equals the newest;
    ``attrs["n_doubled"]`` is the number of the others.

    Args:
        folders: Results folders; one that does not exist yet is empty.
        columns: Which columns are needed besides ``key``, ``status`` and ``finished_at``; None for all. Rows of an earlier
            version may lack some, which are then missing values.
        keys: Only the rows with these keys; None for all.

    Parquet files without results are left aside, with a ``LeftAsideWarning`` for each.

    Raises:
        StoreError: If a file cannot be read, is not there, is not what was written, or is of a newer form.
    """
    folders = list(folders)
    wanted = None if columns is None else list(dict.fromkeys([*columns, "key", "status", "finished_at"]))
    table = _read_folders(folders, wanted, None if keys is None else pa.array(keys, pa.string()))
    if table is None:
        return pd.DataFrame(columns=["key", "status", "finished_at", *(columns or [])])
    n_rows = len(table)
    rows = in_order(table).to_pandas()
    once = rows.drop_duplicates("key", keep="last").reset_index(drop=True)
    once.attrs["n_doubled"] = n_rows - len(once)
    return once


def _read_folders(folders: Sequence[Path], columns: Sequence[str] | None, keys: pa.Array | None) -> pa.Table | None:
    """Read the rows of all folders; None if there are none."""
    return read_while_steady(folders, lambda files: read_files(files, columns, keys))


def read_while_steady(folders: Sequence[Path], read: Callable[[Sequence[Path]], T]) -> T:
    """Return what ``read`` makes of all files of results folders; it starts again if a compaction takes files away meanwhile.

    Raises:
        StoreError: If a file cannot be read, or files vanish again and again.
    """
    for _ in range(_ATTEMPTS):
        for folder in folders:
            recover(folder)
        files = sorted(file for folder in folders for file in result_files(folder))
        try:
            return read(files)
        except (*READ_ERRORS, StoreError) as error:
            if all(file.exists() for file in files):
                raise (error if isinstance(error, StoreError) else find_damage(files, error)) from error
            # The folder has just been compacted, or somebody took a file away: look again.
    raise StoreError(
        f"The files of {', '.join(map(str, folders))} must stay while they are read, but some vanished each of {_ATTEMPTS} "
        "times. Try again when no run removes them."
    )
