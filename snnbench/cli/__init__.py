"""The command line: Typer commands, rich output, exit codes; nothing else.

Heavy packages are imported inside the commands, so that ``snnbench --help`` answers at once.
"""

import sys

import typer

from snnbench import __version__
from snnbench.cli.check import check
from snnbench.cli.compare import compare
from snnbench.cli.data import app as data_app
from snnbench.cli.doctor import doctor
from snnbench.cli.figure import app as figure_app
from snnbench.cli.models import app as models_app
from snnbench.cli.output import FLAG, say
from snnbench.cli.repeat import repeat
from snnbench.cli.report import report
from snnbench.cli.results import app as results_app
from snnbench.cli.run import run
from snnbench.cli.theory import app as theory_app
from snnbench.errors import SnnbenchError

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
app.command()(repeat)
app.command()(doctor)
app.add_typer(figure_app, name="figure")
app.add_typer(data_app, name="data")
app.add_typer(results_app, name="results")
app.add_typer(models_app, name="models")
app.add_typer(theory_app, name="theory")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"snnbench {__version__}")
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
    try:
        app(prog_name="snnbench")
    except SnnbenchError as error:
        say("Error:", str(error))
        sys.exit(2)
