"""Tables as users have them: numbers with gaps, levels, a date, an id, words for classes."""

from pathlib import Path

import numpy as np
import pandas as pd


def customers(n_rows: int = 800, seed: int = 0) -> pd.DataFrame:
    """Return six numeric and three categorical columns with gaps, a date, an id, and a target that can be learned."""
    rng = np.random.default_rng(seed)
    numbers = {
        name: np.round(rng.normal(50, 15, n_rows), 2) for name in ("age", "income", "spend", "visits", "tenure", "score")
    }
    frame = pd.DataFrame({"id": np.arange(n_rows) + 1, **numbers})
    frame["plan"] = rng.choice(["basic", "plus", "pro"], n_rows)
    frame["region"] = rng.choice(["north", "south", "east", "west", "isle"], n_rows, p=[0.3, 0.3, 0.2, 0.195, 0.005])
    frame["member"] = rng.choice(["yes", "no"], n_rows)
    frame["joined"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, n_rows), unit="D")
    odds = (frame["age"] - 50) / 10 + (frame["plan"] == "pro") * 2 - (frame["member"] == "yes") + rng.normal(0, 0.7, n_rows)
    frame["churned"] = np.where(odds > 0, "left", "stayed")
    for column in ("income", "visits", "plan", "region"):
        frame.loc[rng.random(n_rows) < 0.06, column] = None
    return frame


def write_customers(folder: Path, n_rows: int = 800) -> Path:
    """Write them as ``customers.csv``."""
    file = folder / "customers.csv"
    customers(n_rows).to_csv(file, index=False, na_rep="NA")
    return file
