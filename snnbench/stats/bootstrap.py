"""Bootstrap intervals over the tasks: what if the suite had held other tasks of the same kind?"""

import numpy as np

from snnbench.errors import SnnbenchError
from snnbench.stats.options import check_share


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
