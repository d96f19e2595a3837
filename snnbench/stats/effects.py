"""Effect sizes: by how much, and how often, does one model score higher than another?"""

import numpy as np
import pandas as pd

from snnbench.stats.bootstrap import interval, resample_tasks
from snnbench.stats.differences import paired_differences
from snnbench.stats.ranks import choose_baseline, compare_scores

# Numbers that a resampled median may hold at a time.
CHUNK = 2_000_000


def effects(
    scores: pd.DataFrame,
    baseline: str = "best",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Say how much a baseline differs from every other model, which no p-value tells.

    All signs are those of the baseline: a positive difference or correlation means that the baseline scores higher.

    Args:
        scores: (n_tasks, n_models), higher is better. A missing score leaves the task out of the differences and the
            correlation, and is a loss in the counts.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank.
        confidence: Of the percentile bootstrap interval of the median difference.
        n_resamples: How often the tasks are drawn again.
        seed: Of the draws.

    Returns:
        (n_models, 8), index = model: median_difference of the scores over the tasks, with its interval low to high;
        rank_biserial, see ``rank_biserial``; wins, ties and losses of the baseline, which sum to the number of tasks; win_rate,
        a tie counting half. NaN at the baseline, and where the two have no common task; no
        interval if a difference is infinite.

    Raises:
        UnknownNameError: If the baseline does not exist.
        SnnbenchError: If ``confidence`` is not between 0 and 1, or there is no resample.
    """
    reference = choose_baseline(scores, baseline)
    rows = []
    for model in scores.columns:
        differences = paired_differences(scores, reference, model)
        median = low = high = np.nan
        if len(differences):
            with np.errstate(invalid="ignore"):
                median = float(np.median(differences))
        if len(differences) and np.isfinite(differences).all():
            low, high = map(float, interval(_resample_medians(differences, n_resamples, seed), confidence))
        rows.append({"median_difference": median, "low": low, "high": high, "rank_biserial": rank_biserial(differences)})
    table = pd.DataFrame(rows, index=scores.columns, dtype=float)
    order = compare_scores(scores)[:, scores.columns.get_loc(reference)]
    for name, outcome in {"wins": 1, "ties": 0, "losses": -1}.items():
        table[name] = (order == outcome).sum(axis=0).astype(float)
    table["win_rate"] = win_rates(scores).loc[reference]
    table.loc[reference] = np.nan
    return table


def rank_biserial(differences: np.ndarray) -> float:
    """Return the matched-pairs rank-biserial correlation, the effect size of the Wilcoxon signed-rank test.

    The absolute differences are ranked without the zeros; the correlation is the share of the rank sum that is positive minus
    the share that is negative: 1 if every difference is positive, 0 if both sides weigh the same, -1 if every one is negative.

    Args:
        differences: (n_tasks,), without NaN.

    Returns:
        A number from -1 to 1; 0 if all differences are zero, NaN if there is none.

    Source:
        Kerby, "The Simple Difference Formula: An Approach to Teaching Nonparametric Correlation", Comprehensive Psychology 3
        (2014).
    """
    if len(differences) == 0:
        return float("nan")
    differences = differences[differences != 0]
    if len(differences) == 0:
        return 0.0
    ranks = pd.Series(np.abs(differences)).rank().to_numpy()
    return float((np.sign(differences) * ranks).sum() / ranks.sum())


def count_wins(scores: pd.DataFrame) -> pd.DataFrame:
    """Return on how many tasks the model of the row scores higher than that of the column, (n_models, n_models).

    Ties count for neither, so an entry and its mirror image sum to the number of tasks without ties. A missing score loses to
    every score.
    """
    wins = (compare_scores(scores) > 0).sum(axis=0)
    return pd.DataFrame(wins, index=scores.columns, columns=scores.columns)


def win_rates(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the share of tasks on which the model of the row scores higher than that of the column, (n_models, n_models).

    A tie counts half, so an entry and its mirror image sum to 1; NaN on the diagonal. A missing score loses to every score.
    """
    rates = np.full((scores.shape[1], scores.shape[1]), np.nan)
    if len(scores):
        rates = (1 + compare_scores(scores).mean(axis=0, dtype=float)) / 2
        np.fill_diagonal(rates, np.nan)
    return pd.DataFrame(rates, index=scores.columns, columns=scores.columns)


def _resample_medians(differences: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Return the medians (n_resamples,) of the differences (n_tasks,) on resampled tasks."""
    draws = resample_tasks(len(differences), n_resamples, seed)
    n_rows = max(1, CHUNK // len(differences))
    chunks = [np.median(differences[draws[start : start + n_rows]], axis=1) for start in range(0, n_resamples, n_rows)]
    return np.concatenate(chunks)
