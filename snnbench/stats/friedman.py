"""The Friedman test: do the models differ at all?"""

import numpy as np
import pandas as pd
from scipy import stats

from snnbench.records import Comparison
from snnbench.stats.ranks import rank


def friedman(scores: pd.DataFrame) -> Comparison:
    """Test whether all models have the same mean rank across the tasks.

    The statistic is computed from the ranks, with the correction for ties, and compared with the chi-square
    distribution of n_models − 1 degrees of freedom. It equals ``scipy.stats.friedmanchisquare`` where that is defined,
    and is defined more widely: a missing score has the worst rank, two models are allowed (then it is the sign test
    without its ties), and models that tie on every task have statistic 0 and pvalue 1.

    Args:
        scores: (n_tasks, n_models), higher is better.

    Returns:
        A comparison with one statistic and one pvalue; both are NaN with fewer than two tasks or two models, where
        there is nothing to test. Nothing is corrected: ``adjusted_pvalue`` is ``pvalue``.

    Source:
        Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), section 3.2.2; ties as
        in Conover, "Practical Nonparametric Statistics" (1999), section 5.8.
    """
    n_tasks, n_models = scores.shape
    ranks = rank(scores).to_numpy(dtype=float)
    statistic = pvalue = float("nan")
    if n_tasks >= 2 and n_models >= 2:
        expected = (n_models + 1) / 2
        within = float(((ranks - expected) ** 2).sum())
        between = float(((ranks - expected).sum(axis=0) ** 2).sum())
        statistic = (n_models - 1) * between / within if within > 0 else 0.0
        pvalue = float(stats.chi2.sf(statistic, n_models - 1))
    return Comparison(
        test="friedman",
        statistic=np.array([statistic]),
        pvalue=np.array([pvalue]),
        adjusted_pvalue=np.array([pvalue]),
        mean_ranks=ranks.mean(axis=0) if n_tasks else np.full(n_models, np.nan),
        n_tasks=n_tasks,
        alternative="two-sided",
    )
