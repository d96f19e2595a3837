"""Scores averaged over the tasks: what ranks leave out, the size of the differences."""

import numpy as np
import pandas as pd

from snnbench.stats.scale import errors


def summarise_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return averages of the scores of each model, and of its distance to the best and to the worst.

    A mean over tasks adds scores of unlike meaning: a model that fails on one hard task may look worse than one that is a
    little worse everywhere. The median does not see such tasks; the others remove how hard a task is. Of the best score of a
    task, the shifted score is how far a model lies below it; the improvability, by which share of its error; and the rescaled
    loss, by which share of the way to the worst. All depend on which models take part, as ranks do.

    Args:
        scores: (n_tasks, n_models), higher is better. A missing score is left out of the averages of its model, which are then
            over other tasks than those of the other models; ``n_scores`` tells.

    Returns:
        (n_models, 6), index = model: mean_score; median_score; mean_shifted_score, at most 0, and 0 for a model that is best
        everywhere; improvability, 0 for such a model, at most 1, and NaN if the scores have no scale on which an error can be
        0; rescaled_loss, 0 for such a model and 1 for one that is worst everywhere; n_scores, on how many tasks the model has a
        score. NaN for a model without scores.

    Source:
        Erickson et al., "TabArena: A Living Benchmark for Machine Learning on Tabular Data" (2025),
        https://arxiv.org/abs/2506.16791, for improvability and rescaled loss.
    """
    best, worst = scores.max(axis="columns"), scores.min(axis="columns")
    shifted = scores.sub(best, axis="index")
    of_error = errors(scores)
    # Where a model is as good as the best, and where all are equal, nothing is lacking: 0 over 0 is 0.
    improvability = scores * np.nan if of_error is None else (-shifted / of_error).mask(shifted == 0, 0.0)
    rescaled = (-shifted).div(best - worst, axis="index").mask(shifted == 0, 0.0)
    return pd.DataFrame(
        {
            "mean_score": scores.mean(axis="index"),
            "median_score": scores.median(axis="index"),
            "mean_shifted_score": shifted.mean(axis="index"),
            "improvability": improvability.mean(axis="index"),
            "rescaled_loss": rescaled.mean(axis="index"),
            "n_scores": scores.notna().sum(axis="index"),
        }
    )
