"""Suites of OpenML: fetched once by its client, task by task, into a frozen folder that needs neither client nor network."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from snnbench.errors import DataError, UnknownNameError
from snnbench.records import Split
from snnbench.suites.arff import read_arff
from snnbench.suites.columns import ColumnChoices, read_classes
from snnbench.suites.description import DESCRIPTION
from snnbench.suites.dividing import Rows, fold_name, with_validation
from snnbench.suites.folder import FolderSuite, open_frozen
from snnbench.suites.freezing import balance_notes, column_findings, read_columns, with_findings
from snnbench.suites.frozen import FORMAT, FrozenSuite, FrozenTask, write_suite, write_task
from snnbench.suites.openml_client import Client, open_client
from snnbench.suites.openml_files import (
    CLASSIFICATION,
    BrokenSplitsError,
    DataFile,
    OfficialSplit,
    TaskFile,
    read_data,
    read_splits,
    read_study,
    read_task,
)

PREFIX = "openml/"


@dataclass(frozen=True)
class Alias:
    """A published suite; ``n_tasks`` is how many it had when it was published, 0 = not checked."""

    study: int
    n_tasks: int
    words: str


ALIASES = {
    "cc18": Alias(99, 72, "OpenML-CC18"),
    "amlb": Alias(271, 71, "the classification tasks of the AutoML benchmark"),
    "tabarena": Alias(457, 51, "TabArena v0.1"),
    "grinsztajn-categorical": Alias(334, 0, "Grinsztajn et al. 2022, classification with categorical features"),
    "grinsztajn-numerical": Alias(337, 0, "Grinsztajn et al. 2022, classification with numerical features"),
    "tabzilla": Alias(379, 36, "TabZilla, the hard tasks"),
}

METRICS = {"predictive_accuracy": "accuracy", "area_under_roc_curve": "auc"}
"""OpenML's measures that are ours by another name; ``auc`` only for two classes."""

_DATE_PARTS = ("year", "month", "day", "weekday")


def is_openml(suite: str) -> bool:
    """Say whether a suite is one of OpenML's, by what was typed."""
    return suite.startswith(PREFIX)


def suite_name(suite: str) -> str:
    """Return the name of a suite of OpenML's: ``openml-cc18`` of ``openml/cc18``.

    Raises:
        UnknownNameError: If it is neither an alias nor a number.
    """
    words = suite.removeprefix(PREFIX)
    if words not in ALIASES and not re.fullmatch(r"(t/)?[1-9][0-9]{0,8}", words):
        hint = f"Known: {', '.join(ALIASES)}, the number of a suite (openml/99), or of a task (openml/t/31)."
        raise UnknownNameError("suite of OpenML", words, ALIASES, hint)
    return f"openml-{words.replace('/', '-')}"


def open_fetched(suite: str, cache: Path) -> tuple[FolderSuite, Path]:
    """Return a suite that was fetched, and its frozen folder; without client and network.

    Raises:
        DataError: If it was not fetched.
    """
    place = cache / "openml" / suite_name(suite)
    if not (place / DESCRIPTION).is_file():
        raise DataError(f"The suite {suite} must be fetched first, found nothing in {place}: snnbench data fetch {suite}.")
    return open_frozen(place), place


def fetch_openml(suite: str, cache: Path, report: Callable[[str], None] = lambda message: None) -> tuple[FolderSuite, Path]:
    """Fetch a suite of OpenML into its frozen folder; a fetch that broke goes on at the task where it broke.

    Raises:
        DataError: If OpenML cannot be reached or answers something else, or an alias no longer means what it did.
        UnknownNameError: If there is no such suite.
    """
    name = suite_name(suite)
    place = cache / "openml" / name
    if (place / DESCRIPTION).is_file():
        return open_frozen(place), place
    half = place.with_name(f".{name}-{FORMAT}")
    try:
        half.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The folder {half} cannot be written: {error.strerror}. Name another cache.") from error
    progress = _read_progress(half)
    with open_client() as client:
        if not progress["numbers"]:
            progress["numbers"] = _task_numbers(suite, client)
            _write_progress(half, progress)
        numbers = progress["numbers"]
        for n_done, number in enumerate(numbers):
            if str(number) in progress["tasks"] or str(number) in progress["missing"]:
                continue
            report(f"Fetching task {number} ({n_done + 1} of {len(numbers)})")
            try:
                title, entry = _fetch_task(name, number, client, half)
                progress["tasks"][str(number)] = [title, entry]
            except _LeftOutError as left_out:
                progress["missing"][str(number)] = [left_out.title, str(left_out)]
            except DataError as error:
                raise DataError(
                    f"{suite} is not whole: {n_done} of {len(numbers)} tasks are fetched, task {number} is not: {error} "
                    "The same command goes on there."
                ) from error
            _write_progress(half, progress)
    _finish(name, suite, half, place, progress)
    return open_frozen(place), place


