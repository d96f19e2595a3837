"""Scores of a suite's models by depth or by split: Tables 2 and 3 of Klambauer et al. (2017), for one's own results."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from snnbench.errors import ConfigError
from snnbench.report.breakdown_parts import Breakdown
from snnbench.report.by_depth import by_depth
from snnbench.report.by_split import by_split
from snnbench.report.options import ComparisonOptions
from snnbench.report.tables import as_text, markdown_lines
from snnbench.results.data_versions import check_versions, choose_versions
from snnbench.results.selection import SCORE_COLUMNS, only_suite

BREAKDOWN_COLUMNS: tuple[str, ...] = (*SCORE_COLUMNS, "metric", "task_source")
"""The columns of the results that a breakdown needs."""

BREAKDOWNS: dict[str, Callable[..., Breakdown]] = {"depth": by_depth, "split": by_split}
"""What ``snnbench compare --by`` offers."""


def break_down_results(rows: pd.DataFrame, options: ComparisonOptions, by: str = "", fold_test: str = "") -> Breakdown | None:
    """Return the scores by depth or by split; None if neither is asked for and neither suits the results.

    Args:
        rows: Stored rows with the columns ``BREAKDOWN_COLUMNS``.
        options: Whose results, by which metric, beside which published ones; by split also with which tests.
        by: Name in ``BREAKDOWNS``; empty for the one that suits the results, if any does.
        fold_test: Name of the test by split; empty for Wilcoxon's.

    Raises:
        SnnbenchError: If the results cannot be broken down so, or published ones are not.
    """
    rows = rows[rows["suite"] == only_suite(rows, options.suite)]
    check_versions(rows, options.data)
    rows, on_versions = choose_versions(rows, options.data)
    kind = by or natural_breakdown(rows)
    if fold_test and kind != "split":
        raise ConfigError("--fold-test is part of a comparison by split only. Leave it out, or say --by split.")
    if not kind:
        return None
    tests = {name: getattr(options, name) for name in ("baseline", "alternative", "correction")} if kind == "split" else {}
    tests |= {"fold_test": fold_test} if fold_test else {}
    breakdown = BREAKDOWNS[kind](rows, options.metric, options.published, **tests)
    return replace(breakdown, kind=kind, on_versions=on_versions)


def natural_breakdown(rows: pd.DataFrame) -> str:
    """Return ``"split"`` for results of one task on several splits, which no test across tasks can compare; else nothing."""
    evaluations = rows[rows["stage"] == "evaluate"]
    return "split" if evaluations["task"].nunique() == 1 and evaluations["split"].nunique() > 1 else ""


def render_breakdown(breakdown: Breakdown) -> RenderableType:
    """Return a breakdown for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for column in breakdown.cells.columns:
        table.add_column(str(column), justify="right", no_wrap=True)
    for name, row in breakdown.cells.iterrows():
        table.add_row(Text(str(name)), *map(str, row))
    notes = [Text(note, style="dim") for note in (*breakdown.on_versions, *breakdown.notes)]
    return Group(Text(breakdown.heading), Text(""), table, Text(""), *notes)


def _as_markdown(breakdown: Breakdown) -> str:
    cells = breakdown.cells
    rows = [[str(name), *map(str, row)] for name, row in zip(cells.index, cells.to_numpy(), strict=True)]
    lines = markdown_lines([["model", *map(str, cells.columns)], *rows])
    return "\n".join([breakdown.heading, "", *lines, "", *breakdown.on_versions, *breakdown.notes]) + "\n"


def _as_json(breakdown: Breakdown) -> str:
    return str(breakdown.values.reset_index().to_json(orient="records", indent=2, double_precision=15)) + "\n"


BREAKDOWN_FORMATS: dict[str, Callable[[Breakdown], str]] = {
    "table": lambda breakdown: as_text(render_breakdown(breakdown)),
    "csv": lambda breakdown: str(breakdown.values.to_csv(lineterminator="\n")),
    "json": _as_json,
    "markdown": _as_markdown,
}
"""How ``snnbench compare --by`` writes them; CSV and JSON are numbers alone."""
