"""``snnbench check``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli import completion
from snnbench.cli.output import FLAG, errors, results, say_notes, write_text
from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snnbench.reproduce import Difference


class Mode(StrEnum):
    """How equal scores must be: bits, within the spread of seeds, or the order of significant differences."""

    strict = "strict"
    balanced = "balanced"
    loose = "loose"


def check(
    folders: Annotated[list[Path], typer.Argument(metavar="RESULTS", help="Results folders of `snnbench run`.")],
    against: Annotated[
        str | None,
        typer.Option(
            metavar="EXPECTED", help="A results folder, a file of --record, or published: reference, snn2017, delgado2014."
        ),
    ] = None,
    mode: Annotated[Mode, typer.Option(help="How equal scores must be.")] = Mode.balanced,
    only_worse: Annotated[
        bool, typer.Option("--only-worse", metavar=FLAG, help="Fail on a drop alone; report a gain.")
    ] = False,
    record: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what to check against later.")] = None,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="Suite, if there are several.", autocompletion=completion.suites)
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIGEST", help="Version of a task's data, or oldest, if several are stored; repeatable. Default: newest."
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, too.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a Markdown summary, too.")] = None,
) -> None:
    """Compare results with those that were expected: exit code 0 if they are the same, 1 if not, 2 if they cannot be compared.

    strict: equal bits on one kind of machine. balanced: means over seeds differ by no more than seeds do.
    loose: no significant difference between models is the other way round. Data and settings must agree; a model's code and the
    versions of packages need not.
    """
    from snnbench import reproduce as checks
    from snnbench.reproduce import summary

    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"RESULTS must be folders with results, but {folder} is none. Name the --results of a run.")
    if against is None and record is None:
        raise ConfigError("--against or --record must be given, found neither. Name what is expected, or the file to make.")
    if only_worse and mode is Mode.loose:
        raise ConfigError("--only-worse compares scores, but --mode loose compares orders. Choose strict or balanced.")
    found = checks.read_scores(folders, suite, data or ())
    say_notes(found.notes)
    if record is not None:
        checks.record(found, record)
        errors().print(f"{len(found.rows)} evaluations recorded in {record}", soft_wrap=True)
    if against is None:
        return
    expected = checks.load_expected(against, found.suite)
    differences = checks.MODES[mode.value](expected, found)
    if junit is not None:
        write_text(junit, checks.as_junit(differences, expected, found, mode.value, only_worse), "--junit")
    if markdown is not None:
        write_text(markdown, checks.as_markdown(differences, expected, found, mode.value, only_worse), "--markdown")
    results().print(summary.describe(expected, found, mode.value), soft_wrap=True)
    if differences:
        results().print(_table(differences))
    verdict = summary.verdict(differences, only_worse)
    results().print(f"{verdict[0].upper()}{verdict[1:]}.")
    if checks.only_worse(differences) if only_worse else differences:
        raise typer.Exit(1)


def _table(differences: "Sequence[Difference]") -> object:
    from rich.table import Table

    table = Table("where", "model", "expected", "found", "allowed", "change", box=None, header_style="bold", pad_edge=False)
    for column in table.columns[:2]:
        column.overflow = "fold"
    for found in differences:
        table.add_row(found.place, found.model, found.expected, found.found, found.allowed, found.change)
    return table
