"""The same conclusions: what one side shows to be better, the other must not show, or even rank, the other way round."""

from itertools import combinations

import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.report.numbers import short_pvalue
from snnbench.reproduce.difference import Difference
from snnbench.reproduce.scores import Scores
from snnbench.stats import mean_ranks, pairwise_wilcoxon

LEVEL = 0.05


def loose(expected: Scores, found: Scores) -> list[Difference]:
    """Return every pair of models that differ significantly on one side and are in the other order on the other side.

    Significance is that of the pairwise Wilcoxon tests across the tasks that both sides have, corrected by Holm's method; the
    order is that of the mean ranks. A difference that is significant on one side only is none: it takes many tasks to show one
    twice.

    Raises:
        SnnbenchError: If the two sides do not have at least two models and tasks in common.
    """
    left, right = _table(expected), _table(found)
    models, tasks = left.columns.intersection(right.columns), left.index.intersection(right.index)
    left, right = left.loc[tasks, models].dropna(), right.loc[tasks, models].dropna()
    left, right = left.loc[left.index.intersection(right.index)], right.loc[right.index.intersection(left.index)]
    if len(models) < 2 or len(left) < 2:
        raise SnnbenchError(
            f"Conclusions need at least two models and two tasks that both sides have, found {len(models)} and {len(left)}."
        )
    ranks = {"expected": mean_ranks(left), "found": mean_ranks(right)}
    pvalues = {"expected": _pvalues(left), "found": _pvalues(right)}
    differences = []
    for one, other in combinations(models, 2):
        gaps = {side: ranks[side][one] - ranks[side][other] for side in ranks}
        significant = [side for side in pvalues if pvalues[side].at[one, other] < LEVEL]
        if significant and gaps["expected"] * gaps["found"] < 0:
            words = {side: _order(one, other, gaps[side], pvalues[side].at[one, other]) for side in ranks}
            differences.append(
                Difference("order", f"{one}, {other}", words["expected"], words["found"], "the same order", "other")
            )
    return differences


def _table(scores: Scores) -> pd.DataFrame:
    return scores.rows.pivot_table(index="task", columns="model", values="test_score")


def _pvalues(table: pd.DataFrame) -> pd.DataFrame:
    found = pairwise_wilcoxon(table)
    return pd.DataFrame(found.adjusted_pvalue, found.models, found.models)


def _order(one: str, other: str, gap: float, pvalue: float) -> str:
    better, worse = (one, other) if gap < 0 else (other, one)
    return f"{better} before {worse}, p = {short_pvalue(pvalue)}"
