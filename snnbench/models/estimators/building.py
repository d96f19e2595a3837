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
from snnbench.models.estimators.accelerators import ACCELERATORS
from snnbench.models.estimators.packages import with_arguments
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

SEEDS = ("random_state", "random_seed", "seed")
"""What estimators call their seed. A part that is given a number of its own keeps it."""


def build_estimator(settings: ModelSettings, config: Config, seed: int) -> BaseEstimator:
    """Build a classifier from its class, its fixed arguments and a point of its grid; every part gets the seed.

    Which parts take one is asked of ``get_params``: a signature may hide it (XGBoost's does), or an estimator may make another.

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
    """Build one object; it, and what it holds without having been told a seed, gets this one."""
    found, arguments = load_class(path), with_arguments(path, arguments)
    own = {name: value for name, value in arguments.items() if "__" not in name}
    nested = {name: value for name, value in arguments.items() if "__" in name}
    is_told = not own.keys().isdisjoint(SEEDS)
    if not is_told and "random_state" in inspect.signature(found).parameters:
        own["random_state"] = seed
    model = found(**own)
    if not hasattr(model, "get_params"):
        return model
    if nested:
        model.set_params(**nested)
    seeds = _seeds_without_number(model.get_params(), is_told)
    return model.set_params(**dict.fromkeys(seeds, seed)) if seeds else model


def _seeds_without_number(parameters: Mapping[str, Any], is_told: bool) -> list[str]:
    """Return the names of the seeds that nobody set: one an owner, of its parts where all of theirs are None.

    Args:
        parameters: What ``get_params`` says, those of parts as ``part__name``.
        is_told: Whether the estimator's own seed was given; else what its class has for a default is none.
    """
    owners: dict[str, dict[str, Any]] = {}
    for name, value in parameters.items():
        owner, separator, last = name.rpartition("__")
        if last in SEEDS:
            owners.setdefault(owner + separator, {})[last] = value
    first = {owner: next(name for name in SEEDS if name in found) for owner, found in owners.items()}
    is_set = {owner: any(value is not None for value in found.values()) for owner, found in owners.items()}
    return [owner + first[owner] for owner in owners if not (is_set[owner] if owner else is_told)]


def _build_argument(value: Any, seed: int) -> Any:
    if isinstance(value, list):
        return [_build_argument(item, seed) for item in value]
    if isinstance(value, dict) and "class" in value:
        arguments = {name: _build_argument(item, seed) for name, item in value.items() if name != "class"}
        return _build(value["class"], arguments, seed)
    return value
