"""The Wilcoxon signed-rank test of a baseline against every other model."""

import numpy as np
import pandas as pd

from snnbench.records import Alternative, TestResult
from snnbench.stats.baseline import baseline_result
from snnbench.stats.differences import subtract
from snnbench.stats.options import check_option, check_test_options
from snnbench.stats.signed_rank import N_EXACT, ZERO_METHODS, signed_rank


def wilcoxon(
    scores: pd.DataFrame,
    baseline: str = "best",
    alternative: Alternative = "two-sided",
    correction: str = "holm",
    zero_method: str = "wilcox",
) -> TestResult:
    """Compare a baseline with every other model by paired Wilcoxon signed-rank tests across the tasks.

    The published p-values of Table 1 are those of ``alternative="greater", correction="none"``. A missing score leaves
    the task out of the pairs it belongs to, as in the published Tables A12 and A13.

    The distribution under the null hypothesis is exact for up to 50 differences, ties or not, else the normal one; see
    ``signed_rank``, which says where SciPy gives other numbers. Ties are those of rounded differences, so that
    shares and percent have the same p-values; see ``differences``.

    Args:
        scores: (n_tasks, n_models), higher is better.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank; the two are corrected for different numbers of
            comparisons, see ``baseline_result``.
        alternative: ``"two-sided"``, or ``"greater"`` for "the baseline scores higher".
        correction: A name in ``CORRECTIONS``; over n_models − 1 comparisons, or over all pairs for ``"best"``.
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
    values = scores.to_numpy(dtype=float)

    def compare(model: str) -> tuple[np.ndarray, np.ndarray]:
        differences = subtract(values[:, [scores.columns.get_loc(model)]], values)
        return signed_rank(differences, alternative, zero_method)

    return baseline_result("wilcoxon", scores, compare, baseline, alternative, correction)


def describe_wilcoxon(baseline: str, alternative: str, correction: str, zero_method: str, family: str = "") -> str:
    """Return in one sentence which test gave the p-values, to be printed with them; ``family`` says what is corrected for."""
    tail = f"one-sided ({baseline} scores higher)" if alternative == "greater" else "two-sided"
    corrected = {
        "none": "not corrected for multiple comparisons",
        "holm": "adjusted p by Holm's step-down correction",
        "hochberg": "adjusted p by Hochberg's step-up correction",
        "shaffer": "adjusted p by Shaffer's correction (Holm's unless over all pairs, two-sided)",
    }
    return (
        f"Wilcoxon signed-rank test of {baseline} against each model, paired by task, {tail}; "
        f"{ZERO_METHODS[zero_method]}; exact up to {N_EXACT} differences, "
        f"else normal approximation; {corrected.get(correction, correction)}"
        f"{' ' + family if family and correction != 'none' else ''}."
    )
