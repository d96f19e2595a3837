"""Scikit-learn estimators from a config table: a class, fixed arguments and a point of a grid."""

import inspect
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, RealNotInt

from snnbench.config import ModelSettings
from snnbench.errors import ConfigError
from snnbench.models import implementation, load_class
from snnbench.models.accelerators import ACCELERATORS
from snnbench.records import Config, Member

GROWN: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sklearn.ensemble.BaggingClassifier": ("n_estimators", {"oob_score": False}),
    "sklearn.ensemble.ExtraTreesClassifier": ("n_estimators", {"class_weight": None}),
    "sklearn.ensemble.GradientBoostingClassifier": ("n_estimators", {"n_iter_no_change": None}),
    "sklearn.ensemble.HistGradientBoostingClassifier": ("max_iter", {"early_stopping": False}),
    "sklearn.ensemble.RandomForestClassifier": ("n_estimators", {"class_weight": None}),
}
"""Ensembles that scikit-learn can grow (``warm_start``), by import path: the parameter of their size, and the values that
others must have for the grown ensemble to be, bit by bit, the one fitted at once. With early stopping it is not (an
ensemble that has stopped goes on); with class weights it is, but warns."""


def build_estimator(settings: ModelSettings, config: Config, seed: int) -> BaseEstimator:
    """Build a classifier from its class, its fixed arguments and a point of its grid; every part gets the seed.

    A table ``{class = "import.path", …}`` among the arguments stands for an object of that class, so that a config can describe
    pipelines and ensembles without code.
    """
    path = implementation(config.model, settings)
    needed = ACCELERATORS[settings.accelerator].arguments.get(path, {}) if settings.accelerator else {}
    arguments = {name: _build_argument(value, seed) for name, value in settings.arguments.items()}
    return _build(path, {**needed, **arguments, **dict(config.values)}, seed)


def check_classifier(model: BaseEstimator, path: str) -> None:
    """Check that an estimator predicts classes.

    Raises:
        ConfigError: If it is of another kind, a regressor say, or lacks a method.
    """
    tags = getattr(model, "__sklearn_tags__", None)
    kind = tags().estimator_type if tags is not None else getattr(model, "_estimator_type", None)
    if kind not in ("classifier", None):
        raise ConfigError(f"An `estimator` must be a classifier, but {path} is a {kind}. Name a classifier.")
    if missing := [name for name in ("fit", "predict") if not hasattr(model, name)]:
        raise ConfigError(f"An `estimator` must have the methods fit and predict, but {path} has no {missing[0]}.")


def check_parameters(model: BaseEstimator, name: str) -> None:
    """Check the values of an estimator and of its parts, as far as scikit-learn knows them without data.

    Raises:
        ConfigError: If one is impossible.
    """
    for part in (model, *model.get_params().values()):
        if not hasattr(part, "_parameter_constraints") or isinstance(part, type):
            continue
        try:
            part._validate_params()
        except ValueError as error:
            raise ConfigError(f"The values of {name} must be possible, but scikit-learn says: {error}") from error


def one_number(config: Config, settings: ModelSettings) -> Config:
    """Return a configuration in which equal numbers are written alike, so that 1 and 1.0 are one value.

    They stay two where scikit-learn takes the one for a count and the other for a share, as ``max_features`` of a forest.
    """
    model = build_estimator(settings, Config(config.model, ()), seed=0)
    parts = {"": model, **model.get_params()}
    values = []
    for name, value in config.values:
        owner, _, parameter = name.rpartition("__")
        values.append((name, _one_number(value, getattr(parts.get(owner), "_parameter_constraints", {}).get(parameter, []))))
    return Config(config.model, tuple(values))


def _one_number(value: Any, constraints: Sequence[Any]) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value == int(value)
    types = {constraint.type for constraint in constraints if isinstance(constraint, Interval)}
    if not is_number or RealNotInt in types:
        return value
    return float(value) + 0.0 if Real in types else int(value)


def families(settings: ModelSettings, members: Sequence[Member]) -> list[list[Member]]:
    """Group the members of one estimator that are stages of one ensemble's growth, smallest first; others stay alone.

    Args:
        settings: The table of their model.
        members: Trainings on one task and split.
    """
    grown: dict[object, list[Member]] = {}
    for member in members:
        parameter = _grown_parameter(settings, member.config)
        rest = tuple(item for item in member.config.values if item[0] != parameter)
        grown.setdefault((member.seed, rest if parameter else member.key), []).append(member)
    return [sorted(family, key=lambda member: _size(settings, member.config)) for family in grown.values()]


def resize(model: BaseEstimator, settings: ModelSettings, config: Config) -> BaseEstimator:
    """Set an ensemble to the size of another member of its family; fitting it then adds what is missing."""
    return model.set_params(**{GROWN[str(settings.estimator)][0]: _size(settings, config)}, warm_start=True)


def _grown_parameter(settings: ModelSettings, config: Config) -> str | None:
    """Return the parameter by which this configuration's ensemble is grown, or None where it is not or bits would change."""
    parameter, required = GROWN.get(str(settings.estimator), (None, {}))
    given = {**settings.arguments, **dict(config.values)}
    defaults = inspect.signature(load_class(str(settings.estimator))).parameters if parameter else {}
    exact = all(given.get(name, defaults[name].default) == value for name, value in required.items())
    size = given.get(str(parameter))
    return parameter if exact and not settings.accelerator and isinstance(size, int) and not given.get("warm_start") else None


def _size(settings: ModelSettings, config: Config) -> int:
    """Return the size of a member's ensemble; 0 where that means nothing."""
    parameter, _ = GROWN.get(str(settings.estimator), ("", {}))
    size = {**settings.arguments, **dict(config.values)}.get(parameter, 0)
    return size if isinstance(size, int) else 0


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
