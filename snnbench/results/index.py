"""Which keys a suite's folder holds, and in which files; only what changed since the last look is read."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from snnbench.records import is_lasting
from snnbench.results.files import holds_rows
from snnbench.results.reading import READ_ERRORS

GROWING = re.compile(r"(search|evaluate)-[0-9a-f]{32}\.parquet")
"""Names of the files that may get more rows; files of schema 1, with shorter names, stay as they are."""


class Signature(NamedTuple):
    """What tells one state of a file from the next: every write makes a new inode."""

    inode: int
    n_bytes: int
    modified: int


@dataclass
class Contents:
    """The keys of a file, those of them that may be tried again, and the time of its latest row."""

    signature: Signature
    keys: list[str]
    unlasting: set[str]
    latest: str


@dataclass
class Index:
    """What a suite's folder holds: the files by name, and the file of each key."""

    folder: Path
    files: dict[str, Contents] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    latest: str = ""
    damaged: dict[str, Signature] = field(default_factory=dict)

    def refresh(self) -> None:
        """Take note of files that came, went or changed since the last look."""
        there = [file.name for file in self.folder.iterdir() if file.name.endswith(".parquet")]
        if vanished := self.files.keys() - set(there):
            for name in vanished:
                del self.files[name]
            self.places = {}
            for name, contents in self.files.items():
                self._place(name, contents)
        for name in there:
            known = self.files.get(name)
            if name.startswith(".") or (known is not None and not GROWING.fullmatch(name)):
                continue
            try:
                signature = signature_of(self.folder / name)
                if known is None or known.signature != signature:
                    self._read(name, signature)
            except OSError:  # it has just gone, or is a link to nowhere, which whoever reads the folder names
                continue

    def _read(self, name: str, signature: Signature) -> None:
        if self.damaged.get(name) == signature or not (self.folder / name).is_file():
            return  # opening a pipe would wait for somebody to write to it
        self._forget(name)
        try:
            with (self.folder / name).open("rb") as handle:
                parquet = pq.ParquetFile(handle)
                if not holds_rows(parquet.schema_arrow):
                    raise pa.ArrowInvalid("no rows of results")
                self.note(name, parquet.read(["key", "status", "finished_at"]), signature)
            self.damaged.pop(name, None)
        except (*READ_ERRORS, KeyError):  # a damaged file is named by whoever reads it; here nothing must be lost
            self.damaged[name] = signature

    def note(self, name: str, table: pa.Table, signature: Signature | None = None) -> None:
        """Take note of what a file holds now.

        Args:
            name: Of the file.
            table: Its rows, with key, status and finished_at.
            signature: Of the file that the rows are from; None for the one that is there.
        """
        self._forget(name)
        keys = table["key"].to_pylist()
        statuses = table["status"].to_pylist()
        times = table["finished_at"].to_pylist() if "finished_at" in table.schema.names else []
        unlasting = {key for key, status in zip(keys, statuses, strict=True) if not is_lasting(status)}
        latest = max((str(time) for time in times if time), default="")
        self.files[name] = Contents(signature or _sign((self.folder / name).stat()), keys, unlasting, latest)
        self._place(name, self.files[name])
        self.latest = max(self.latest, latest)

    def is_lasting(self, key: str) -> bool:
        """Say whether a key is stored for good."""
        place = self.places.get(key)
        return place is not None and key not in self.files[place].unlasting

    def growing(self, stage: str, max_rows: int, max_bytes: int) -> Iterator[str]:
        """Yield the names of the files of a stage that have room for more rows."""
        for name, contents in self.files.items():
            has_room = len(contents.keys) < max_rows and contents.signature.n_bytes < max_bytes
            if has_room and name.startswith(f"{stage}-") and GROWING.fullmatch(name):
                yield name

    def _place(self, name: str, contents: Contents) -> None:
        """Remember where the keys of a file are; of a key in two files (copied there) the place where it lasts."""
        for key in contents.keys:
            if key not in contents.unlasting or not self.is_lasting(key):
                self.places[key] = name

    def _forget(self, name: str) -> None:
        gone = self.files.pop(name, None)
        for key in gone.keys if gone else ():
            if self.places.get(key) == name:
                del self.places[key]


_indices: dict[Path, Index] = {}


def look(folder: Path) -> Index:
    """Return what a suite's folder holds; call it while the folder is locked."""
    index = _indices.setdefault(folder.absolute(), Index(folder))
    index.refresh()
    return index


def signature_of(file: Path) -> Signature:
    """Return the state of a file.

    Raises:
        OSError: If it is not there.
    """
    return _sign(file.stat())


def _sign(status: os.stat_result) -> Signature:
    return Signature(status.st_ino, status.st_size, status.st_mtime_ns)
