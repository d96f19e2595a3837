"""``snnbench compare --by``: scores by depth or by split, instead of a ranking across tasks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from snnbench.cli.output import errors, results
from snnbench.errors import ConfigError

FORMATS = ("table", "csv", "json", "markdown")


def show_breakdown(
    folders: Sequence[Path],
    by: str,
    suite: str | None,
    metric: str,
    published: Sequence[str],
    tests: Mapping[str, str],
    format_: str,
    output: Path | None,
) -> bool:
    """Print a breakdown; return whether there is one to print.

    Args:
        folders: Results folders.
        by: Name in ``report.BREAKDOWNS``; empty for the one that suits the results, if any does.
        suite: Whose results, if there are several.
        metric: Another metric than that of the stored scores, or empty.
        published: Names of published results to put beside them.
        tests: The baseline, alternative and correction of the tests by split.
        format_: One of ``FORMATS``.
        output: A file instead of the terminal.

    Raises:
        SnnbenchError: If the results cannot be broken down so, or the format or the file is none.
    """
    from snnbench.report import BREAKDOWN_COLUMNS, BREAKDOWNS, as_text, natural_breakdown, render_breakdown
    from snnbench.selection import OUTPUTS, only_suite
    from snnbench.store import read_results

    if not folders:
        if by:
            raise ConfigError("--by needs RESULTS of one's own, found none. Name the --results of a run.")
        return False
    rows = read_results(folders, [*BREAKDOWN_COLUMNS, *(OUTPUTS if metric else ())])
    rows = rows[rows["suite"] == only_suite(rows, suite)]
    kind = by or natural_breakdown(rows)
    if not kind:
        return False
    if format_ not in FORMATS:
        raise ConfigError(f"--format of a comparison by {kind} must be one of {', '.join(FORMATS)}, found {format_}.")
    breakdown = BREAKDOWNS[kind](rows, metric, published, **(tests if kind == "split" else {}))
    if format_ == "table":
        if output is None and results().is_terminal:
            results().print(render_breakdown(breakdown))
            return True
        text = as_text(render_breakdown(breakdown))
    elif format_ == "csv":
        text = breakdown.values.to_csv()
    elif format_ == "json":
        text = breakdown.values.reset_index().to_json(orient="records", indent=2, double_precision=15) + "\n"
    else:
        text = "\n".join([breakdown.heading, "", *_markdown(breakdown.cells), "", *breakdown.notes]) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return True
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output must be a file that can be written, but {output} says: {error.strerror}.") from error
    errors().print(f"Written to {output}", soft_wrap=True)
    return True


def _markdown(cells) -> list[str]:  # type: ignore[no-untyped-def]
    rows = [["model", *map(str, cells.columns)], [":---", *["---:"] * cells.shape[1]]]
    rows += [[str(name), *map(str, row)] for name, row in zip(cells.index, cells.to_numpy(), strict=True)]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
