"""Consoles and words that all commands share."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from snnbench.display.wording import errors
from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

FLAG = ""
"""Metavar of an option without a value: Typer would call it ``<bool>``, as if it took one."""

_ANY_WIDTH = 10_000
_PIPE_WIDTH = 200
"""Columns where nobody looks at a terminal: wide enough that no name is cut or folded on its way to ``grep``."""


def results() -> Console:
    """Return the console for what was asked for (standard output)."""
    fits = sys.stdout.isatty() or "COLUMNS" in os.environ
    # Names, paths and errors come from users and libraries: what looks like markup or an emoji in them is neither.
    return Console(highlight=False, markup=False, emoji=False, width=None if fits else _PIPE_WIDTH)


def print_table(table: "Table") -> None:
    """Print a table in which no word is cut: where there is no room for its words, its lines are longer than the terminal."""
    from rich.measure import Measurement

    console = results()
    least = Measurement.get(console, console.options.update(width=_ANY_WIDTH), table).minimum
    console.size = console.size._replace(width=max(console.width, least))  # a width alone is no use in a dumb terminal
    console.print(table)


def write(text: str) -> None:
    """Write text that is laid out already to standard output."""
    sys.stdout.write(text)


def say(title: str, words: str) -> None:
    """Print one line on standard error under a red title; a library's error of several lines becomes one."""
    line = " ".join(part.strip() for part in words.splitlines())
    errors().print(Text.assemble((title, "bold red"), " ", line), soft_wrap=True)


def say_notes(notes: Iterable[str]) -> None:
    """Say on standard error what should be known of numbers that are printed without words."""
    for note in notes:
        say("Note:", note)


def write_text(file: Path, text: str, option: str = "--output") -> None:
    """Write the file that an option names.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(
            f"{option} must be a file that can be written, but {file} says: {error.strerror}. Name another, or make its folder."
        ) from error
