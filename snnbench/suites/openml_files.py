"""The files of OpenML: descriptions in XML, splits in ARFF. Text in, records out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from snnbench.errors import DataError

CLASSIFICATION = 1
"""OpenML's number of the task type."""

_SPACE = "{http://openml.org/openml}"


@dataclass(frozen=True)
class TaskFile:
    """What OpenML says of a task: its data, target, official splits and metric ("" = none)."""

    number: int
    type_number: int
    type_name: str
    data_number: int
    target: str
    procedure: str
    splits_url: str
    n_repeats: int
    n_folds: int
    metric: str


@dataclass(frozen=True)
class DataFile:
    """What OpenML says of a data set; ``not_seen`` names what is no feature: row identifiers and what is to be ignored."""

    number: int
    name: str
    version: str
    url: str
    md5: str
    not_seen: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class OfficialSplit:
    """One fold of a repeat, both counted from 0, with sorted row indices."""

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray


class BrokenSplitsError(DataError):
    """Official splits that are not whole, or not of these rows."""


def read_study(text: str) -> list[int]:
    """Return the numbers of the tasks of a suite.

    Raises:
        DataError: If the text is none of OpenML's, or names no task.
    """
    root = _parse(text, "study")
    numbers = [_number(element) for element in root.findall(f"{_SPACE}tasks/{_SPACE}task_id")]
    if not numbers:
        raise DataError("An OpenML suite must have tasks, found none.")
    return list(dict.fromkeys(numbers))


def read_task(text: str) -> TaskFile:
    """Read what OpenML says of a task.

    Raises:
        DataError: If the text is none of OpenML's.
    """
    root = _parse(text, "task")
    inputs = {element.get("name", ""): element for element in root.findall(f"{_SPACE}input")}
    data, procedure = (
        _inside(inputs, "source_data", "data_set"),
        _inside(inputs, "estimation_procedure", "estimation_procedure"),
    )
    parameters = {one.get("name", ""): (one.text or "").strip() for one in procedure.findall(f"{_SPACE}parameter")}
    measures = inputs["evaluation_measures"].iter(f"{_SPACE}evaluation_measure") if "evaluation_measures" in inputs else ()
    return TaskFile(
        number=_number(_child(root, "task_id")),
        type_number=_number(_child(root, "task_type_id")),
        type_name=_text(root, "task_type"),
        data_number=_number(_child(data, "data_set_id")),
        target=_text(data, "target_feature"),
        procedure=_text(procedure, "type"),
        splits_url=_text(procedure, "data_splits_url"),
        n_repeats=_count(parameters.get("number_repeats", "")),
        n_folds=_count(parameters.get("number_folds", "")),
        metric=next((text for one in measures if (text := (one.text or "").strip())), ""),
    )


def read_data(description: str, features: str) -> DataFile:
    """Read what OpenML says of a data set and its features.

    Raises:
        DataError: If the texts are none of OpenML's.
    """
    root = _parse(description, "data_set_description")
    named = [*root.findall(f"{_SPACE}row_id_attribute"), *root.findall(f"{_SPACE}ignore_attribute")]
    not_seen = {name.strip() for element in named for name in (element.text or "").split(",")} - {""}
    not_seen |= {(element.text or "").strip() for element in named} - {""}  # a name may have a comma
    for feature in _parse(features, "data_features").findall(f"{_SPACE}feature"):
        if "true" in (_text(feature, "is_ignore"), _text(feature, "is_row_identifier")):
            not_seen.add(_text(feature, "name"))
    return DataFile(
        number=_number(_child(root, "id")),
        name=_text(root, "name"),
        version=_text(root, "version"),
        url=_text(root, "url"),
        md5=_text(root, "md5_checksum"),
        not_seen=tuple(sorted(not_seen)),
    )


def read_levels(features: str, column: str) -> tuple[str, ...]:
    """Return the levels that OpenML declares for a column of a data set; none for a column of numbers.

    Raises:
        DataError: If the text is none of OpenML's.
    """
    for feature in _parse(features, "data_features").findall(f"{_SPACE}feature"):
        if _text(feature, "name") == column:
            return tuple((level.text or "").strip() for level in feature.findall(f"{_SPACE}nominal_value"))
    return ()


