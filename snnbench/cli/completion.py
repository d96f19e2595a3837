"""Names that the shell completes."""

from collections.abc import Iterable

import typer


def suites(incomplete: str) -> Iterable[str]:
    """Complete a suite."""
    from snnbench.suites import SUITES

    return [name for name in SUITES if name.startswith(incomplete)]


def presets(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Complete a preset of the suite on the line."""
    from snnbench.config import presets

    return [name for name in presets(context.params.get("suite") or "uci") if name.startswith(incomplete)]


def models(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Complete a model of the suite's config."""
    from snnbench.config import load_config

    settings = load_config(context.params.get("suite") or "uci", context.params.get("preset") or "quick")
    return [name for name in settings.models if name.startswith(incomplete)]


def tasks(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Complete a task of the suite on the line."""
    from snnbench.suites import load_suite

    names = load_suite(context.params.get("suite") or "uci").catalogue().index
    return [str(name) for name in names if str(name).startswith(incomplete)]