class _LeftOutError(DataError):
    """A task that is not for this benchmark, with the reason; ``title`` is what OpenML calls its data."""

    def __init__(self, title: str, reason: str) -> None:
        super().__init__(reason)
        self.title = title


def _task_numbers(suite: str, client: Client) -> list[int]:
    words = suite.removeprefix(PREFIX)
    if words.startswith("t/"):
        return [int(words[2:])]
    alias = ALIASES.get(words)
    numbers = read_study(client.ask(f"study/{alias.study if alias else int(words)}"))
    if alias and alias.n_tasks not in (0, len(numbers)):
        raise DataError(
            f"{words} must have its {alias.n_tasks} published tasks, but suite {alias.study} of OpenML has {len(numbers)} now. "
            f"{PREFIX}{alias.study} takes it as it is."
        )
    return numbers


def _fetch_task(suite: str, number: int, client: Client, folder: Path) -> tuple[str, dict[str, object]]:
    """Fetch a task and write its files; return what OpenML calls its data, and its entry."""
    task = read_task(client.ask(f"task/{number}"))
    data = read_data(client.ask(f"data/{task.data_number}"), client.ask(f"data/features/{task.data_number}"))
    if task.type_number != CLASSIFICATION:
        raise _LeftOutError(data.name, f"it is of the type {task.type_name}, and only classification is offered")
    table = _read(data, _data_text(data, task.data_number, client, folder / _DOWNLOADS))
    if task.target not in table.column_names:
        raise _LeftOutError(data.name, f"its target {task.target} is no column of its data")
    try:
        official = read_splits(client.text(task.splits_url), len(table))
    except BrokenSplitsError:  # they have no checksum: what came may be a part
        text = client.text(task.splits_url)
        try:
            official = read_splits(text, len(table))
        except BrokenSplitsError as error:
            raise _LeftOutError(data.name, str(error).rstrip(".")) from error
    try:
        frozen = freeze_openml(task, data, table, official)
    except DataError as error:
        raise _LeftOutError(data.name, str(error).rstrip(".")) from error
    return data.name, write_task(folder, suite, frozen)


def _data_text(data: DataFile, number: int, client: Client, downloads: Path) -> str:
    """Return the ARFF of a data set; what has a checksum is downloaded once for all tasks of the suite."""
    file = downloads / f"{number}.arff"
    if data.md5 and file.is_file() and md5(file.read_bytes()).hexdigest() == data.md5:
        return file.read_text(encoding="utf-8")
    text = client.text(data.url, data.md5 or None)
    downloads.mkdir(exist_ok=True)
    file.write_bytes(text.encode())
    return text


def _read(data: DataFile, text: str) -> pa.Table:
    try:
        return read_arff(text, f"{data.name}.arff")
    except DataError as error:
        raise _LeftOutError(data.name, str(error).rstrip(".")) from error


