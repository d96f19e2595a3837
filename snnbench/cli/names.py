"""The names of a run that a user typed, checked before anything that takes long is imported."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from snnbench.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from snnbench.config import RunSettings


def load_settings(
    suite: str, models: Iterable[str], preset: str, config: Path | None, activations: Iterable[str] = ()
) -> "RunSettings":
    """Return the config of a run, with a model for each of some activations.

    Raises:
        ConfigError: If it is wrong.
        UnknownNameError: If there is no such preset, model or activation.
    """
    from snnbench.config import load_config
    from snnbench.models.activations import with_activations

    settings = with_activations(load_config(suite, preset, config), activations)
    for name in models:
        if name not in settings.models:
            raise UnknownNameError(f"model of {config or f'preset {preset}'}", name, settings.models)
    return settings


def activation_models(activations: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the models that some activations make.

    Raises:
        UnknownNameError: If one is neither a known name nor an import path.
    """
    from snnbench.models.activations import import_path, model_name

    return tuple(dict.fromkeys(model_name(import_path(activation)) for activation in activations))


def read_repetitions(suite: str, typed: Iterable[str]) -> tuple[int, ...]:
    """Return the numbers of splits that were typed, each once: ``3``, ``1..10`` or ``1,4..6``.

    Raises:
        ConfigError: If they are none, or the suite has no such split.
    """
    from snnbench.suites.loading import check_repetitions

    numbers: list[int] = []
    for part in (part.strip() for words in typed for part in words.split(",")):
        found = re.fullmatch(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", part)
        if not found:
            raise ConfigError(f"--repetition must be a number, a range or a list (3, 1..10 or 1,4), found '{part}'.")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise ConfigError(f"--repetition must name the smaller number first, found {part}. Use {last}..{first}.")
        check_repetitions(suite, (first, last), "--repetition")
        numbers += range(first, last + 1)
    return tuple(dict.fromkeys(numbers))
