"""The Wilcoxon signed-rank test of every model against every other."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd

from snnbench.records import Alternative, TestResult
from snnbench.stats.correction import adjust_pairs
from snnbench.stats.differences import subtract
from snnbench.stats.options import check_option, check_test_options
from snnbench.stats.ranks import mean_ranks
from snnbench.stats.signed_rank import ZERO_METHODS, signed_rank


def pairwise_wilcoxon(
    scores: pd.DataFrame,
    alternative: Alternative = "two-sided",
    correction: str = "holm",
    zero_method: str = "wilcox",
) -> TestResult:
    """Compare all pairs of models by paired Wilcoxon signed-rank tests across the tasks.

    Each test is that of ``wilcoxon``, with the same distributions, zeros and missing scores. There are many more of them, so
    the correction costs more: name a baseline if there is one. What a pair shows does not depend on the other models, unlike
    with ``nemenyi``, but "no difference" is not transitive and need not follow the ranks.

    Args:
        scores: (n_tasks, n_models), higher is better.
        alternative: ``"two-sided"``, or ``"greater"`` for "the model of the row scores higher than that of the column".
        correction: A name in ``CORRECTIONS``; applied over the n_models · (n_models − 1) / 2 pairs, or over twice as many if
            one-sided, as each pair is then tested in both directions.
        zero_method: A name in ``ZERO_METHODS``.

    Returns:
        A comparison with (n_models, n_models) entries in column order, symmetric if two-sided, NaN on the diagonal and for
        pairs without a common task. The statistic is SciPy's: the sum of the positive ranks, or the smaller of both sums if
        two-sided.

    Raises:
        UnknownNameError: If the alternative, correction or zero method does not exist.

    Source:
        García and Herrera, "An Extension on 'Statistical Comparisons of Classifiers over Multiple Data Sets' for all Pairwise
        Comparisons", JMLR 9 (2008); Benavoli et al., "Should We Really Use Post-Hoc Tests Based on Mean-Ranks?", JMLR 17
        (2016), who advise it instead of ``nemenyi``.
    """
    check_test_options(alternative, correction)
    check_option("zero method", zero_method, ZERO_METHODS)
    n_models = scores.shape[1]
    values = scores.to_numpy(dtype=float)
    two_sided = alternative == "two-sided"
    pairs = list((combinations if two_sided else permutations)(range(n_models), 2))
    statistic, pvalue = np.full((2, n_models, n_models), np.nan)
    tested = tuple(np.array(pairs, dtype=int).reshape(-1, 2).T)
    differences = subtract(values[:, tested[0]], values[:, tested[1]])
    statistic[tested], pvalue[tested] = signed_rank(differences, alternative, zero_method)
    if two_sided:
        for matrix in (statistic, pvalue):
            matrix[tested[::-1]] = matrix[tested]
    adjusted = adjust_pairs(pvalue, alternative, correction)
    return TestResult(
        test="pairwise_wilcoxon",
        models=tuple(map(str, scores.columns)),
        statistic=statistic,
        pvalue=pvalue,
        adjusted_pvalue=adjusted,
        mean_ranks=mean_ranks(scores).to_numpy(dtype=float),
        n_tasks=len(scores),
        alternative=alternative,
    )
