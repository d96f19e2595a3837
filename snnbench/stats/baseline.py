"""What every test of a baseline against each other model returns."""

import numpy as np
import pandas as pd

from snnbench.records import Alternative, Comparison
from snnbench.stats.correction import CORRECTIONS
from snnbench.stats.ranks import mean_ranks


def baseline_comparison(
    test: str,
    scores: pd.DataFrame,
    statistic: np.ndarray,
    pvalue: np.ndarray,
    alternative: Alternative,
    correction: str,
) -> Comparison:
    """Correct the p-values and put them beside the mean ranks.

    Args:
        test: Name of the test.
        scores: (n_tasks, n_models), higher is better.
        statistic: (n_models,) in column order, NaN at the baseline.
        pvalue: (n_models,) likewise.
        alternative: What was tested for.
        correction: A name in ``CORRECTIONS``; applied over the n_models − 1 comparisons.
    """
    return Comparison(
        test=test,
        statistic=statistic,
        pvalue=pvalue,
        adjusted_pvalue=CORRECTIONS[correction](pvalue),
        mean_ranks=mean_ranks(scores).to_numpy(dtype=float),
        n_tasks=len(scores),
        alternative=alternative,
    )
