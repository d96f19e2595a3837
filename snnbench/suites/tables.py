"""Tables as users have them: CSV, TSV, ARFF and Parquet files, read into one typed form.

Nothing is guessed beyond what a file says: numbers are numbers, words are words, and a file that can be read in two ways is
refused with both of them named.
"""

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from snnbench.errors import DataError
from snnbench.suites.arff import read_arff

if TYPE_CHECKING:
    from _csv import Reader

FORMATS = (".csv", ".tsv", ".arff", ".parquet")
MISSING = ("", "NA", "NaN", "nan", "?")
"""What stands for a missing value in a text file."""

_MAX_BYTES = 4 * 2**30
"""Of a file, unpacked: beyond it the machine is in danger."""
_CHUNK_BYTES = 2**24

_SEPARATORS = ",;\t|"


def is_table(file: Path) -> bool:
    """Say whether a file is a table, by its name."""
    return table_format(file) in FORMATS


def table_format(file: Path) -> str:
    """Return the ending of a file's name that says its format: ``".csv"`` of ``x.csv.gz``."""
    return Path(file.stem if file.suffix == ".gz" else file.name).suffix.lower()


def read_table(file: Path, text_columns: tuple[str, ...] = (), charset: str = "utf-8") -> pa.Table:
    """Read a table.

    Args:
        file: A CSV, TSV, ARFF or Parquet file, by its name; with gzip around it if the name ends in ``.gz``.
        text_columns: Columns of a CSV or TSV file whose values are words even where they look like numbers.
        charset: Of a text file, as Python names it; a byte order mark is skipped.

    Returns:
        Numbers, booleans, dates and strings as Arrow has them; declared levels as dictionaries; missing values as nulls.

    Raises:
        DataError: If the file cannot be read as what its name says, or has no rows.
    """
    form = table_format(file)
    if form not in FORMATS:
        raise DataError(f"{file.name} must be a table: its name must end in {', '.join(FORMATS)}, or one of them and .gz.")
    try:
        if form == ".parquet":
            table = _read_parquet(file)
        else:
            text = _text(file, charset)
            table = read_arff(text, file.name) if form == ".arff" else _read_csv(text, file.name, form, text_columns)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise DataError(f"{file.name} must be a readable {form[1:].upper()} file: {_first_line(error)}.") from error
    if table.num_rows == 0:
        raise _no_rows(file.name)
    _check_different(table.column_names, file.name)
    return table


def _no_rows(name: str) -> DataError:
    return DataError(f"{name} must have rows below its header, found none.")


def _check_different(columns: list[str], name: str) -> None:
    if doubled := [column for column, count in Counter(columns).items() if count > 1]:
        raise DataError(f"{name} must have columns of different names, found '{doubled[0]}' twice. Rename one of them.")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")[:300] or type(error).__name__


def _content(file: Path) -> bytes:
    parts, n_bytes = [], 0
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        while part := stream.read(_CHUNK_BYTES):
            parts.append(part)
            n_bytes += len(part)
            if n_bytes > _MAX_BYTES:
                raise DataError(f"{file.name} must have at most {_MAX_BYTES / 2**30:.0f} GiB. Take a sample of its rows.")
    return b"".join(parts)


def _text(file: Path, charset: str) -> str:
    content = _content(file)
    if not content.strip(b"\xef\xbb\xbf \r\n\t"):
        raise DataError(f"{file.name} must be a table, found an empty file.")
    try:
        text = content.decode("utf-8-sig" if charset.lower().replace("_", "-") in ("utf-8", "utf8") else charset)
    except LookupError as error:
        raise DataError(
            f"--encoding must name a character set, found '{charset}'. Examples: utf-8, latin-1, cp1252."
        ) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        others = "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "latin-1, say, or cp1252"
        raise DataError(
            f"{file.name} must be text in {charset}, found the byte {content[error.start]:#x} in line {line}. Name its "
            f"character set: --encoding {others}."
        ) from error
    if (at := text.find("\0")) >= 0:
        raise DataError(
            f"{file.name} must be text, found a NUL byte in line {text.count(chr(10), 0, at) + 1}. Remove it; a file in UTF-16 "
            "needs --encoding utf-16."
        )
    return text


def _read_csv(text: str, name: str, form: str, text_columns: tuple[str, ...]) -> pa.Table:
    whole, text = text, text.lstrip("\r\n")
    separator = "\t" if form == ".tsv" else _separator(text)
    header = next(_lines(text, separator), [])
    if empty := [number for number, column in enumerate(header, start=1) if not column.strip()]:
        raise DataError(f"{name} must name every column in its first line, found no name for column {empty[0]}.")
    if not re.search(r"[\r\n][^\r\n]", text):
        raise _no_rows(name)
    convert = pacsv.ConvertOptions(
        null_values=list(MISSING),
        strings_can_be_null=True,
        true_values=["true", "True", "TRUE"],
        false_values=["false", "False", "FALSE"],
        column_types={column: pa.string() for column in text_columns},
        timestamp_parsers=[pacsv.ISO8601],
    )
    parse = pacsv.ParseOptions(delimiter=separator, newlines_in_values='"' in text)
    read = pacsv.ReadOptions(block_size=1 << 24)
    try:
        table = pacsv.read_csv(pa.BufferReader(text.encode()), read, parse, convert)
    except pa.ArrowInvalid:
        _check_lines(whole, name, separator)
        raise
    if '"' in text and table.num_rows + 1 < len(re.findall(r"[^\r\n]+", text)):
        _check_lines(whole, name, separator)
    return table


def _lines(text: str, separator: str, strict: bool = False) -> "Reader":
    """Return a reader of the lines, which may end in any of the three ways and be of any length."""
    csv.field_size_limit(2**31 - 1)  # or a text of more than 128 KiB in a cell would be an error
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict)


def _check_lines(text: str, name: str, separator: str) -> None:
    """Refuse rows of unlike lengths, and a quote that is not closed where its cell ends: it would swallow the next lines."""
    reader = _lines(text, separator, strict=True)
    line, n_columns = 1, 0
    try:
        for cells in reader:
            n_columns = n_columns or len(cells)
            if cells and len(cells) != n_columns:
                raise DataError(
                    f"{name} must have {n_columns} cells in every row, as its header has, found {len(cells)} in line {line}. "
                    "Complete the row, or put cells that contain the separator into quotes."
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{name} must close every quote that begins a cell, found one that is not closed in line {line} or after it "
            f"({error}). Close it, or write quotes within a cell twice."
        ) from error


def _separator(text: str) -> str:
    """Return what separates the columns, as pandas finds it: by the sniffer of Python's csv module on the first line."""
    try:
        return csv.Sniffer().sniff(re.split(r"[\r\n]", text, maxsplit=1)[0], delimiters=_SEPARATORS).delimiter
    except csv.Error:
        return ","


def _read_parquet(file: Path) -> pa.Table:
    source = pa.BufferReader(_content(file)) if file.suffix == ".gz" else str(file)
    opened = pq.ParquetFile(source)
    _check_different(opened.schema_arrow.names, file.name)
    for field in opened.schema_arrow:
        if pa.types.is_nested(field.type):
            raise DataError(
                f"{file.name} must have columns of single values, found a nested one, '{field.name}' ({field.type}). "
                "Write its parts as columns."
            )
    return opened.read().combine_chunks()
