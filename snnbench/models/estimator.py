"""Scikit-learn estimators from a config table: a class, fixed arguments and a point of a grid."""

import inspect
from typing import Any

from sklearn.base import BaseEstimator

from snnbench.config import ModelSettings
from snnbench.models import load_class
from snnbench.records import Config


def build_estimator(settings: ModelSettings, config: Config, seed: int) -> BaseEstimator:
    """Build a classifier from its class, its fixed arguments and a point of its grid; every part gets the seed.

    A table ``{class = "import.path", …}`` among the arguments stands for an object of that class, so that a config can describe
    pipelines and ensembles without code.
    """
    arguments = {name: _build_argument(value, seed) for name, value in settings.arguments.items()}
    return _build(str(settings.estimator), {**arguments, **dict(config.values)}, seed)


def _build(path: str, arguments: dict[str, Any], seed: int) -> BaseEstimator:
    estimator = load_class(path)
    own = {name: value for name, value in arguments.items() if "__" not in name}
    if "random_state" in inspect.signature(estimator).parameters:
        own.setdefault("random_state", seed)
    nested = {name: value for name, value in arguments.items() if "__" in name}
    model = estimator(**own)
    return model.set_params(**nested) if nested else model


def _build_argument(value: Any, seed: int) -> Any:
    if isinstance(value, list):
        return [_build_argument(item, seed) for item in value]
    if isinstance(value, dict) and "class" in value:
        arguments = {name: _build_argument(item, seed) for name, item in value.items() if name != "class"}
        return _build(value["class"], arguments, seed)
    return value
