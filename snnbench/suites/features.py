"""The features that a split is trained on: float64 as read and standardised, cut to float32 last.

Cut first, a feature that varies little around a large number would lose what it says, without a word.
"""

from collections.abc import Sequence

import numpy as np

from snnbench.errors import DataError
from snnbench.records import Dataset, Split
from snnbench.suites.encoding import column_parts, encode, encoded_width
from snnbench.suites.scales import restandardise
from snnbench.suites.splits import standardise

MAX_ROUNDING = 1e-3
"""Of a feature's standard deviation: rounding may not move values by more, or there is no telling what is left of them."""

_SUBTRACT = "Subtract a constant from it in the file."


def split_features(dataset: Dataset, split: Split, is_raw: bool, preprocessing: str) -> np.ndarray:
    """Return the features of all rows as a split's models see them.

    Args:
        dataset: As read, in float64.
        split: Whose training rows give the scale.
        is_raw: Whether the features are standardised by us in any case.
        preprocessing: ``"restandardise"`` standardises published features again, ``"as-published"`` leaves them alone.

    Returns:
        (n_samples, n_features) float32; of a table the encoded columns.

    Raises:
        DataError: If a feature's values cannot be represented, or published features cannot be standardised again.
    """
    if dataset.columns:
        return _table_features(dataset, split.train)
    _check_digits(dataset.X, split.train, np.float64, _SUBTRACT)
    if preprocessing == "restandardise":
        X = restandardise(dataset, split)
    elif is_raw:
        X = standardise(dataset.X, split.train)
    else:
        hint = "Standardise the features first: --preprocessing restandardise."
        _check_digits(dataset.X, split.train, np.float32, hint)
        X = dataset.X
    return _cut(X)


def _table_features(dataset: Dataset, train: np.ndarray) -> np.ndarray:
    """Return the features of a table, encoded and standardised a part at a time: all at once in float64 take much memory."""
    widths = [encoded_width(column, dataset.encoding) for column in dataset.columns]
    X = np.empty((len(dataset.X), sum(widths)), dtype=np.float32)
    start = 0
    for part in column_parts(widths):
        names = [
            f"Column '{column.name}'"
            for column, width in zip(dataset.columns[part], widths[part], strict=True)
            for _ in range(width)
        ]
        encoded = encode(dataset, train, part)
        _check_digits(encoded, train, np.float64, _SUBTRACT, names)
        X[:, start : start + len(names)] = _cut(standardise(encoded, train), names)
        start += len(names)
    return X


def _check_digits(X: np.ndarray, rows: np.ndarray, dtype: type[np.floating], hint: str, names: Sequence[str] = ()) -> None:
    """Check that what a feature says on some rows is more than the rounding to a type."""
    seen = np.asarray(X[rows], dtype=np.float64)
    largest, deviation = np.abs(seen).max(axis=0), (seen - seen[0]).std(axis=0)
    rounding = largest * np.finfo(dtype).eps / 2
    # A constant has a tiny deviation from its own rounded mean.
    lost = (rounding > MAX_ROUNDING * deviation) & (np.ptp(seen, axis=0) > 0)
    if lost.any():
        feature = int(np.flatnonzero(lost)[0])
        raise DataError(
            f"{_name(feature, names)} must vary by more than numbers of type {dtype.__name__} are rounded by, found a standard "
            f"deviation of {deviation[feature]:.2g} around {seen[:, feature].mean():.6g}. {hint}"
        )


def _name(feature: int, names: Sequence[str]) -> str:
    return names[feature] if names else f"Feature {feature + 1}"


def _cut(X: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
    too_large = ~(np.abs(X) <= np.finfo(np.float32).max)
    if too_large.any():
        row, feature = np.argwhere(too_large)[0]
        raise DataError(
            f"{_name(feature, names)} must be at most {np.finfo(np.float32).max:.1e} as float32, found "
            f"{X[row, feature]:.3g} in row {row + 1}. Divide it by a constant, or remove it."
        )
    return X.astype(np.float32)
