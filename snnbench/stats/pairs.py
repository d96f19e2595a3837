"""Every pair of models at a glance: mean difference, wins, ties and losses, p-value and effect size."""

from itertools import combinations

import numpy as np
import pandas as pd

from snnbench.stats.differences import paired_differences
from snnbench.stats.effects import count_wins, rank_biserial
from snnbench.stats.pairwise import pairwise_wilcoxon

COLUMNS = (
    *("mean_difference", "won", "tied", "lost"),
    *("rank_biserial", "statistic", "pvalue", "adjusted_pvalue", "n_tasks"),
)


def compare_pairs(scores: pd.DataFrame, correction: str = "holm", zero_method: str = "wilcox") -> pd.DataFrame:
    """Compare every model with every other, as the Multi-Comparison Matrix does.

    What a pair shows does not depend on the other models, but for the correction of its p-value.

    Args:
        scores: (n_tasks, n_models), higher is better. A missing score leaves the task out of the differences, and is a loss in
            the counts.
        correction: As in ``pairwise_wilcoxon``, over all pairs.
        zero_method: As there.

    Returns:
        One row an ordered pair, index = (model, other), in the order of the columns of ``scores``: mean_difference of their
        scores over the tasks that both have; won, tied and lost, on how many tasks ``model`` scores higher, equal, lower;
        rank_biserial, positive if ``model`` scores higher; statistic, pvalue and adjusted_pvalue of the two-sided Wilcoxon
        test; n_tasks, on how many both have a score. NaN without a common task.

    Raises:
        UnknownNameError: If the correction or zero method does not exist.

    Source:
        Ismail-Fawaz et al., "An Approach to Multiple Comparison Benchmark Evaluations that is Stable Under Manipulation of the
        Comparate Set" (2023), https://arxiv.org/abs/2305.11921.
    """
    tests = pairwise_wilcoxon(scores, "two-sided", correction, zero_method)
    wins = count_wins(scores).to_numpy()
    rows = {}
    for first, second in combinations(range(scores.shape[1]), 2):
        model, other = scores.columns[first], scores.columns[second]
        differences = paired_differences(scores, model, other)
        mean = float(differences.mean()) if len(differences) else np.nan
        effect = rank_biserial(differences)
        won, lost = int(wins[first, second]), int(wins[second, first])
        tied = len(scores) - won - lost
        test = [matrix[first, second] for matrix in (tests.statistic, tests.pvalue, tests.adjusted_pvalue)]
        rows[model, other] = (mean, won, tied, lost, effect, *test, len(differences))
        rows[other, model] = (-mean, lost, tied, won, -effect, *test, len(differences))
    index = pd.MultiIndex.from_tuples(rows, names=["model", "other"]) if rows else pd.MultiIndex.from_arrays([[], []])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(COLUMNS))
