"""``snnbench doctor``."""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from snnbench.cli.output import results, write


class Format(StrEnum):
    """How the environment is printed."""

    table = "table"
    json = "json"


def doctor(
    format_: Annotated[Format, typer.Option("--format", help="How the environment is printed.")] = Format.table,
) -> None:
    """Print the environment that results carry, what data is at hand, and what is missing; exit code 1 if anything is.

    Whether networks have the bits here that they have alone is tried, and printed.
    """
    from rich.table import Table

    from snnbench.doctor import diagnose

    diagnosis = diagnose()
    if format_ is Format.json:
        write(json.dumps(asdict(diagnosis), indent=2) + "\n")
    else:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in {
            **diagnosis.environment,
            **diagnosis.at_hand,
            **{f"data {suite}": words for suite, words in diagnosis.data.items()},
        }.items():
            table.add_row(name, str(value))
        results().print(table)
        results().print(diagnosis.bits, soft_wrap=True)
        for problem in diagnosis.problems:
            results().print(f"Problem: {problem}", soft_wrap=True)
        if not diagnosis.problems:
            results().print("No problem found.")
    if diagnosis.problems:
        raise typer.Exit(1)
