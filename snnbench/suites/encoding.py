"""How a table becomes numbers: declared levels decide the columns, training rows decide the values.

So every split has features of one width, and no validation or test row moves a number of another row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from snnbench.records import Column, Dataset, Encoding, ModelEncoding, TaskEncoding

_PART_WIDTH = 100
_WHOLE = slice(None)


def encoded_width(column: Column, encoding: Encoding) -> int:
    """Return how many features a column becomes."""
    if not column.levels:
        return 1 + column.has_gaps
    n_levels = len(column.levels) + column.has_gaps
    if encoding.kind == "ordinal" or n_levels <= 2:
        return 1
    return min(n_levels, encoding.max_levels)


def table_widths(dataset: Dataset) -> tuple[tuple[ModelEncoding, int], ...]:
    """Return how many features a table has by each encoding; nothing for a task that is no table."""
    if not dataset.columns:
        return ()
    one_hot, ordinal = replace(dataset.encoding, kind="one-hot"), replace(dataset.encoding, kind="ordinal")
    return (
        ("one-hot", sum(encoded_width(column, one_hot) for column in dataset.columns)),
        ("ordinal", sum(encoded_width(column, ordinal) for column in dataset.columns)),
        ("native", len(dataset.columns)),
    )


def encoded_as(dataset: Dataset, kind: TaskEncoding | Literal[""]) -> Dataset:
    """Return a table with another kind of encoding than the task's own; "" for that."""
    return replace(dataset, encoding=replace(dataset.encoding, kind=kind)) if dataset.columns and kind else dataset


def column_parts(widths: Sequence[int]) -> Iterator[slice]:
    """Cut the columns of a table, by the number of features of each, into parts of about a hundred features."""
    ends = np.cumsum(widths)
    first, start = 0, 0
    for last, end in enumerate(ends.tolist(), start=1):
        # No part but the whole has a single feature: NumPy adds up one column in another order than several.
        if last == len(ends) or (end - start >= _PART_WIDTH and ends[-1] - end > 1):
            yield slice(first, last)
            first, start = last, end


def encode(dataset: Dataset, train: np.ndarray, part: slice = _WHOLE) -> np.ndarray:
    """Return the features of a table, or of a part of its columns, not standardised.

    A number that is missing becomes the median of the training rows, and a second feature says where that is. A missing level
    is a level of its own. One-hot columns that a split does not need, because some levels share one, are 0.

    Args:
        dataset: With ``columns``.
        train: (n_train,) row indices.
        part: Which columns.

    Returns:
        (n_samples, n_encoded) float64, as wide as the sum of ``encoded_width``.
    """
    columns = zip(dataset.columns[part], dataset.X.T[part], strict=True)
    return np.column_stack([_encode_column(column, values, train, dataset.encoding) for column, values in columns])


def _encode_column(column: Column, values: np.ndarray, train: np.ndarray, encoding: Encoding) -> np.ndarray:
    if not column.levels:
        return _fill_gaps(values, train) if column.has_gaps else values[:, np.newaxis]
    codes = np.where(np.isnan(values), len(column.levels), values)  # missing: the level after the last
    width = encoded_width(column, encoding)
    return codes[:, np.newaxis] if width == 1 else _one_hot(codes, train, width, column, encoding.min_rows)


def _fill_gaps(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the numbers with their gaps filled, and where the gaps were."""
    gaps = np.isnan(values)
    known = values[train][~gaps[train]]
    median = np.median(known) if len(known) else 0.0
    return np.column_stack([np.where(gaps, median, values), gaps])


def _one_hot(codes: np.ndarray, train: np.ndarray, width: int, column: Column, min_rows: int) -> np.ndarray:
    """Return (n_samples, width) zeros and ones; what is rare on the training rows shares the last column in use."""
    # Imported here because the import takes longer than everything else in this module.
    from sklearn.preprocessing import OneHotEncoder

    levels = np.arange(len(column.levels) + column.has_gaps, dtype=np.float64)
    most = width if width < len(levels) else None
    encoder = OneHotEncoder(categories=[levels], max_categories=most, min_frequency=min_rows, sparse_output=False)
    encoder.fit(codes[train, np.newaxis])
    encoded = encoder.transform(codes[:, np.newaxis])
    return np.pad(encoded, ((0, 0), (0, width - encoded.shape[1])))
