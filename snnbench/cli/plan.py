"""What `snnbench run` prints before it starts: the plan and an estimate of its time."""

import sys
from typing import TYPE_CHECKING

import typer

from snnbench.cli.output import errors, results, say
from snnbench.display.plan import describe_plan
from snnbench.display.wording import duration
from snnbench.errors import SnnbenchError

if TYPE_CHECKING:
    from snnbench.benchmark import LoadedSuite, Request
    from snnbench.execution.plan import Plan

_LONG_SECONDS = 12 * 3600


def print_plan(request: "Request", loaded: "LoadedSuite", plan: "Plan", seconds: float) -> None:
    """Show what a run will do."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for row in describe_plan(request, loaded, plan, seconds):
        table.add_row(*row)
    results().print(table)
    for note in loaded.notes:
        say("Note:", note)


def confirm(seconds: float) -> None:
    """Ask before a run that takes very long.

    Raises:
        SnnbenchError: If there is no terminal to ask on.
    """
    if seconds <= _LONG_SECONDS:
        return
    words = f"This run is estimated at {duration(seconds)} on this machine"
    if not errors().is_terminal or not sys.stdin.isatty():
        raise SnnbenchError(f"{words}. Give --yes to start it anyway, or use --preset quick.")
    typer.confirm(f"{words}. Start it? (--preset quick takes minutes)", abort=True)
