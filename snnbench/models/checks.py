"""What may stand in a grid: the hyperparameters of every model, and which configurations share a stack."""

import inspect
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import FiniteFloat, TypeAdapter, ValidationError

from snnbench.config import ModelSettings
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.models.registry import NETWORKS, implementation, load_class, network_class
from snnbench.records import Config, Value

TRAINER_HYPERPARAMETERS = {"l2": Annotated[FiniteFloat, Ge(0)]}
"""What the trainer understands of every network, whatever its class says, and takes for 0 where a grid does not say."""

PER_MEMBER = ("learning_rate", "dropout_rate", "l2")
"""Hyperparameters that may differ inside a stack; networks that differ in any other are of different shape."""


def check_config(config: Config, settings: ModelSettings) -> None:
    """Check one configuration against what its model understands.

    Raises:
        ConfigError: If a hyperparameter is missing or has a value of a wrong type or range.
        UnknownNameError: If the model has no hyperparameter of this name.
    """
    values = dict(config.values)
    known, required = _hyperparameters(config.model, settings)
    for name, value in values.items():
        if name not in known:
            raise UnknownNameError(f"hyperparameter of {config.model}", name, known)
        if known[name] is not None:
            _check_value(config.model, name, value, known[name])
    if settings.estimator:
        from snnbench.models.estimators.building import build_estimator, check_parameters  # imports this module
        from snnbench.models.estimators.stopping import check_stopping

        check_stopping(settings)
        check_parameters(build_estimator(settings, config, seed=0), config.model)
    if missing := sorted(required - set(values)):
        raise ConfigError(f"The grid of {config.model} must give {', '.join(missing)}: add it to its table.")


def _hyperparameters(name: str, settings: ModelSettings) -> tuple[dict[str, Any], set[str]]:
    """Return a model's hyperparameters with their annotations (None = any value), and which of them a grid must give."""
    if settings.estimator:
        from snnbench.models.estimators.building import build_estimator, check_classifier  # imports this module
        from snnbench.models.estimators.native import check_native

        try:
            model = build_estimator(settings, Config(name, ()), seed=0)
            # CatBoost's get_params says only what it was given, XGBoost's signature hides what it takes: both count.
            named = [
                p.name
                for p in inspect.signature(type(model)).parameters.values()
                if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            ]
            known = dict.fromkeys([*model.get_params(), *named])
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"The arguments of {name} must suit {settings.estimator}, which says: {error}.") from error
        check_classifier(model, settings.estimator)
        check_native(name, settings)
        return known, set()
    path = implementation(name, settings)
    network = network_class(name, settings)
    if settings.activation:
        from snnbench.models.layers.activation import check_activation  # needs torch

        check_activation(settings.activation, str(settings.dropout))
        if settings.init:
            from snnbench.models.layers.initialisation import check_fill

            check_fill(settings.init)
    if "learning_rate" not in getattr(network, "hyperparameters", {}):
        raise ConfigError(
            f"The network {path} must have `hyperparameters`, learning_rate among them. A scikit-learn class is an `estimator`."
        )
    return TRAINER_HYPERPARAMETERS | network.hyperparameters, set(network.hyperparameters) - set(
        getattr(network, "defaults", {})
    )


def check_network(config: Config, settings: ModelSettings, n_features: int, n_outputs: int) -> None:
    """Build a stack of two without memory behind it and look at its parameters and its output; nothing for one of ours.

    Raises:
        ConfigError: If a parameter has no stack axis, or inputs are not mapped to (n_stack, n_batch, n_outputs).
    """
    path = implementation(config.model, settings)
    if settings.estimator or path in NETWORKS.values():
        return
    import torch

    wanted = (2, 3, n_outputs)
    try:
        with torch.device("meta"), torch.no_grad():
            network = network_class(config.model, settings)([config, config], n_features, n_outputs).eval()
            found = tuple(network(torch.empty(2, 3, n_features)).shape)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"The network {path} must map (2, 3, {n_features}) to {wanted}, but says: {error}.") from error
    if found != wanted:
        raise ConfigError(f"The network {path} must map (2, 3, {n_features}) to {wanted}, found {found}.")
    if flat := [name for name, parameter in network.named_parameters() if parameter.shape[:1] != (2,)]:
        raise ConfigError(f"Every parameter of {path} must have a leading axis of one entry a member; {flat[0]} has none.")


def canonical(config: Config, settings: ModelSettings) -> Config:
    """Return the configuration that stands for all that make the same model.

    A network in whose grid a value may not matter says so in a static method ``canonical(values)``, which leaves it out.
    """
    if settings.estimator:
        from snnbench.models.estimators.building import one_number  # imports this module

        return one_number(config, settings)
    rule = getattr(load_class(implementation(config.model, settings)), "canonical", None)
    return config if rule is None else Config(config.model, tuple(rule(dict(config.values)).items()))


def stack_key(config: Config) -> tuple[tuple[str, Value], ...]:
    """Return what the members of one stack must share."""
    return tuple((name, value) for name, value in config.values if name not in PER_MEMBER)


def _check_value(model: str, name: str, value: Value, annotation: Any) -> None:
    try:
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ConfigError(f"{name} of {model} is {value!r}. {problem}.") from error
