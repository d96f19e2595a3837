"""The command line: Typer commands, rich output, exit codes; nothing else.

Heavy packages are imported inside the commands, so that ``snnbench --help`` answers at once.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from snnbench import __version__
from snnbench.cli.check import check
from snnbench.cli.compare import compare
from snnbench.cli.data import app as data_app
from snnbench.cli.doctor import doctor
from snnbench.cli.figure import app as figure_app
from snnbench.cli.leaderboard import leaderboard
from snnbench.cli.models import app as models_app
from snnbench.cli.output import FLAG, say, write
from snnbench.cli.report import report
from snnbench.cli.rerun import rerun
from snnbench.cli.results import app as results_app
from snnbench.cli.run import run
from snnbench.cli.streams import READER_LEFT, ReaderLeftError, standard_streams
from snnbench.cli.theory import app as theory_app
from snnbench.errors import LeftAsideWarning, SnnbenchError

app = typer.Typer(
    name="snnbench",
    help="The benchmarks of Self-Normalizing Neural Networks (NIPS 2017): data, grid searches, ranks and tests.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(run)
app.command()(compare)
app.command()(report)
app.command()(check)
app.command()(leaderboard)
app.command()(rerun)
app.command()(doctor)
app.add_typer(figure_app, name="figure")
app.add_typer(data_app, name="data")
app.add_typer(results_app, name="results")
app.add_typer(models_app, name="models")
app.add_typer(theory_app, name="theory")


def _print_version(wanted: bool) -> None:
    if wanted:
        write(f"snnbench {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, metavar=FLAG, help="Print the version."
    ),
) -> None:
    """The benchmarks of Self-Normalizing Neural Networks (NIPS 2017): data, grid searches, ranks and tests."""


def main() -> None:
    """Run the command line. Exit code 2 and one red line for what the user can mend; a bug shows its traceback."""
    with standard_streams():
        try:
            try:
                with _naming_left_aside():
                    app(prog_name="snnbench")
            finally:
                sys.stdout.flush()  # while a full disk can still be told
        except ReaderLeftError:
            sys.exit(READER_LEFT)
        except SnnbenchError as error:
            first, *further = getattr(error, "lines", (str(error),))
            say("Error:", first)
            for line in further:
                say("      ", line)
            sys.exit(2)


@contextmanager
def _naming_left_aside() -> Iterator[None]:
    """Say once, as a line of ours, which files of a results folder are left aside."""
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", LeftAsideWarning)
        show_others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, LeftAsideWarning):
                show_others(message, category, *where, **more)
            elif str(message) not in said:
                said.add(str(message))
                say("Note:", str(message))

        warnings.showwarning = show
        yield
