"""The distribution of the signed-rank statistic: exact for few differences, whatever their ties, and normal for many."""

import numpy as np
import pandas as pd
from scipy import special

# What to do with tasks on which both models score the same, and how to say it.
ZERO_METHODS = {
    "wilcox": "zero differences dropped",
    "pratt": "zero differences ranked, then dropped (Pratt)",
    "zsplit": "ranks of zero differences split between both signs",
}

# The most differences whose signs are counted exactly. R and SciPy stop at 50, too, but do so without ties only.
N_EXACT = 50


def signed_rank(differences: np.ndarray, alternative: str, zero_method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return statistics and p-values of Wilcoxon signed-rank tests, many at a time.

    Under the null hypothesis every sign is a fair coin. For up to ``N_EXACT`` differences that are not zero the 2^n outcomes
    are counted, by a convolution over the ranks; ties only make some ranks equal. For more, the normal distribution of the same
    mean and variance is taken, without a correction for continuity.

    SciPy counts for more than 13 differences only if there are no ties or zeros, and takes the normal distribution otherwise,
    which is too small or too large by a few percent; where both take the same distribution they agree.

    Args:
        differences: (n_tasks, ...), NaN = no difference on that task.
        alternative: ``"two-sided"``, or ``"greater"`` for positive differences.
        zero_method: ``"wilcox"`` drops zeros before ranking; ``"pratt"`` ranks them, then drops them; ``"zsplit"`` ranks them,
            counts half of their ranks as positive and lets them take part in the distribution as if they had signs.

    Returns:
        Statistics (...), SciPy's: the sum of the positive ranks, or the smaller of both sums if two-sided; and p-values (...).
        NaN and NaN without differences, 0 and 1 if all are zero.

    Source:
        Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1 (1945); Pratt, "Remarks on Zeros and Ties
        in the Wilcoxon Signed Rank Procedures", JASA 54 (1959).
    """
    shape = differences.shape[1:]
    differences = differences.reshape(len(differences), -1)
    present = ~np.isnan(differences)
    is_zero = present & (differences == 0)
    ranked = present & ~is_zero if zero_method == "wilcox" else present
    # What is not ranked comes last, where it does not touch the ranks of the others.
    ranks = pd.DataFrame(np.where(ranked, np.abs(differences), np.inf)).rank().to_numpy()
    infinite = ranked & np.isinf(differences)
    if infinite.any():
        n_finite = (ranked & ~infinite).sum(axis=0)
        ranks = np.where(infinite, n_finite + (1 + infinite.sum(axis=0)) / 2, ranks)
    signed = ranked if zero_method == "zsplit" else ranked & ~is_zero
    weights = np.where(signed, ranks, 0.0)
    total = weights.sum(axis=0)
    positive = np.where(differences > 0, weights, 0.0).sum(axis=0) + np.where(is_zero, weights, 0.0).sum(axis=0) / 2
    is_two_sided = alternative == "two-sided"
    pvalue = _normal_tail(positive, weights, is_two_sided)
    n_signed = signed.sum(axis=0)
    for pair in np.flatnonzero((n_signed > 0) & (n_signed <= N_EXACT)):
        pvalue[pair] = _exact_tail(positive[pair], weights[signed[:, pair], pair], is_two_sided)
    statistic = np.minimum(positive, total - positive) if is_two_sided else positive
    nothing, all_zero = ~present.any(axis=0), (present == is_zero).all(axis=0)
    statistic, pvalue = np.where(all_zero, 0.0, statistic), np.where(all_zero, 1.0, pvalue)
    statistic, pvalue = np.where(nothing, np.nan, statistic), np.where(nothing, np.nan, pvalue)
    return statistic.reshape(shape), pvalue.reshape(shape)


def _normal_tail(positive: np.ndarray, weights: np.ndarray, is_two_sided: bool) -> np.ndarray:
    """Return p-values (n_pairs,) of the sums of positive ranks; ``weights`` (n_tasks, n_pairs) are 0 without a sign."""
    deviation = positive - weights.sum(axis=0) / 2
    scale = np.sqrt((weights**2).sum(axis=0)) / 2
    z = np.divide(deviation, scale, out=np.zeros_like(deviation), where=scale > 0)
    return np.minimum(2 * special.ndtr(-np.abs(z)), 1.0) if is_two_sided else special.ndtr(-z)


def _exact_tail(positive: float, ranks: np.ndarray, is_two_sided: bool) -> float:
    """Return the exact p-value of the sum of the positive of ``ranks`` (n,)."""
    # Ranks are whole or half numbers, and half of a sum of them a multiple of a quarter.
    doubled = np.round(2 * ranks).astype(int)
    # counts[s] is in how many of the 2^n outcomes the doubled positive ranks sum to s; below 2^53, so exact.
    counts = np.zeros(doubled.sum() + 1)
    counts[0] = 1
    end = 1
    for rank in np.sort(doubled):
        counts[rank : end + rank] += counts[:end].copy()
        end += rank
    sums = np.arange(len(counts))
    outcomes = 2.0 ** len(ranks)
    at_least = float(counts[sums >= 2 * positive].sum() / outcomes)
    if not is_two_sided:
        return at_least
    at_most = float(counts[sums <= 2 * positive].sum() / outcomes)
    return min(1.0, 2 * min(at_least, at_most))
