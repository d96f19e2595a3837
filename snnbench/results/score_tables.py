"""Score tables of any origin: from a file or a DataFrame, wide or long, to tasks × models."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from snnbench.errors import DataError, UnknownNameError
from snnbench.results.selection import on_shared_splits
from snnbench.results.table_files import STANDARD_INPUT, read_table

TASK_COLUMNS = {"task", "dataset", "data", "problem", "instance", "benchmark"}
MODEL_COLUMNS = {"model", "classifier", "method", "algorithm", "estimator", "learner", "treatment", "approach"}
SPLIT_COLUMNS = {"split", "fold", "repetition", "repeat", "resample", "run"}
SEED_COLUMNS = {"seed", "randomstate", "execution"}
SCORE_COLUMNS = {"score", "value", "result", "metricvalue", "performance"}
"""Columns that are known by their names, in lower case and without ``name``, ``id`` and what is no letter."""
LOSSES = re.compile(r"error|loss|rmse|mse|mae|brier|perplexity|time|seconds|regret", re.IGNORECASE)
MAX_NAMES = 5
"""Names that an error or a note lists."""


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """A table of scores that one has.

    Attributes:
        name: What it is called beside other scores: a file's name without its ending.
        scores: (n_tasks, n_models), higher is better, NaN = missing; index and columns are texts.
        metric: What the scores are; empty if the table does not say.
        averaged: What a score is the mean of, in words; empty if it is one number.
        notes: What should be known of the table, in sentences.
        splits: (n_splits of all tasks, n_models), index = (task, split): what ``scores`` are the means of; None for a table of
            one score a task.
    """

    name: str
    scores: pd.DataFrame
    metric: str = ""
    averaged: str = ""
    notes: tuple[str, ...] = ()
    splits: pd.DataFrame | None = None


def read_score_table(source: str, index: str = "", lower_is_better: bool = False) -> ScoreTable:
    """Read a file of scores; ``make_score_table`` says which forms it may have.

    Args:
        source: The path of a CSV, TSV or Parquet file, or ``"-"`` for standard input.
        index: See ``make_score_table``.
        lower_is_better: See there.

    Raises:
        DataError: If the file cannot be read or is no table of scores.
        UnknownNameError: If it has no column ``index``.
    """
    name = "standard input" if source == STANDARD_INPUT else Path(source).stem
    return make_score_table(read_table(source), name, index, lower_is_better)


def read_score_tables(sources: Sequence[str], index: str = "", lower_is_better: bool = False) -> tuple[ScoreTable, ...]:
    """Read several files; those of one name are told apart by their folders.

    Raises:
        DataError: See ``read_score_table``.
        UnknownNameError: See there.
    """
    tables = [read_score_table(source, index, lower_is_better) for source in dict.fromkeys(sources)]
    names = [table.name for table in tables]
    return tuple(
        replace(table, name=source) if names.count(table.name) > 1 else table
        for table, source in zip(tables, dict.fromkeys(sources), strict=True)
    )


def make_score_table(table: pd.DataFrame, name: str = "table", index: str = "", lower_is_better: bool = False) -> ScoreTable:
    """Turn a table of scores as people keep them into tasks × models.

    Wide: a row a task, a column a model. The tasks are named by the column ``index``, else by one that is called task, dataset
    or the like, else by the first if it holds text, else by the DataFrame's own index; else they are numbered. Columns of text
    alone describe the tasks and are left aside. Rows may be the models instead, if the first column is called model,
    classifier or the like.

    Long: a row a score, with a column for the task, one for the model and one number; further columns may name split and seed.
    A task's score is the mean over its seeds, then over the splits that most models have a score on.

    Args:
        table: Numbers, or texts that are numbers; empty cells are missing scores.
        name: What the table is called.
        index: The column that names the tasks.
        lower_is_better: Whether the scores are errors or losses: their sign is reversed.

    Raises:
        DataError: If it is no table of scores: no numbers, text among numbers, a name that stands twice.
        UnknownNameError: If there is no column ``index``.
    """
    cells = _with_index_as_column(table)
    _check_names(cells, name)
    if index and index not in cells.columns:
        raise UnknownNameError("column", index, map(str, cells.columns))
    if cells.empty:
        raise DataError(f"{name} must have a row for each task, found none.")
    task, model = index or _find(cells, TASK_COLUMNS), _find(cells, MODEL_COLUMNS)
    model = "" if model is None or model == task or _is_numeric(cells[model]) else model
    long = bool(task is not None and model)
    found = _read_long(cells, name, str(task), model) if long else _read_wide(cells, name, task, model)
    notes = found.notes
    is_loss = LOSSES.search(found.metric) is not None
    if is_loss and not lower_is_better:
        notes = (*notes, f"The scores of {name} are called {found.metric}; if lower is better, say --lower-is-better.")
    if lower_is_better:
        notes = (*notes, f"Of {name} lower is better: its scores are shown with their sign reversed.")
    sign = -1 if lower_is_better else 1
    scores = (sign * found.scores).rename_axis(index="task", columns="model")
    return replace(found, scores=scores, notes=notes, splits=None if found.splits is None else sign * found.splits)


def describe_units(scores: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence if shares (0 to 1) and percent (0 to 100) seem to be mixed, by model or by task; nothing is converted.

    Args:
        scores: (n_tasks, n_models), NaN = missing.
    """
    if scores.min(axis=None) < 0 or not 1 < scores.max(axis=None) <= 100:
        return ()
    for axis in ("index", "columns"):
        largest, middle = scores.max(axis=axis), scores.median(axis=axis)
        shares, percent = largest.index[largest <= 1], largest.index[middle > 1]
        if len(shares) and len(percent):
            of = "of" if axis == "index" else "on"
            return (
                f"Shares and percent may be mixed: all scores {of} {_list(shares)} are at most 1, most {of} {_list(percent)} "
                "are above it. Nothing is converted.",
            )
    return ()


