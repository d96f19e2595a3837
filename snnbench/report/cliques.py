"""Which models a critical-difference diagram joins by a bar."""

import numpy as np


def find_cliques(differ: np.ndarray) -> list[tuple[int, int]]:
    """Return the longest runs of models, neighbours by mean rank, of which no two differ.

    A bar thus never covers two models that differ, whatever the test. By the Nemenyi test two models differ exactly if their
    mean ranks are far enough apart, so models without a common bar differ. A test of pairs need not follow the ranks: there,
    two models without a common bar may not differ either, as one between them does from one of them.

    Args:
        differ: (n_models, n_models) symmetric booleans, models in the order of their mean ranks; the diagonal is not used.

    Returns:
        First and last position of each run of at least two models; no run lies within another.
    """
    n_models = len(differ)
    runs: list[tuple[int, int]] = []
    last_end = 0
    for start in range(n_models):
        end = start
        while end + 1 < n_models and not differ[end + 1, start : end + 1].any():
            end += 1
        if end > start and end > last_end:
            runs.append((start, end))
            last_end = end
    return runs
