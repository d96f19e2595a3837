"""What the columns of a table are: numbers, levels, or nothing that a model should see."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snnbench.errors import DataError
from snnbench.records import Column
from snnbench.suites.dates import date_part, is_date, parse_dates
from snnbench.suites.description import typed
from snnbench.suites.tables import MISSING

MAX_CLASSES = 20
"""A target of whole numbers is taken for classes up to so many distinct ones."""
MAX_NUMBER = 1e100
"""Numbers beyond it cannot be squared and summed."""

MAX_WHOLE = 2**53
"""Whole numbers beyond it lose digits as float64."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_TEXT_WORDS = 5
"""Words that a value of free text has, on average, at least."""
_MAX_SHOWN = 40


@dataclass(frozen=True)
class ColumnChoices:
    """What a user says of the columns."""

    keep: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    date: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ReadColumn:
    """A column that models see, with its (n_samples,) float64 numbers or level numbers, NaN = missing."""

    column: Column
    values: np.ndarray


@dataclass(frozen=True)
class LeftOut:
    """A column that models do not see, and why: ``"it has no value"``, ``"they have no value"``; ``--keep`` may use it."""

    name: str
    reason: tuple[str, str]
    can_be_kept: bool = True


NO_VALUE = ("it has no value", "they have no value")
COUNTS = ("it counts the rows", "they count the rows")
ALL_DIFFERENT = ("it is different in every row", "they are different in every row")


def read_column(name: str, raw: pa.ChunkedArray, choices: ColumnChoices) -> Iterator[ReadColumn | LeftOut]:
    """Yield what a column of a table becomes, one or several; or why it is left out.

    Raises:
        DataError: If it holds something that needs a choice: dates, free text, numbers mixed with words, infinities.
    """
    array = _plain(raw)
    if array.null_count == len(array):
        yield LeftOut(name, NO_VALUE, can_be_kept=False)
    elif pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        yield from _dates(name, array.cast(pa.timestamp("us")), choices)
    elif pa.types.is_dictionary(array.type):
        yield _levels(name, array.cast(pa.string()), [str(level) for level in array.dictionary.to_pylist()])
    elif name in choices.categorical:
        yield _levels(name, array.cast(pa.string()))
    elif pa.types.is_boolean(array.type):
        yield _levels(name, array.cast(pa.string()), ["false", "true"])
    elif is_number(array.type):
        yield _numbers(name, array, choices)
    elif pa.types.is_string(array.type):
        yield from _words(name, array, choices)
    else:
        raise DataError(
            f"Column '{name}' must hold numbers, words or dates, found {array.type}. Leave it out: {typed('--drop', name)}."
        )


