"""A suite of the user's own: from a table, a folder of tables or a frozen folder to a frozen folder that a run reads."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snnbench.errors import DataError, SnnbenchError, UnknownNameError
from snnbench.records import digest
from snnbench.suites.description import DESCRIPTION, SuiteDescription, read_description, read_toml
from snnbench.suites.fetch.archive import sha256_of
from snnbench.suites.folder import FolderSuite, is_file_name, is_frozen, open_frozen, parse_entry, read_entry
from snnbench.suites.freezing import READING, freeze_task
from snnbench.suites.frozen import FORMAT, FrozenSuite, write_suite, write_task
from snnbench.suites.tables import FORMATS, is_table

CATALOGUES = "_suites"
"""The folder in a results folder with the catalogues of the suites that are no part of snnbench."""


@dataclass(frozen=True)
class TableOptions:
    """What a user says of a table on the command line."""

    target: str | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    group: str | None = None
    metric: str | None = None
    charset: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that were given, by name."""
        return {name: value for name, value in vars(self).items() if value}

    @property
    def words(self) -> tuple[str, ...]:
        """Those that were given, as one types them."""
        words: list[str] = []
        for name, value in self.given.items():
            option = "--encoding" if name == "charset" else f"--{name}"
            values = (",".join(value),) if name == "date" else (value,) if isinstance(value, str) else value
            words += [word for one in values for word in (option, one)]
        return tuple(words)


def open_own(
    path: Path,
    options: TableOptions,
    cache: Path,
    to: Path | None = None,
    report: Callable[[str], None] = lambda message: None,
) -> tuple[FolderSuite, Path]:
    """Return a suite and its frozen folder; a table is read once, and again only when it or what is said of it changes.

    Args:
        path: A table, a folder of tables with or without a ``suite.toml``, or a frozen folder.
        options: What is said of the tables.
        cache: Where frozen folders are kept.
        to: A folder for a copy of the frozen folder, under the suite's name.
        report: Is told what is being done.

    Raises:
        SnnbenchError: If there is nothing there that can be used, with what to do.
    """
    if path.is_dir() and is_frozen(path):
        if options.given:
            raise DataError(f"{path} is a frozen suite: what its columns are is decided. Leave {' '.join(options.words)} out.")
        suite = open_frozen(path)
        return suite, path.absolute() if to is None else copy_frozen(suite, path, to)
    name, described, folder = _describe(path, options)
    files = sorted({name for task in described.tasks.values() for name in (task.file, task.splits.test) if name})
    contents = [[file, sha256_of(folder / file)] for file in files if (folder / file).is_file()]
    identity = digest([FORMAT, READING, name, described.model_dump(mode="json"), contents, list(options.words)])
    place = cache / "own" / name / identity
    if not (place / DESCRIPTION).is_file():
        report(f"Reading {path}")
        command = (str(path), *options.words)
        _write(
            place, FrozenSuite(name, described.summary or f"own data: {path.name}", command), described, folder, path.is_dir()
        )
    suite = open_frozen(place)
    return suite, place if to is None else copy_frozen(suite, place, to)


def copy_frozen(suite: FolderSuite, folder: Path, to: Path) -> Path:
    """Copy a frozen folder under its suite's name, and return the copy; nothing there is replaced.

    Raises:
        DataError: If another folder of that name is there, or it cannot be written.
    """
    place = to / suite.entry.name
    if not place.exists():
        with whole_folder(place) as half:
            shutil.copytree(folder, half, dirs_exist_ok=True)
    elif not is_frozen(place) or read_entry(place) != suite.entry:
        raise DataError(f"{place} must not be there yet, or be the same suite. Name another folder, or remove it.")
    return place


def _describe(path: Path, options: TableOptions) -> tuple[str, SuiteDescription, Path]:
    """Return the name of a suite, what is said of its tables, and the folder with their files."""
    given = options.given
    if path.is_file():
        if not is_table(path):
            raise DataError(f"{path} must be a table: its name must end in {', '.join(FORMATS)}, or one of them and .gz.")
        name = _as_name(_stem(path))
        tables: dict[str, Any] = {"tasks": {name: {"file": path.name, **given}}}
        return name, read_description(tables, path), path.parent
    if not path.is_dir():
        raise DataError(f"There must be a table or a folder of tables at {path}, found nothing.")
    if (path / DESCRIPTION).is_file():
        if given:
            raise DataError(f"{path / DESCRIPTION} says what its columns are. Say there what {' '.join(options.words)} says.")
        described = read_description(read_toml(path / DESCRIPTION), path / DESCRIPTION)
        for name in (*described.tasks, *((described.name,) if described.name else ())):
            if not is_file_name(name):
                raise DataError(
                    f"{path / DESCRIPTION}: names may have letters, digits, '_', '.' and '-', and be those of files on every "
                    f"system, found '{name}'."
                )
        _check_unlike(path / DESCRIPTION, list(described.tasks))
        return described.name or _as_name(path.absolute().name), described, path
    files = sorted(file for file in path.iterdir() if file.is_file() and is_table(file))
    if not files:
        raise DataError(f"{path} must hold tables ({', '.join(FORMATS)}) or a {DESCRIPTION}, found none.")
    names = [_as_name(_stem(file)) for file in files]
    _check_unlike(path, names)
    tables = {"tasks": {name: {"file": file.name, **given} for name, file in zip(names, files, strict=True)}}
    return _as_name(path.absolute().name), read_description(tables, path), path


