"""The corrected resampled t-test: does one model score higher on the folds or repetitions of one task?"""

import numpy as np
import pandas as pd
from scipy import special

from snnbench.errors import SnnbenchError
from snnbench.records import Alternative, TestResult
from snnbench.stats.baseline import baseline_result
from snnbench.stats.differences import paired_differences
from snnbench.stats.options import check_test_options

# The fewest folds that are tested.
MIN_FOLDS = 3


def resampled_t(
    scores: pd.DataFrame,
    baseline: str = "best",
    alternative: Alternative = "two-sided",
    correction: str = "holm",
    test_share: float | None = None,
) -> TestResult:
    """Compare a baseline with every other model within one task, over its folds or repetitions.

    The folds of a task share training rows, so their scores are not independent and the usual t-test finds differences that are
    not there. This test enlarges the variance of the mean difference from s²/n to (1/n + n_test/n_train)·s². It says whether
    the models differ on this task, for other draws of training rows, and nothing about other tasks: folds are never counted as
    tasks.

    Args:
        scores: (n_folds, n_models), higher is better. A missing score leaves the fold out of the pairs it belongs to.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank over the folds.
        alternative: ``"two-sided"``, or ``"greater"`` for "the baseline scores higher".
        correction: A name in ``CORRECTIONS``; over n_models − 1 comparisons, or over all pairs for ``"best"``.
        test_share: n_test / n_train. By default 1 / (n_folds − 1), that of a cross-validation which trains on all other folds;
            if one of 10 folds validates and does not train, as in HTRU2, it is 1/8.

    Returns:
        A comparison with (n_models,) entries in column order, NaN at the baseline and where no test is possible, see
        ``why_untestable``. The statistic is t with n_folds − 1 degrees of freedom. ``n_tasks`` is the number of folds.

    Raises:
        UnknownNameError: If the baseline, alternative or correction does not exist.
        SnnbenchError: If ``test_share`` is not positive.

    Source:
        Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003), corrected resampled t-test;
        Bouckaert and Frank, "Evaluating the Replicability of Significance Tests", PAKDD 2004, for repeated cross-validation.
    """
    check_test_options(alternative, correction)
    if test_share is not None and not test_share > 0:
        raise SnnbenchError(f"test_share must be n_test / n_train and positive, found {test_share}; 10 folds have 1/9.")
    share = test_share if test_share is not None else 1 / max(len(scores) - 1, 1)

    def compare(model: str) -> tuple[np.ndarray, np.ndarray]:
        tests = [_test(paired_differences(scores, model, other), share, alternative) for other in scores.columns]
        statistic, pvalue = np.array(tests, dtype=float).reshape(-1, 2).T
        return statistic, pvalue

    return baseline_result("resampled_t", scores, compare, baseline, alternative, correction)


def _test(differences: np.ndarray, share: float, alternative: Alternative) -> tuple[float, float]:
    """Return statistic and p-value of the differences on the folds (n_folds,); NaN where no test is possible."""
    if why_untestable(differences):
        return float("nan"), float("nan")
    variance = (1 / len(differences) + share) * differences.var(ddof=1)
    statistic = float(differences.mean() / np.sqrt(variance))
    tail = float(special.stdtr(len(differences) - 1, -statistic if alternative == "greater" else -abs(statistic)))
    return statistic, tail if alternative == "greater" else 2 * tail


def why_untestable(differences: np.ndarray) -> str:
    """Return why a t-test of the differences on the folds (n_folds,) is not possible; empty if it is.

    The test measures a mean difference by how far the folds scatter around it. Folds that do not scatter give no such measure,
    however large the difference, and two scatter little by chance too often: R refuses "essentially constant" data as well.
    """
    if len(differences) < MIN_FOLDS:
        return f"fewer than {MIN_FOLDS} splits"
    if not np.isfinite(differences).all():
        return "an infinite difference"
    if np.ptp(differences) == 0:
        return "the same difference on every split, so no variance to measure it by"
    return ""
