"""Which code a config may name: an import runs whatever the module holds, so a config of somebody else's must ask first."""

from collections.abc import Collection, Iterator
from typing import Any

from snnbench.config import ModelSettings, RunSettings
from snnbench.errors import ConfigError
from snnbench.models import load_class
from snnbench.models.activations import check_path

ALLOWED_PACKAGES = ("catboost", "imblearn", "lightgbm", "pytabkit", "sklearn", "snnbench", "xgboost")
"""Packages of classifiers that a config may name; ``--allow-import`` adds others."""


def check_imports(settings: RunSettings, models: Collection[str], allowed: Collection[str] = ()) -> None:
    """Check that every import path of some models is a class of an allowed package; nothing else is imported.

    Args:
        settings: The resolved config.
        models: Those that are to be trained.
        allowed: Further packages, or modules of a single file.

    Raises:
        ConfigError: If a path leads elsewhere.
        UnknownNameError: If an activation has no path.
    """
    packages = {*ALLOWED_PACKAGES, *allowed}
    for name in models:
        for field in ("activation", "init"):
            if path := getattr(settings.models[name], field):
                check_path(path, f"models.{name}.{field} = '{path}'", packages)
    for place, path in (found for name in models for found in import_paths(name, settings.models[name])):
        if path.partition(".")[0] not in packages:
            raise ConfigError(
                f"{place} names code that may do anything once it is imported; allowed are {', '.join(sorted(packages))}. "
                f"If you trust it, say --allow-import {path.partition('.')[0]}."
            )
        found = load_class(path)
        home = getattr(found, "__module__", "") or ""
        if not isinstance(found, type) or home.partition(".")[0] not in packages:
            raise ConfigError(f"{place} must be a class of an allowed package, found {found!r}.")


def import_paths(name: str, model: ModelSettings) -> Iterator[tuple[str, str]]:
    """Yield where an import path stands, and the path."""
    if model.network and not model.activation:
        yield f"models.{name}.network = '{model.network}'", model.network
    if model.estimator:
        yield f"models.{name}.estimator = '{model.estimator}'", model.estimator
    yield from _classes(f"models.{name}.arguments", model.arguments)


def _classes(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if "class" in value:
            yield f"{place}.class = '{value['class']}'", str(value["class"])
        for name, item in value.items():
            yield from _classes(f"{place}.{name}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _classes(place, item)
