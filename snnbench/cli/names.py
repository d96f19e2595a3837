"""The names of a run that a user typed, checked before anything that takes long is imported."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from snnbench.errors import ConfigError, UnknownNameError

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


def read_repetitions(suite: str, typed: Iterable[str]) -> tuple[int, ...]:
    """Return the numbers of splits that were typed, each once: ``3``, ``1..10`` or ``1,4..6``.

    Raises:
        ConfigError: If they are none, or the suite has no such split.
    """
    from snnbench.suites import load_suite

    most = int(load_suite(suite).catalogue()["repetitions"].max())
    numbers: list[int] = []
    for part in (part.strip() for words in typed for part in words.split(",")):
        found = re.fullmatch(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", part)
        if not found:
            raise ConfigError(f"--repetition must be a number, a range or a list (3, 1..10 or 1,4), found '{part}'.")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise ConfigError(f"--repetition must name the smaller number first, found {part}. Use {last}..{first}.")
        for number in (first, last):
            if not 1 <= number <= most:
                raise ConfigError(f"--repetition must be 1 to {most}, found {number}.")
        numbers += range(first, last + 1)
    return tuple(dict.fromkeys(numbers))
