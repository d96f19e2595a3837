"""``snnbench report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli.options import Sources, asks
from snnbench.cli.output import errors, write_text

if TYPE_CHECKING:
    from snnbench.report import ComparisonOptions


@asks
def report(
    options: "ComparisonOptions",
    sources: Sources = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Page to write.")] = Path("report.html"),
) -> None:
    """Write a comparison as one page: tables, figures, learning curves, costs; it needs no network and no other file."""
    from snnbench import benchmark

    page = benchmark.report(sources or [], options)
    write_text(output, page)
    errors().print(f"Written to {output} ({len(page.encode()) / 1e6:.1f} MB)", soft_wrap=True)
