"""Ranks of the models on every task: what the published tables report."""

import numpy as np
import pandas as pd

from snnbench.errors import SnnbenchError, UnknownNameError


def rank(scores: pd.DataFrame) -> pd.DataFrame:
    """Rank the models on each task, 1 = best.

    Models with equal scores share the average of their ranks, so every row sums to n_models · (n_models + 1) / 2. A
    missing score (NaN) takes the worst rank, as in Tables A12 and A13 of Klambauer et al. (2017).

    Args:
        scores: (n_tasks, n_models), higher is better.

    Returns:
        (n_tasks, n_models), with the index and columns of ``scores``.
    """
    return scores.rank(axis="columns", ascending=False, method="average", na_option="bottom")


def mean_ranks(scores: pd.DataFrame) -> pd.Series:
    """Return the rank of each model averaged over the tasks, shape (n_models,); NaN without tasks.

    Klambauer et al. (2017), Table 1, prints these as differences to their mean, (n_models + 1) / 2.
    """
    return rank(scores).mean(axis="index").rename("mean_rank")


def wins(scores: pd.DataFrame) -> pd.Series:
    """Return on how many tasks each model is the best, shape (n_models,).

    A first place shared by k models counts 1/k for each, so the wins sum to the number of tasks that have a score.
    """
    best = scores.eq(scores.max(axis="columns"), axis="index")
    shares = best.div(best.sum(axis="columns").replace(0, np.nan), axis="index")
    return shares.sum(axis="index").rename("wins")


def compare_scores(scores: pd.DataFrame) -> np.ndarray:
    """Compare every model with every other on every task.

    A missing score (NaN) is worse than any score and equal to another missing one, as in ``rank``.

    Args:
        scores: (n_tasks, n_models), higher is better.

    Returns:
        (n_tasks, n_models, n_models) int8: 1 where the first model scores higher, -1 where the second does, 0 where neither.
    """
    values = scores.fillna(-np.inf).to_numpy(dtype=float)
    first, second = values[:, :, np.newaxis], values[:, np.newaxis, :]
    return (first > second).astype(np.int8) - (first < second).astype(np.int8)


def order_models(scores: pd.DataFrame) -> list[str]:
    """Return the models from best to worst by mean rank.

    Equal mean ranks are ordered by the higher mean score, then by name, so the order of the columns has no influence.
    """
    # Rounded, because the mean of equal ranks in another order differs in the last bits.
    keys = pd.DataFrame({"mean_rank": mean_ranks(scores).round(12), "loss": -scores.mean(axis="index").round(12)})
    keys["name"] = keys.index.astype(str)
    return list(keys.sort_values(["mean_rank", "loss", "name"]).index)


def choose_baseline(scores: pd.DataFrame, baseline: str = "best") -> str:
    """Return the model that the others are compared with.

    Args:
        scores: (n_tasks, n_models), higher is better.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank.

    Raises:
        UnknownNameError: If ``baseline`` is neither.
        SnnbenchError: If ``scores`` has no model.
    """
    if scores.shape[1] == 0:
        raise SnnbenchError("A score table must have at least one model, found none; run `snnbench run` first.")
    if baseline in scores.columns:
        return baseline
    if baseline != "best":
        raise UnknownNameError("model", baseline, [*map(str, scores.columns), "best"])
    return order_models(scores)[0]
