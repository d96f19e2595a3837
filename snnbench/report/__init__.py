"""Reports: what a score table says, as tables, as figures and as a page."""

from collections.abc import Callable
from typing import Any

from snnbench.report.analysis import Analysis
from snnbench.report.breakdown import (
    BREAKDOWN_COLUMNS,
    BREAKDOWN_FORMATS,
    BREAKDOWNS,
    break_down_results,
    natural_breakdown,
    render_breakdown,
)
from snnbench.report.breakdown_parts import Breakdown
from snnbench.report.charts import draw_bayes, draw_heatmap, draw_ranks, draw_scatter
from snnbench.report.compare import COMPARISON_COLUMNS, choose_rows, compare_results
from snnbench.report.critical import draw_nemenyi, draw_wilcoxon
from snnbench.report.details import render_details
from snnbench.report.document import render_json
from snnbench.report.latex import render_latex
from snnbench.report.leaderboard import LEADERBOARD_COLUMNS, render_leaderboard
from snnbench.report.options import CONVENTIONS, DEFAULT, ComparisonOptions
from snnbench.report.page import render_page
from snnbench.report.pair_chart import draw_pairs
from snnbench.report.prose import render_prose
from snnbench.report.ranking import ModelComparison, rank_models
from snnbench.report.run_charts import draw_cost, draw_curves_of_tasks, draw_hyperparameters
from snnbench.report.runs import Runs
from snnbench.report.sources import Sources, read_sources
from snnbench.report.tables import TEXT_WIDTH, as_text, render_csv, render_markdown, render_table, render_text
from snnbench.results.selection import DESCRIPTION_COLUMNS

COMPARE_COLUMNS = tuple(dict.fromkeys([*COMPARISON_COLUMNS, *BREAKDOWN_COLUMNS, *DESCRIPTION_COLUMNS]))
"""The columns of the stored rows that ``snnbench compare`` needs, whatever it shows."""

FORMATS: dict[str, Callable[[ModelComparison], str]] = {
    "table": render_text,
    "json": render_json,
    "csv": render_csv,
    "markdown": render_markdown,
    "latex": render_latex,
    "text": render_prose,
}
"""How ``snnbench compare`` writes a ranking."""

FIGURES: dict[str, Callable[[Analysis], Any]] = {
    "cd": draw_nemenyi,
    "cd-wilcoxon": draw_wilcoxon,
    "pairs": draw_pairs,
    "ranks": draw_ranks,
    "heatmap": draw_heatmap,
    "scatter": draw_scatter,
    "bayes": draw_bayes,
}
"""Altair charts of a comparison."""

RUN_FIGURES: dict[str, Callable[[Runs], Any]] = {
    "curves": draw_curves_of_tasks,
    "hyperparameters": draw_hyperparameters,
    "cost": draw_cost,
}
"""Altair charts of one's own runs."""

__all__ = [
    "BREAKDOWNS",
    "BREAKDOWN_COLUMNS",
    "BREAKDOWN_FORMATS",
    "COMPARE_COLUMNS",
    "COMPARISON_COLUMNS",
    "CONVENTIONS",
    "DEFAULT",
    "FIGURES",
    "FORMATS",
    "LEADERBOARD_COLUMNS",
    "RUN_FIGURES",
    "TEXT_WIDTH",
    "Analysis",
    "Breakdown",
    "ComparisonOptions",
    "ModelComparison",
    "Runs",
    "Sources",
    "as_text",
    "break_down_results",
    "choose_rows",
    "compare_results",
    "natural_breakdown",
    "rank_models",
    "read_sources",
    "render_breakdown",
    "render_details",
    "render_leaderboard",
    "render_page",
    "render_table",
]
