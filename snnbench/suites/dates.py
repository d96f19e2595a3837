"""Dates as tables write them: the year first; the day, with points; or with slashes, where the column tells day from month."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snnbench.errors import DataError
from snnbench.suites.description import typed

_DATE = re.compile(r"\d{4}([-/])\d{1,2}\1\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}([./])\d{1,2}\3\d{2,4}( \d{1,2}:\d{2}.*)?")
_PARTS = re.compile(r"(\d{1,2})([./])(\d+)[./](\d+)(?: (.*))?")


def is_date(value: str) -> bool:
    """Say whether a word is a date."""
    return _DATE.fullmatch(value) is not None


def date_part(dates: pa.Array, part: str) -> np.ndarray:
    """Return (n_samples,) float64 of a part of timestamps, one of ``DATE_PARTS``, NaN where a date is missing."""
    parts = {"year": pc.year, "month": pc.month, "day": pc.day, "weekday": pc.day_of_week, "hour": pc.hour}
    numbers = pc.fill_null(parts[part](dates).cast(pa.float64()), np.nan)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)


def parse_dates(name: str, array: pa.Array) -> pa.Array:
    """Return a column of dates as timestamps.

    Args:
        name: Of the column.
        array: Words, the known ones all dates.

    Raises:
        DataError: If they are of several forms, there is no such day, or day and month cannot be told apart.
    """
    import pandas as pd

    values = array.to_pandas()
    form = _form(name, array.drop_null().to_pylist())
    dates = pd.to_datetime(values, format=form, errors="coerce", utc=True)
    wrong = values[dates.isna() & values.notna()]
    if len(wrong):
        beside = f" beside {values[dates.notna()].iloc[0]!r}" if dates.notna().any() else ""
        raise DataError(
            f"Column '{name}' must hold dates of one form that can be read, found {wrong.iloc[0]!r}{beside}. Write them as "
            f"2020-12-31, or leave it out: {typed('--drop', name)}."
        )
    return pa.array(dates.dt.tz_localize(None)).cast(pa.timestamp("us"), safe=False)


def _form(name: str, known: Sequence[str]) -> str:
    """Return the form of dates as pandas names it."""
    first = _PARTS.fullmatch(known[0])
    if first is None:
        return "ISO8601"
    found = [match for match in map(_PARTS.fullmatch, known) if match]
    is_day_first = any(int(match[1]) > 12 for match in found)
    is_month_first = any(int(match[3]) > 12 for match in found)
    separator, time = first[2], first[5] or ""
    if separator == "/" and not is_day_first and not is_month_first:
        raise DataError(
            f"Column '{name}' must hold dates that tell the day from the month, found {known[0]!r} and no number above 12. "
            f"Write them as 2020-12-31, or leave it out: {typed('--drop', name)}."
        )
    day, month = ("%m", "%d") if separator == "/" and not is_day_first else ("%d", "%m")
    clock = f" {'%I' if time[-1:] in 'Mm' else '%H'}:%M{':%S' * (time.count(':') == 2)}{' %p' * (time[-1:] in 'Mm')}"
    return f"{day}{separator}{month}{separator}{'%Y' if len(first[4]) == 4 else '%y'}{clock * bool(time)}"
