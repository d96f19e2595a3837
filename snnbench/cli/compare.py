"""``snnbench compare``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli.options import Sources, asks
from snnbench.cli.output import FLAG, errors, results, say_notes, write, write_text
from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

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
    text = "text"


@asks
def compare(
    options: "ComparisonOptions",
    sources: Sources = None,
    by: Annotated[
        By | None, typer.Option(help="Scores by depth or by split instead. Default: by split if there is one task on several.")
    ] = None,
    fold_test: Annotated[
        FoldTest | None,
        typer.Option(
            help="By split: Wilcoxon's test (default), or a t-test corrected for the training rows that splits share."
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="How it is printed; text: methods and results for a paper.")
    ] = Format.table,
    details: Annotated[bool, typer.Option("--details", metavar=FLAG, help="Add what was selected, and what it took.")] = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file instead.")] = None,
) -> None:
    """Rank models: average rank, mean score, Friedman and Wilcoxon tests, and what they show.

    RESULTS are folders of `snnbench run`, or tables of scores (CSV, TSV, Parquet, - for standard input): a row a task and a
    column a model, or a row a score. The paper's own convention is `--convention paper`.
    """
    from rich.console import Group

    from snnbench import benchmark
    from snnbench.report import (
        BREAKDOWN_FORMATS,
        COMPARE_COLUMNS,
        FORMATS,
        as_text,
        read_sources,
        render_breakdown,
        render_details,
        render_table,
    )

    if details and format_ is not Format.table:
        raise ConfigError(f"--details is part of --format table only, found --format {format_.value}. Leave one of them out.")
    if details and fold_test:
        raise ConfigError("--details and --fold-test exclude each other. Leave one of them out.")
    found = read_sources(sources or [], options, COMPARE_COLUMNS)
    asked = [name for name, value in (("--details", details), ("--by", by), ("--fold-test", fold_test)) if value]
    if asked and not found.folders:
        raise ConfigError(f"{asked[0]} needs RESULTS of one's own, found none. Name the --results of a run.")
    test = fold_test.value if fold_test else ""
    breakdown = benchmark.break_down(found, options, by.value if by else "", test) if found.folders and not details else None
    if breakdown is not None:
        if format_.value not in BREAKDOWN_FORMATS:
            known = ", ".join(BREAKDOWN_FORMATS)
            raise ConfigError(f"--format of a comparison by {breakdown.kind} must be one of {known}, found {format_.value}.")
        if format_ in (Format.csv, Format.json):  # numbers alone: what should be known of them is said beside them
            say_notes(breakdown.on_versions)
        if format_ is Format.table and output is None:
            _show(lambda width: render_breakdown(breakdown))
        else:
            _write(BREAKDOWN_FORMATS[format_.value](breakdown), output)
        return
    comparison = benchmark.compare(found, options)
    if format_ is Format.csv:
        say_notes(comparison.notes)
    description = render_details(benchmark.describe(found, options)) if details else ""
    if format_ is Format.table and output is None:
        _show(lambda width: Group(render_table(comparison, width), *([description] if details else [])))
    else:
        _write(FORMATS[format_.value](comparison) + (as_text(description) if details else ""), output)


def _show(content: "Callable[[int], RenderableType]") -> None:
    """Print what depends on the width of the terminal."""
    from snnbench.report import TEXT_WIDTH, as_text

    width = min(results().width, TEXT_WIDTH)
    if results().is_terminal:
        results().print(content(width), width=width)
    else:
        write(as_text(content(width), width))


def _write(text: str, output: Path | None) -> None:
    if output is None:
        write(text)
    else:
        write_text(output, text)
        errors().print(f"Written to {output}", soft_wrap=True)
