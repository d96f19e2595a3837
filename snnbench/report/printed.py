"""The numbers that Klambauer et al. (2017) print for a comparison, to stand beside ours of the same models and tasks."""

from dataclasses import dataclass

import pandas as pd

from snnbench.report.options import CONVENTIONS
from snnbench.report.ranking import ModelComparison
from snnbench.results.published import load_reference

SIZES = {"Table 1": 121, "Table A12": 75, "Table A13": 46}
"""The tasks of each printed table: all, the small and the large ones."""


@dataclass(frozen=True, eq=False)
class Printed:
    """What is printed of the compared models.

    Attributes:
        source: Which table of the paper.
        table: (n_models, 2), in the order of the comparison: rank_difference, the mean rank minus the mean of all ranks, and
            the one-sided pvalue, not corrected, NaN for the best.
    """

    source: str
    table: pd.DataFrame


def find_printed(comparison: ModelComparison) -> Printed | None:
    """Return what the paper prints of a comparison; None if it prints none of these models on these tasks, tested so.

    The seven networks on the 121 tasks of UCI are Table 1, and with one classifier of each group the 75 small tasks Table A12
    and the 46 large ones Table A13. Ours may differ in the last digits: the tables behind them are printed with four decimals.
    A task without scores of all models may be left out, as Table 1 leaves out ``trains``.
    """
    asked = {name: getattr(comparison.options, name) for name in CONVENTIONS["paper"] if name != "missing"}
    if comparison.suite != "uci" or any(CONVENTIONS["paper"][name] != value for name, value in asked.items()):
        return None
    names = {str(model): str(model).partition("[")[0].lower() for model in comparison.table.index}
    for source, n_tasks in SIZES.items():
        printed = _load(source)
        complete = comparison.n_tasks + len(comparison.left_out) == n_tasks and len(comparison.left_out) <= 1
        if complete and sorted(names.values()) == sorted(printed.index):
            return Printed(source, printed.loc[list(names.values())].set_axis(list(names), axis="index"))
    return None


def _load(source: str) -> pd.DataFrame:
    """Return a table of the paper by the lower-case names of its models: rank_difference and pvalue."""
    if source == "Table 1":
        table = load_reference("table_1").query("comparison == 'fnn_121'")
        difference = table["avg_rank_diff"]
    else:
        table = load_reference("table_a12_a13")
        table = table[table["subset"] == {"Table A12": "small_75", "Table A13": "large_46"}[source]]
        difference = table["avg_rank"] - (len(table) + 1) / 2
    columns = {"rank_difference": difference.round(3), "pvalue": table["p_value"]}
    return pd.DataFrame(columns).set_axis(table["method"].str.lower(), axis="index")
