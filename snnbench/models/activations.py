"""Activations of a user's own: which names there are, where they lie, and the table of a model with one."""

from collections.abc import Collection, Iterable

from snnbench.config import FULLY_CONNECTED, ModelSettings, RunSettings
from snnbench.errors import ConfigError, UnknownNameError

KNOWN = ("elu", "gelu", "hardtanh", "leaky_relu", "mish", "relu", "selu", "sigmoid", "silu", "softplus", "tanh")
"""Names that need no import path: functions of ``torch.nn.functional`` whose moments and derivatives are known here."""

TORCH_MODULES = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init")
"""Modules of torch that an activation or an initialisation may come from without being allowed."""

_FUNCTIONS = "torch.nn.functional"


def import_path(activation: str) -> str:
    """Return the import path of an activation: that of a known name, or the path itself.

    Raises:
        UnknownNameError: If it is neither.
    """
    if activation in KNOWN:
        return f"{_FUNCTIONS}.{activation}"
    if "." not in activation:
        hint = f"Known: {', '.join(KNOWN)}; or the import path of a function or module: package.module.name."
        raise UnknownNameError("activation", activation, KNOWN, hint)
    return activation


def known_name(path: str) -> str | None:
    """Return the known name of an activation's import path; None if it has none."""
    module, _, name = path.rpartition(".")
    return name if module == _FUNCTIONS and name in KNOWN else None


def check_path(path: str, place: str, allowed: Collection[str]) -> None:
    """Check that an activation or an initialisation comes from torch or an allowed package; nothing is imported.

    Raises:
        UnknownNameError: If it is no import path.
        ConfigError: If it leads elsewhere.
    """
    module, _, name = path.rpartition(".")
    if not module and name not in KNOWN:
        raise UnknownNameError("activation", name, KNOWN, f"{place} must be an import path, as '{_FUNCTIONS}.mish'.")
    if not module:
        raise ConfigError(f"{place} must be an import path: '{import_path(name)}'.")
    package = path.partition(".")[0]
    if module not in TORCH_MODULES and package not in allowed:
        raise ConfigError(
            f"{place} names code that may do anything once it is imported; such a function may come from "
            f"{', '.join(TORCH_MODULES)}. If you trust it, say --allow-import {package}."
        )


def model_name(path: str) -> str:
    """Return what a model with an activation is called by itself."""
    return path.rpartition(".")[2]


def with_activations(settings: RunSettings, activations: Iterable[str]) -> RunSettings:
    """Return settings with a model for each activation, on the grid of ``snn``.

    Raises:
        UnknownNameError: If an activation is neither a known name nor an import path.
        ConfigError: If the settings have a model of such a name, or no ``snn``.
    """
    models = dict(settings.models)
    for path in dict.fromkeys(map(import_path, activations)):
        name = model_name(path)
        if name in models:
            raise ConfigError(f"--activation {name} must not be a model of the config, too. Say --model {name} instead.")
        if "snn" not in settings.models:
            raise ConfigError("--activation takes the grid of snn, which this config does not have. Write a table [models.…].")
        table = {"network": FULLY_CONNECTED, "activation": path, "grid": settings.models["snn"].grid}
        models[name] = ModelSettings.model_validate(table)
    return settings.model_copy(update={"models": models})
