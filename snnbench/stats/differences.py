"""Differences of paired scores, of which equal ones tie whatever the unit of the scores."""

import numpy as np
import pandas as pd

# Digits that count, of the largest score. Scores are rounded to two more, where means over seeds lose their last bits: two
# thirds less one third then ties with one third.
DIGITS = 10


def paired_differences(scores: pd.DataFrame, model: str, other: str) -> np.ndarray:
    """Return the scores of one model less those of another, (n_common_tasks,), on the tasks that both have a score on.

    Args:
        scores: (n_tasks, n_models), higher is better, NaN = missing.
        model: A column of ``scores``.
        other: Another.
    """
    differences = subtract(scores[model].to_numpy(dtype=float), scores[other].to_numpy(dtype=float))
    return differences[~np.isnan(differences)]


def subtract(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``first`` − ``second``, rounded to ``DIGITS`` digits of the largest score of the pair.

    In floating point 0.84 − 0.79 and 0.75 − 0.70 are not equal, while 84 − 79 and 75 − 70 are; a test of signed ranks would
    otherwise depend on whether scores are shares or percent.

    Args:
        first: (n_tasks, ...) scores, NaN = missing.
        second: Likewise.

    Returns:
        (n_tasks, ...); NaN where a score is missing, 0 where both are the same infinity.
    """
    sizes = np.maximum(*(np.where(np.isfinite(scores), np.abs(scores), 0).max(axis=0, initial=0) for scores in (first, second)))
    unit = 10.0 ** np.ceil(np.log10(np.where(sizes > 0, sizes, 1)))
    with np.errstate(invalid="ignore"):
        differences = np.where(first == second, 0.0, first - second)
    return np.round(differences / unit, DIGITS) * unit
