"""From stored rows and a question to a ranking: which scores, which tasks, which models."""

import pandas as pd

from snnbench.published import PUBLISHED, beside_published, published_suite
from snnbench.report.question import Question, choose_models, choose_tasks
from snnbench.report.ranking import Ranking, rank_models
from snnbench.selection import COMPARED, left_out, only_suite, score_table
from snnbench.suites.flags import task_flags

ANSWERED = (*COMPARED, "metric")
"""The columns of the stored rows that a comparison needs."""


def answer(question: Question, rows: pd.DataFrame, own: bool = True) -> Ranking:
    """Rank the models of a suite by the test scores of their selected configurations, beside published scores if named.

    Beside published scores, tasks are compared that were run at all; a model that has no score on such a task misses one.

    Args:
        question: What is asked.
        rows: Stored rows with the columns ``ANSWERED``; no rows for published scores alone.
        own: Whether results of one's own were named, even if they turn out to be empty.

    Raises:
        SnnbenchError: If there is nothing to compare, or results of several suites and none was named.
    """
    suite = only_suite(rows, question.suite or (None if own else published_suite(question.published)))
    asked = choose_tasks(question, suite)
    all_rows, rows = rows, choose_rows(rows, question, suite)
    scores = score_table(rows, question.metric)
    at_hand = set(rows["task"]) if own else set(asked)
    together = beside_published(scores, question.published, suite, question.metric)
    together = choose_models(together.loc[together.index.isin(at_hand)], question.models)
    scores = scores[[model for model in scores if model in together]]
    reasons = left_out(rows, scores, asked) if own else {}
    metrics = {PUBLISHED[name].metric for name in question.published} | set(rows["metric"].dropna())
    metric = question.metric or " or ".join(sorted(metrics))
    notes = describe_doubled(all_rows)
    return rank_models(together, reasons, question, suite, metric, task_flags(suite), describe_averaging(rows), notes)


def describe_averaging(rows: pd.DataFrame) -> str:
    """Return what the score of a task is a mean of, in words: ``4 repetitions and 3 seeds``; empty if it is one number."""
    evaluations = rows[(rows["stage"] == "evaluate") & (rows["status"] == "ok")].groupby("task")
    counts = {"repetition": evaluations["split"].nunique().max(), "seed": evaluations["seed"].nunique().max()}
    return " and ".join(f"{count} {noun}s" for noun, count in counts.items() if count > 1)


def describe_doubled(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on rows that are stored more than once, as in folders that were merged by copying; none if none is."""
    n_doubled = rows.attrs.get("n_doubled", 0)
    if not n_doubled:
        return ()
    are = "1 row is" if n_doubled == 1 else f"{n_doubled} rows are"
    return (f"{are} stored more than once; of rows with one key the newest that succeeded counts, once.",)


def choose_rows(rows: pd.DataFrame, question: Question, suite: str | None = None) -> pd.DataFrame:
    """Return the stored rows of the suite and the tasks that are asked for."""
    suite = suite or only_suite(rows, question.suite)
    return rows[(rows["suite"] == suite) & rows["task"].isin(choose_tasks(question, suite))]
