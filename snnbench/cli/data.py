"""``snnbench data``."""

from typing import Annotated

import typer

from snnbench.cli import completion
from snnbench.cli.output import errors, missing_sentence, results, say

app = typer.Typer(no_args_is_help=True, help="The tasks and their files.")

SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE", help="Suite; see `snnbench data list`.", autocompletion=completion.suites)
]
Source = Annotated[
    str | None,
    typer.Option(metavar="DIR|FILE|URL", help="Folder, archive or URL with the data. Default: the official URL."),
]


@app.command("list")
def list_tasks(
    suite: Annotated[
        str | None, typer.Argument(metavar="SUITE", help="Suite; without it, the suites.", autocompletion=completion.suites)
    ] = None,
) -> None:
    """List the suites, or the tasks of one from its catalogue."""
    from rich.table import Table

    from snnbench.suites import SUITES, load_suite

    if suite is None:
        table = Table("suite", "tasks", "what it is", box=None, header_style="bold", pad_edge=False)
        for name in SUITES:
            table.add_row(name, str(len(load_suite(name).catalogue())), load_suite(name).SUMMARY)
    else:
        columns = ["n_samples", "n_features", "n_classes", "n_test", "size"]
        table = Table("task", *columns, box=None, header_style="bold", pad_edge=False)
        for column in table.columns[1:-1]:
            column.justify = "right"
        for name, row in load_suite(suite).catalogue().iterrows():
            # What depends on the source is 0 in a catalogue.
            table.add_row(str(name), *(str(row[column]) if row[column] else "-" for column in columns))
    results().print(table)


@app.command()
def fetch(suite: SuiteName, source: Source = None) -> None:
    """Download and unpack a suite into the cache; nothing happens if it is there already."""
    from snnbench.suites import open_source

    folder = open_source(suite, source, report=_report)
    results().print(
        f"{suite} is embedded: there is nothing to fetch." if folder is None else f"{suite} is in {folder}", soft_wrap=True
    )


@app.command()
def verify(suite: SuiteName, source: Source = None) -> None:
    """Read every task of a suite and compare it with the catalogue; exit code 2 if any is damaged, 1 if any is missing."""
    from snnbench.errors import DataError
    from snnbench.suites import load_suite, open_source

    module = load_suite(suite)
    folder = open_source(suite, source, report=_report)
    found, missing = module.tasks(folder)
    damaged: dict[str, str] = {}
    for task in found:
        try:
            module.load(task.name, folder)
            module.splits(task.name, folder)
        except DataError as error:
            damaged[task.name] = str(error)
    for problem in damaged.values():
        say("Damaged:", problem)
    n_sound = len(found) - len(damaged)
    results().print(missing_sentence(n_sound, len(module.catalogue()), missing), soft_wrap=True)
    if damaged or missing:
        raise typer.Exit(2 if damaged else 1)


def _report(message: str) -> None:
    errors().print(message, soft_wrap=True)
