"""What the comparisons by depth and by split share: their record, published values, and cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.results.published import load_reference

_TABLES = {("tox21", "depth", "snn2017"): "table_2", ("htru2", "split", "snn2017"): "table_3"}
"""The published tables: their names in ``published.REFERENCES`` by suite, kind of breakdown and publication."""


@dataclass(frozen=True, eq=False)
class Breakdown:
    """A table with what it is and how it was made.

    Attributes:
        heading: What the table is of.
        values: The numbers, scores as shares: by depth, indexed by (model, depth), mean, std and n_seeds; by split, indexed by
            model, mean, std, mean_rank, pvalue and adjusted_pvalue. Beside published results there are published_mean and
            published_std too.
        cells: The same as texts.
        notes: How it was made, in sentences.
        kind: ``"depth"`` or ``"split"``.
        on_versions: Which versions of the data it is on, where there are several, in sentences.
    """

    heading: str
    values: pd.DataFrame
    cells: pd.DataFrame
    notes: tuple[str, ...]
    kind: str = ""
    on_versions: tuple[str, ...] = ()


def load_published_values(rows: pd.DataFrame, kind: str, names: Sequence[str]) -> pd.DataFrame:
    """Return the published values of the suite of the rows.

    Raises:
        SnnbenchError: If one of the names has none by this kind of breakdown.
    """
    suite = str(rows["suite"].iloc[0])
    found = [table for name in names if (table := _TABLES.get((suite, kind, name)))]
    if len(found) != len(names):
        known = ", ".join(f"{name} for {suite} by {kind}" for suite, kind, name in _TABLES)
        raise SnnbenchError(f"--published must name results of {suite} by {kind}, found {', '.join(names)}. There is: {known}.")
    return load_reference(found[0])


def describe_scores(rows: pd.DataFrame, metric: str) -> str:
    """Return of which task and by which metric the scores are."""
    evaluations = rows[rows["stage"] == "evaluate"]
    sources, n_tasks = evaluations["task_source"].dropna().unique(), evaluations["task"].nunique()
    of_what = sources[0] if n_tasks == 1 and len(sources) == 1 else f"{n_tasks} {'task' if n_tasks == 1 else 'tasks'}"
    metrics = metric or " or ".join(sorted(evaluations["metric"].unique()))
    return f"{rows['suite'].iloc[0]} ({of_what}): {metrics} of the test rows."


def cell_plus_minus(mean: float, std: float, digits: int, std_digits: int) -> str:
    """Return a mean with its deviation, if it has one."""
    if np.isnan(mean):
        return "-"
    return f"{mean:.{digits}f}" + ("" if np.isnan(std) else f"±{std:.{std_digits}f}")
