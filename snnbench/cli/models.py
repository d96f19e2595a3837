"""``snnbench models``."""

import typer

from snnbench.cli.output import results

_WIDTH_OF_PATHS = 110

app = typer.Typer(no_args_is_help=True, help="What can be trained.")


@app.callback()
def _models() -> None:
    """What can be trained."""


_FOR_CI = "ci"
"""A preset that says whether results reproduce, and nothing about models."""


@app.command("list")
def list_models() -> None:
    """List the networks and the estimators of the presets, with the size of their grids."""
    from rich.table import Table

    from snnbench.config import expand_grid, load_config, presets
    from snnbench.models import implementation
    from snnbench.suites import SUITES

    settings = {
        (suite, preset): load_config(suite, preset) for suite in SUITES for preset in presets(suite) if preset != _FOR_CI
    }
    models = {name: model for config in reversed(settings.values()) for name, model in config.models.items()}
    # Suites share most presets: those of equal columns share one, so that the table fits into 80 columns.
    columns: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (suite, preset), config in settings.items():
        sizes = (str(len(expand_grid(name, config.models[name]))) if name in config.models else "" for name in models)
        columns.setdefault((preset, tuple(sizes)), []).append(suite)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("model", no_wrap=True)
    for (preset, _), suites in columns.items():
        table.add_column("\n".join([preset, *suites]), justify="right")
    console = results()
    is_wide = console.width >= _WIDTH_OF_PATHS
    table.add_column("import path" if is_wide else "class", overflow="fold")
    for row, (name, model) in enumerate(models.items()):
        path = implementation(name, model)
        table.add_row(name, *(sizes[row] for _, sizes in columns), path if is_wide else path.rpartition(".")[2])
    console.print(table)
    console.print("Numbers: points of the grid of a preset, for the suites below its name.", style="dim")
