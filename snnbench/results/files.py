"""Which files of a results folder hold rows; whatever else lies there is named and left aside."""

import os
import warnings
from pathlib import Path

import pyarrow as pa

from snnbench.errors import LeftAsideWarning, StoreError
from snnbench.resources import resource

_IDENTITY = ("key", "stage", "suite", "task", "split", "model", "config", "status")
"""Columns of words that every stored row has, whatever its version: a table without them is somebody else's."""


def result_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a results folder, in order; not those that are being written. Links to folders are followed.

    A checkout's own ``results`` has the published runs below it: those count where they are asked for alone.

    Raises:
        StoreError: If a name points to a file or a folder that is not there: rows may be missing.
    """
    files, seen = [], {shipped()}
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(place, name)) not in seen]  # noqa: PTH118
        candidates = (Path(place, name) for name in names if name.endswith(".parquet") or "." not in name)
        files += [file for file in candidates if not file.name.startswith(".") and _is_readable(file)]
    return sorted(files)


def shipped() -> str:
    """Return the folder of what was published and travels with the package, as a real path."""
    return os.path.realpath(resource("results", "published"))


def _is_readable(file: Path) -> bool:
    """Say whether this is a Parquet file by its name, and can be opened without waiting."""
    if file.is_file():
        return file.suffix == ".parquet"
    if file.is_symlink() and not file.exists():
        raise StoreError(
            f"{file} must lead to results, but it points to {file.readlink()}, which is not there. "
            "Bring that back, or remove the link."
        )
    if file.suffix == ".parquet" and file.exists():  # reading a pipe would wait for somebody to write to it
        leave_aside(file, "no regular file")
    return False


def holds_rows(schema: pa.Schema) -> bool:
    """Say whether a Parquet file holds rows of results, by its columns."""
    return all(schema.get_field_index(name) >= 0 and _is_text(schema.field(name).type) for name in _IDENTITY)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def leave_aside(file: Path | str, reason: str) -> None:
    """Name a file that no reader of the folder takes into account."""
    warnings.warn(f"{file} is left aside: {reason}.", LeftAsideWarning, stacklevel=2)
