"""``snnbench compare``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli.breakdown import show_breakdown
from snnbench.cli.options import Folders, asks
from snnbench.cli.output import FLAG, errors, results, say_notes, write, write_text
from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from snnbench.report import ComparisonOptions


class By(StrEnum):
    """What scores are broken down by."""

    each_depth = "depth"
    each_split = "split"


class FoldTest(StrEnum):
    """How models are tested on the splits of one task."""

    wilcoxon = "wilcoxon"
    corrected_t = "corrected-t"


class Format(StrEnum):
    """How the table is printed."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"


@asks
def compare(
    options: "ComparisonOptions",
    folders: Folders = None,
    by: Annotated[
        By | None, typer.Option(help="Scores by depth or by split instead. Default: by split if there is one task on several.")
    ] = None,
    fold_test: Annotated[
        FoldTest | None,
        typer.Option(
            help="By split: Wilcoxon's test (default), or a t-test corrected for the training rows that splits share."
        ),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How the table is printed.")] = Format.table,
    details: Annotated[bool, typer.Option("--details", metavar=FLAG, help="Add what was selected, and what it took.")] = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file instead.")] = None,
) -> None:
    """Rank the models of a run: average rank, mean score, Friedman and Wilcoxon tests, and what they show.

    The paper's own convention is `--convention paper`.
    """
    from snnbench import benchmark
    from snnbench.report import FORMATS, TEXT_WIDTH, as_text, render_details, render_table

    if details and format_ is not Format.table:
        raise ConfigError(f"--details is part of --format table only, found --format {format_.value}. Leave one of them out.")
    if details and not folders:
        raise ConfigError("--details needs RESULTS of one's own, found --published alone. Leave one of them out.")
    chosen = by.value if by else ""
    if details and fold_test:
        raise ConfigError("--details and --fold-test exclude each other. Leave one of them out.")
    test = fold_test.value if fold_test else None
    if not details and show_breakdown(folders or [], chosen, options, format_.value, output, test):
        return
    comparison = benchmark.compare(folders or [], options)
    if format_ is Format.csv:
        say_notes(comparison.notes)
    description = render_details(benchmark.describe(folders or [], options)) if details else None
    if output is not None:
        write_text(output, FORMATS[format_.value](comparison) + (as_text(description) if description else ""))
        errors().print(f"Written to {output}", soft_wrap=True)
        return
    console = results()
    if format_ is not Format.table:
        write(FORMATS[format_.value](comparison))
        return
    width = min(console.width, TEXT_WIDTH)
    for part in (render_table(comparison, width), description):
        if part and console.is_terminal:
            console.print(part, width=width)
        elif part:
            write(as_text(part, width))
