"""Names that the shell completes: those of the suite on the line, or of all suites while none is there."""

from collections.abc import Iterable
from contextlib import suppress

import typer

from snnbench.errors import SnnbenchError


def suites(incomplete: str) -> Iterable[str]:
    """Complete a suite."""
    from snnbench.suites import SUITES

    return _starting(incomplete, SUITES)


def engines(incomplete: str) -> Iterable[str]:
    """Complete an engine."""
    from snnbench.execution.engines import ENGINES

    return _starting(incomplete, ENGINES)


def published(incomplete: str) -> Iterable[str]:
    """Complete the name of published results."""
    from snnbench.results.published import PUBLISHED, PUBLISHED_RUNS

    return _starting(incomplete, [*PUBLISHED, *PUBLISHED_RUNS])


def presets(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Complete a preset."""
    from snnbench.config import presets

    return _starting(incomplete, (name for suite in _suites(context) for name in presets(suite)))


def activations(incomplete: str) -> Iterable[str]:
    """Complete a known activation."""
    from snnbench.models.activations import KNOWN

    return _starting(incomplete, KNOWN)


def models(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Complete a model of the config."""
    from snnbench.config import load_config

    names: list[str] = []
    for suite in _suites(context):
        # A line that is still being typed may be wrong; what is wrong with it is said once it is run.
        with suppress(SnnbenchError):
            names += load_config(suite, context.params.get("preset") or "quick", context.params.get("config")).models
    return _starting(incomplete, names)


def tasks(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Complete a task."""
    from snnbench.suites import load_suite

    return _starting(incomplete, (str(name) for suite in _suites(context) for name in load_suite(suite).catalogue().index))


def _suites(context: typer.Context) -> list[str]:
    """Return the suite on the line, or all."""
    from snnbench.suites import SUITES

    # The parser gives up at an option without a value, which the one to complete is, and leaves the suite among the words.
    words = [context.params.get("suite"), *context.args]
    return [word for word in words if word in SUITES][:1] or list(SUITES)


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name.startswith(incomplete)))
