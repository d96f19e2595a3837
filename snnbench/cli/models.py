"""``snnbench models``."""

import typer

from snnbench.cli.output import results

app = typer.Typer(no_args_is_help=True, help="What can be trained.")


@app.callback()
def _models() -> None:
    """What can be trained."""


@app.command("list")
def list_models() -> None:
    """List the networks and the estimators of the configs, with the size of their grids."""
    from rich.table import Table

    from snnbench.config import expand_grid, load_config, presets
    from snnbench.models import implementation
    from snnbench.suites import SUITES

    settings = {f"{suite}/{preset}": load_config(suite, preset) for suite in SUITES for preset in presets(suite)}
    table = Table("model", "kind", *settings, "source", box=None, header_style="bold")
    for column in table.columns[2:-1]:
        column.justify = "right"
    for name in dict.fromkeys(name for config in settings.values() for name in config.models):
        models = [config.models.get(name) for config in settings.values()]
        model = next(model for model in models if model is not None)
        sizes = [str(len(expand_grid(name, model))) if model else "" for model in models]
        table.add_row(name, "estimator" if model.estimator else "network", *sizes, implementation(name, model))
    results().print(table)
    results().print("Columns with a slash: configurations in the grid of that suite and preset.", style="dim")
