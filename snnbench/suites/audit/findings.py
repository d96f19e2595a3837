"""The scientific faults of a suite's data, found by computation on what is loaded and never looked up in a list.

Every check looks at arrays and splits alone, so that a suite added later is audited without a line of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import special

from snnbench.errors import DataError
from snnbench.records import Dataset, Split
from snnbench.suites import load_suite
from snnbench.suites.audit.flags import Finding
from snnbench.suites.folder import FolderSuite
from snnbench.suites.scales import scale_fault, varying_features

TINY_INTERVAL = 0.2
"""A test set is tiny if the 95 % interval of an accuracy of 0.5 on it is wider than this: fewer than 93 rows."""
EXTREME_SHARE, EXTREME_RATIO = 0.9, 50.0
"""Imbalance is extreme if the largest class has this share of all rows, or this many times the rows of the smallest."""

Finder = Callable[[Dataset, Sequence[Split]], Iterable[tuple[str, str]]]


def audit_suite(
    suite: str,
    folder: Path | None,
    tasks: Sequence[str] = (),
    report: Callable[[str, int, int], None] = lambda task, n_done, n_tasks: None,
) -> tuple[list[Finding], dict[str, str]]:
    """Audit the tasks at hand.

    Args:
        suite: Name of the suite.
        folder: Where its files lie; None for an embedded suite.
        tasks: Names of tasks; none for all.
        report: Is told the task, how many are done and how many there are.

    Returns:
        The findings in the order of the catalogue; and the reason for every task that could not be audited.
    """
    module = load_suite(suite, folder)
    found, missing = module.tasks(folder)
    wanted = set(tasks) or {str(name) for name in module.catalogue().index}
    missing = {name: reason for name, reason in missing.items() if name in wanted}
    at_hand = [task for task in found if task.name in wanted]
    findings: list[Finding] = []
    for number, task in enumerate(at_hand):
        report(task.name, number, len(at_hand))
        try:
            dataset, splits = module.load(task.name, folder), module.splits(task.name, folder)
        except DataError as error:
            missing[task.name] = str(error)
            continue
        computed = list(audit_task(dataset, splits, as_published=not module.STANDARDISE))
        stored = module.findings(task.name) if isinstance(module, FolderSuite) else []  # some cannot be computed any more
        shown = [*(one for one in stored if one not in computed), *computed]
        findings += [Finding(task.name, flag, detail) for flag, detail in shown]
    return findings, missing


def audit_task(dataset: Dataset, splits: Sequence[Split], as_published: bool) -> Iterator[tuple[str, str]]:
    """Yield the flags of one task with their details.

    Args:
        dataset: The task's arrays as published.
        splits: Its repetitions; the first is looked at where one is enough.
        as_published: Whether the features are used without being standardised by us.
    """
    finders: tuple[Finder, ...] = (_classes, _table, _duplicates, _features, _hold_outs, _balance, _size)
    for finder in (_scales, *finders) if as_published else finders:
        yield from finder(dataset, splits)


def interval_width(n_test: int) -> float:
    """Return the width of the 95 % Wilson interval of an accuracy of one half on ``n_test`` rows."""
    share, z = n_test // 2 / n_test, special.ndtri(0.975)
    return float(2 * z / (1 + z**2 / n_test) * np.sqrt(share * (1 - share) / n_test + z**2 / (4 * n_test**2)))


def _scales(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    split = splits[0]
    flag = scale_fault(dataset, split)
    if not flag:
        return
    rest = np.concatenate([split.train, split.valid])
    sides = {"test-not-standardised": ("training", split.test), "train-not-standardised": ("test", rest)}
    if flag in sides:
        done, off = sides[flag]
        yield flag, _describe_scale(dataset.X[off])
        yield "standardised-separately", f"the {done} rows alone have mean 0 and standard deviation 1"
    elif flag == "standardised-separately":
        yield flag, "both sides have mean 0 and standard deviation 1 by themselves"
    else:
        yield (
            flag,
            _describe_scale(dataset.X)
            if flag == "not-standardised"
            else "all rows together have mean 0 and standard deviation 1",
        )


def _describe_scale(X: np.ndarray) -> str:
    X = varying_features(X)
    means, stds = X.mean(axis=0), X.std(axis=0)
    return f"means from {means.min():.3g} to {means.max():.3g}, standard deviations from {stds.min():.3g} to {stds.max():.3g}"


def _classes(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    for part in ("train", "valid", "test"):
        missing = _missing_classes(dataset.y, getattr(splits[0], part))
        if missing:
            yield f"class-not-in-{part}", missing


def _table(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    """Look at what only a table has: gaps and levels."""
    gaps = {column.name: n for column, n in zip(dataset.columns, np.isnan(dataset.X).sum(axis=0), strict=False) if n}
    if gaps:
        worst = max(gaps, key=lambda name: gaps[name])
        yield (
            "missing-values",
            f"in {len(gaps)} of {len(dataset.columns)} columns, most in {worst}: {_share(gaps[worst], len(dataset.X))}",
        )
    unseen = [
        column.name
        for number, column in enumerate(dataset.columns)
        if column.levels and len(np.setdiff1d(_levels(dataset.X[:, number]), _levels(dataset.X[splits[0].train, number])))
    ]
    if unseen:
        yield "level-not-in-train", f"in {len(unseen)} columns: {_numbers(unseen)}"


def _levels(values: np.ndarray) -> np.ndarray:
    return np.unique(values[~np.isnan(values)])


def _missing_classes(y: np.ndarray, rows: np.ndarray) -> str:
    if y.ndim == 1:
        known, present = np.unique(y), np.unique(y[rows])
        absent = np.setdiff1d(known, present)
        return f"{len(absent)} of {len(known)} classes: {_numbers(absent)}" if len(absent) else ""
    poor = [k for k in range(y.shape[1]) if len(np.unique(y[rows, k][~np.isnan(y[rows, k])])) < 2]
    return f"{len(poor)} of {y.shape[1]} targets have one class only: {_numbers(poor)}" if poor else ""


def _duplicates(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    n_samples = len(dataset.y)
    y = dataset.y.reshape(n_samples, -1).astype(np.float64)
    inputs = _group_rows(dataset.X)
    rows = _group_rows(np.concatenate([dataset.X, np.nan_to_num(y, nan=-1)], axis=1))
    if n_duplicated := n_samples - len(np.unique(rows)):
        yield "duplicated-rows", f"{_share(n_duplicated, n_samples)} of the rows"
    if n_contradicting := int(_contradicting(inputs, y).sum()):
        yield "contradicting-rows", f"{_share(n_contradicting, n_samples)} of the rows"
    rest = np.concatenate([splits[0].train, splits[0].valid])
    if n_shared := int(np.isin(rows[splits[0].test], rows[rest]).sum()):
        yield "rows-in-train-and-test", f"{_share(n_shared, len(splits[0].test))} of the test rows"


def _contradicting(inputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (n_samples,) which rows have a target that a row of equal inputs has otherwise; NaN agrees with all.

    Args:
        inputs: (n_samples,) numbers of groups of equal features.
        y: (n_samples, n_targets).
    """
    lowest, highest = np.full((2, inputs.max() + 1, y.shape[1]), np.nan)
    np.fmin.at(lowest, inputs, y)
    np.fmax.at(highest, inputs, y)
    mixed: np.ndarray = (lowest < highest).any(axis=1)[inputs]
    return mixed


