"""The results folder: one Parquet dataset, written job by job.

``results/<suite>/<stage>-<digest>.parquet`` holds the rows of a finished job. A file appears whole or not at all and its name
follows from what was trained: runs can be killed, repeated and merged by copying. ``pandas.read_parquet("results/<suite>")``
reads all rows of a suite. ``_settings/``, which Parquet readers ignore, holds the resolved settings of each run. Several runs
may write to one folder at once: they take turns, and a row that another one stored meanwhile is not stored again.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from pyarrow import dataset as pads

from snnbench.errors import StoreError
from snnbench.records import LASTING, Job, Result, Value, digest, is_lasting
from snnbench.results.files import holds_rows, leave_aside, result_files

SCHEMA_VERSION = 1
"""Of the stored rows: raised when a column changes its meaning, so that an older program refuses what it would misread."""
_SCHEMA_KEY = b"snnbench_schema_version"

_READ_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError)
"""What pyarrow raises on damaged files; a damaged length may ask for more memory than there is."""
_ATTEMPTS = 20
"""How often a folder is looked through whose files vanish while they are read, as failures do that a run trains again."""
_LISTS = {"train_loss": pa.float64(), "valid_curve": pa.float64(), "test_targets": pa.int32(), "test_outputs": pa.float32()}


def prepare_store(results: Path) -> None:
    """Create the results folder and check that it can be written.

    Raises:
        StoreError: If it cannot.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=results, prefix=".probe-") as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        raise _cannot_write(results, error) from error


def write_results(results: Path, job: Job, rows: Sequence[Result]) -> None:
    """Store the rows of a finished job, atomically; those that are stored already are left out.

    A row that failed or ran out of time has a file of its own, which its next attempt replaces or removes: so a retried run
    leaves no key twice.

    Raises:
        StoreError: If the folder cannot be written or is full; nothing half-written stays behind.
    """
    folder = results / job.suite
    with _locked(folder):
        stored = _look(folder)
        new = [_not_before(stored.latest, row) for row in rows if row.key not in stored.keys]
        finished = [row for row in new if is_lasting(row.status)]
        failed = [row for row in new if not is_lasting(row.status)]
        if finished:
            name = f"{job.stage}-{digest([row.key for row in finished])}.parquet"
            _write_rows(folder / name, finished)
            times = [str(row.provenance.get("finished_at", "")) for row in finished]
            stored.add(name, [row.key for row in finished], times)
        for row in failed:
            _write_rows(_failure_file(folder, row), [row])
        for row in finished:
            _failure_file(folder, row).unlink(missing_ok=True)


@dataclass
class _Stored:
    """What is known of a suite's folder: all names seen in it, the files read, the keys in them, the time of the latest row."""

    seen: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    latest: str = ""

    def add(self, name: str, keys: Iterable[str], times: Iterable[str]) -> None:
        """Take note of a file, its keys and when its rows were finished."""
        self.seen.add(name)
        self.names.add(name)
        self.keys.update(keys)
        self.latest = max([self.latest, *times])


_stored: dict[Path, _Stored] = {}


def _look(folder: Path) -> _Stored:
    """Return what is stored in a suite's folder; only files that are new since the last look are read."""
    known = _stored.setdefault(folder.absolute(), _Stored())
    there = set(os.listdir(folder))  # noqa: PTH208  thousands of names, once for every job that is stored
    if known.names - there:  # somebody took files away
        _stored[folder.absolute()] = known = _Stored()
    new, known.seen = there - known.seen, there
    for name in new:
        if name.startswith(".") or not name.endswith(".parquet") or "-failed-" in name:
            continue
        try:
            if not (folder / name).is_file():  # opening a pipe would wait for somebody to write to it
                raise FileNotFoundError(name)
            rows = pq.read_table(folder / name, columns=["key", "finished_at"]).to_pydict()
            known.add(name, rows["key"], map(str, rows["finished_at"]))
        except (*_READ_ERRORS, KeyError):  # a damaged file is named by whoever reads it; here nothing must be lost
            known.seen.discard(name)
    return known


