"""Random rows, for what depends on their number alone."""

import numpy as np

from snnbench.records import Dataset


def random_rows(n_rows: int, n_features: int = 32, n_classes: int = 10) -> Dataset:
    """Return standard normal features and random classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    return Dataset(X, rng.integers(0, n_classes, n_rows))
