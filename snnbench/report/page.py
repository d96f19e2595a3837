"""One page."""

from collections.abc import Sequence
from pathlib import Path

from snnbench.report.analysis import Analysis
from snnbench.report.runs import Runs


def render_page(analysis: Analysis, runs: Runs, folders: Sequence[Path]) -> str:
    """Return the page."""
    return ""