def _not_before(latest: str, row: Result) -> Result:
    """Return a row that is later than what is stored, whatever the clock says: the newest of several is the one that counts."""
    finished_at = str(row.provenance.get("finished_at", ""))
    if finished_at > latest or not finished_at:
        return row
    after = datetime.fromisoformat(latest) + timedelta(milliseconds=1)
    return replace(row, provenance={**row.provenance, "finished_at": after.isoformat(timespec="milliseconds")})


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time write to a suite's folder; a lock ends with its process, however that ends."""
    lock = FileLock(folder / ".lock", mode=0o666)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(NotImplementedError):  # some file systems have no locks; files still appear whole or not at all
            lock.acquire()
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _failure_file(folder: Path, row: Result) -> Path:
    return folder / f"{row.stage}-failed-{row.key}.parquet"


def _write_rows(file: Path, rows: Sequence[Result]) -> None:
    flat = [{**{k: v for k, v in vars(row).items() if k != "provenance"}, **row.provenance} for row in rows]
    schema = pa.Table.from_pylist(flat[:1]).schema
    for name, item in _LISTS.items():
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.list_(item)))
    schema = schema.with_metadata({_SCHEMA_KEY: str(SCHEMA_VERSION)})
    write_table(file, pa.Table.from_pylist(flat, schema=schema))


def write_table(file: Path, table: pa.Table) -> None:
    """Write rows to a file that appears whole or not at all; its pages carry checksums.

    Raises:
        StoreError: If it cannot be written.
    """
    _write_whole(file, lambda temporary: pq.write_table(table, temporary, write_page_checksum=True))


