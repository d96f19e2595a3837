"""Scores averaged over the tasks: what ranks leave out, the size of the differences."""

import pandas as pd


def summarise_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean and the median score of each model, and its mean distance to the best.

    A mean over tasks adds scores of unlike meaning: a model that fails on one hard task may look worse than one that is a
    little worse everywhere. The median does not see such tasks, and the shifted score removes how hard a task is: on each task
    the best score is subtracted from all, so that the best model has 0 and the others what they lack.

    Args:
        scores: (n_tasks, n_models), higher is better. A missing score is left out of the means and medians of its model, which
            are then over other tasks than those of the other models; ``n_scores`` tells.

    Returns:
        (n_models, 4), index = model: mean_score; median_score; mean_shifted_score, at most 0, and 0 for a model that is best
        everywhere; n_scores, on how many tasks the model has a score. NaN for a model without scores.
    """
    shifted = scores.sub(scores.max(axis="columns"), axis="index")
    return pd.DataFrame(
        {
            "mean_score": scores.mean(axis="index"),
            "median_score": scores.median(axis="index"),
            "mean_shifted_score": shifted.mean(axis="index"),
            "n_scores": scores.notna().sum(axis="index"),
        }
    )
