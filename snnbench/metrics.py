"""The metrics: higher is better, computed from a model's outputs on held-out rows.

A score that selects or stops is computed in training, from ``METRICS[task.metric]``; the others can be asked for afterwards,
from the outputs stored with every evaluation (``snnbench compare --metric``).
"""

from collections.abc import Callable

import numpy as np


def accuracy(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the share of rows whose largest output is the true class.

    Args:
        y: (n_samples,) class indices.
        outputs: (..., n_samples, n_outputs) logits, probabilities or votes; the first of equal outputs counts.

    Returns:
        (...,) one accuracy for each leading index.
    """
    return (outputs.argmax(axis=-1) == y).mean(axis=-1)


def balanced_accuracy(y: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean over the classes present in ``y`` of the share of their rows that is recognised."""
    predicted = outputs.argmax(axis=-1)
    return float(np.mean([(predicted[y == label] == label).mean() for label in np.unique(y)]))


def macro_f1(y: np.ndarray, outputs: np.ndarray) -> float:
    """Return the F1 score, averaged over the classes that are present in ``y`` or were predicted."""
    from sklearn.metrics import f1_score  # which takes a second, and nothing else here needs scikit-learn

    return float(f1_score(y, outputs.argmax(axis=-1), average="macro", zero_division=0))


def auc(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve, one class against the rest, averaged over the classes that are present in ``y``.

    Rows of equal outputs are tied, as in scikit-learn. Probabilities that were rounded to 1 are ordered by those of the others.

    Args:
        y: (n_samples,) class indices.
        outputs: (..., n_samples, n_outputs) probabilities or decision values.

    Returns:
        (...,) one value for each leading index; NaN where only one class is present or an output is NaN.
    """
    if outputs.ndim > 2:
        return np.array([auc(y, of_member) for of_member in outputs])
    present = np.unique(y)
    if len(present) < 2:
        return np.array(np.nan)
    if outputs.shape[-1] == 2:
        return _area(y == 1, _ranked_odds(outputs) if _are_probabilities(outputs) else _difference(outputs))
    scores = _ranked_classes(outputs) if _are_probabilities(outputs) else outputs
    return np.mean([_area(y == label, scores[:, label]) for label in present], axis=0)


def mean_auc(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the mean of the areas under the ROC curves of several labels, each over the rows where it was measured.

    A label of which only one class was measured has no such area and is left out of the mean; ``one_class_labels`` tells which.

    Args:
        y: (n_samples, n_outputs) labels 0 and 1, NaN = not measured.
        outputs: (..., n_samples, n_outputs) probabilities, logits or decision values, each comparable within its column.

    Returns:
        (...,) one value for each leading index; NaN where no label has an area, or an output of a measured label is NaN.
    """
    left_out = one_class_labels(y)
    areas = [
        _area(y[measured, label] == 1, outputs[..., measured, label])
        for label, measured in enumerate(~np.isnan(y).T)
        if label not in left_out
    ]
    return np.mean(areas, axis=0) if areas else np.full(outputs.shape[:-2], np.nan)


def one_class_labels(y: np.ndarray) -> list[int]:
    """Return the columns of (n_samples, n_outputs) labels in which fewer than two classes were measured."""
    return np.flatnonzero(~((y == 0).any(axis=0) & (y == 1).any(axis=0))).tolist()


def _area(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the share of pairs of a positive and another row that (..., n_samples) scores put in order; ties count half.

    The statistic of Mann and Whitney, which is the area under the ROC curve.
    """
    from scipy.stats import rankdata  # late: a score that is stored needs none of it

    n_positive = positive.sum()
    ranks = rankdata(scores, axis=-1)
    above = ranks[..., positive].sum(axis=-1) - n_positive * (n_positive + 1) / 2
    return above / (n_positive * (len(positive) - n_positive))


def negative_log_loss(y: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean log-probability of the true class, at least that of 1e-15; NaN for decision values."""
    if not _are_probabilities(outputs):
        return float("nan")
    return float(np.log(np.clip(outputs[np.arange(len(y)), y].astype(np.float64), 1e-15, 1)).mean())


def _are_probabilities(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=-1, dtype=np.float64), 1, atol=1e-3))


def _difference(values: np.ndarray) -> np.ndarray:
    """Return by how much the second of two decision values is larger, in float64, so that no ties are made."""
    first, second = np.moveaxis(values.astype(np.float64), -1, 0)
    return second - first


def _ranked_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return (n_samples,) numbers that order the rows by the log-odds of the second of two classes.

    The smaller of the two probabilities decides: it keeps its digits where the other is rounded to 1.
    """
    from scipy.stats import rankdata

    first, second = probabilities.T
    distance = len(first) + 1 - rankdata(np.minimum(first, second), method="dense")
    return np.sign(second - first) * distance


def _ranked_classes(probabilities: np.ndarray) -> np.ndarray:
    """Return (n_samples, n_outputs) numbers that order the rows for each class by its probability p; equal ones are tied.

    Near 1 many different p are rounded to one number. Such rows are ordered by the sum of the others, which keeps its digits,
    but only where these sums differ by more than their own rounding: rows of equal p add up to 1 in other ways.
    """
    tolerance = 4 * float(np.finfo(probabilities.dtype).eps)
    ranked = np.empty(probabilities.shape)
    for label, p in enumerate(probabilities.T):
        # Sorted, so that the sum does not depend on the order of the classes.
        others = np.sort(np.delete(probabilities, label, axis=1), axis=1).sum(axis=1, dtype=np.float64)
        order = np.lexsort((-others, p))
        steps = (np.diff(p[order]) > 0) | (-np.diff(others[order]) > tolerance * others[order][:-1])
        ranked[order, label] = np.concatenate([[0], np.cumsum(steps)])
    return ranked


METRICS: dict[str, Callable] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "auc": auc,
    "negative_log_loss": negative_log_loss,
    "mean_auc": mean_auc,
}

MULTILABEL_METRICS = ("mean_auc",)
"""Those of multilabel tasks; all others are of class indices."""
