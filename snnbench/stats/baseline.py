"""A baseline against every other model: what all such tests share, whichever compares two models."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from snnbench.records import Alternative, TestResult
from snnbench.stats.correction import CORRECTIONS, adjust_pairs
from snnbench.stats.ranks import choose_baseline, mean_ranks


def baseline_result(
    test: str,
    scores: pd.DataFrame,
    compare: Callable[[str], tuple[np.ndarray, np.ndarray]],
    baseline: str,
    alternative: Alternative,
    correction: str,
) -> TestResult:
    """Compare a baseline with every other model, correct the p-values and put them beside the mean ranks.

    The p-values of a baseline that was named in advance are corrected for n_models − 1 comparisons. One that is chosen as the
    best on the very tasks that it is tested on has been compared with all models before: of equal models the luckiest is taken,
    and at least one false difference appears two to eight times too often. Its p-values are corrected for all pairs that could
    have been tested, which holds whichever is chosen.

    Args:
        test: Name of the test.
        scores: (n_tasks, n_models), higher is better.
        compare: From a model to the statistics and the p-values (n_models,) of its tests against every model, in column order.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank.
        alternative: What was tested for.
        correction: A name in ``CORRECTIONS``.

    Raises:
        UnknownNameError: If the baseline does not exist.
    """
    reference = choose_baseline(scores, baseline)
    statistic, pvalue = compare(reference)
    is_reference = scores.columns == reference
    statistic, pvalue = np.where(is_reference, np.nan, statistic), np.where(is_reference, np.nan, pvalue)
    if baseline in scores.columns or correction == "none":
        adjusted = CORRECTIONS[correction](pvalue)
    else:
        pvalues = np.array([compare(model)[1] for model in scores.columns])
        adjusted = adjust_pairs(pvalues, alternative, correction)[scores.columns.get_loc(reference)]
    return TestResult(
        test=test,
        models=tuple(map(str, scores.columns)),
        statistic=statistic,
        pvalue=pvalue,
        adjusted_pvalue=adjusted,
        mean_ranks=mean_ranks(scores).to_numpy(dtype=float),
        n_tasks=len(scores),
        alternative=alternative,
    )