def _read_wide(cells: pd.DataFrame, name: str, task: str | None, model: str) -> ScoreTable:
    """Return the table of a row a task; or of a row a model, if there is a column ``model``."""
    first = str(cells.columns[0])
    label = model or task
    if label is None and (not _is_numeric(cells[first]) or first == ""):
        label = first
    if label is None:
        notes = [f"No column of {name} names the tasks: its rows are numbered."]
        labels = pd.Index([str(number) for number in range(1, len(cells) + 1)])
        columns = cells
    else:
        notes = []
        labels = pd.Index([_label(value) for value in cells[label]])
        columns = cells.drop(columns=label)
    what = "model" if model else "task"
    if (labels == "").any():
        raise DataError(f"Every row of {name} must name its {what}; row {int(np.argmax(labels == '')) + 1} has none.")
    _check_unique(labels, name, what)
    descriptors = [
        column for column in columns if columns[column].notna().any() and not _numbers(columns[column]).notna().any()
    ]
    columns = columns.drop(columns=descriptors)
    if columns.shape[1] == 0 or columns.isna().all(axis=None):
        raise DataError(f"{name} must have a column of numbers for each model, found none.")
    if descriptors:
        notes.append(f"Columns of {name} without a number are left aside: {_list(descriptors)}.")
    scores = pd.DataFrame({column: _scores(columns[column], labels, name) for column in columns}, index=labels)
    if model:
        notes.append(f"The rows of {name} are models and its columns tasks, as its column {model} says.")
        scores = scores.T
    return ScoreTable(name, scores, notes=tuple(notes))


def _read_long(cells: pd.DataFrame, name: str, task: str, model: str) -> ScoreTable:
    """Return the table of a row a score."""
    split, seed = _find(cells, SPLIT_COLUMNS), _find(cells, SEED_COLUMNS)
    others = [column for column in cells if column not in (task, model, split, seed)]
    numeric = [column for column in others if _numbers(cells[column]).notna().any()]
    score = next((column for column in numeric if _plain(column) in SCORE_COLUMNS), None)
    if score is None and len(numeric) != 1:
        raise DataError(
            f"A table with a row for each score must have one column of numbers beside task, model, split and seed; {name} has "
            f"{_list(numeric) or 'none'}. Call one of them score, or leave the others out."
        )
    score = str(score or numeric[0])
    rows = pd.DataFrame(
        {
            "task": [_label(value) for value in cells[task]],
            "column": [_label(value) for value in cells[model]],
            "split": ["" if split is None else _label(value) for value in cells.get(split, cells[task])],
            "seed": ["" if seed is None else _label(value) for value in cells.get(seed, cells[task])],
        }
    )
    unnamed = (rows[["task", "column"]] == "").any(axis="columns")
    if unnamed.any():
        raise DataError(f"Every row of {name} must name its task and its model; row {int(np.argmax(unnamed)) + 1} does not.")
    doubled = rows[rows.duplicated()]
    if len(doubled):
        first = doubled.iloc[0]
        raise DataError(
            f"Every score of {name} must stand once, but {first['column']} has several on {first['task']}"
            f"{' on one split from one seed' if split or seed else ''}. Name split and seed in columns, or leave rows out."
        )
    labels = pd.Index(rows["task"] + ", " + rows["column"])
    rows["test_score"] = _scores(cells[score], labels, name).to_numpy()
    by_split = on_shared_splits(rows[rows["test_score"].notna()])
    if by_split.empty:
        raise DataError(f"{name} must have a number in column {score}, found none.")
    order = {"index": rows["task"].drop_duplicates(), "columns": rows["column"].drop_duplicates()}
    scores = by_split.groupby("task").agg(lambda of_task: of_task.mean(skipna=False)).round(12).reindex(**order)
    n_splits, n_seeds = rows.groupby("task")["split"].nunique().max(), rows.groupby("task")["seed"].nunique().max()
    parts = [f"{count} {noun}s" for count, noun in ((n_splits, "split"), (n_seeds, "seed")) if count > 1]
    metric = "" if _plain(score) in SCORE_COLUMNS else score
    return ScoreTable(name, scores, metric, " and ".join(parts), splits=by_split)


