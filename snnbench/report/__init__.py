"""Reports: what a score table says, as tables."""

from snnbench.report.breakdown import BREAKDOWN_COLUMNS, BREAKDOWNS, Breakdown, natural_breakdown, render_breakdown
from snnbench.report.details import render_details
from snnbench.report.ranking import Ranking, rank_models
from snnbench.report.tables import FORMATS, as_text, render_table

__all__ = [
    "BREAKDOWNS",
    "BREAKDOWN_COLUMNS",
    "FORMATS",
    "Breakdown",
    "Ranking",
    "as_text",
    "natural_breakdown",
    "rank_models",
    "render_breakdown",
    "render_details",
    "render_table",
]
