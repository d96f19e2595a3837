"""``snnbench models``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from snnbench.cli.output import print_table, results

if TYPE_CHECKING:
    from snnbench.config import ModelSettings

Column = tuple[str, ...]
"""The heading of a column, line by line: a preset, then the suites that it counts for."""

app = typer.Typer(no_args_is_help=True, help="What can be trained.")


@app.callback()
def _models() -> None:
    """What can be trained."""


_FOR_CI = "ci"
"""A preset that says whether results reproduce, and nothing about models."""

_GAP = 2
"""Spaces between two columns."""


@app.command("list")
def list_models() -> None:
    """List the networks and the estimators of the presets, with the size of their grids.

    Import paths are shown where the terminal is wide enough for them.
    """
    from rich.table import Table

    from snnbench.config import load_config, presets
    from snnbench.models import implementation
    from snnbench.models.activations import KNOWN
    from snnbench.suites import SUITES

    settings = {
        (suite, preset): load_config(suite, preset).models for suite in SUITES for preset in presets(suite) if preset != _FOR_CI
    }
    models = {name: model for tables in reversed(settings.values()) for name, model in tables.items()}
    paths = {name: implementation(name, model) for name, model in models.items()}
    columns = _grid_sizes(settings)
    console = results()
    needed = _width(models) + sum(_GAP + _width(column) for column in columns) + _GAP + _width(paths.values())
    has_room = needed <= console.width
    for block in [list(columns)] if has_room else _fitting(columns, console.width - _width(models)):
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("model", no_wrap=True)
        for column in block:
            table.add_column("\n".join(column), justify="right", no_wrap=True)
        if has_room:
            table.add_column("import path", no_wrap=True)
        for name in models:
            sizes = [columns[column].get(name, "") for column in block]
            if any(sizes):
                table.add_row(name, *sizes, *([paths[name]] if has_room else []))
        print_table(table)
    console.print(
        f"`snnbench run SUITE --activation NAME`, fully connected networks with {', '.join(KNOWN)}, or one of your own."
    )
    console.print("Numbers: distinct configurations in the grid of a preset, for the suites below its name.", style="dim")


def _grid_sizes(settings: "Mapping[tuple[str, str], Mapping[str, ModelSettings]]") -> dict[Column, dict[str, str]]:
    """Count the configurations that a search trains, by column and model; presets of equal grids share a column.

    Args:
        settings: The models of each suite and preset.
    """
    suites: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    counted: dict[tuple[str, str], str] = {}  # many presets extend others
    for (suite, preset), models in settings.items():
        for name, model in models.items():
            if (name, repr(model)) not in counted:
                counted[name, repr(model)] = str(count_configs(name, model))
        sizes = tuple((name, counted[name, repr(model)]) for name, model in models.items())
        suites.setdefault((preset, sizes), []).append(suite)
    return {(preset, *names): dict(sizes) for (preset, sizes), names in suites.items()}


def count_configs(name: str, model: "ModelSettings") -> int:
    """Return the number of distinct configurations of a grid, as a plan counts them but without importing the model."""
    from snnbench.config import expand_grid
    from snnbench.models.equal_configs import EQUAL_CONFIGS
    from snnbench.models.registry import implementation
    from snnbench.records import Config

    rule = EQUAL_CONFIGS.get(implementation(name, model), dict)
    return len({Config(name, tuple(rule(dict(config.values)).items())).key for config in expand_grid(name, model)})


def _fitting(columns: Mapping[Column, object], width: int) -> Iterator[Sequence[Column]]:
    """Divide the columns into blocks of ``width`` characters at most; one that is wider stands alone."""
    block: list[Column] = []
    for column in columns:
        if block and sum(_GAP + _width(other) for other in [*block, column]) > width:
            yield block
            block = []
        block.append(column)
    yield block


def _width(words: Iterable[str]) -> int:
    return max(map(len, words))
