"""A suite's folder written anew, in few large files, and exchanged with the old one in one step.

The new folder is made beside the results folder, where no reader of it looks. Before the exchange nothing has changed, after it
all has: a reader sees the one or the other, and a compaction that is killed can be started again. ``exchange`` says what
happens where the system has no such exchange.
"""

import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snnbench.errors import StoreError
from snnbench.results.exchange import beside, recover, take_place
from snnbench.results.files import holds_rows, result_files, shipped
from snnbench.results.reading import READ_ERRORS, SCHEMA_KEY, SCHEMA_VERSION, find_damage, in_order, read_files
from snnbench.results.writing import cannot_write, locked, write_table

MAX_ROWS = 4096
"""Rows of a file, about 10 MB with curves of 100 epochs."""
_FILES_AT_ONCE = 256


@dataclass(frozen=True)
class Compacted:
    """What a suite's folder held and holds."""

    suite: str
    n_files_before: int
    n_files: int
    n_rows: int
    n_doubled: int


def compact(results: Path) -> list[Compacted]:
    """Write every suite's folder anew, in few large files of the present form; runs that write to it wait meanwhile.

    Rows with one key become one, as ``read_results`` reads them; files without results are kept as they are.

    Raises:
        StoreError: If a file is damaged, or the folder beside the results cannot be written; nothing has changed then.
    """
    recover(results)
    places = sorted(place.resolve() for place in results.iterdir() if place.is_dir() and place.name[0] not in "._")
    suites = [place for place in places if str(place) != shipped()]
    return [_compact_suite(folder) for folder in suites if any(True for _ in folder.rglob("*.parquet"))]


def _compact_suite(folder: Path) -> Compacted:
    with locked(folder):
        fresh = beside(folder, "new")
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            if fresh.stat().st_dev != folder.stat().st_dev:
                raise StoreError(
                    f"{folder.parent.parent} must be on the disk of {folder} for a compaction, found another. "
                    "`snnbench results merge` writes a compact copy to any place."
                )
            files = result_files(folder)
            n_rows, n_doubled = _write_anew(folder, files, fresh)
            n_files = len(list(fresh.iterdir()))
            _keep_others(folder, files, fresh)
            take_place(fresh, folder)
        except OSError as error:
            raise cannot_write(fresh, error) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return Compacted(folder.name, len(files), n_files, n_rows, n_doubled)


def _write_anew(folder: Path, files: Sequence[Path], fresh: Path) -> tuple[int, int]:
    """Write the rows that count to files of the new folder; return their number and that of the others."""
    known = _read(files, ["key", "status", "finished_at"])
    if known is None:
        return 0, 0
    number = pa.array(range(len(known)))
    ordered = in_order(known.append_column("number", number)).select(["key", "number"]).to_pandas()
    counting = ordered.drop_duplicates("key", keep="last")["number"].sort_values().to_numpy()
    waiting: dict[str, list[pa.Table]] = {}
    n_seen = n_written = 0
    for start in range(0, len(files), _FILES_AT_ONCE):
        table = _read(files[start : start + _FILES_AT_ONCE])
        if table is None:
            continue
        here = counting[(counting >= n_seen) & (counting < n_seen + len(table))] - n_seen
        n_seen += len(table)
        counted = table.take(pa.array(here))
        for stage in pc.unique(counted["stage"]).to_pylist():
            tables = waiting.setdefault(stage, [])
            tables.append(counted.filter(pc.equal(counted["stage"], stage)))
            if sum(map(len, tables)) >= MAX_ROWS:
                n_written += _write(fresh, stage, waiting.pop(stage))
    n_written += sum(_write(fresh, stage, tables) for stage, tables in waiting.items())
    if n_seen != len(known) or n_written != len(counting):
        raise StoreError(f"The files of {folder} must stay while they are copied, but some changed. Start again.")
    return n_written, len(known) - n_written


def _read(files: Sequence[Path], columns: Sequence[str] | None = None) -> pa.Table | None:
    try:
        return read_files(files, columns)
    except READ_ERRORS as error:
        raise find_damage(files, error) from error


def _write(fresh: Path, stage: str, tables: Sequence[pa.Table]) -> int:
    table = pa.concat_tables(tables, promote_options="permissive")
    file = fresh / f"{stage}-{secrets.token_hex(16)}.parquet"
    write_table(file, table.replace_schema_metadata({SCHEMA_KEY: str(SCHEMA_VERSION)}))
    # What takes the place of files that lie safely on the disk must lie there, too; Windows wants a file that can be written.
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
    return len(table)


def _keep_others(folder: Path, files: Sequence[Path], fresh: Path) -> None:
    """Copy what holds no results, and links, to the new folder; not the leftovers of killed writes."""
    known = set(files)
    for place, folders, names in os.walk(folder):
        for name in [*names, *(name for name in folders if Path(place, name).is_symlink())]:
            file = Path(place, name)
            if file.name == ".lock" or file.name.endswith(".tmp") or (file in known and _holds_results(file)):
                continue
            copy = fresh / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if file.is_symlink():
                copy.symlink_to(file.readlink())
            elif file.is_file():
                shutil.copy2(file, copy)


def _holds_results(file: Path) -> bool:
    return holds_rows(pq.read_schema(file))
