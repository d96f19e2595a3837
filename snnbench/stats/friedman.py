"""The Friedman test: do the models differ at all?"""

from math import lgamma

import numpy as np
import pandas as pd
from scipy import special

from snnbench.records import TestResult
from snnbench.stats.ranks import rank


def friedman(scores: pd.DataFrame) -> TestResult:
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
    table = rank(scores)
    ranks = table.to_numpy(dtype=float)
    n_models = ranks.shape[1]
    statistic = pvalue = float("nan")
    if min(ranks.shape) >= 2:
        between, within = _square_sums(ranks)
        statistic = (n_models - 1) * between / within if within > 0 else 0.0
        pvalue = float(special.chdtrc(n_models - 1, statistic))
    return _compare("friedman", table, statistic, pvalue)


def iman_davenport(scores: pd.DataFrame) -> TestResult:
    """Test whether all models have the same mean rank, by the F form of the Friedman test.

    The chi-square distribution makes the Friedman test too timid for few tasks. This form compares
    F = (n_tasks − 1)·χ² / (n_tasks·(n_models − 1) − χ²) with the F distribution of n_models − 1 and
    (n_models − 1)·(n_tasks − 1) degrees of freedom; it is the analysis of variance of the ranks. χ² is that of ``friedman``,
    corrected for ties.

    Args:
        scores: (n_tasks, n_models), higher is better; a missing score has the worst rank.

    Returns:
        A comparison with one statistic and one pvalue, NaN as in ``friedman``. If all tasks rank the models alike the
        statistic is infinite, and the pvalue is the chance of that: n_models! to the power 1 − n_tasks.

    Source:
        Iman and Davenport, "Approximations of the critical region of the Friedman statistic", Communications in Statistics 9
        (1980); Demšar, JMLR 7 (2006), section 3.2.2; unanimous ranks as in Conover (1999), section 5.8.
    """
    table = rank(scores)
    ranks = table.to_numpy(dtype=float)
    n_tasks, n_models = ranks.shape
    statistic = pvalue = float("nan")
    if min(ranks.shape) >= 2:
        between, within = _square_sums(ranks)
        # Ranks are whole or half numbers, so both sums and their difference are exact.
        residual = n_tasks * within - between
        if within == 0:
            statistic, pvalue = 0.0, 1.0
        elif residual == 0:
            statistic, pvalue = float("inf"), float(np.exp((1 - n_tasks) * lgamma(n_models + 1)))
        else:
            statistic = (n_tasks - 1) * between / residual
            pvalue = float(special.fdtrc(n_models - 1, (n_models - 1) * (n_tasks - 1), statistic))
    return _compare("iman_davenport", table, statistic, pvalue)


def _square_sums(ranks: np.ndarray) -> tuple[float, float]:
    """Return how far the rank sums of the models (n_models,), and all ranks (n_tasks, n_models), are from their mean."""
    deviations = ranks - (ranks.shape[1] + 1) / 2
    return float((deviations.sum(axis=0) ** 2).sum()), float((deviations**2).sum())


def _compare(test: str, ranks: pd.DataFrame, statistic: float, pvalue: float) -> TestResult:
    n_tasks, n_models = ranks.shape
    return TestResult(
        test=test,
        models=tuple(map(str, ranks.columns)),
        statistic=np.array([statistic]),
        pvalue=np.array([pvalue]),
        adjusted_pvalue=np.array([pvalue]),
        mean_ranks=ranks.to_numpy(dtype=float).mean(axis=0) if n_tasks else np.full(n_models, np.nan),
        n_tasks=n_tasks,
        alternative="two-sided",
    )
