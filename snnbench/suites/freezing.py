"""From a table and what the user says of it to a task that models can be trained on."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from snnbench.errors import DataError, UnknownNameError
from snnbench.metrics import METRICS, MULTILABEL_METRICS
from snnbench.records import Dataset, Encoding, Split
from snnbench.suites.audit.findings import audit_task
from snnbench.suites.columns import ColumnChoices, LeftOut, ReadColumn, is_text, read_classes, read_column, shortened
from snnbench.suites.dates import is_date, parse_dates
from snnbench.suites.description import TARGETS, TaskDescription, typed
from snnbench.suites.dividing import Rows, by_parts, by_time, drawn_folds, shared_groups
from snnbench.suites.frozen import FrozenTask
from snnbench.suites.tables import read_table

READING = 2
"""Of tables; raised when the same file is read in another way, so that what was frozen before is not taken for it."""
MAX_FEATURES = 20_000
"""Columns that a table may have."""
LARGE_SHARE = 0.9
"""Share of the rows of the largest class from which a user is warned."""
_MAX_NAMED = 8
_FEW = 1000
"""Rows that tell of most columns that they are nothing special, so that the others need no look."""


def freeze_task(suite: str, name: str, described: TaskDescription, folder: Path) -> FrozenTask:
    """Read a table and decide everything that is to be decided before a model is trained.

    Args:
        suite: Name of the suite; with the task's it seeds the splits.
        name: Of the task.
        described: What the user says of it.
        folder: Where its files lie.

    Raises:
        DataError: If the table cannot be used as it is, with what to do.
    """
    table, n_train = _whole_table(described, folder)
    _check_names(described, table.column_names)
    target = described.target or _guess_target(table.column_names, described.file)
    _check_target(described, target)
    y, classes = read_classes(target, table.column(target), target in described.categorical)
    notes: list[str] = []
    has_class = y >= 0
    if n_unknown := int((~has_class).sum()):
        notes.append(f"{n_unknown} of {len(y)} rows have no {target} and are left out.")
        table, y = table.filter(pa.array(has_class)), y[has_class]
    _check_classes(y, classes, target)
    notes += balance_notes(y, classes)
    not_seen = {target, *described.drop, *filter(None, (described.group, described.time, described.splits.column))}
    choices = ColumnChoices(described.keep, described.categorical, described.date)
    columns, left_out = read_columns(table, not_seen, choices, described.file)
    notes += left_out
    encoding = Encoding(described.encoding, described.max_levels, described.min_rows)
    notes += [
        f"{found.column.name} has {len(found.column.levels):,} levels: the rarest share a column, beyond {encoding.max_levels}."
        for found in columns
        if len(found.column.levels) > encoding.max_levels and encoding.kind == "one-hot"
    ]
    group = None if described.group is None else _order(described.group, table.column(described.group))
    time, time_notes = (None, []) if described.time is None else _times(described.time, table.column(described.time))
    notes += time_notes
    rows = Rows(suite, name, y, group, time)
    splits = _divide(rows, described, table, has_class, n_train)
    findings = [*column_findings(columns, y), *_order_findings(rows, splits, described)]
    drawn = described.time is None and described.splits.column is None and n_train is None
    return with_findings(
        FrozenTask(
            name=name,
            X=np.column_stack([found.values for found in columns]),
            columns=tuple(found.column for found in columns),
            y=y,
            classes=classes,
            splits=splits,
            metric=_metric(described.metric, len(classes)),
            encoding=encoding,
            source=Path(described.file).name,
            n_folds=described.splits.folds if drawn else 0,
            notes=tuple(notes),
            findings=tuple(findings),
        )
    )


def with_findings(task: FrozenTask) -> FrozenTask:
    """Return a task with all that the audit finds, so that rows and comparisons can say it without the data."""
    found = audit_task(Dataset(task.X, task.y, task.columns), task.splits, as_published=False)
    return replace(task, findings=(*task.findings, *found))


def read_columns(
    table: pa.Table, not_seen: Collection[str], choices: ColumnChoices, source: str
) -> tuple[list[ReadColumn], list[str]]:
    """Return the columns that models see, and a sentence for each reason why others are left out, the first few by name.

    Args:
        table: As read.
        not_seen: Columns that are not for models.
        choices: What a user says of the others.
        source: The table's name, for messages.

    Raises:
        DataError: If a column needs a choice, or none or too many are left.
    """
    columns: list[ReadColumn] = []
    left_out: list[LeftOut] = []
    for name in table.column_names:
        for found in read_column(name, table.column(name), choices) if name not in not_seen else ():
            columns.append(found) if isinstance(found, ReadColumn) else left_out.append(found)
    if not columns:
        said = " ".join(_left_out_notes(left_out))
        raise DataError(f"{source} must have a column that models can see beside its target. {said}".strip())
    if len(columns) > MAX_FEATURES:
        raise DataError(f"{source} must have at most {MAX_FEATURES:,} columns, found {len(columns):,}. Leave some out.")
    return columns, list(_left_out_notes(left_out))


def _left_out_notes(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Yield a sentence for each reason."""
    for reason in dict.fromkeys(one.reason for one in left_out):
        found = [one for one in left_out if one.reason == reason]
        names = [one.name for one in found[:_MAX_NAMED]]
        hint = f" Use {'it' if len(found) == 1 else 'one'} with {typed('--keep', names[0])}." if found[0].can_be_kept else ""
        if len(found) == 1:
            yield f"{names[0]} is left out: {reason[0]}.{hint}"
            continue
        last = f"{len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else names.pop()
        yield f"{', '.join(names)} and {last} are left out: {reason[1]}.{hint}"


