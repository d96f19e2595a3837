"""From stored rows and a question to a ranking: which scores, which tasks, which models."""

import pandas as pd

from snnbench.report.options import ComparisonOptions, choose_models, choose_tasks
from snnbench.report.ranking import ModelComparison, rank_models
from snnbench.report.summary import name_models
from snnbench.results.data_versions import check_versions, choose_versions
from snnbench.results.published import PUBLISHED, beside_published, published_suite
from snnbench.results.selection import SCORE_COLUMNS, count_averaged, left_out, only_suite, score_table
from snnbench.stats import resolve_missing
from snnbench.suites.audit.flags import task_flags

COMPARISON_COLUMNS: tuple[str, ...] = (*SCORE_COLUMNS, "metric")
"""The columns of the stored rows that a comparison needs."""


def compare_results(options: ComparisonOptions, rows: pd.DataFrame, own: bool = True) -> ModelComparison:
    """Rank the models of a suite by the test scores of their selected configurations, beside published scores if named.

    Beside published scores, tasks are compared that were run at all; a model that has no score on such a task misses one.

    Args:
        options: What is asked.
        rows: Stored rows with the columns ``COMPARISON_COLUMNS``; no rows for published scores alone.
        own: Whether results of one's own were named, even if they turn out to be empty.

    Raises:
        SnnbenchError: If there is nothing to compare, or results of several suites and none was named.
    """
    suite = only_suite(rows, options.suite or (None if own else published_suite(options.published)))
    asked = choose_tasks(options, suite)
    all_rows = rows
    rows, on_versions = choose_rows(rows, options, suite)
    scores = score_table(rows, options.metric)
    at_hand = set(rows["task"]) if own else set(asked)
    together = beside_published(scores, options.published, suite, options.metric)
    together = choose_models(together.loc[together.index.isin(at_hand)], options.models)
    scores = scores[[model for model in scores if model in together]]
    reasons = left_out(rows, scores, asked) if own else {}
    metrics = {PUBLISHED[name].metric for name in options.published} | set(rows["metric"].dropna())
    metric = options.metric or " or ".join(sorted(metrics))
    compared, _, _ = resolve_missing(together, options.missing)
    averaged, unlike = describe_averaging(rows, compared)
    notes = (*unlike, *describe_unfitted(rows, scores), *describe_doubled(all_rows), *on_versions, *describe_code(rows))
    return rank_models(together, reasons, options, suite, metric, task_flags(suite), averaged, notes)


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
