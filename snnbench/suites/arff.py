"""ARFF files: a header of typed attributes, then comma-separated or sparse rows."""

import pyarrow as pa

from snnbench.errors import DataError

_NUMBERS = ("NUMERIC", "REAL", "INTEGER")
_KNOWN = ("numeric", "real", "integer", "string", "{of, levels}")


def read_arff(text: str, name: str) -> pa.Table:
    """Read the text of an ARFF file, dense or sparse.

    Args:
        text: The whole file.
        name: For messages.

    Returns:
        Numbers as float64, nominal attributes as dictionaries of their declared levels, strings, and missing values as nulls.

    Raises:
        DataError: If it is not ARFF, or has attributes of another type.
    """
    # Imported here because only ARFF needs it.
    import arff

    lines = text.replace("\r\n", "\n").split("\n")
    try:
        content = arff.loads(lines)
    except arff.ArffException as error:
        line = lines[error.line - 1].strip()[:60] if error.line > 0 else ""
        found = f": {line!r}" if line else ""
        hint = f" Attributes may be {', '.join(_KNOWN)}; take others out." if isinstance(error, arff.BadAttributeType) else ""
        raise DataError(f"{name} must be an ARFF file: {str(error).rstrip('.')}{found}.{hint}") from error
    except (ValueError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise DataError(f"{name} must be an ARFF file, but reading it says: {type(error).__name__}: {error}.") from error
    rows = content["data"]
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in content["attributes"]]
    arrays = [_array(values, kind, name) for values, (_, kind) in zip(columns, content["attributes"], strict=True)]
    return pa.Table.from_arrays(arrays, [str(attribute) for attribute, _ in content["attributes"]])


def _array(values: tuple[object, ...], kind: object, name: str) -> pa.Array:
    if isinstance(kind, list):
        numbers = {level: number for number, level in enumerate(kind)}
        codes = pa.array([None if value is None else numbers[value] for value in values], pa.int32())
        return pa.DictionaryArray.from_arrays(codes, pa.array(kind, pa.string()))
    if str(kind).upper() in _NUMBERS:
        return pa.array(values, pa.float64())
    if str(kind).upper() == "STRING":
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    raise DataError(f"{name} must have attributes that are numeric, nominal or strings, found the type {kind}. Leave it out.")
