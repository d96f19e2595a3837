"""Tables of scores as files: CSV, TSV, Parquet or standard input, read as they are, one text a cell."""

import csv
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from snnbench.errors import DataError

STANDARD_INPUT = "-"
SEPARATORS = ("\t", ";", ",", " ")
"""Tried in this order; the first that gives every row as many cells as the header is taken."""
MISSING = frozenset({"", "-", "--", "---", "–", "—", "?", "na", "n/a", "nan", "null", "none"})
"""Cells that mean that there is no score, in lower case."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


def read_table(source: str) -> pd.DataFrame:
    """Return the cells of a file; missing ones are None.

    Text may be separated by tabs, semicolons (decimal commas are then allowed), commas or blanks. A header that has one cell
    less than the rows, as R writes it, leaves the first column without a name.

    Args:
        source: A path, or ``"-"`` for standard input.

    Raises:
        DataError: If there is no such file, or it is no table.
    """
    name = "standard input" if source == STANDARD_INPUT else source
    try:
        content = sys.stdin.buffer.read() if source == STANDARD_INPUT else Path(source).read_bytes()
    except OSError as error:
        raise DataError(f"A table of scores must be a file that can be read, but {name} says: {error.strerror}.") from error
    if content.startswith(b"PAR1"):
        try:
            return pd.read_parquet(io.BytesIO(content))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{name} must be a Parquet table, but cannot be read: {error}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} must be text in UTF-8 (CSV, TSV) or Parquet; byte {error.start} is neither.") from error
    return parse_table(text, name)


def parse_table(text: str, name: str) -> pd.DataFrame:
    """Return the cells of a table written as text.

    Args:
        text: Header and rows.
        name: What errors call it.

    Raises:
        DataError: If it has no rows, or not as many cells in every row.
    """
    try:
        candidates = [(separator, rows) for separator in SEPARATORS if len((rows := _split(text, separator) or [[]])[0]) > 1]
    except csv.Error as error:
        raise DataError(f"{name} must be a table of text, but a row of it cannot be read: {error}.") from error
    if not candidates:
        raise DataError(
            f"{name} must be a table with a header and a column for each model, separated by commas, semicolons or tabs; "
            f"found {'nothing' if not text.strip() else 'one column'}."
        )
    separator, rows = next((found for found in candidates if _is_even(found[1])), candidates[0])
    header, *body = rows
    if not body:
        raise DataError(f"{name} must have a row for each task below its header, found none.")
    if all(len(row) == len(header) + 1 for row in body):
        header = ["", *header]
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise DataError(
                f"Every row of {name} must have as many cells as its header ({len(header)}), found {len(row)} in row {number}."
            )
    cells = [[None if cell.lower() in MISSING else cell for cell in row] for row in body]
    if separator in ("\t", ";") and not any(cell and re.fullmatch(r"[+-]?\d*\.\d+", cell) for row in cells for cell in row):
        cells = [[cell.replace(",", ".") if cell and _DECIMAL_COMMA.fullmatch(cell) else cell for cell in row] for row in cells]
    return pd.DataFrame(cells, columns=header, dtype=object)


def _split(text: str, separator: str) -> list[list[str]]:
    """Return the cells of the rows that are not blank."""
    rows = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    stripped = [[cell.strip() for cell in row] for row in rows]
    return [row for row in stripped if any(row)]


def _is_even(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether all rows have as many cells as the header, or all one more."""
    return len({len(row) for row in rows[1:]}) == 1 and len(rows[1]) - len(rows[0]) in (0, 1)
