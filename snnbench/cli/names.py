"""The names of a run that a user typed, checked before anything that takes long is imported."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from snnbench.errors import UnknownNameError

if TYPE_CHECKING:
    from snnbench.config import RunSettings


def load_settings(suite: str, models: Iterable[str], preset: str, config: Path | None) -> "RunSettings":
    """Return the config of a run.

    Raises:
        ConfigError: If it is wrong.
        UnknownNameError: If there is no such preset or model.
    """
    from snnbench.config import load_config

    settings = load_config(suite, preset, config)
    for name in models:
        if name not in settings.models:
            raise UnknownNameError(f"model of {config or f'preset {preset}'}", name, settings.models)
    return settings
