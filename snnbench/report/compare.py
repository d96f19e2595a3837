"""From stored rows and a question to a ranking: which scores, which tasks, which models."""

from collections.abc import Sequence

import pandas as pd

from snnbench.errors import DataError, SnnbenchError
from snnbench.report.grids import describe_grids
from snnbench.report.options import ComparisonOptions, choose_listed_tasks, choose_models, choose_tasks
from snnbench.report.ranking import ModelComparison, ScoreOrigin, rank_models
from snnbench.report.shares import correlate_splits
from snnbench.report.summary import name_models, plural
from snnbench.results.data_versions import check_versions, choose_versions
from snnbench.results.published import PUBLISHED, beside_published, published_suite
from snnbench.results.score_tables import ScoreTable, describe_units
from snnbench.results.selection import (
    SCORE_COLUMNS,
    count_averaged,
    left_out,
    on_shared_splits,
    only_suite,
    score_table,
    scored_evaluations,
)
from snnbench.stats import resolve_missing
from snnbench.suites.audit.flags import task_flags

COVERAGE = 0.9
"""Share of the tasks that a published model must have been run on to be compared: a missing score takes the worst rank."""

COMPARISON_COLUMNS: tuple[str, ...] = (*SCORE_COLUMNS, "metric")
"""The columns of the stored rows that a comparison needs."""


def compare_results(
    options: ComparisonOptions, rows: pd.DataFrame, own: bool = True, tables: Sequence[ScoreTable] = ()
) -> ModelComparison:
    """Rank the models of a suite by the test scores of their selected configurations, beside other scores if named.

    Beside other scores, tasks are compared that were run at all, or that a table of the user's has; a model that has no score
    on such a task misses one.

    Args:
        options: What is asked.
        rows: Stored rows with the columns ``COMPARISON_COLUMNS``; no rows for other scores alone.
        own: Whether results of one's own were named, even if they turn out to be empty.
        tables: Score tables of the user's.

    Raises:
        SnnbenchError: If there is nothing to compare, or results of several suites and none was named.
    """
    names = [name for name in options.published if name in PUBLISHED]
    listed = list(dict.fromkeys(str(task) for table in tables for task in table.scores.index))
    _check_tables(options, own, names, tables)
    if own or names or options.suite:
        suite = only_suite(rows, options.suite or (None if own else published_suite(names)))
        asked = choose_tasks(options, suite)
    else:
        suite, asked = "", choose_listed_tasks(options, listed)
    all_rows = rows
    rows, on_versions = choose_rows(rows, options, suite) if own else (rows, ())
    rows, on_coverage = leave_out_partial(rows, options)
    scores = score_table(rows, options.metric)
    known = set(rows["task"]) if own else set(listed or asked)
    at_hand = [task for task in asked if task in known]
    together = beside_published(scores, names, suite, options.metric, {table.name: table.scores for table in tables})
    if tables and not set(at_hand) & set(together.index):
        raise DataError(_no_common_task(tables, suite, asked))
    together = choose_models(together.loc[together.index.isin(at_hand)], options.models)
    if tables and together.shape[1] < 2:
        raise SnnbenchError(f"A table of scores must have two models to compare, found {together.shape[1]}: add a column.")
    scores = scores[[model for model in scores if model in together]]
    reasons = left_out(rows, scores, asked) if own else {}
    if suite and not own and not options.tasks:
        reasons |= {task: f"not a task of {suite}" for task in listed if task not in set(asked)}
    metrics = {PUBLISHED[name].metric for name in names} | set(rows["metric"].dropna()) | {of.metric for of in tables} - {""}
    compared, _, _ = resolve_missing(together, options.missing, options.impute_from)
    averaged, unlike = describe_averaging(rows, compared) if own else (tables[0].averaged if len(tables) == 1 else "", ())
    grids, caution = describe_grids(rows, list(compared), names, [table.name for table in tables]) if own else ("", "")
    notes = (
        *([grids] if caution else []),
        *unlike,
        *describe_unfitted(rows, scores),
        *describe_doubled(all_rows),
        *on_versions,
        *on_coverage,
        *describe_code(rows),
    )
    splits = _find_splits(rows, options, own, names, tables)
    is_hierarchical = own and options.bayes == "hierarchical" and splits is not None
    origin = ScoreOrigin(
        suite=suite,
        metric=options.metric or " or ".join(sorted(metrics)),
        flags=task_flags(suite) if suite else {},
        averaged=averaged,
        notes=(*notes, *_describe_tables(tables, together)),
        tables=tuple(table.name for table in tables),
        grids=grids,
        caution=caution,
        splits=splits,
        correlation=correlate_splits(suite, splits) if is_hierarchical else None,
    )
    return rank_models(together, reasons, options, origin)