def read_classes(name: str, raw: pa.ChunkedArray, is_categorical: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return (n_samples,) class indices of a target, -1 where it is missing, and the names of the classes, sorted.

    Raises:
        DataError: If these are no classes.
    """
    array = _plain(raw)
    if array.null_count == len(array):
        raise _too_few_classes(name, "no value")
    if is_number(array.type) and not is_categorical:
        _check_whole(name, array, f"take each number for a class: {typed('--categorical', name)}")
        numbers = pc.unique(array).drop_null().cast(pa.float64()).to_numpy(zero_copy_only=False)
        numbers = numbers[~np.isnan(numbers)]
        if (numbers != np.floor(numbers)).any() or len(numbers) > MAX_CLASSES:
            raise DataError(
                f"The target must be classes: words, or at most {MAX_CLASSES} different whole numbers. '{name}' has "
                f"{len(numbers)} different numbers, {numbers.min():g} to {numbers.max():g}. Regression is not offered; "
                f"{typed('--categorical', name)} takes each number for a class."
            )
        known = sorted(numbers.tolist())
        values = array.cast(pa.float64())
        codes = pc.index_in(pc.fill_null(values, np.nan), pa.array(known, pa.float64()))
        names = tuple(f"{number:.0f}" for number in known)
    elif is_number(array.type) or pa.types.is_boolean(array.type) or _is_words(array.type):
        words = array.cast(pa.string())
        names = tuple(sorted(pc.unique(words).drop_null().to_pylist()))
        codes = pc.index_in(words, pa.array(names, pa.string()))
    else:
        raise DataError(f"The target must hold words or whole numbers, '{name}' holds {array.type}. Name another --target.")
    y = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    if len(names) < 2:
        raise _too_few_classes(name, f"'{shortened(names[0])}' in every row")
    n_rows = int((y >= 0).sum())
    if len(names) == n_rows:
        raise DataError(f"The target must have classes of several rows, '{name}' is different in all {n_rows} rows.")
    return y, names


def _too_few_classes(name: str, found: str) -> DataError:
    return DataError(f"The target must have at least two classes, '{name}' has {found}. Name another --target.")


def shortened(value: str) -> str:
    """Return a value of a table for a message: the whole of a damaged file may stand in one."""
    return value if len(value) <= _MAX_SHOWN else f"{value[:_MAX_SHOWN]} …"


def is_number(kind: pa.DataType) -> bool:
    """Say whether a type is of numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_words(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _plain(raw: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array of few types, with nulls for everything that says "missing"."""
    array = raw.combine_chunks()
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_dictionary(array.type):
        if not is_text(array.type.value_type):
            array = array.cast(array.type.value_type)
        elif array.type.value_type != pa.string():
            array = array.cast(pa.dictionary(pa.int32(), pa.string()))
    if is_text(array.type):
        array = array.cast(pa.string())
        array = pc.if_else(pc.is_in(array, pa.array(MISSING)), pa.scalar(None, pa.string()), array)
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array


def is_text(kind: pa.DataType) -> bool:
    """Say whether a type is of words."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _check_whole(name: str, array: pa.Array, choice: str) -> None:
    """Refuse whole numbers that are rounded as float64: two customers may have one number then."""
    if not pa.types.is_integer(array.type) and not (pa.types.is_decimal(array.type) and array.type.scale == 0):
        return
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if (too_large := np.abs(values) >= MAX_WHOLE).any():
        row = int(np.flatnonzero(too_large)[0])
        raise DataError(
            f"Column '{name}' must hold whole numbers below 2^53, since larger ones lose digits; found {array[row]} in row "
            f"{row + 1}. Write them in another unit, or {choice}."
        )


def _numbers(name: str, array: pa.Array, choices: ColumnChoices) -> ReadColumn | LeftOut:
    choice = f"take them for levels: {typed('--categorical', name)}, or leave the column out: {typed('--drop', name)}"
    _check_whole(name, array, choice)
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    too_large = np.abs(values) > MAX_NUMBER
    if too_large.any():
        row = int(np.flatnonzero(too_large)[0])
        raise DataError(
            f"Column '{name}' must hold finite numbers of at most {MAX_NUMBER:.0e}, found {values[row]:g} in row {row + 1}. "
            f"Divide it by a constant, leave such values empty, or leave the column out: {typed('--drop', name)}."
        )
    if name not in choices.keep and is_counter(values):
        return LeftOut(name, COUNTS)
    return ReadColumn(Column(name, (), bool(np.isnan(values).any())), values)


def is_counter(values: np.ndarray) -> bool:
    """Say whether numbers count 0, 1, 2, … or 1, 2, 3, … in some order."""
    if len(values) < 3 or np.isnan(values).any():
        return False
    first = values.min()
    return bool(first in (0, 1) and values.max() == first + len(values) - 1 and len(np.unique(values)) == len(values))


def _words(name: str, array: pa.Array, choices: ColumnChoices) -> Iterator[ReadColumn | LeftOut]:
    distinct = pc.unique(array).drop_null().to_pylist()
    n_known = len(array) - array.null_count
    if all(map(is_date, distinct)):
        yield from _dates(name, parse_dates(name, array) if choices.date else array, choices)
        return
    if all(_DECIMAL_COMMA.fullmatch(value) for value in distinct):
        raise DataError(
            f"Column '{name}' has numbers with a decimal comma ({distinct[0]}); write them with a point, or take them for "
            f"levels: {typed('--categorical', name)}."
        )
    _check_mixed(name, distinct)
    if name not in choices.keep:
        is_long = len(distinct) > n_known / 2 and np.mean([len(value.split()) for value in distinct]) >= _TEXT_WORDS
        if is_long:
            raise DataError(
                f"Column '{name}' must hold levels, found free text ({shortened(distinct[0])!r}). Leave it out: "
                f"{typed('--drop', name)}. {typed('--keep', name)} takes each text for a level."
            )
        if len(distinct) == n_known and n_known >= 3:
            yield LeftOut(name, ALL_DIFFERENT)
            return
    yield _levels(name, array)


def _check_mixed(name: str, distinct: Sequence[str]) -> None:
    """Refuse a column most of whose values are numbers or dates: the others are slips, or the numbers are names."""
    for what, is_one in (("numbers", _is_float), ("decimal commas", _DECIMAL_COMMA.fullmatch), ("dates", is_date)):
        words = [value for value in distinct if not is_one(value)]
        if words and len(words) < len(distinct) / 2:
            raise DataError(
                f"Column '{name}' must hold {what} or words, found both: {what}, and {shortened(words[0])!r}. Leave such "
                f"values empty, or take all for levels: {typed('--categorical', name)}."
            )


def _is_float(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _levels(name: str, array: pa.Array, declared: Sequence[str] | None = None) -> ReadColumn:
    levels = sorted(pc.unique(array).drop_null().to_pylist()) if declared is None else list(declared)
    codes = pc.index_in(array, pa.array(levels, pa.string())).cast(pa.float64())
    values = pc.fill_null(codes, np.nan).to_numpy(zero_copy_only=False).astype(np.float64)
    return ReadColumn(Column(name, tuple(levels), array.null_count > 0), values)


def _dates(name: str, array: pa.Array, choices: ColumnChoices) -> Iterator[ReadColumn | LeftOut]:
    if not choices.date:
        raise DataError(
            f"Column '{name}' holds dates: choose the parts that models see, --date year,month,day,weekday,hour, or leave it "
            f"out: {typed('--drop', name)}."
        )
    for part in choices.date:
        yield ReadColumn(Column(f"{name}_{part}", (), array.null_count > 0), date_part(array, part))