def write_text(file: Path, text: str) -> None:
    """Write a file that appears whole or not at all.

    Raises:
        StoreError: If it cannot be written.
    """
    _write_whole(file, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_settings(results: Path, name: str, settings: dict[str, object], provenance: dict[str, Value]) -> None:
    """Store the resolved settings of a run beside its results, under the name that its rows carry."""
    text = json.dumps({"settings": settings, "provenance": provenance}, indent=2) + "\n"
    write_text(settings_file(results, name), text)


def settings_file(results: Path, name: str) -> Path:
    """Return where the settings lie whose digest the rows carry: a JSON object with ``settings`` and ``provenance``."""
    return results / "_settings" / f"{name}.json"


def read_settings(folders: Iterable[Path]) -> dict[str, object]:
    """Return the newest of the settings stored by ``write_settings``; empty if there are none."""
    files = [file for folder in folders for file in (folder / "_settings").glob("*.json")]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        with suppress(OSError, ValueError):
            return dict(json.loads(file.read_text())["settings"])
    return {}


def read_results(folders: Iterable[Path], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return all stored rows, one for each key.

    Of several rows with one key (stored in two folders) the most lasting counts (``records.LASTING``), of equals the newest;
    ``attrs["n_doubled"]`` is the number of the others.

    Args:
        folders: Results folders; one that does not exist yet is empty.
        columns: Which columns are needed besides ``key``, ``status`` and ``finished_at``; None for all. Rows of an earlier
            version may lack some, which are then missing values.

    Parquet files without results are left aside, with a ``LeftAsideWarning`` for each.

    Raises:
        StoreError: If a file cannot be read, is not there, is not what was written, or is of a newer form.
    """
    folders = list(folders)
    wanted = None if columns is None else list(dict.fromkeys([*columns, "key", "status", "finished_at"]))
    table = _read_folders(folders, wanted)
    if table is None:
        return pd.DataFrame(columns=["key", "status", "finished_at", *(columns or [])])
    rows = table.to_pandas()
    ranked = rows.assign(_rank=[LASTING.get(status, len(LASTING)) for status in rows["status"]])
    counts_last = ranked.sort_values(["_rank", "finished_at"], kind="stable")
    once = counts_last.drop_duplicates("key", keep="last").drop(columns="_rank").reset_index(drop=True)
    once.attrs["n_doubled"] = len(rows) - len(once)
    return once


def _read_folders(folders: Sequence[Path], columns: Sequence[str] | None) -> pa.Table | None:
    """Read the rows of all folders; None if there are none."""
    for _ in range(_ATTEMPTS):
        files = sorted(str(file) for folder in folders for file in result_files(folder))
        try:
            return _read_table(files, columns)
        except _READ_ERRORS as error:
            if all(Path(file).exists() for file in files):
                raise _find_damage(files, error) from error
            # Another run has just replaced a failure: look again.
    raise StoreError(
        f"The files of {', '.join(map(str, folders))} must stay while they are read, but some vanished each of {_ATTEMPTS} "
        "times. Try again when no run removes them."
    )


def _check_schema_version(dataset: pads.Dataset) -> None:
    """Refuse files of a newer form; the footers that say so are read once and kept for the reading of the rows."""
    for fragment in dataset.get_fragments():
        said = (fragment.physical_schema.metadata or {}).get(_SCHEMA_KEY, b"0")
        version = int(said) if re.fullmatch(rb"[0-9]{1,9}", said) else 0
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{fragment.path} must be of results schema {SCHEMA_VERSION} or earlier, found {version}: a newer snnbench "
                "wrote it. Update this one with `pip install --upgrade snnbench`."
            )


def read_rows(file: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of one file as dictionaries; columns that it lacks are None. A file without results has no rows.

    Raises:
        StoreError: If the file cannot be read, or is not what was written.
    """
    try:
        table = _read_table([str(file)], list(columns))
    except _READ_ERRORS as error:
        raise _find_damage([str(file)], error) from error
    return [] if table is None else table.to_pylist()


def _read_table(files: Sequence[str], columns: Sequence[str] | None) -> pa.Table | None:
    """Read files together and compare every page with its checksum; None if none of them holds results."""
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    form = pads.ParquetFileFormat(default_fragment_scan_options=options)
    dataset = pads.dataset(files, format=form) if files else None
    others = (
        [fragment.path for fragment in dataset.get_fragments() if not holds_rows(fragment.physical_schema)] if dataset else []
    )
    if others:
        for file in others:
            leave_aside(file, "a Parquet file, but without rows of results")
        files = [file for file in files if file not in set(others)]
        dataset = pads.dataset(files, format=form) if files else None
    if dataset is None:
        return None
    _check_schema_version(dataset)
    if columns is None or not set(columns) <= set(dataset.schema.names):
        # The first file alone says what columns there are, and an earlier version may have written it.
        schema = pa.unify_schemas([_with_plain_text(pq.read_schema(file)) for file in files], promote_options="permissive")
        absent = [name for name in columns or () if name not in schema.names]
        dataset = dataset.replace_schema(pa.schema([*schema, *(pa.field(name, pa.null()) for name in absent)]))
    return dataset.to_table(columns=columns)


def _with_plain_text(schema: pa.Schema) -> pa.Schema:
    """Return a schema with one type for words: who reads and writes rows with another library makes long strings of them."""
    return pa.schema([pa.field(at.name, pa.string()) if pa.types.is_large_string(at.type) else at for at in schema])


def _write_whole(file: Path, write) -> None:  # type: ignore[no-untyped-def]
    """Let ``write`` fill a temporary file, then move it to its place in one step."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _cannot_write(file.parent, error) from error


def _cannot_write(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The results folder must be writable, but writing to {folder} says: {error.strerror or error}. "
        "Make room or name another one with --results; what is stored already stays, and the same command goes on from there."
    )


def _find_damage(files: list[str], error: Exception) -> StoreError:
    """Name the first file that is no Parquet file, or pass on what the reader said."""
    for file in files:
        try:
            table = _read_table([file], None)
            if table is not None:
                table.validate(full=True)
        except _READ_ERRORS as damage:
            reason = (str(damage).splitlines() or [type(damage).__name__])[0]
            return StoreError(
                f"{file} must be a whole Parquet file, but reading it says: {reason} "
                "Move it away; the next run trains its configurations again."
            )
    return StoreError(f"The results cannot be read together: {error}")
