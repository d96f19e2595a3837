"""How a results folder is written: files that appear whole or not at all, and one process at a time."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from snnbench.errors import StoreError
from snnbench.results.exchange import move, recover


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
        raise cannot_write(results, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time write to a suite's folder; a lock ends with its process, however that ends.

    The lock lies beside the folder, not in it: the folder as a whole may be exchanged (``compaction``).
    """
    lock = FileLock(folder.parent / f".{folder.name}.lock", mode=0o666)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(NotImplementedError):  # some file systems have no locks; files still appear whole or not at all
            lock.acquire()
        recover(folder.parent)  # whoever had the lock may have been killed when the folder was moved away
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def write_table(file: Path, table: pa.Table, draft: Path | None = None, compression: str = "snappy") -> None:
    """Write rows to a file that appears whole or not at all; its pages carry checksums.

    Only words get dictionaries: trying them on curves takes half of the time and saves nothing.

    Args:
        file: Where it appears.
        table: The rows.
        draft: Where it is written first, on the same disk; None for beside it.
        compression: A codec of Parquet: ``"snappy"`` is fast, ``"zstd"`` small.

    Raises:
        StoreError: If it cannot be written.
    """
    words = [field.name for field in table.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    options = {"write_page_checksum": True, "use_dictionary": words or False, "compression": compression}
    _write_whole(file, lambda temporary: pq.write_table(table, temporary, **options), draft)


def write_text(file: Path, text: str) -> None:
    """Write a file that appears whole or not at all.

    Raises:
        StoreError: If it cannot be written.
    """
    _write_whole(file, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def outside(file: Path) -> Path | None:
    """Return a draft for a file that does not lie in its folder: polars refuses one that holds anything but Parquet files.

    None if the folder is a link to another disk, where a draft outside could not be moved into it.
    """
    folder = file.parent
    is_near = folder.exists() and folder.stat().st_dev == folder.parent.stat().st_dev
    return folder.with_name(f".{folder.name}.{file.name}.{os.getpid()}.tmp") if is_near else None


def _write_whole(file: Path, write: Callable[[Path], object], draft: Path | None = None) -> None:
    """Let ``write`` fill a temporary file, then move it to its place in one step."""
    temporary = draft or file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        move(temporary, file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise cannot_write(file.parent, error) from error


def cannot_write(folder: Path, error: OSError) -> StoreError:
    """Return the error of a folder that cannot be written."""
    return StoreError(
        f"The results folder must be writable, but writing to {folder} says: {error.strerror or error}. "
        "Make room or name another one with --results; what is stored already stays, and the same command goes on from there."
    )