def _find_splits(
    rows: pd.DataFrame, options: ComparisonOptions, own: bool, names: Sequence[str], tables: Sequence[ScoreTable]
) -> pd.DataFrame | None:
    """Return the scores by task and split if all are of one source: one's own rows, or one table."""
    if own and not names and not tables:
        return on_shared_splits(scored_evaluations(rows, options.metric))
    return tables[0].splits if len(tables) == 1 and not own and not names else None


def _check_tables(options: ComparisonOptions, own: bool, names: Sequence[str], tables: Sequence[ScoreTable]) -> None:
    """Refuse options that mean nothing for tables of scores, or nothing without any."""
    if tables and options.metric:
        raise SnnbenchError(
            "--metric needs stored outputs, which a table of scores has not. Leave it out, or compare results alone."
        )
    if tables and options.lower_is_better and (own or names):
        raise SnnbenchError(
            "--lower-is-better is for tables of scores alone: of results and published scores higher is better. "
            "Turn the table's errors into scores (1 - error) first."
        )
    if not tables and (options.index or options.lower_is_better):
        raise SnnbenchError(
            f"{'--index' if options.index else '--lower-is-better'} says how a table of scores is read, found none. "
            "Name a CSV, TSV or Parquet file, or leave it out."
        )


def _no_common_task(tables: Sequence[ScoreTable], suite: str, asked: Sequence[str]) -> str:
    found = [str(task) for table in tables for task in table.scores.index]
    return (
        f"A table beside results of {suite or 'another table'} must name their tasks, in its first column or the one of "
        f"--index; found {', '.join(found[:3])}. Tasks that are compared: {', '.join(list(asked)[:3])}."
    )


def _describe_tables(tables: Sequence[ScoreTable], together: pd.DataFrame) -> tuple[str, ...]:
    """Return sentences on the user's tables: how they were read, how many of their tasks are compared, unlike units."""
    if not tables:
        return ()
    notes = [note for table in tables for note in table.notes]
    for table in tables:
        n_used = int(table.scores.index.isin(together.index).sum())
        if n_used < len(table.scores):
            notes.append(f"Of the {plural(len(table.scores), 'task')} of {table.name} {n_used} are compared.")
        if table.averaged and len(tables) > 1:
            notes.append(f"Scores of {table.name} are means of {table.averaged}.")
    return (*notes, *describe_units(together))


def describe_averaging(rows: pd.DataFrame, compared: pd.DataFrame) -> tuple[str, tuple[str, ...]]:
    """Return what the score of a task is a mean of, and sentences on models that are not averaged alike.

    Args:
        rows: Stored rows of the suite.
        compared: (n_tasks, n_models), the scores that are compared, published ones among them.

    Returns:
        ``4 repetitions and 3 seeds``, or by model ``5 seeds (a); one training (b)``, and empty if every score is one number;
        and a sentence if models differ.
    """
    if rows.empty:
        return "", ()
    counts = count_averaged(rows)
    columns, tasks = (counts.index.get_level_values(level) for level in ("column", "task"))
    counts = counts[columns.isin(compared.columns) & tasks.isin(compared.index)]
    noun = "fold" if rows["split"].astype(str).str.startswith("fold-").all() else "repetition"
    models: dict[str, list[str]] = {}
    for model, of_model in counts.groupby("column"):
        numbers = {
            noun: of_model["n_splits"].agg(["min", "max"]),
            "seed": (of_model["min_seeds"].min(), of_model["max_seeds"].max()),
        }
        parts = [_range(low, high, what) for what, (low, high) in numbers.items() if high > 1]
        models.setdefault(" and ".join(parts), []).append(str(model))
    if set(models) <= {""}:
        return "", ()
    if len(models) == 1 and len(next(iter(models.values()))) == compared.shape[1]:
        return next(iter(models)), ()
    averaged = "; ".join(f"{text or 'one training'} ({name_models(names)})" for text, names in models.items())
    unlike = ("Scores are means of unlike numbers of trainings, so they are not equally precise.",) if len(models) > 1 else ()
    return averaged, unlike


