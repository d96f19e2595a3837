"""Suites of the user's own on the command line: what is said of their tables, and from a path or OpenML's name to a suite."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnbench.cli.output import errors
from snnbench.errors import ConfigError, SnnbenchError, UnknownNameError

if TYPE_CHECKING:
    from snnbench.suites.folder import FolderSuite
    from snnbench.suites.own import TableOptions

_PANEL = "Your own tables"

Target = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column with the classes. Default: target or class.", rich_help_panel=_PANEL),
]
Drop = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Column to leave out; may be repeated.", rich_help_panel=_PANEL)
]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Column to use though it seems to name rows; may be repeated.", rich_help_panel=_PANEL),
]
Categorical = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Column whose numbers are names of levels; may be repeated.", rich_help_panel=_PANEL),
]
Date = Annotated[
    str | None,
    typer.Option(metavar="PART,PART", help="Parts of dates to use: year, month, day, weekday, hour.", rich_help_panel=_PANEL),
]
Group = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Rows of one value train or test together.", rich_help_panel=_PANEL),
]
Metric = Annotated[
    str | None, typer.Option(metavar="NAME", help="What selects and scores. Default: accuracy.", rich_help_panel=_PANEL)
]
TextEncoding = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="Character set of a text file. Default: utf-8.", rich_help_panel=_PANEL),
]


_OPTIONS = {
    "target": Target,
    "drop": Drop,
    "keep": Keep,
    "categorical": Categorical,
    "date": Date,
    "group": Group,
    "metric": Metric,
    "encoding": TextEncoding,
}


def takes_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of tables of the user's; what was typed reaches it as one record, its argument ``tables``."""

    @wraps(command)
    def with_options(**typed: Any) -> None:
        given = {name: typed.pop(name) for name in _OPTIONS}
        command(**typed, tables=_table_options(given))

    parameters = {}
    for name, parameter in signature(command).parameters.items():
        if name == "tables":
            options = {name: Parameter(name, parameter.kind, default=None, annotation=kind) for name, kind in _OPTIONS.items()}
            parameters.update(options)
        else:
            parameters[name] = parameter
    vars(with_options).pop("__wrapped__")  # Typer would look there for the types of the options
    with_options.__signature__ = Signature(list(parameters.values()))  # type: ignore[attr-defined]
    with_options.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    return with_options


def _table_options(given: Mapping[str, Any]) -> "TableOptions | None":
    """Return what was typed, by the names of the options, as a record; None for nothing.

    Raises:
        UnknownNameError: If a part of dates does not exist.
    """
    if not any(given.values()):
        return None
    from snnbench.suites.description import DATE_PARTS
    from snnbench.suites.own import TableOptions

    parts = tuple(part.strip() for part in given["date"].split(",")) if given["date"] else ()
    for part in parts:
        if part not in DATE_PARTS:
            raise UnknownNameError("part of dates", part, DATE_PARTS)
    said: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value}
    charset = said.pop("encoding", None)
    said |= {"date": parts, "charset": charset}
    return TableOptions(**said)


def is_own(suite: str) -> bool:
    """Return whether a suite is of the user's or OpenML's, by what was typed.

    Raises:
        SnnbenchError: If it is a name, and there is no such suite.
    """
    from snnbench.suites import SUITES

    if suite in SUITES:
        return False
    if "/" not in suite and not Path(suite).expanduser().exists():  # nothing of OpenML's is without a slash
        raise _unknown(suite)
    return True


