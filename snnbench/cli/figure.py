"""``snnbench figure``: one figure as a file."""

from collections.abc import Callable

import typer

from snnbench.cli.paper_figures import PAPER_FIGURES

app = typer.Typer(no_args_is_help=True, help="Figures as SVG, PDF or PNG files.")

COMMANDS: dict[str, tuple[str, Callable[..., None]]] = {**PAPER_FIGURES}
"""Every figure with its description and its command; a new one is one entry here."""

for _name, (_words, _command) in COMMANDS.items():
    app.command(_name, help=_words)(_command)