def freeze_openml(task: TaskFile, data: DataFile, table: pa.Table, official: Sequence[OfficialSplit]) -> FrozenTask:
    """Make a task of OpenML's files: its columns as published, its official test rows, validation rows drawn among the others.

    Args:
        task: What OpenML says of the task.
        data: What it says of the data.
        table: The data.
        official: The splits.

    Raises:
        DataError: If the files do not go together.
    """
    text_columns = tuple(field.name for field in table.schema if pa.types.is_string(field.type))
    y, classes = read_classes(task.target, table.column(task.target), is_categorical=False)
    notes = []
    has_class = y >= 0
    place = np.cumsum(has_class) - 1  # of a row among those that have a class
    if n_unknown := int((~has_class).sum()):
        notes.append(f"{n_unknown} of {len(y)} rows have no {task.target} and are left out.")
        table, y = table.filter(pa.array(has_class)), y[has_class]
    declared = table.column(task.target).type
    if pa.types.is_dictionary(declared):
        levels = table.column(task.target).combine_chunks().dictionary.to_pylist()
        if unused := [level for level in levels if level not in classes]:
            notes.append(f"Classes without rows are left out: {', '.join(unused[:8])}.")
    not_seen = {task.target, *data.not_seen}
    if ignored := [name for name in table.column_names if name in data.not_seen]:
        notes.append(f"OpenML marks as no feature: {', '.join(ignored[:8])}.")
    choices = ColumnChoices(keep=tuple(table.column_names), categorical=text_columns, date=_DATE_PARTS)
    columns, left_out = read_columns(table, not_seen, choices, data.name)
    # Its seed follows from OpenML's number, so that a task has the same rows in whatever suite it is fetched.
    rows = Rows("openml", f"t/{task.number}", y)
    divided: list[Split] = []
    for split in official:
        kept = [place[part[has_class[part]]] for part in (split.test, split.train)]
        divided.append(with_validation(rows, fold_name(split.repeat + 1, split.fold + 1), kept[0], len(divided) + 1, kept[1]))
    metric = METRICS.get(task.metric, "accuracy")
    return with_findings(
        FrozenTask(
            name=f"t{task.number}",
            X=np.column_stack([found.values for found in columns]),
            columns=tuple(found.column for found in columns),
            y=y,
            classes=classes,
            splits=divided,
            metric="accuracy" if metric == "auc" and len(classes) != 2 else metric,
            source=f"openml task {task.number}, data {data.number} version {data.version}, md5 {data.md5}",
            n_folds=len([split for split in official if split.repeat == official[0].repeat]),
            notes=(*notes, *left_out, *balance_notes(y, classes)),
            findings=tuple(column_findings(columns, y)),
        )
    )


def _finish(name: str, suite: str, half: Path, place: Path, progress: dict[str, Any]) -> None:
    """Give the tasks their names and the folder its own; several tasks of one data set are told apart by their numbers."""
    found = {number: title for number, (title, _) in [*progress["tasks"].items(), *progress["missing"].items()]}
    cleaned = {number: re.sub(r"[^A-Za-z0-9_.-]+", "-", title).strip("-.")[:80] for number, title in found.items()}
    plain = {number: title or f"t{number}" for number, title in cleaned.items()}
    names = {
        number: title if list(plain.values()).count(title) == 1 else f"{title}-t{number}" for number, title in plain.items()
    }
    if not progress["tasks"]:
        number, (_, reason) = next(iter(progress["missing"].items()))
        raise DataError(f"{suite} must have a task that can be used, found none. The first, {names[number]}: {reason}.")
    alias = ALIASES.get(suite.removeprefix(PREFIX))
    missing = {names[number]: reason for number, (_, reason) in progress["missing"].items()}
    tasks = {names[number]: entry for number, (_, entry) in progress["tasks"].items()}
    write_suite(half, FrozenSuite(name, alias.words if alias else f"OpenML: {suite}", (suite,), missing), tasks)
    (half / _PROGRESS).unlink()
    shutil.rmtree(half / _DOWNLOADS, ignore_errors=True)
    half.replace(place)


_PROGRESS, _DOWNLOADS = "progress.json", "downloads"


def _read_progress(half: Path) -> dict[str, Any]:
    try:
        found = json.loads((half / _PROGRESS).read_text(encoding="utf-8"))
        if set(found) == {"numbers", "tasks", "missing"}:
            return dict(found)
    except (OSError, ValueError):
        pass
    return {"numbers": [], "tasks": {}, "missing": {}}


def _write_progress(half: Path, progress: dict[str, Any]) -> None:
    new = half / f"{_PROGRESS}.new"
    new.write_text(json.dumps(progress), encoding="utf-8", newline="\n")
    new.replace(half / _PROGRESS)
