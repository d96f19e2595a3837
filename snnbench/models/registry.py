"""The networks that there are, and the class behind a model of a config."""

from importlib import import_module
from typing import Any

from snnbench.config import FULLY_CONNECTED, ModelSettings
from snnbench.errors import ConfigError, UnknownNameError

NETWORKS = {
    "batchnorm": "snnbench.models.networks.batchnorm.BatchNorm",
    "highway": "snnbench.models.networks.highway.Highway",
    "layernorm": "snnbench.models.networks.layernorm.LayerNorm",
    "msrainit": "snnbench.models.networks.msrainit.MSRAInit",
    "resnet": "snnbench.models.networks.resnet.ResNet",
    "snn": "snnbench.models.networks.snn.SNN",
    "weightnorm": "snnbench.models.networks.weightnorm.WeightNorm",
}

WITH_ACTIVATION = "snnbench.models.networks.with_activation.FullyConnected"
"""The network ``fully_connected``: its table names the activation, so it is no model by itself."""

EXTRAS = {"catboost": "boosting", "lightgbm": "boosting", "pytabkit": "tabular", "xgboost": "boosting"}
"""What to install for a package whose estimators a preset names: an extra of this one."""


def implementation(name: str, settings: ModelSettings) -> str:
    """Return the import path behind a model of the config.

    Raises:
        UnknownNameError: If the config names neither a network nor an estimator and none is known under this name.
    """
    if settings.estimator:
        from snnbench.models.estimators.accelerators import (
            accelerated,  # imports nothing of this package, but is not needed by networks
        )

        return accelerated(settings.estimator, settings)
    path = WITH_ACTIVATION if settings.network == FULLY_CONNECTED else settings.network or NETWORKS.get(name)
    if path is None:
        hint = "A model of another name needs `network` or `estimator`, an import path, in its table."
        raise UnknownNameError("network", name, NETWORKS, hint)
    return path


def network_class(name: str, settings: ModelSettings) -> Any:
    """Return the class of a network of the config, built as ``network(configs, n_features, n_outputs)``.

    Raises:
        UnknownNameError: As ``implementation``.
        ConfigError: If there is no such class.
    """
    network = load_class(implementation(name, settings))
    return network.of(settings) if settings.activation else network


def load_class(path: str) -> Any:
    """Import ``package.module.Class``.

    Raises:
        ConfigError: If there is no such module or class.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if extra := EXTRAS.get(str(error.name)):
            raise ConfigError(
                f"{path} must be installed, found no package {error.name}. Install it with `pip install 'snnbench[{extra}]'`, "
                "or name the models to run with --model."
            ) from error
        raise ConfigError(
            f"'{path}' must be the import path of a class or a function, but importing it says: {error}."
        ) from error
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"'{path}' must be the import path of a class or a function, but importing it says: {error}."
        ) from error
