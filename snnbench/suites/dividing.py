"""How the rows of a table are divided: drawn folds, official parts, whole groups, or by time.

Validation rows always come from those that do not test, by a seed that follows from the task's identity alone.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snnbench.errors import DataError
from snnbench.records import Split
from snnbench.suites.splits import draw_validation, split_seed, stratified_folds

VALIDATION, TEST = 0.2, 0.25
"""Shares of the rows that do not test, and, by time, of all rows."""

HOLD_OUT = "hold-out"
"""The name of the only split of a task."""

_PARTS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "test": "test"}


@dataclass(frozen=True, eq=False)
class Rows:
    """What dividing looks at.

    Shapes:
        y: (n_samples,) class indices.
        group: (n_samples,) numbers of groups, None = no groups.
        time: (n_samples,) numbers in the order of time, None = no time.
    """

    suite: str
    task: str
    y: np.ndarray
    group: np.ndarray | None = None
    time: np.ndarray | None = None


def fold_name(repeat: int, fold: int) -> str:
    """Return the name of a fold, both counted from 1: ``"repeat-1-fold-1"``."""
    return f"repeat-{repeat}-fold-{fold}"


def drawn_folds(rows: Rows, n_folds: int, n_repeats: int) -> list[Split]:
    """Return the splits of repeated, stratified cross-validation, whole groups together.

    Raises:
        DataError: If there are fewer rows or groups than folds.
    """
    splits: list[Split] = []
    for repeat in range(1, n_repeats + 1):
        seed = split_seed(rows.suite, rows.task, repeat, "folds")
        if rows.group is None:
            folds = stratified_folds(rows.y, n_folds, _rng(seed))
        else:
            folds = _group_folds(rows.y, rows.group, n_folds, seed)
        splits += [
            with_validation(rows, fold_name(repeat, fold), np.flatnonzero(folds == fold), len(splits) + fold)
            for fold in range(1, n_folds + 1)
        ]
    return splits


def by_time(rows: Rows) -> list[Split]:
    """Return one split: the last quarter of the rows tests, the last fifth of the others validates.

    Raises:
        DataError: If all rows have one time.
    """
    assert rows.time is not None
    others, test = _last(np.arange(len(rows.y)), rows.time, TEST)
    return [with_validation(rows, HOLD_OUT, test, 1, others)]


def by_parts(rows: Rows, parts: Iterable[str | None]) -> list[Split]:
    """Return the one split that a column of words gives: train, valid (or validation) and test.

    Raises:
        DataError: If a word is another one, or no row trains or tests.
    """
    names = []
    for row, part in enumerate(parts, start=1):
        if str(part).strip().lower() not in _PARTS:
            raise DataError(f"The column of splits must say train, valid or test in every row, found {part!r} in row {row}.")
        names.append(_PARTS[str(part).strip().lower()])
    at = {part: np.flatnonzero(np.array(names) == part) for part in ("train", "valid", "test")}
    if empty := [part for part in ("train", "test") if not len(at[part])]:
        raise DataError(f"The column of splits must name train and test rows, found no {empty[0]} row.")
    if len(at["valid"]):
        return [Split(HOLD_OUT, at["train"], at["valid"], at["test"])]
    return [with_validation(rows, HOLD_OUT, at["test"], 1)]


def with_validation(rows: Rows, name: str, test: np.ndarray, number: int, others: np.ndarray | None = None) -> Split:
    """Draw validation rows among those that do not test: whole groups, the last rows, or at random.

    Args:
        rows: Of the task.
        name: Of the split.
        test: (n_test,) row indices.
        number: Of the split, counted from 1; it seeds the draw.
        others: The rows that do not test; None for all others.
    """
    others = np.setdiff1d(np.arange(len(rows.y)), test) if others is None else others
    rng = _rng(split_seed(rows.suite, rows.task, number, "validation"))
    if rows.time is not None:
        train, valid = _last(others, rows.time, VALIDATION)
    elif rows.group is not None:
        train, valid = _whole_groups(others, rows.group, rng)
    else:
        train, valid = draw_validation(rows.y, others, rng, VALIDATION)
    return Split(name, np.sort(train), np.sort(valid), np.sort(test))


def shared_groups(splits: Sequence[Split], group: np.ndarray) -> Iterator[tuple[str, int]]:
    """Yield the splits some of whose groups both test and do not, with the number of such groups."""
    for split in splits:
        shared = np.intersect1d(group[split.test], group[np.concatenate([split.train, split.valid])])
        if len(shared):
            yield split.name, len(shared)


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _group_folds(y: np.ndarray, group: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Deal whole groups into folds with shares of the classes as equal as they allow."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_groups = len(np.unique(group))
    if n_groups <= n_folds:
        raise DataError(
            f"There must be more groups than folds (whole groups train, validate and test), found {n_groups} groups for "
            f"{n_folds} folds. Take fewer: splits = {{ folds = 3 }}, say."
        )
    folds = np.zeros(len(y), dtype=np.int64)
    dealer = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed % 2**32)
    # It asks every class for a row a fold; here the classes are balanced as far as they can be.
    balanced = y if np.bincount(y).max() >= n_folds else np.zeros_like(y)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        dealt = list(dealer.split(y, balanced, group))
    for fold, (_, test) in enumerate(dealt, start=1):
        if not len(test):
            raise DataError(f"Groups must be small enough to fill {n_folds} folds, found one too large. Take fewer folds.")
        folds[test] = fold
    return folds


def _whole_groups(others: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    names = np.unique(group[others])
    if len(names) < 2:
        raise DataError("Two groups at least must be left to train and to validate, found one. Take fewer folds.")
    order = rng.permutation(names)
    sizes = np.cumsum([np.count_nonzero(group[others] == name) for name in order])
    n_valid = int(np.clip(np.searchsorted(sizes, VALIDATION * len(others)) + 1, 1, len(names) - 1))
    is_valid = np.isin(group[others], order[:n_valid])
    return others[~is_valid], others[is_valid]


def _last(rows: np.ndarray, time: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows at a time, so that about this share is later and none is of the same time on both sides."""
    times = np.sort(time[rows])
    border = times[int((1 - share) * len(times))]
    if border == times[0]:
        border = next((later for later in times if later > times[0]), np.nan)
    if np.isnan(border):
        raise DataError("Rows must have at least three different times (to train, validate and test), found fewer.")
    return rows[time[rows] < border], rows[time[rows] >= border]