def _with_index_as_column(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows have no labels; those that say something become the first column."""
    if isinstance(table.index, pd.MultiIndex) or isinstance(table.columns, pd.MultiIndex):
        raise DataError("A table of scores must have one level of row and column names, found several. Use reset_index().")
    if table.index.equals(pd.RangeIndex(len(table))) and table.index.name is None:
        return table
    name = table.index.name if isinstance(table.index.name, str) else "task"
    labelled = table.rename_axis(columns=None).reset_index(names=name) if name not in table.columns else table
    return labelled


def _check_names(cells: pd.DataFrame, name: str) -> None:
    unnamed = [column for column in cells.columns if not isinstance(column, str)]
    if unnamed:
        raise DataError(
            f"The columns of {name} must be names of models, found {_list(unnamed)}. Name them: "
            'table.columns = ["snn", "svm", ...].'
        )
    empty = [place for place, column in enumerate(cells.columns) if not column.strip() and place > 0]
    if empty:
        raise DataError(f"Every column of {name} must have a name; column {empty[0] + 1} has none.")
    _check_unique(cells.columns, name, "column")


def _check_unique(names: pd.Index, table: str, what: str) -> None:
    doubled = names[names.duplicated()].unique()
    if len(doubled):
        hint = {
            "task": "If its rows are splits or seeds, write one score a row: task, model, split, seed, score.",
            "model": "Leave one of them out, or rename it.",
            "column": "Leave one of them out, or rename it.",
        }[what]
        raise DataError(f"Every {what} of {table} must stand once, but {_list(doubled)} stands more often. {hint}")


def _plain(column: str) -> str:
    """Return a column's name without what people add to it: ``dataset_name`` is ``dataset``."""
    letters = re.sub(r"[^a-z]", "", column.lower())
    return re.sub(r"(?<=.)(name|id|number)$", "", letters)


def _find(cells: pd.DataFrame, known: set[str]) -> str | None:
    return next((str(column) for column in cells.columns if _plain(column) in known), None)


def _numbers(column: pd.Series) -> pd.Series:
    """Return the numbers of a column, NaN for what is none."""
    if is_numeric_dtype(column):
        return column.astype(float)
    texts = column.map(lambda value: value.replace("−", "-") if isinstance(value, str) else value)
    return pd.to_numeric(texts, errors="coerce").astype(float)


def _is_numeric(column: pd.Series) -> bool:
    numbers = _numbers(column)[column.notna()]
    return bool(len(numbers) and numbers.notna().all())


def _scores(column: pd.Series, labels: pd.Index, name: str) -> pd.Series:
    """Return a column of scores, NaN = missing.

    Raises:
        DataError: If a cell is neither a finite number nor empty.
    """
    numbers = _numbers(column)
    wrong = (column.notna() & ~np.isfinite(numbers)).to_numpy()
    if wrong.any():
        place = int(np.argmax(wrong))
        raise DataError(
            f"Scores must be finite numbers; column {column.name} of {name} has '{column.iloc[place]}' in row {place + 1} "
            f"({labels[place]}). Write a number alone, and leave the cell of a missing score empty."
        )
    return pd.Series(numbers.to_numpy(), index=labels)


def _label(value: object) -> str:
    """Return the name in a cell; an id that was read as 3.0 is 3."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _list(names: Sequence[object] | pd.Index) -> str:
    shown = ", ".join(map(str, names[:MAX_NAMES]))
    return shown + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
