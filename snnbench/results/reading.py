"""Reading the files of a results folder: whole, checked, and one at a time, whoever writes meanwhile."""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snnbench.errors import StoreError
from snnbench.records import LASTING
from snnbench.results.files import holds_rows, leave_aside

SCHEMA_VERSION = 2
"""Of the stored rows: raised when an older program would misread or spoil them, so that it refuses. Since 2 a file
grows while a run goes on, and a row that may be tried again stands among others; files of 1 hold one job, or one such row."""
SCHEMA_KEY = b"snnbench_schema_version"

READ_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError)
"""What pyarrow raises on damaged files; a damaged length may ask for more memory than there is."""
_THREADS = 4


def read_files(files: Iterable[Path], columns: Sequence[str] | None, keys: pa.Array | None = None) -> pa.Table | None:
    """Return the rows of some files together, in the order of the files; None if none of them holds results.

    A column that a file lacks is missing in its rows.

    Args:
        files: Parquet files.
        columns: Which columns; None for all.
        keys: Only the rows with these keys; None for all.

    Raises:
        StoreError: If a file is of a newer form.
        FileNotFoundError, pyarrow.ArrowException: If one is not there, or is damaged.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda file: _read_file(file, columns, keys), files)
        tables = []
        for file, table in zip(files, found, strict=True):
            if table is None:
                leave_aside(file, "a Parquet file, but without rows of results")
            else:
                tables.append(table)
    if not tables:
        return None
    table = pa.concat_tables(tables, promote_options="permissive")
    for name in columns or ():
        if name not in table.schema.names:
            table = table.append_column(name, pa.nulls(len(table)))
    return table.select(list(columns)) if columns is not None else table


def read_rows(file: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of one file as dictionaries; columns that it lacks are None. A file without results has no rows.

    Raises:
        StoreError: If the file cannot be read, or is not what was written.
    """
    try:
        table = read_files([file], columns)
    except READ_ERRORS as error:
        raise find_damage([file], error) from error
    return [] if table is None else table.to_pylist()


def _read_file(file: Path, columns: Sequence[str] | None, keys: pa.Array | None = None) -> pa.Table | None:
    """Read a file through one handle, so that one that is replaced meanwhile is read as it was; check every page."""
    with file.open("rb") as handle, pq.ParquetFile(handle, page_checksum_verification=True) as parquet:
        schema = parquet.schema_arrow
        if not holds_rows(schema):
            return None
        _check_schema_version(file, schema)
        wanted = None if columns is None else [name for name in columns if schema.get_field_index(name) >= 0]
        if keys is not None:
            known = parquet.read(["key"])["key"]
            if not pc.any(pc.is_in(known, keys)).as_py():
                return parquet.schema_arrow.empty_table().select(wanted or schema.names)
        table = parquet.read(wanted, use_threads=False)
    if keys is not None:
        table = table.filter(pc.is_in(known, keys))
    return table.cast(_with_plain_text(table.schema)).replace_schema_metadata(None)


def _check_schema_version(file: Path, schema: pa.Schema) -> None:
    said = (schema.metadata or {}).get(SCHEMA_KEY, b"0")
    version = int(said) if re.fullmatch(rb"[0-9]{1,9}", said) else 0
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{file} must be of results schema {SCHEMA_VERSION} or earlier, found {version}: a newer snnbench "
            "wrote it. Update this one with `pip install --upgrade snnbench`."
        )


def _with_plain_text(schema: pa.Schema) -> pa.Schema:
    """Return a schema with one type for words: who reads and writes rows with another library makes other types of them."""
    return pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def find_damage(files: Sequence[Path], error: Exception) -> StoreError:
    """Name the first file that is no Parquet file, or pass on what the reader said."""
    for file in files:
        try:
            table = _read_file(file, None)
            if table is not None:
                table.validate(full=True)
        except READ_ERRORS as damage:
            reason = (str(damage).splitlines() or [type(damage).__name__])[0]
            return StoreError(
                f"{file} must be a whole Parquet file, but reading it says: {reason} "
                "Move it away; the next run trains its configurations again."
            )
    return StoreError(f"The results cannot be read together: {error}")


def in_order(table: pa.Table) -> pa.Table:
    """Return rows so that of those with one key the last counts: by how they last, then by when they were finished."""
    ranks = pa.array([LASTING.get(status, len(LASTING)) for status in table["status"].to_pylist()], pa.int8())
    times = table["finished_at"] if "finished_at" in table.schema.names else pa.nulls(len(table), pa.string())
    order = pa.table({"rank": ranks, "finished_at": times})
    return table.take(pc.sort_indices(order, [("rank", "ascending"), ("finished_at", "ascending")]))
