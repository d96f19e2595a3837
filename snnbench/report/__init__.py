"""Reports: what a score table says, as tables."""

from snnbench.report.details import render_details
from snnbench.report.ranking import Ranking, rank_models
from snnbench.report.tables import FORMATS, as_text, render_table

__all__ = ["FORMATS", "Ranking", "as_text", "rank_models", "render_details", "render_table"]