def open_suite(
    suite: str, source: str | None, options: "TableOptions | None" = None, to: Path | None = None
) -> tuple[str, str | None]:
    """Return the name of a suite and where its files lie: as typed for one of snnbench's, else the frozen folder.

    Args:
        suite: A name, the path of a table or a folder, or OpenML's: ``openml/cc18``.
        source: What ``--source`` says.
        options: What is said of tables of the user's; None for nothing.
        to: Where to put the frozen folder, instead of the cache.

    Raises:
        SnnbenchError: If there is no such suite, or something is said that does not go with it.
    """
    from snnbench.suites import SUITES
    from snnbench.suites.fetch.source import cache_folder
    from snnbench.suites.openml import is_openml
    from snnbench.suites.own import TableOptions, open_own, remember

    if suite in SUITES:
        _check_decided(suite, options)
        return suite, source
    path = Path(suite).expanduser()
    if is_openml(suite) and not path.exists():
        opened, folder = _open_openml(suite, source, options)
    elif not path.exists():
        raise _unknown(suite)
    elif source is not None:
        raise ConfigError(f"--source is for suites of snnbench, found {source} beside {suite}. Leave it out.")
    else:
        opened, folder = open_own(path, options or TableOptions(), cache_folder(), to, say_progress)
    remember(opened, SUITES)
    return opened.entry.name, str(folder.absolute())


def fetch_suite(suite: str, options: "TableOptions | None", to: Path | None) -> Path:
    """Fetch a suite of OpenML's, or freeze tables of the user's; return the frozen folder, or its copy under ``to``.

    Raises:
        SnnbenchError: If that cannot be done.
    """
    from snnbench.suites.fetch.source import cache_folder
    from snnbench.suites.openml import fetch_openml, is_openml
    from snnbench.suites.own import copy_frozen

    if not is_openml(suite) or Path(suite).exists():
        _, folder = open_suite(suite, None, options, to)
        return Path(str(folder))
    _check_decided(suite, options)
    opened, place = fetch_openml(suite, cache_folder(), say_progress)
    return place if to is None else copy_frozen(opened, place, to)


def open_published(results: Path, suite: str, source: str | None) -> tuple["FolderSuite", Path]:
    """Return the suite of OpenML's that a results folder holds, and its frozen folder.

    Args:
        results: The folder.
        suite: Which, as typed; "" for the only one.
        source: What ``--source`` says.

    Raises:
        ConfigError: If there is none, or several of which none is named.
        SnnbenchError: If its folder is not at hand.
    """
    from snnbench.suites.openml import is_openml
    from snnbench.suites.own import read_catalogues

    entries = [found.entry for found in read_catalogues(results)]
    commands = {" ".join(entry.command): entry for entry in entries if is_openml(" ".join(entry.command))}
    if (suite not in commands) if suite else (len(commands) != 1):
        found = ", ".join(commands) or "none"
        raise ConfigError(f"{results} must hold a suite of OpenML's, of several the one that --suite names; found {found}.")
    return _open_openml(suite or next(iter(commands)), source, None)


def say_progress(words: str) -> None:
    """Say what is being done."""
    errors().print(words, soft_wrap=True)


def _open_openml(suite: str, source: str | None, options: "TableOptions | None") -> tuple["FolderSuite", Path]:
    from snnbench.suites.fetch.source import cache_folder
    from snnbench.suites.folder import is_frozen, open_frozen
    from snnbench.suites.openml import open_fetched, suite_name

    _check_decided(suite, options)
    if source is None:
        return open_fetched(suite, cache_folder())
    place = Path(source).expanduser()
    folder = next((folder for folder in (place / suite_name(suite), place) if is_frozen(folder)), None)
    if folder is None:
        raise ConfigError(f"--source must hold the suite {suite}, found none in {source}: data fetch {suite} --to DIR.")
    return open_frozen(folder), folder


def _check_decided(suite: str, options: "TableOptions | None") -> None:
    if options:
        raise ConfigError(f"{' '.join(options.words)} is for tables of your own; the columns of {suite} are decided.")


def _unknown(suite: str) -> SnnbenchError:
    from snnbench.suites import SUITES

    if "/" in suite or "\\" in suite or "." in suite:
        return SnnbenchError(
            f"A suite must be a name ({', '.join(SUITES)}), a table or a folder of tables, found nothing at {suite}."
        )
    return UnknownNameError("suite", suite, SUITES, f"Known: {', '.join(SUITES)}, a table, or a folder of tables.")
