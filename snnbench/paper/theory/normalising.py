"""The scale and shift that give an activation a fixed point at (0, 1), as numbers of a config."""

import math
from collections.abc import Collection

import numpy as np

from snnbench.config import FULLY_CONNECTED, SELF_NORMALIZING, RunSettings
from snnbench.errors import SnnbenchError
from snnbench.models.activations import known_name, model_name
from snnbench.paper.theory.activations import Activation, find_activation, normal_moments

_FAR = 1e8
"""Below zero, where an activation that saturates has done so."""


def normalise(activation: Activation, name: str) -> tuple[float, float]:
    """Return the scale a and the shift b for which a·f(z) + b has mean 0 and variance 1 under N(0, 1).

    Raises:
        SnnbenchError: If the moments of f are not finite, or it is constant.
    """
    mean, variance = normal_moments(activation, 1.0)
    if not variance > 1e-12 * (1 + mean * mean):
        raise SnnbenchError(f"The activation {name} must vary, but under N(0, 1) its variance is {variance:.3g}.")
    return 1 / math.sqrt(variance), -mean / math.sqrt(variance)


def ask_theory(settings: RunSettings, models: Collection[str]) -> RunSettings:
    """Return the settings with numbers where some models say ``gain = "self-normalizing"``; the weights get the gain 1.

    The numbers are those that ``snnbench theory analyse --toml`` prints.

    Raises:
        SnnbenchError: If an activation has no such scale and shift.
    """
    found = {}
    for name in models:
        table = settings.models[name]
        if table.activation and table.gain == SELF_NORMALIZING:
            scale, shift = _rounded(_find(table.activation), table.activation)
            found[name] = table.model_copy(update={"gain": 1.0, "scale": scale, "shift": shift})
    return settings.model_copy(update={"models": {**settings.models, **found}}) if found else settings


def as_toml(path: str) -> str:
    """Return the table of a model with a fixed point at (0, 1), with alpha dropout where the activation saturates.

    Raises:
        SnnbenchError: If there is no such scale and shift.
    """
    activation = _find(path)
    scale, shift = _rounded(activation, path)
    dropout = "alpha" if _saturates(activation) else "plain"
    return f"""[models.{model_name(path)}]
network = "{FULLY_CONNECTED}"
activation = "{path}"
gain = 1.0
scale = {scale!r}
shift = {shift!r}
dropout = "{dropout}"
grid = {{ n_units = 64, n_layers = [2, 8], form = "rectangular", learning_rate = [0.01, 0.1, 1.0], dropout_rate = [0.05, 0.0] }}
"""


def _find(path: str) -> Activation:
    """Return an activation as its network computes it; of what is known by name the formula, whose digits are everywhere equal.

    Raises:
        ConfigError: If there is none, or a network could not use it.
    """
    if name := known_name(path):
        return find_activation(name)
    import torch

    from snnbench.models.layers.activation import check_activation, load_function

    check_activation(path, "plain")
    function = load_function(path, 1)
    if isinstance(function, torch.nn.Module):
        function = function.double()

    @torch.no_grad()
    def evaluate(z: np.ndarray) -> np.ndarray:
        return function(torch.from_numpy(np.ascontiguousarray(z)).view(1, 1, -1)).view(-1).numpy()

    return evaluate


def _rounded(activation: Activation, name: str) -> tuple[float, float]:
    scale, shift = (float(f"{value:.10g}") for value in normalise(activation, name))
    return scale, 0.0 if abs(shift) < 1e-9 else shift


def _saturates(activation: Activation) -> bool:
    near, far = activation(np.array([-_FAR, -2 * _FAR]))
    return math.isclose(near, far, rel_tol=1e-6, abs_tol=1e-6)
