"""Bootstrap intervals over the tasks: what if the suite had held other tasks of the same kind?"""

import numpy as np
import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.stats.options import check_share
from snnbench.stats.ranks import rank


def resample_tasks(n_tasks: int, n_resamples: int, seed: int) -> np.ndarray:
    """Draw tasks with replacement, as many as there are.

    The draws depend on the three numbers alone, so that all models are seen on the same resampled tasks.

    Returns:
        (n_resamples, n_tasks) indices of tasks.

    Raises:
        SnnbenchError: If there is no task, or less than one resample is asked for.
    """
    if n_tasks < 1 or n_resamples < 1:
        raise SnnbenchError(
            f"A bootstrap needs at least one task and one resample, found {n_tasks} and {n_resamples}; compare more tasks."
        )
    return np.random.default_rng(seed).integers(n_tasks, size=(n_resamples, n_tasks))


def count_draws(draws: np.ndarray) -> np.ndarray:
    """Return how often each task was drawn, (n_resamples, n_tasks), from the draws of ``resample_tasks``."""
    n_resamples, n_tasks = draws.shape
    offsets = n_tasks * np.arange(n_resamples)[:, np.newaxis]
    return np.bincount((draws + offsets).ravel(), minlength=draws.size).reshape(draws.shape).astype(float)


def interval(resampled: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper end of the percentile interval.

    Args:
        resampled: (n_resamples, ...), a statistic on each resample.
        confidence: Between 0 and 1.

    Raises:
        SnnbenchError: If ``confidence`` is not between 0 and 1.

    Source:
        Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    check_share("the confidence", confidence)
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high


def bootstrap_mean_ranks(
    scores: pd.DataFrame, confidence: float = 0.95, n_resamples: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Return the mean rank of each model with a bootstrap interval over the tasks.

    The intervals say how far each mean rank depends on the choice of tasks. They say little about the difference of two models,
    whose ranks rise and fall together: that is what the tests are for.

    Args:
        scores: (n_tasks, n_models), higher is better; a missing score has the worst rank.
        confidence: Of the percentile intervals.
        n_resamples: How often the tasks are drawn again.
        seed: Of the draws.

    Returns:
        (n_models, 3), index = model: mean_rank, low, high.

    Raises:
        SnnbenchError: If there is no task, or ``confidence`` is not between 0 and 1.
    """
    counts = count_draws(resample_tasks(len(scores), n_resamples, seed))
    ranks = rank(scores)
    low, high = interval(counts @ ranks.to_numpy(dtype=float) / len(scores), confidence)
    return pd.DataFrame({"mean_rank": ranks.mean(axis="index"), "low": low, "high": high}, index=scores.columns)