def _group_rows(X: np.ndarray) -> np.ndarray:
    """Return (n_samples,) numbers that are equal for equal rows."""
    packed = np.ascontiguousarray(X.astype(np.float64) + 0.0)  # -0.0 equals 0.0
    return np.unique(packed.view(np.dtype((np.void, packed.itemsize * packed.shape[1]))).ravel(), return_inverse=True)[1]


def _features(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    train = dataset.X[splits[0].train]
    constant = np.flatnonzero((train == train[0]).all(axis=0))
    if len(constant):
        yield "constant-features", f"{len(constant)} of {train.shape[1]}: {_numbers(constant + 1)}"
    X = varying_features(dataset.X)
    if X.shape[1] < 2:
        return
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    # Equal up to the published digits; the sign of the first row that is far from the mean is made positive.
    signs = np.sign(scaled[np.abs(scaled).argmax(axis=0), np.arange(scaled.shape[1])])
    n_distinct = len(np.unique(_group_rows(np.round(scaled * signs, 3).T)))
    if n_distinct < X.shape[1]:
        yield "duplicated-features", f"{X.shape[1] - n_distinct} of {X.shape[1]} that vary"


def _hold_outs(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    tests = [split.test for split in splits]
    shared = [len(np.intersect1d(one, other)) / len(one) for one, other in combinations(tests, 2)]
    if not shared or max(shared) == 0:
        return
    if min(shared) == 1:
        yield "overlapping-hold-outs", f"all {len(tests)} repetitions have the same test rows"
    else:
        covered = len(np.unique(np.concatenate(tests))) / len(dataset.y)
        yield (
            "overlapping-hold-outs",
            f"two share {np.mean(shared):.0%} of their test rows; all cover {covered:.0%} of the rows",
        )


def _balance(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    counts = [np.unique(column[~np.isnan(column)], return_counts=True)[1] for column in _targets(dataset.y)]
    worst = max(counts, key=lambda n: n.max() / n.sum())
    share, ratio = worst.max() / worst.sum(), max(n.max() / n.min() for n in counts)
    if share >= EXTREME_SHARE or ratio >= EXTREME_RATIO:
        yield "imbalanced", f"the largest class has {share:.1%} of the rows, {ratio:.0f} times those of the smallest"


def _targets(y: np.ndarray) -> Iterator[np.ndarray]:
    yield from y.reshape(len(y), -1).T.astype(np.float64)


def _size(dataset: Dataset, splits: Sequence[Split]) -> Iterator[tuple[str, str]]:
    n_test = len(splits[0].test)
    if (width := interval_width(n_test)) > TINY_INTERVAL:
        yield "tiny-test-set", f"{n_test} test rows: the 95 % interval of an accuracy of 0.5 is {100 * width:.0f} points wide"


def _share(n: int, of: int) -> str:
    return f"{n} ({n / of:.1%})"


def _numbers(found: Iterable[object]) -> str:
    names = [str(number) for number in found]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
