"""Corrections of p-values for the number of comparisons."""

from collections.abc import Callable

import numpy as np


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
    positions = np.flatnonzero(~np.isnan(pvalues))
    ascending = positions[np.argsort(pvalues[positions], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(factors * pvalues[ascending]), 1.0)
    return adjusted


def none(pvalues: np.ndarray) -> np.ndarray:
    """Return the p-values as they are, as Klambauer et al. (2017) print them."""
    return np.array(pvalues, dtype=float)


CORRECTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"holm": holm, "none": none}
