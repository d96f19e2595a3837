"""``snnbench data``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli import completion, own
from snnbench.cli.output import FLAG, errors, results, say, write, write_text
from snnbench.command_line import as_typed
from snnbench.display.wording import missing_sentence, name_some

if TYPE_CHECKING:
    import pandas as pd

    from snnbench.suites.own import TableOptions

app = typer.Typer(no_args_is_help=True, help="The tasks and their files.")

SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE|PATH", help="Suite; see `snnbench data list`.", autocompletion=completion.suites)
]
Source = Annotated[
    str | None,
    typer.Option(metavar="DIR|FILE|URL", help="Folder, archive or URL with the data. Default: the official URL."),
]


Offline = Annotated[
    bool, typer.Option("--offline", metavar=FLAG, help="Use what is in the cache, never the network (SNNBENCH_OFFLINE).")
]
_MAX_NAMES = 8


class AuditFormat(StrEnum):
    """How the findings of an audit are printed."""

    table = "table"
    json = "json"
    csv = "csv"


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
@own.takes_tables
def fetch(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE|all|PATH", help="Suite; see `snnbench data list`.", autocompletion=completion.suites)
    ],
    source: Source = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Make or extend an offline bundle for --source.")] = None,
    offline: Offline = False,
    tables: "TableOptions | None" = None,
) -> None:
    """Download and unpack a suite into the cache; nothing happens if it is there already.

    A suite of OpenML is openml/cc18 (or another alias), openml/99 (its number), or openml/t/31 (a task). Tables of your own are
    read and frozen: the folder that it gives is for clusters and machines without the tables.

    With `--to`, the archive is put into a bundle with a manifest, for machines without network: `--source DIR` reads it there.
    """
    from snnbench.suites import SUITES, bundle_source, load_suite, open_source

    if suite != "all" and suite not in SUITES:
        frozen = own.fetch_suite(suite, tables, to)
        results().print(f"{suite} is in {frozen}", soft_wrap=True)
        if to is not None:
            errors().print(f"Use it with snnbench run {as_typed([str(frozen)])}", soft_wrap=True)
        return
    wanted = [name for name in SUITES if load_suite(name).URLS] if suite == "all" else [suite]
    for name in wanted:
        if to is not None:
            copy = bundle_source(name, to, source, _report, offline)
            results().print(f"{name} is in {copy}", soft_wrap=True)
            continue
        folder = open_source(name, source, _report, offline=offline)
        words = f"{name} is embedded: there is nothing to fetch." if folder is None else f"{name} is in {folder}"
        results().print(words, soft_wrap=True)
    if to is not None:
        errors().print(f"Use it with --source {as_typed([str(to)])}", soft_wrap=True)


@app.command()
def verify(suite: SuiteName, source: Source = None, offline: Offline = False) -> None:
    """Read every file and task of a suite and compare them with what was unpacked and with the catalogue.

    Exit code 2 if anything is damaged, 1 if a task is missing.
    """
    from snnbench.errors import DataError
    from snnbench.suites import load_suite, open_source
    from snnbench.suites.fetch.archive import find_damage

    suite, source = own.open_suite(suite, source)
    folder = open_source(suite, source, _report, offline=offline)
    module = load_suite(suite, folder)
    if folder is not None and (damage := find_damage(folder, every_byte=True)):
        raise DataError(f"{folder} must hold what was unpacked, but {damage}. Remove that folder and fetch the data again.")
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


@app.command()
@own.takes_tables
def audit(
    suite: SuiteName,
    source: Source = None,
    offline: Offline = False,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Task; may be repeated. Default: all.", autocompletion=completion.tasks),
    ] = None,
    details: Annotated[bool, typer.Option("--details", metavar=FLAG, help="Print every finding, not a summary.")] = False,
    format_: Annotated[AuditFormat, typer.Option("--format", help="How findings are printed.")] = AuditFormat.table,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file instead.")] = None,
    tables: "TableOptions | None" = None,
) -> None:
    """Look for scientific faults: scales, missing classes, duplicates, leaks, imbalance, tiny test sets.

    All of it is computed from the files. The findings of an official archive travel with snnbench in `datasets/`.
    """
    from snnbench.suites import load_suite, open_source
    from snnbench.suites.audit.findings import audit_suite
    from snnbench.suites.audit.flags import COLUMNS, as_table
    from snnbench.suites.loading import check_tasks

    suite, source = own.open_suite(suite, source, tables)
    check_tasks(suite, task or ())
    folder = open_source(suite, source, _report, offline=offline)
    findings, missing = audit_suite(suite, folder, task or ())
    table = as_table(findings)
    n_tasks = len(set(task or load_suite(suite).catalogue().index))
    errors().print(missing_sentence(n_tasks - len(missing), n_tasks, missing, _MAX_NAMES), soft_wrap=True)
    if format_ is AuditFormat.table and output is None:
        results().print(_all_findings(table) if details or task else _summary(table))
        return
    as_json = format_ is AuditFormat.json
    text = (
        table.to_json(orient="records", indent=2) + "\n" if as_json else table[COLUMNS].to_csv(index=False, lineterminator="\n")
    )
    if output is None:
        write(text)
        return
    write_text(output, text)
    errors().print(f"Written to {output}", soft_wrap=True)


def _summary(table: "pd.DataFrame") -> object:
    from rich.table import Table

    from snnbench.suites.audit.flags import FLAGS, SEVERITIES

    summary = Table("severity", "flag", "tasks", "which", "meaning", box=None, header_style="bold", pad_edge=False)
    summary.columns[2].justify = "right"
    for name, flag in sorted(FLAGS.items(), key=lambda item: SEVERITIES.index(item[1].severity)):
        tasks = list(table.loc[table["flag"] == name, "task"].unique())
        if tasks:
            summary.add_row(flag.severity, name, str(len(tasks)), name_some(tasks, 3), flag.meaning)
    return summary


def _all_findings(table: "pd.DataFrame") -> object:
    from rich.table import Table

    findings = Table(*table.columns, box=None, header_style="bold", pad_edge=False)
    for row in table.itertuples(index=False):
        findings.add_row(*row)
    return findings


def _report(message: str) -> None:
    errors().print(message, soft_wrap=True)