def _whole_table(described: TaskDescription, folder: Path) -> tuple[pa.Table, int | None]:
    """Return the rows of a table, those of its test file last, and the number of those before; None without a test file."""
    words = (*described.categorical, *([described.target] if described.target in described.categorical else ()))
    table = read_table(_inside(folder, described.file), words, described.charset)
    if described.splits.test is None:
        return table, None
    test = read_table(_inside(folder, described.splits.test), words, described.charset)
    if set(test.column_names) != set(table.column_names):
        other = sorted(set(test.column_names) ^ set(table.column_names))[0]
        raise DataError(
            f"{described.file} and {described.splits.test} must have the same columns, '{other}' is in one of them."
        )
    try:
        return pa.concat_tables([table, test.select(table.column_names)], promote_options="permissive").combine_chunks(), len(
            table
        )
    except pa.ArrowException as error:
        raise DataError(
            f"{described.file} and {described.splits.test} must have columns of the same types: {error}."
        ) from error


def _inside(folder: Path, name: str) -> Path:
    file = folder / name
    if not file.is_file():
        raise DataError(f"There must be a table {name} in {folder}, found none.")
    return file


def _guess_target(names: Iterable[str], file: str) -> str:
    found = [name for name in names if name.lower() in TARGETS]
    if len(found) != 1:
        what = "none of them" if not found else f"{len(found)} of them"
        raise DataError(f"The target of {file} must be named (--target NAME) or be called target or class, found {what}.")
    return found[0]


def _check_names(described: TaskDescription, names: list[str]) -> None:
    asked = [described.target, described.group, described.time, described.splits.column]
    for name in (*filter(None, asked), *described.drop, *described.keep, *described.categorical):
        if name not in names:
            raise UnknownNameError(f"column of {described.file}", name, names)


def _check_target(described: TaskDescription, target: str) -> None:
    used = {"group": described.group, "time": described.time, "column of splits": described.splits.column}
    if found := ["drop"] * (target in described.drop) + [what for what, column in used.items() if column == target]:
        raise DataError(f"The target of {described.file} must be nothing else, found '{target}' as its {found[0]}, too.")


def _check_classes(y: np.ndarray, classes: tuple[str, ...], target: str) -> None:
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < 2:
        rarest = shortened(classes[counts.argmin()])
        raise DataError(
            f"Every class of '{target}' needs at least 2 rows (to train and to test), '{rarest}' has {counts.min()}. Add rows, "
            "join it with another class, or leave its target empty."
        )