def read_upload(text: str, what: str, name: str = "id") -> int:
    """Return the number that OpenML gives to what was sent or asked for, a flow or a run; 0 for what is not there.

    Raises:
        DataError: If the text is none of OpenML's.
    """
    element = _child(_parse(text, what), name)
    return 0 if (element.text or "").strip() == "-1" else _number(element)


def read_splits(text: str, n_rows: int) -> list[OfficialSplit]:
    """Read the official splits of a task with so many rows of data.

    Raises:
        BrokenSplitsError: If they are none, or a split does not name every row once.
    """
    head, _, rows = re.sub(r"(?im)^[ \t]*@data[ \t]*\r?$", "\0", text, count=1).partition("\0")
    names = [name.strip("'\"").lower() for name in re.findall(r"(?im)^\s*@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", head)]
    if not {"type", "rowid", "repeat", "fold"} <= set(names) or not rows.strip():
        raise BrokenSplitsError("Official splits must have the attributes type, rowid, repeat, fold, and rows; these do not.")
    numbers = {name: pa.int64() for name in ("rowid", "repeat", "fold")}
    try:
        table = pacsv.read_csv(
            pa.BufferReader(rows.strip().encode()),
            pacsv.ReadOptions(column_names=names),
            pacsv.ParseOptions(quote_char="'"),
            pacsv.ConvertOptions(column_types={**numbers, "type": pa.string()}, include_columns=["type", *numbers]),
        )
        kind = np.array(table.column("type").to_pylist())
        row, repeat, fold = (table.column(name).to_numpy() for name in numbers)
    except (pa.ArrowException, ValueError) as error:
        raise BrokenSplitsError(f"Official splits must be rows of a type and three numbers: {error}.") from error
    if np.isnan([row.max(), repeat.max(), fold.max()]).any() or not np.isin(kind, ("TRAIN", "TEST")).all():
        raise BrokenSplitsError("Official splits must say TRAIN or TEST, and numbers, in every row; these do not.")
    return list(_official(kind == "TEST", row.astype(np.int64), repeat.astype(np.int64), fold.astype(np.int64), n_rows))


def _official(
    is_test: np.ndarray, row: np.ndarray, repeat: np.ndarray, fold: np.ndarray, n_rows: int
) -> Iterator[OfficialSplit]:
    order = np.lexsort((row, fold, repeat))
    is_test, row, repeat, fold = is_test[order], row[order], repeat[order], fold[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(repeat) != 0) | (np.diff(fold) != 0)])
    for first, last in zip(starts, [*starts[1:], len(row)], strict=True):
        where = f"repeat {repeat[first]}, fold {fold[first]}"
        if not np.array_equal(row[first:last], np.arange(n_rows)):
            raise BrokenSplitsError(
                f"An official split must name each of {n_rows} rows once, to train or to test; {where} does not."
            )
        test = is_test[first:last]
        if test.all() or not test.any():
            raise BrokenSplitsError(f"An official split must have rows that train and rows that test; {where} has not.")
        yield OfficialSplit(int(repeat[first]), int(fold[first]), np.flatnonzero(~test), np.flatnonzero(test))


def _parse(text: str, what: str) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise DataError(f"OpenML must answer with XML of a {what}, found: {error}.") from error
    if root.tag != f"{_SPACE}{what}":
        raise DataError(f"OpenML must answer with a {what}, found {root.tag.removeprefix(_SPACE)}.")
    return root


def _inside(inputs: dict[str, ElementTree.Element], name: str, child: str) -> ElementTree.Element:
    if name not in inputs:
        raise DataError(f"An OpenML task must have the input {name}, found none.")
    return _child(inputs[name], child)


def _child(element: ElementTree.Element, name: str) -> ElementTree.Element:
    found = element.find(f"{_SPACE}{name}")
    if found is None:
        raise DataError(f"OpenML must say the {name} of a {element.tag.removeprefix(_SPACE)}, found none.")
    return found


def _text(element: ElementTree.Element, name: str) -> str:
    found = element.find(f"{_SPACE}{name}")
    return "" if found is None else (found.text or "").strip()


def _number(element: ElementTree.Element) -> int:
    text = (element.text or "").strip()
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise DataError(f"OpenML must give a number for {element.tag.removeprefix(_SPACE)}, found '{text[:40]}'.")
    return int(text)


def _count(text: str) -> int:
    """Return a number of repeats or folds, 1 where OpenML does not say."""
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) and int(text) else 1
