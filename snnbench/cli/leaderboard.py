"""``snnbench leaderboard``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli.options import Sources, asks
from snnbench.cli.output import errors, write, write_text

if TYPE_CHECKING:
    from snnbench.report import ComparisonOptions


@asks
def leaderboard(
    options: "ComparisonOptions",
    sources: Sources = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file instead.")] = None,
) -> None:
    """Write where all models stand as Markdown: on all, small, large and unflagged tasks, every pair, costs, claims."""
    from snnbench.report import COMPARE_COLUMNS, LEADERBOARD_COLUMNS, read_sources, render_leaderboard

    found = read_sources(sources or [], options, [*COMPARE_COLUMNS, *LEADERBOARD_COLUMNS])
    page = render_leaderboard(found, options)
    if output is None:
        write(page)
    else:
        write_text(output, page)
        errors().print(f"Written to {output}", soft_wrap=True)
