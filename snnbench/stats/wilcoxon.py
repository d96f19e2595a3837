"""The Wilcoxon signed-rank test of a baseline against every other model."""

from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from snnbench.records import Alternative, Comparison
from snnbench.stats.baseline import baseline_comparison
from snnbench.stats.options import check_option, check_test_options
from snnbench.stats.ranks import choose_baseline

# What to do with tasks on which both models score the same, and how to say it.
ZERO_METHODS = {
    "wilcox": "zero differences dropped",
    "pratt": "zero differences ranked, then dropped (Pratt)",
    "zsplit": "ranks of zero differences split between both signs",
}

# The most differences whose 2^n signs are enumerated, which is exact with ties as well; as in SciPy.
N_ENUMERATED = 13


def wilcoxon(
    scores: pd.DataFrame,
    baseline: str = "best",
    alternative: Alternative = "two-sided",
    correction: str = "holm",
    zero_method: str = "wilcox",
) -> Comparison:
    """Compare a baseline with every other model by paired Wilcoxon signed-rank tests across the tasks.

    The published p-values of Table 1 are those of ``alternative="greater", correction="none"``. A missing score leaves
    the task out of the pairs it belongs to, as in the published Tables A12 and A13.

    The distribution under the null hypothesis is exact for up to 50 differences without ties and for up to 13 with ties; else
    it is the normal one, corrected for ties but not for continuity. Ties are those of the floating-point differences, as in
    SciPy, so that its users find the same numbers.

    Args:
        scores: (n_tasks, n_models), higher is better.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank. The best is chosen on the same tasks,
            which makes its p-values a little too small; name a baseline in advance to avoid that.
        alternative: ``"two-sided"``, or ``"greater"`` for "the baseline scores higher".
        correction: A name in ``CORRECTIONS``; applied over the n_models − 1 comparisons.
        zero_method: A name in ``ZERO_METHODS``, as in SciPy.

    Returns:
        A comparison with (n_models,) entries in column order, NaN at the baseline. The statistic is SciPy's: the sum of
        the positive ranks, or the smaller of both sums if two-sided. Models that never differ have statistic 0 and
        pvalue 1.

    Raises:
        UnknownNameError: If the baseline, alternative, correction or zero method does not exist.

    Source:
        Klambauer et al. (2017), Table 1; Demšar, JMLR 7 (2006), section 3.1.3.
    """
    check_test_options(alternative, correction)
    check_option("zero method", zero_method, ZERO_METHODS)
    reference = choose_baseline(scores, baseline)
    statistic, pvalue = np.full((2, scores.shape[1]), np.nan)
    for column, model in enumerate(scores.columns):
        if model != reference:
            differences = (scores[reference] - scores[model]).dropna().to_numpy(dtype=float)
            statistic[column], pvalue[column] = signed_rank(differences, alternative, zero_method)
    return baseline_comparison("wilcoxon", scores, statistic, pvalue, alternative, correction)


def describe_wilcoxon(baseline: str, alternative: str, correction: str, zero_method: str) -> str:
    """Return in one sentence which test gave the p-values, to be printed with them."""
    tail = f"one-sided ({baseline} scores higher)" if alternative == "greater" else "two-sided"
    ties = "ties" if zero_method == "wilcox" else "ties or zeros"
    corrected = {
        "none": "not corrected for multiple comparisons",
        "holm": "adjusted p by Holm's step-down correction",
        "hochberg": "adjusted p by Hochberg's step-up correction",
    }
    return (
        f"Wilcoxon signed-rank test of {baseline} against each model, paired by task, {tail}; "
        f"{ZERO_METHODS[zero_method]}; exact up to 50 differences without {ties} ({N_ENUMERATED} with), "
        f"else normal approximation; {corrected.get(correction, correction)}."
    )


def signed_rank(differences: np.ndarray, alternative: str, zero_method: str) -> tuple[float, float]:
    """Return statistic and pvalue of one Wilcoxon signed-rank test.

    Args:
        differences: (n_tasks,), baseline minus model, without NaN.
        alternative: As in ``wilcoxon``.
        zero_method: As in ``wilcoxon``.

    Returns:
        NaN and NaN without differences, 0 and 1 if all are zero.
    """
    if len(differences) == 0:
        return float("nan"), float("nan")
    if not differences.any():
        return 0.0, 1.0
    if zero_method == "wilcox":
        # Dropped before the distribution is chosen, so that a zero among few tasks does not cost the exact one: this gives
        # the exact p-values that Table A13 prints as well as the asymptotic ones of Table 1.
        differences = differences[differences != 0]
        if len(differences) <= N_ENUMERATED:
            return _enumerate_signs(differences, alternative)
    result = stats.wilcoxon(differences, zero_method=zero_method, correction=False, alternative=alternative, method="auto")
    return float(result.statistic), float(result.pvalue)


def _enumerate_signs(differences: np.ndarray, alternative: str) -> tuple[float, float]:
    """Return statistic and exact pvalue from all 2^n signs of the differences (n,), without zeros; ties may be among them.

    SciPy does the same for as many differences with ties, but takes half a second for each pair of models.
    """
    ranks = stats.rankdata(np.abs(differences))
    positive = float(ranks[differences > 0].sum())
    # (2^n,) sums of the positive ranks; ranks are whole or half numbers, so the sums are exact and may be compared.
    sums = np.array(list(product((0, 1), repeat=len(ranks)))) @ ranks
    at_least, at_most = float((sums >= positive).mean()), float((sums <= positive).mean())
    if alternative == "greater":
        return positive, at_least
    return min(positive, float(ranks.sum()) - positive), min(1.0, 2 * min(at_least, at_most))
