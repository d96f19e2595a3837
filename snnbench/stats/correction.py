"""Corrections of p-values for the number of comparisons."""

from collections.abc import Callable

import numpy as np

from snnbench.records import Alternative


def holm(pvalues: np.ndarray) -> np.ndarray:
    """Adjust p-values by Holm's step-down procedure, which controls the family-wise error rate.

    The i-th smallest of m p-values is multiplied by m − i + 1; no adjusted value is below that of a smaller p-value or
    above 1. NaN (not a comparison) stays NaN and does not count in m.

    Args:
        pvalues: (n_comparisons,), in any order.

    Returns:
        (n_comparisons,), in the order of ``pvalues``.

    Source:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statistics 6 (1979).
    """
    pvalues = np.asarray(pvalues, dtype=float)
    adjusted = np.full(pvalues.shape, np.nan)
    ascending = _sort_comparisons(pvalues)
    factors = np.arange(len(ascending), 0, -1)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(factors * pvalues[ascending]), 1.0)
    return adjusted


def hochberg(pvalues: np.ndarray) -> np.ndarray:
    """Adjust p-values by Hochberg's step-up procedure.

    The factors are Holm's, but no adjusted value is above that of a larger p-value, so it never rejects less. It controls the
    family-wise error rate if the tests are independent or positively dependent; for comparisons of one baseline with every
    other model, which share the baseline, this is usually assumed and not proven. Holm needs no such assumption.

    Args:
        pvalues: (n_comparisons,), in any order; NaN (not a comparison) stays NaN and does not count.

    Returns:
        (n_comparisons,), in the order of ``pvalues``.

    Source:
        Hochberg, "A sharper Bonferroni procedure for multiple tests of significance", Biometrika 75 (1988).
    """
    pvalues = np.asarray(pvalues, dtype=float)
    adjusted = np.full(pvalues.shape, np.nan)
    descending = _sort_comparisons(pvalues)[::-1]
    factors = np.arange(1, len(descending) + 1)
    adjusted[descending] = np.minimum(np.minimum.accumulate(factors * pvalues[descending]), 1.0)
    return adjusted


def none(pvalues: np.ndarray) -> np.ndarray:
    """Return the p-values as they are, as Klambauer et al. (2017) print them."""
    return np.array(pvalues, dtype=float)


def shaffer(pvalues: np.ndarray, n_models: int = 0) -> np.ndarray:
    """Adjust the p-values of all pairs of models by Shaffer's static procedure.

    As Holm's, but a factor is never larger than the number of pairs that can still be equal: of four models, if one pair
    differs, at most three of the other five pairs are equal. Comparisons that are not all pairs have no such relation, and the
    procedure is Holm's.

    Args:
        pvalues: (n_comparisons,), in any order; NaN (not a comparison) stays NaN.
        n_models: Whose pairs they are; 0 for other comparisons.

    Returns:
        (n_comparisons,), in the order of ``pvalues``.

    Source:
        Shaffer, "Modified Sequentially Rejective Multiple Test Procedures", JASA 81 (1986); García and Herrera, JMLR 9 (2008).
    """
    pvalues = np.asarray(pvalues, dtype=float)
    if len(pvalues) != n_models * (n_models - 1) // 2 or np.isnan(pvalues).any():
        return holm(pvalues)
    ascending = np.argsort(pvalues, kind="stable")
    adjusted = np.empty(pvalues.shape)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(shaffer_factors(n_models) * pvalues[ascending]), 1.0)
    return adjusted


def shaffer_factors(n_models: int) -> np.ndarray:
    """Return by what the ordered p-values of all pairs are multiplied, (n_pairs,): how many pairs may be equal."""
    # possible[k] holds how many pairs of k models can be equal: a group of j equal ones, and any grouping of the others.
    possible: list[set[int]] = [{0}, {0}]
    for k in range(2, n_models + 1):
        possible.append({j * (j - 1) // 2 + rest for j in range(1, k + 1) for rest in possible[k - j]})
    counts = np.array(sorted(possible[n_models]))
    left = np.arange(n_models * (n_models - 1) // 2, 0, -1)
    return np.asarray(counts[np.searchsorted(counts, left, side="right") - 1])


CORRECTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "holm": holm,
    "hochberg": hochberg,
    "shaffer": shaffer,
    "none": none,
}


def adjust_pairs(pvalues: np.ndarray, alternative: Alternative, correction: str) -> np.ndarray:
    """Correct the p-values of all pairs of models.

    Args:
        pvalues: (n_models, n_models), of the row against the column; symmetric if two-sided. The diagonal is not used.
        alternative: Two-sided, every pair is one comparison; one-sided it is two, one in each direction.
        correction: A name in ``CORRECTIONS``.

    Returns:
        (n_models, n_models), NaN on the diagonal.
    """
    n_models = len(pvalues)
    adjusted = np.full((n_models, n_models), np.nan)
    pairs = np.triu_indices(n_models, 1) if alternative == "two-sided" else np.nonzero(~np.eye(n_models, dtype=bool))
    if correction == "shaffer" and alternative == "two-sided":
        adjusted[pairs] = shaffer(pvalues[pairs], n_models)
    else:
        adjusted[pairs] = CORRECTIONS[correction](pvalues[pairs])
    if alternative == "two-sided":
        adjusted[pairs[::-1]] = adjusted[pairs]
    return adjusted


def _sort_comparisons(pvalues: np.ndarray) -> np.ndarray:
    """Return the positions of the p-values that are not NaN, smallest first."""
    positions = np.flatnonzero(~np.isnan(pvalues))
    return positions[np.argsort(pvalues[positions], kind="stable")]
