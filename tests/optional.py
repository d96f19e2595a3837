"""Packages that presets name and an installation may lack."""

from importlib.util import find_spec

from snnbench.config import ModelSettings
from snnbench.models.registry import EXTRAS


def lacks_package(table: ModelSettings) -> bool:
    """Say whether a model's estimator is of an extra that is not installed."""
    package = str(table.estimator).partition(".")[0]
    return package in EXTRAS and find_spec(package) is None