def balance_notes(y: np.ndarray, classes: tuple[str, ...]) -> Iterator[str]:
    """Warn of a class that has nearly all rows."""
    counts = np.bincount(y)
    if (share := counts.max() / len(y)) >= LARGE_SHARE:
        yield f"The classes are unbalanced: {share:.1%} of the rows are {classes[counts.argmax()]}."


def _metric(asked: str | None, n_classes: int) -> str:
    known = [name for name in METRICS if name not in MULTILABEL_METRICS]
    if asked is not None and asked not in known:
        raise UnknownNameError("metric", asked, known)
    if asked == "auc" and n_classes != 2:
        raise DataError(f"The metric auc is for two classes, found {n_classes}. Leave --metric out.")
    return asked or "accuracy"


def _order(name: str, column: pa.ChunkedArray) -> np.ndarray:
    """Return (n_samples,) numbers in the order of a column's values."""
    array = column.combine_chunks()
    array = array.cast(pa.string()) if pa.types.is_dictionary(array.type) else array
    if array.null_count:
        raise DataError(f"Column '{name}' must have a value in every row, found none in {array.null_count}.")
    return np.unique(array.to_numpy(zero_copy_only=False), return_inverse=True)[1].astype(np.int64)


def _times(name: str, column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Return (n_samples,) numbers in the order of time, and what is to be said of it."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not is_text(column.type):
        return _order(name, column), []
    if all(is_date(value or "") for value in column.to_pylist()):
        column = pa.chunked_array([parse_dates(name, column.combine_chunks().cast(pa.string()))])
        return _order(name, column), []
    return _order(name, column), [f"{name} holds words: their order in time is that of the alphabet."]


def _divide(rows: Rows, described: TaskDescription, table: pa.Table, has_class: np.ndarray, n_train: int | None) -> list[Split]:
    rule = described.splits
    if n_train is not None:
        n_with_class = int(has_class[:n_train].sum())
        return by_parts(rows, ["train"] * n_with_class + ["test"] * (len(rows.y) - n_with_class))
    if rule.column is not None:
        return by_parts(rows, table.column(rule.column).cast(pa.string()).to_pylist())
    return by_time(rows) if rows.time is not None else drawn_folds(rows, rule.folds, rule.repeats)


def column_findings(columns: list[ReadColumn], y: np.ndarray) -> Iterator[tuple[str, str]]:
    """Yield the flags of columns that tell rows or classes apart by themselves."""
    for found in columns:
        known = found.values[~np.isnan(found.values)]
        name = found.column.name
        whole = (known == np.floor(known)).all()
        if whole and len(known) == len(y) > 2 and _all_differ(known[:_FEW]) and _all_differ(known):
            yield "identifier-column", f"{name} is different in every row"
        if len(known) == len(y) and _says(known, y):
            yield "column-equals-target", f"{name} tells the class of every row"


def _all_differ(values: np.ndarray) -> bool:
    return len(np.unique(values)) == len(values)


def _says(values: np.ndarray, y: np.ndarray) -> bool:
    """Say whether a column of a few values is the target by another name."""
    if len(np.unique(values[:_FEW])) > len(np.unique(y)):
        return False
    distinct, codes = np.unique(values, return_inverse=True)
    pairs = len(np.unique(codes * (int(y.max()) + 1) + y))
    return bool(len(distinct) == len(np.unique(y)) == pairs)


def _order_findings(rows: Rows, splits: list[Split], described: TaskDescription) -> Iterator[tuple[str, str]]:
    if rows.group is not None:
        for name, n_shared in shared_groups(splits, rows.group):
            yield "group-in-train-and-test", f"{n_shared} of {described.group} in {name}"
    if rows.time is not None:
        for split in splits:
            rest = np.concatenate([split.train, split.valid])
            if rows.time[split.test].min() <= rows.time[rest].max():
                yield "times-overlap", f"{split.name}: test rows are not all later in {described.time} than the others"
