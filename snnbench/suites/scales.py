"""The scale of features: how published ones were standardised, and how to do it again on training rows alone.

Files that were standardised together keep their order and distances, so standardising them again is all it takes. Training and
test rows that were standardised apart have lost their common scale; it is found again only where a feature has few distinct
values and both sides show the same ones.
"""

import numpy as np

from snnbench.errors import DataError
from snnbench.records import Dataset, Split
from snnbench.suites.splits import standardise

MAX_LEVELS = 20
"""A feature with more distinct values than this is not taken for one with levels."""

_OFF_SCALE_ERRORS = 4.0
"""Test rows are on another scale than training rows if the median feature is this many standard errors away."""

_LEVEL_TOLERANCE = 1e-3
"""Of the levels' relative positions, which are published with some seven digits."""

_APART = ("standardised-separately", "train-not-standardised", "test-not-standardised")


def scale_fault(dataset: Dataset, split: Split) -> str:
    """Return how training and test rows were standardised, as a flag; "" if on the training rows, as it should be.

    The side without test rows is training and validation rows together, as published standardisations knew no validation.
    """
    rest = np.concatenate([split.train, split.valid])
    train_done, test_done = is_standardised(dataset.X[rest]), is_standardised(dataset.X[split.test])
    if train_done and test_done:
        return "standardised-separately"
    if is_standardised(dataset.X):
        return "standardised-together"
    if test_done:
        return "train-not-standardised"
    if train_done:
        errors = np.maximum(*_errors_from_scale(dataset.X[rest], dataset.X[split.test]))
        return "test-not-standardised" if np.median(errors) > _OFF_SCALE_ERRORS else ""
    return "not-standardised"


def restandardise(dataset: Dataset, split: Split) -> np.ndarray:
    """Standardise published features on the training rows, after test rows were put on the training rows' scale.

    Returns:
        (n_samples, n_features) float64.

    Raises:
        DataError: With the bare reason if the two sides were scaled apart and a feature does not tell how.
    """
    X = dataset.X
    if scale_fault(dataset, split) in _APART:
        X = _rejoin(X, np.concatenate([split.train, split.valid]), split.test)
    return standardise(X, split.train)


def _rejoin(X: np.ndarray, rest: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return the features with the test rows on the scale of the others, level by level."""
    joined, lost = X.astype(np.float64), []
    for feature in range(X.shape[1]):
        levels, test_levels = np.unique(X[rest, feature]), np.unique(X[test, feature])
        if len(levels) == 1:  # nothing to learn from, whatever the test rows say
            continue
        if len(levels) == len(test_levels) <= MAX_LEVELS and np.allclose(
            _positions(levels), _positions(test_levels), rtol=0, atol=_LEVEL_TOLERANCE
        ):
            joined[test, feature] = levels[np.searchsorted(test_levels, X[test, feature])]
        else:
            lost.append(feature + 1)
    if lost:
        raise DataError(
            f"training and test rows were scaled apart, and the common scale of {len(lost)} of {X.shape[1]} features cannot be "
            "told from their values"
        )
    return joined


def _positions(levels: np.ndarray) -> np.ndarray:
    """Return where levels lie between the lowest (0) and the highest (1), which no scaling changes."""
    return (levels.astype(np.float64) - levels[0]) / (np.float64(levels[-1]) - levels[0])


def _errors_from_scale(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many standard errors the test rows' means and standard deviations are from 0 and 1, feature by feature."""
    X = test[:, np.ptp(train, axis=0) > 0].astype(np.float64)
    if X.shape[1] == 0 or len(X) < 2:
        return np.zeros(1), np.zeros(1)
    share = np.sqrt(1 / len(test) + 1 / len(train))
    return np.abs(X.mean(axis=0)) / share, np.abs(X.std(axis=0) - 1) / (share / np.sqrt(2))


def is_standardised(X: np.ndarray, tolerance: float = 1e-3) -> bool:
    """Say whether every feature that varies has mean 0 and standard deviation 1 on these rows, with either ``ddof``.

    Published values are rounded, hence the tolerance. Rows without any feature that varies are not standardised: nothing can be
    seen of it.
    """
    varying = varying_features(X)
    if len(X) < 2 or varying.shape[1] == 0:
        return False
    deviation = varying.std(axis=0)
    off = np.minimum(np.abs(deviation - 1), np.abs(deviation * np.sqrt(len(X) / (len(X) - 1)) - 1))
    return bool(np.abs(varying.mean(axis=0)).max() < tolerance and off.max() < tolerance)


def varying_features(X: np.ndarray) -> np.ndarray:
    """Return the features that are not constant on these rows, (n_samples, n_varying) float64."""
    return X[:, np.ptp(X, axis=0) > 0].astype(np.float64)
