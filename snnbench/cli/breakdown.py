"""``snnbench compare --by``: scores by depth or by split, instead of a ranking across tasks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnbench.cli.output import errors, results, say_notes, write, write_text
from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from snnbench.report import ComparisonOptions

FORMATS = ("table", "csv", "json", "markdown")
_JSON: dict[str, Any] = {"orient": "records", "indent": 2, "double_precision": 15}


def show_breakdown(
    folders: Sequence[Path],
    by: str,
    options: "ComparisonOptions",
    format_: str,
    output: Path | None,
    fold_test: str | None = None,
) -> bool:
    """Print a breakdown; return whether there is one to print.

    Args:
        folders: Results folders.
        by: Name in ``report.BREAKDOWNS``; empty for the one that suits the results, if any does.
        options: Whose results, by which metric, beside which published ones, with which tests by split.
        format_: One of ``FORMATS``.
        output: A file instead of the terminal.
        fold_test: Name of the test by split; None for Wilcoxon's.

    Raises:
        SnnbenchError: If the results cannot be broken down so, or the format or the file is none.
    """
    from snnbench.report import BREAKDOWN_COLUMNS, BREAKDOWNS, as_text, natural_breakdown, render_breakdown
    from snnbench.results.data_versions import check_versions, choose_versions
    from snnbench.results.selection import OUTPUT_COLUMNS, only_suite
    from snnbench.results.store import read_results

    if not folders:
        if by or fold_test:
            raise ConfigError(
                f"{'--by' if by else '--fold-test'} needs RESULTS of one's own, found none. Name the --results of a run."
            )
        return False
    rows = read_results(folders, [*BREAKDOWN_COLUMNS, *(OUTPUT_COLUMNS if options.metric else ())])
    rows = rows[rows["suite"] == only_suite(rows, options.suite)]
    check_versions(rows, options.data)
    rows, on_versions = choose_versions(rows, options.data)
    kind = by or natural_breakdown(rows)
    if fold_test and kind != "split":
        raise ConfigError("--fold-test is part of a comparison by split only. Leave it out, or say --by split.")
    if not kind:
        return False
    if format_ not in FORMATS:
        raise ConfigError(f"--format of a comparison by {kind} must be one of {', '.join(FORMATS)}, found {format_}.")
    tests = {name: getattr(options, name) for name in ("baseline", "alternative", "correction")} if kind == "split" else {}
    tests |= {"fold_test": fold_test} if fold_test else {}
    breakdown = BREAKDOWNS[kind](rows, options.metric, options.published, **tests)
    breakdown = replace(breakdown, notes=(*on_versions, *breakdown.notes))
    if format_ == "table":
        if output is None and results().is_terminal:
            results().print(render_breakdown(breakdown))
            return True
        text = as_text(render_breakdown(breakdown))
    elif format_ in ("csv", "json"):  # numbers alone: what should be known of them is said beside them
        say_notes(on_versions)
        values = breakdown.values
        text = values.to_csv() if format_ == "csv" else values.reset_index().to_json(**_JSON) + "\n"
    else:
        text = "\n".join([breakdown.heading, "", *_markdown(breakdown.cells), "", *breakdown.notes]) + "\n"
    if output is None:
        write(text)
        return True
    write_text(output, text)
    errors().print(f"Written to {output}", soft_wrap=True)
    return True


def _markdown(cells) -> list[str]:  # type: ignore[no-untyped-def]
    rows = [["model", *map(str, cells.columns)], [":---", *["---:"] * cells.shape[1]]]
    rows += [[str(name), *map(str, row)] for name, row in zip(cells.index, cells.to_numpy(), strict=True)]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
