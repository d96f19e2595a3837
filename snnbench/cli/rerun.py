"""``snnbench rerun``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from snnbench.cli import completion
from snnbench.cli.output import errors, results
from snnbench.display.wording import plural
from snnbench.errors import ConfigError


def rerun(
    folder: Annotated[Path, typer.Argument(metavar="RESULTS", help="Results folder of `snnbench run`.")],
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Key of a row, or its beginning; may be repeated. Default: all evaluations."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="DIR|FILE|URL", help="Folder, archive or URL with the data. Default: the official URL."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="Suite, if there are several.", autocompletion=completion.suites)
    ] = None,
    allow_import: Annotated[
        list[str] | None,
        typer.Option(metavar="PACKAGE", help="Package of your own that the settings may import, from this folder."),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="Worker processes.", min=1)] = 1,
) -> None:
    """Train again exactly what produced stored rows, and compare: exit code 0 if all bits are equal, 1 if not.

    Settings, data, seed and epochs are those of the row. What cannot be run again (other data, code or settings) is said and is
    exit code 2. Nothing is stored.
    """
    from rich.table import Table

    from snnbench.reproduce.rerun import rerun_rows
    from snnbench.suites import open_source

    if not folder.is_dir():
        raise ConfigError(f"RESULTS must be a folder with results, but {folder} is none. Name the --results of a run.")
    if allow_import:
        sys.path.append(str(Path.cwd()))
    outcomes = rerun_rows(
        folder,
        key or (),
        suite,
        lambda name: open_source(name, source, lambda message: errors().print(message, soft_wrap=True)),
        workers,
        allow_import or (),
    )
    differing = [outcome for outcome in outcomes if not outcome.is_equal]
    if differing:
        table = Table("key", "model", "task", "stored", "again", "note", box=None, header_style="bold", pad_edge=False)
        for outcome in differing:
            stored, again = outcome.stored, outcome.again
            scores = (
                (stored.valid_score, again.valid_score) if stored.stage == "search" else (stored.test_score, again.test_score)
            )
            table.add_row(stored.key, stored.model, stored.task, *map(repr, scores), again.error)
        results().print(table)
    results().print(
        f"{plural(len(outcomes), 'row')} run again: {len(outcomes) - len(differing):,} with equal bits, {len(differing):,} not."
    )
    if differing:
        raise typer.Exit(1)
