"""The stopping rule of the paper: the best epoch of the smoothed validation curve."""

import numpy as np


def best_epoch(valid_score: np.ndarray, window: int, centred: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Find each member's stopping epoch.

    The curve is averaged over ``window`` trailing epochs (full windows only, so epoch ``window`` is the first candidate;
    a shorter training has one window over all of it); the first maximum counts. The paper says "moving average over 10
    epochs" and nothing of edges and ties: those two are our choice.

    Args:
        valid_score: (n_epochs, n_stack), higher is better.
        window: Epochs to average over.
        centred: Whether a window stands for the epoch in its middle (the earlier of two) instead of its last.

    Returns:
        The epochs (n_stack,), counted from 1, and the smoothed scores there (n_stack,). A curve with a non-finite value
        gives its last epoch and NaN.
    """
    window = min(window, len(valid_score))
    windows = np.lib.stride_tricks.sliding_window_view(valid_score.astype(np.float64), window, axis=0)
    # Equal sums in another order differ in their last bits: rounded, they tie, as the protocol's tie rules need.
    smoothed = windows.mean(axis=-1).round(12)
    broken = ~np.isfinite(valid_score).all(axis=0)
    first = np.where(broken, len(smoothed) - 1, np.nan_to_num(smoothed, nan=-np.inf).argmax(axis=0))
    score = np.where(broken, np.nan, smoothed[first, np.arange(valid_score.shape[1])])
    return first + (window + 1) // 2 if centred else first + window, score
