"""The metrics: higher is better, computed from a model's outputs on held-out rows."""

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


METRICS = {"accuracy": accuracy}
