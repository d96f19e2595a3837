"""What the size of the scores tells of their unit: which differences are practically none, and which score is without error."""

import numpy as np
import pandas as pd

ROPES = {"shares": 0.01, "percent": 1.0}
"""Half the width of the region of practical equivalence on scales whose unit is known."""


def score_scale(scores: pd.DataFrame) -> str:
    """Return what scores (n_tasks, n_models) that are not negative look like: ``"shares"``, ``"percent"``; else ``"other"``."""
    lowest, highest = scores.min(axis=None), scores.max(axis=None)
    if lowest >= 0 and highest <= 1:
        return "shares"
    return "percent" if lowest >= 0 and highest <= 100 and scores.stack().median() > 1 else "other"


def errors(scores: pd.DataFrame) -> pd.DataFrame | None:
    """Return how far scores lie below one without any error, (n_tasks, n_models); None if their scale has no such score.

    It is 1 for shares, 100 for percent, and 0 for losses, which are scores of at most 0.
    """
    if scores.max(axis=None) <= 0:
        return -scores
    faultless = {"shares": 1.0, "percent": 100.0}.get(score_scale(scores))
    return None if faultless is None else faultless - scores


def choose_rope(scores: pd.DataFrame) -> float:
    """Return a region of practical equivalence that follows the scores, where none is given: half its width.

    0.01 for shares, that is one percent, the choice of Benavoli et al. (2017) for accuracies; 1 for percent; for scores of any
    other scale a tenth of their typical standard deviation over the tasks (half of a small effect in Kruschke's sense).

    Args:
        scores: (n_tasks, n_models), higher is better, NaN = missing.

    Source:
        Kruschke, "Rejecting or Accepting Parameter Values in Bayesian Estimation", Advances in Methods and Practices in
        Psychological Science 1 (2018).
    """
    sizes = -scores if scores.max(axis=None) <= 0 else scores  # losses have their sign reversed
    if (half := ROPES.get(score_scale(sizes))) is not None:
        return half
    deviation = float(scores.std(axis="index").median())
    return 0.1 * deviation if np.isfinite(deviation) else 0.0
