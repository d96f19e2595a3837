"""The sign test: on how many tasks does the baseline score higher?"""

import numpy as np
import pandas as pd
from scipy import special

from snnbench.records import Alternative, TestResult
from snnbench.stats.baseline import baseline_result
from snnbench.stats.options import check_test_options
from snnbench.stats.ranks import compare_scores


def sign_test(
    scores: pd.DataFrame,
    baseline: str = "best",
    alternative: Alternative = "two-sided",
    correction: str = "holm",
) -> TestResult:
    """Compare a baseline with every other model by the number of tasks on which it scores higher.

    It uses the order of two scores alone, so differences on tasks of unlike difficulty need not be commensurable, at the price
    of less power than ``wilcoxon``. The p-values are those of the binomial distribution, exact for any number of tasks; tasks
    on which both score the same are dropped. A missing score loses to every score.

    Args:
        scores: (n_tasks, n_models), higher is better.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank.
        alternative: ``"two-sided"``, or ``"greater"`` for "the baseline scores higher".
        correction: A name in ``CORRECTIONS``; over n_models − 1 comparisons, or over all pairs for ``"best"``.

    Returns:
        A comparison with (n_models,) entries in column order, NaN at the baseline. The statistic is the number of tasks on
        which the baseline scores higher. Models that never differ have statistic 0 and pvalue 1.

    Raises:
        UnknownNameError: If the baseline, alternative or correction does not exist.

    Source:
        Conover, "Practical Nonparametric Statistics" (1999), section 3.4; Demšar, JMLR 7 (2006), section 3.1.4, which splits
        equal scores between both models instead of dropping them.
    """
    check_test_options(alternative, correction)
    order = compare_scores(scores)

    def compare(model: str) -> tuple[np.ndarray, np.ndarray]:
        of_model = order[:, scores.columns.get_loc(model)]
        higher, lower = (of_model > 0).sum(axis=0), (of_model < 0).sum(axis=0)
        # The binomial distribution of a half is symmetric, so the two-sided test is twice the smaller tail.
        extreme = higher if alternative == "greater" else np.maximum(higher, lower)
        tail = np.where(extreme > 0, special.betainc(extreme * 1.0, higher + lower - extreme + 1.0, 0.5), 1.0)
        pvalue = np.minimum(tail if alternative == "greater" else 2 * tail, 1.0)
        return np.where(len(scores) > 0, higher, np.nan), np.where(len(scores) > 0, pvalue, np.nan)

    return baseline_result("sign", scores, compare, baseline, alternative, correction)