def _check_unlike(place: Path, names: list[str]) -> None:
    """Refuse names that would be one file's where upper and lower case are one, as on macOS and Windows."""
    lowered = [name.lower() for name in names]
    if doubled := [name for name, low in zip(names, lowered, strict=True) if lowered.count(low) > 1]:
        raise DataError(f"The tables of {place} must have names of their own, found {' and '.join(doubled[:2])}.")


def _stem(file: Path) -> str:
    return Path(file.stem).stem if file.suffix == ".gz" else file.stem


def _as_name(words: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", words).strip("-.")[:100].rstrip(".")
    if not name:
        raise DataError(f"The name of a suite or a task must have a letter or a digit, found '{words}'. Rename it.")
    if not is_file_name(name):
        raise DataError(f"The name of a suite or a task must be that of a file on every system, found '{words}'. Rename it.")
    return name


def _write(place: Path, suite: FrozenSuite, described: SuiteDescription, folder: Path, is_folder: bool) -> None:
    """Write a frozen folder as a whole; of several tables, those that cannot be used are named with the reason."""
    entries, missing = {}, dict(suite.missing)
    with whole_folder(place) as half:
        for name, task in described.tasks.items():
            try:
                entries[name] = write_task(half, suite.name, freeze_task(suite.name, name, task, folder))
            except SnnbenchError as error:
                if not is_folder or len(described.tasks) == 1:
                    raise
                missing[name] = str(error).rstrip(".")
        if not entries:
            name, reason = next(iter(missing.items()))
            raise DataError(f"No table of {folder} can be used. The first, {name}: {reason}.")
        write_suite(half, replace(suite, missing=missing), entries)


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """Yield a folder that gets its name only once everything in it is written.

    Raises:
        DataError: If it cannot be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name[:40]}-"))
    except OSError as error:
        raise DataError(f"The folder {place} cannot be written: {error.strerror}. Name another.") from error
    try:
        yield half
        half.chmod(0o755)
        half.replace(place)
    except OSError as error:
        if not (place / DESCRIPTION).is_file():  # else another process wrote the same meanwhile
            raise DataError(f"The folder {place} cannot be written: {error.strerror}. Name another.") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)


_known: dict[str, FolderSuite] = {}


def remember(suite: FolderSuite, reserved: Iterable[str] = ()) -> None:
    """Let a suite be found by its name in this process.

    Raises:
        DataError: If it has the name of another suite.
    """
    if suite.entry.name in reserved:
        raise DataError(
            f"A suite of your own must not be called '{suite.entry.name}' as one of snnbench's. Rename the file or folder."
        )
    _known[suite.entry.name] = suite


def recall(name: str, builtin: Iterable[str] = ()) -> FolderSuite:
    """Return a suite that this process has opened.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in _known:
        raise UnknownNameError("suite", name, {*builtin, *_known})
    return _known[name]


def write_catalogue(results: Path, suite: FolderSuite) -> None:
    """Copy what a frozen folder says of its tasks into a results folder, so that comparisons need no data."""
    file = results / CATALOGUES / f"{suite.entry.name}.json"
    merged = suite.entry
    if file.is_file():
        earlier = parse_entry(json.loads(file.read_text(encoding="utf-8")), file)
        merged = merged.model_copy(update={"tasks": {**earlier.tasks, **merged.tasks}})
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(f".{os.getpid()}.tmp")
    half.write_text(json.dumps(merged.model_dump(mode="json"), indent=1), encoding="utf-8", newline="\n")
    half.replace(file)


def remember_results(folders: Iterable[Path], builtin: Mapping[str, str]) -> None:
    """Let the suites whose catalogues lie in results folders be found by their names.

    Raises:
        DataError: If a catalogue is damaged.
    """
    for folder in folders:
        for suite in read_catalogues(folder):
            if suite.entry.name not in builtin:
                _known.setdefault(suite.entry.name, suite)


def read_catalogues(results: Path) -> list[FolderSuite]:
    """Return the suites whose catalogues lie in a results folder.

    Raises:
        DataError: If a catalogue is damaged.
    """
    suites = []
    for file in sorted((results / CATALOGUES).glob("*.json")):
        try:
            tables = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{file} must be the catalogue of a suite, but reading it says: {error}.") from error
        suites.append(FolderSuite(parse_entry(tables, file)))
    return suites
