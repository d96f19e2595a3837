"""What was selected and what it took, as a table for the terminal."""

import math

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def render_details(models: pd.DataFrame) -> RenderableType:
    """Return a table of the models.

    Args:
        models: Indexed by model, with the columns of ``selection.describe_models``.
    """
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    table.add_column("model", overflow="fold")
    for name in ("seeds", "score", "std", "depth", "epoch", "diverged", "hours"):
        table.add_column(name, justify="right", no_wrap=True)
    for model, row in models.sort_values("mean_score", ascending=False).iterrows():
        # An estimator has neither epochs nor anything that diverges.
        network = row["mean_epoch"] > 0
        cells = [
            f"{row['n_seeds']:.0f}",
            f"{row['mean_score']:.4f}",
            _number(row["seed_std"], ".4f"),
            _number(row["mean_depth"], ".1f"),
            f"{row['mean_epoch']:.0f}" if network else "-",
            f"{row['share_diverged']:.0%}" if network else "-",
            f"{row['seconds'] / 3600:.2f}",
        ]
        table.add_row(Text(str(model)), *cells)
    notes = (
        "score: mean of all tasks that the model has; std: over seeds, mean of the tasks; depth: layers or blocks of the "
        "selected networks; epoch: where they stopped; "
        "diverged: of the search; hours: of one process, all trainings."
    )
    return Group(Text(""), table, Text(""), Text(notes, style="dim"))


def _number(value: float, style: str) -> str:
    return "-" if math.isnan(value) else format(value, style)
