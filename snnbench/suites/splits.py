"""How the rows of a task are divided into training, validation and test rows.

The rules of Klambauer et al. (NIPS 2017): a quarter of the rows tests unless an official test file exists, a fifth of
the others validates, and all of it is repeated four times independently. Their draws are random and not stratified.
"""

import numpy as np

from snnbench.errors import DataError
from snnbench.records import digest

N_REPETITIONS = 4
"""How often every task is divided: the published partitions have four independent hold-outs."""

_FAR_FROM_ZERO = 1e4
"""A mean of more standard deviations than this costs digits."""


def repetition_name(k: int) -> str:
    """Return the name of the ``k``-th repetition, counted from 1: ``"repetition-1"``."""
    return f"repetition-{k}"


def split_seed(suite: str, task: str, repetition: int, purpose: str) -> int:
    """Return the seed of one draw, for ``np.random.Generator(np.random.PCG64(seed))``.

    It depends on its arguments alone, so that a task's rows never move when other tasks are added, left out or run in
    another order. ``purpose`` (``"test"``, ``"validation"``, …) keeps the draws of one repetition independent.

    Args:
        suite: Name of the suite.
        task: Name of the task.
        repetition: Counted from 1; 0 for what is drawn once for all repetitions.
        purpose: What the draw is for.

    Returns:
        An integer of 64 bits.
    """
    return int(digest([suite, task, repetition, purpose], length=16), 16)


def draw_test(y: np.ndarray, rng: np.random.Generator, fraction: float = 0.25) -> np.ndarray:
    """Draw the test rows of a task that has no published test set: at random, not stratified.

    Args:
        y: Targets; only their number counts.
        rng: Source of randomness.
        fraction: Share of the rows that test; rounded down, as in the published partitions.

    Returns:
        (n_test,) sorted int64 row indices.

    Raises:
        DataError: If the fraction leaves no test row.
    """
    n_test = int(fraction * len(y))
    if n_test < 1:
        raise DataError(f"At least one row must test, but {fraction:g} of {len(y)} rows is none; use a larger task.")
    return np.sort(rng.permutation(len(y))[:n_test]).astype(np.int64)


def draw_validation(
    y: np.ndarray, rows: np.ndarray, rng: np.random.Generator, fraction: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the rows that do not test into training and validation rows.

    A plain random draw, as in the paper, except that it never takes a class's last training row: some classes of the
    121 UCI tasks have two rows, and a network cannot learn a class that it never sees. Where there are too few rows for
    that, the number of validation rows is kept and the fewest possible classes lose out.

    Args:
        y: (n_samples,) class indices of all rows.
        rows: (n_rows,) indices of the rows to divide.
        rng: Source of randomness.
        fraction: Share of ``rows`` that validates: 0.2, which is 15 % of all rows where a quarter tests.

    Returns:
        ``train`` and ``valid``, sorted int64 row indices; ``valid`` has ``max(1, round(fraction * n_rows))`` rows.

    Raises:
        DataError: If there are fewer than two rows.
    """
    if len(rows) < 2:
        raise DataError(f"At least two rows that do not test are needed (train, validation), found {len(rows)}.")
    n_valid = min(max(1, round(fraction * len(rows))), len(rows) - 1)
    order = np.asarray(rows, dtype=np.int64)[rng.permutation(len(rows))]
    _, first_of_class = np.unique(y[order], return_index=True)
    reserved = np.zeros(len(order), dtype=bool)
    reserved[first_of_class] = True
    # Only a class that stands wholly in the tail has its first row there, so moving the reserved rows to the front
    # leaves every draw that empties no class as it was.
    order = np.concatenate([order[reserved], order[~reserved]])
    return np.sort(order[:-n_valid]), np.sort(order[-n_valid:])


def stratified_folds(y: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal the rows into folds of equal size with equal shares of every class, as nearly as the numbers allow.

    The rows of each class are shuffled and dealt one after another, each class going on at the fold where the one before ended.

    Args:
        y: (n_samples,) class indices.
        n_folds: Number of folds.
        rng: Source of randomness.

    Returns:
        (n_samples,) int64, the fold of each row, counted from 1. Sizes, and the rows of a class, differ by one at most.

    Raises:
        DataError: If there are fewer rows than folds.
    """
    if len(y) < n_folds:
        raise DataError(f"At least one row a fold is needed, found {len(y)} rows for {n_folds} folds.")
    shuffled = rng.permutation(len(y))
    order = shuffled[np.argsort(y[shuffled], kind="stable")]
    folds = np.empty(len(y), dtype=np.int64)
    folds[order] = np.arange(len(y)) % n_folds + 1
    return folds


def standardise(X: np.ndarray, train_rows: np.ndarray) -> np.ndarray:
    """Scale every feature to mean 0 and standard deviation 1 (``ddof=0``) on the training rows.

    Validation and test rows are scaled with the training rows' numbers: nothing leaks from them. Features that are
    constant on the training rows carry nothing to learn from and become 0 in all rows.

    Args:
        X: (n_samples, n_features).
        train_rows: (n_train,) row indices.

    Returns:
        (n_samples, n_features) float64.

    Raises:
        DataError: If there are no training rows.
    """
    if len(train_rows) == 0:
        raise DataError("Standardising needs at least one training row, found none.")
    X = np.asarray(X, dtype=np.float64)
    train = X[train_rows]
    scale = train.std(axis=0)
    # A sum of large numbers loses the digits in which they differ: such features are first moved near 0.
    offset = np.where(np.abs(train.mean(axis=0)) > _FAR_FROM_ZERO * scale, train[0], 0.0)
    if offset.any():
        return standardise(X - offset, train_rows)
    # A constant such as 0.1 has a tiny deviation from its own rounded mean, so equality decides, not the deviation.
    constant = (train == train[0]).all(axis=0) | (scale == 0)
    scaled = (X - train.mean(axis=0)) / np.where(constant, 1.0, scale)
    scaled[:, constant] = 0.0
    return scaled