def _range(low: int, high: int, noun: str) -> str:
    return f"{high} {noun}s" if low == high else f"{low} to {high} {noun}s"


def describe_unfitted(rows: pd.DataFrame, scores: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on the missing scores of models that cannot be fitted on a task, or not in time; none if none is.

    Args:
        rows: Stored rows with task, model and status.
        scores: (n_tasks, n_models), the score table made from them.
    """
    unfitted = rows[rows["status"].isin(("infeasible", "timeout"))]
    found = set(zip(unfitted["task"], unfitted["model"], strict=True))
    places = []
    for model in scores:
        tasks = [str(task) for task in scores.index[scores[model].isna()] if (task, model.partition("[")[0]) in found]
        places += [f"{model} on {', '.join(tasks)}"] if tasks else []
    return (f"No score because nothing could be fitted, or not in time: {'; '.join(places)}.",) if places else ()


def describe_doubled(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on rows that are stored more than once, as in folders that were merged by copying; none if none is."""
    n_doubled = rows.attrs.get("n_doubled", 0)
    if not n_doubled:
        return ()
    are = "1 row is" if n_doubled == 1 else f"{n_doubled} rows are"
    return (f"{are} stored more than once; of rows with one key the newest that succeeded counts, once.",)


def describe_code(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on every model whose evaluations come from several versions of the packages behind it."""
    if "code_versions" not in rows:  # all rows are of an earlier version
        return ()
    evaluations = rows[(rows["stage"] == "evaluate") & rows["code_versions"].notna()]
    return tuple(
        f"Evaluations of {model} are of several versions: "
        f"{'; '.join(f'{n:,} of {versions}' for versions, n in counts.sort_index().items())}."
        for model, counts in ((model, of["code_versions"].value_counts()) for model, of in evaluations.groupby("model"))
        if len(counts) > 1
    )


def choose_rows(
    rows: pd.DataFrame, options: ComparisonOptions, suite: str | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the stored rows of the suite, tasks and versions of data that are asked for, and sentences on other versions.

    Raises:
        UnknownNameError: If the suite, a task or a version does not exist.
    """
    suite = suite or only_suite(rows, options.suite)
    rows = rows[rows["suite"] == suite]
    check_versions(rows, options.data)
    return choose_versions(rows[rows["task"].isin(choose_tasks(options, suite))], options.data)


def leave_out_partial(rows: pd.DataFrame, options: ComparisonOptions) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out tasks without published runs, and published models that were run on few of the tasks; say both.

    Models that are named are kept. Without published runs beside one's own nothing is left out.
    """
    of_runs = rows[rows["published"] != ""] if "published" in rows else rows.iloc[:0]
    if of_runs.empty:
        return rows, ()
    run = sorted(set(of_runs["published"]))
    tasks = set(of_runs["task"])
    others = set(rows["task"]) - tasks
    notes = []
    if others:
        are = "is" if len(others) == 1 else "are"
        notes.append(f"{plural(len(others), 'task')} of yours {are} not among the runs of {' and '.join(run)} and left out.")
    rows = rows[rows["task"].isin(tasks)]
    n_tasks = of_runs[of_runs["stage"] == "evaluate"].groupby("model")["task"].nunique()
    partial = n_tasks[(n_tasks < COVERAGE * len(tasks)) & ~n_tasks.index.isin(options.models)]
    if len(partial):
        counts = ", ".join(f"{model} {count}" for model, count in partial.items())
        notes.append(
            f"Left out, as they were run on few of these {len(tasks)} tasks: {counts}. --subset or --task names tasks that "
            "they were run on; --model keeps them."
        )
    return rows[~rows["model"].isin(partial.index)], tuple(notes)
