"""The Nemenyi test: which models have different mean ranks?"""

from math import sqrt

import numpy as np
import pandas as pd
from scipy import special

from snnbench.errors import SnnbenchError
from snnbench.records import TestResult
from snnbench.stats.options import check_share
from snnbench.stats.ranks import mean_ranks

# Step of the trapezoidal rule below; halving it changes nothing above rounding.
STEP = 1 / 32


def nemenyi(scores: pd.DataFrame) -> TestResult:
    """Compare all pairs of models by the difference of their mean ranks.

    The differences are compared with the range of n_models normal variables, so the p-values hold for all pairs at once and
    are not corrected again. Two models differ at a level exactly if their mean ranks are further apart than the
    ``critical_difference`` of that level. The mean ranks, and with them the p-value of a pair, depend on which other models
    take part; ``pairwise_wilcoxon`` does not.

    Args:
        scores: (n_tasks, n_models), higher is better; a missing score has the worst rank.

    Returns:
        A comparison with symmetric (n_models, n_models) entries, NaN on the diagonal, and everywhere with fewer than two
        tasks. The statistic is the studentized range: the difference of the mean ranks over √(k(k + 1) / 12N) for k models and
        N tasks. ``adjusted_pvalue`` is ``pvalue``.

    Source:
        Nemenyi, "Distribution-free Multiple Comparisons", PhD thesis, Princeton (1963); Demšar, JMLR 7 (2006), section 3.2.2.
    """
    n_tasks, n_models = scores.shape
    means = mean_ranks(scores).to_numpy(dtype=float)
    statistic, pvalue = np.full((2, n_models, n_models), np.nan)
    if n_tasks >= 2 and n_models >= 2:
        differences = np.abs(means[:, np.newaxis] - means)
        statistic = differences / sqrt(n_models * (n_models + 1) / (12 * n_tasks))
        np.fill_diagonal(statistic, np.nan)
        first, second = np.triu_indices(n_models, 1)
        pvalue[first, second] = pvalue[second, first] = _range_exceeds(statistic[first, second], n_models)
    return TestResult(
        test="nemenyi",
        models=tuple(map(str, scores.columns)),
        statistic=statistic,
        pvalue=pvalue,
        adjusted_pvalue=pvalue.copy(),
        mean_ranks=means,
        n_tasks=n_tasks,
        alternative="two-sided",
    )


def critical_difference(n_models: int, n_tasks: int, alpha: float = 0.05) -> float:
    """Return how far apart two mean ranks must be to differ at level ``alpha``, by the Nemenyi test.

    Raises:
        SnnbenchError: If there are fewer than two models or no task, or ``alpha`` is not between 0 and 1.

    Source:
        Demšar, JMLR 7 (2006), section 3.2.2: CD = q_α √(k(k + 1) / 6N), where q_α is the studentized range over √2, with
        infinitely many degrees of freedom (R's scmamp takes k(N − 1) instead, which gives a larger difference).
    """
    check_share("the level of significance", alpha)
    if n_models < 2 or n_tasks < 1:
        raise SnnbenchError(
            f"A critical difference needs at least two models and one task, found {n_models} and {n_tasks}; compare more."
        )
    return _range_quantile(alpha, n_models) * sqrt(n_models * (n_models + 1) / (12 * n_tasks))


def _range_quantile(alpha: float, n_models: int) -> float:
    """Return what the range of n_models standard normal variables exceeds with probability ``alpha``, by bisection."""
    low, high = 0.0, 80.0
    while (middle := (low + high) / 2) not in (low, high):
        exceeds = _range_exceeds(np.array([middle]), n_models)[0] > alpha
        low, high = (middle, high) if exceeds else (low, middle)
    return middle


def _range_exceeds(q: np.ndarray, n_models: int) -> np.ndarray:
    """Return the probability (n_pairs,) that the range of n_models standard normal variables exceeds ``q`` (n_pairs,).

    P = k ∫ φ(z) (Φ(z)^(k−1) − (Φ(z) − Φ(z − q))^(k−1)) dz, summed by the trapezoidal rule. SciPy's ``studentized_range.sf`` is
    1 − cdf, which leaves zeros and noise below 1e-12, and the smallest p-value of Table A13 is 6e-27.
    """
    unique, positions = np.unique(q, return_inverse=True)
    z = np.arange(-10, unique.max() + 10, STEP)
    log_cdf = special.log_ndtr(z)
    density = n_models * STEP * np.exp((n_models - 1) * log_cdf - z**2 / 2) / sqrt(2 * np.pi)
    pvalues = np.empty(len(unique))
    for i, value in enumerate(unique):
        beyond = np.exp(special.log_ndtr(z - value) - log_cdf)
        # log1p(-1) is minus infinity where q is 0, and its power 0, as it should be.
        with np.errstate(divide="ignore"):
            pvalues[i] = -density @ np.expm1((n_models - 1) * np.log1p(-beyond))
    return np.minimum(pvalues, 1.0)[positions]
