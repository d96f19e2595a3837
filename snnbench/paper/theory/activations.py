"""Activations by name or import path, and their moments under a normal input, by quadrature."""

import math
from collections.abc import Callable
from functools import partial
from importlib import import_module

import numpy as np
from scipy.special import erf, expit

from snnbench.errors import ConfigError, SnnbenchError, UnknownNameError
from snnbench.paper.theory.moment_map import selu

Activation = Callable[[np.ndarray], np.ndarray]
"""Elementwise, on float64 arrays."""

_RULE = np.polynomial.legendre.leggauss(16)
_RADII = (12.0, 24.0)
_PANELS = (0.125, 0.0625)
_TOLERANCE = 1e-2
"""Relative change of a second moment between two quadratures: a kink changes it by less, an infinite moment by far more."""


def _elu(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


ACTIVATIONS: dict[str, Activation] = {
    "elu": _elu,
    "gelu": lambda z: z * (1 + erf(z / math.sqrt(2))) / 2,
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "linear": lambda z: z,
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "relu": lambda z: np.maximum(z, 0),
    "selu": selu,
    "sigmoid": expit,
    "silu": lambda z: z * expit(z),
    "softplus": lambda z: np.logaddexp(0, z),
    "tanh": np.tanh,
}
"""The activations that are known by name. ``elu`` has α = 1, ``leaky_relu`` the slope 0.01, ``gelu`` is exact."""


def find_activation(name: str) -> Activation:
    """Return an activation by its name, or by the import path of a function of a NumPy array or a torch tensor.

    Raises:
        UnknownNameError: If the name is unknown and no import path.
        ConfigError: If the path cannot be imported, or the function does not map an array to one of its shape.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    module, _, attribute = name.rpartition(".")
    if not module:
        hint = f"Known: {', '.join(ACTIVATIONS)}; or the import path of a function: package.module.name."
        raise UnknownNameError("activation", name, ACTIVATIONS, hint)
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"'{name}' must be the import path of a function, but importing it says: {error}.") from error
    probe = np.linspace(-2, 2, 5)
    reasons = []
    for way in (partial(_as_array, function), partial(_by_torch, function)):
        try:
            with np.errstate(all="ignore"):
                found = way(probe)
            if found.shape == probe.shape:
                return way
            reasons.append(f"shape {found.shape} instead of {probe.shape}")
        except Exception as error:  # whatever a stranger's function raises
            reasons.append(f"{type(error).__name__}: {error}")
    raise ConfigError(
        f"{name} must map an array to an array of its shape, but with NumPy and with torch says: {'; '.join(reasons)}."
    )


def _as_array(function: Activation, z: np.ndarray) -> np.ndarray:
    return np.asarray(function(z), dtype=np.float64)


def _by_torch(function: Callable, z: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return function(torch.from_numpy(np.ascontiguousarray(z))).numpy()


def normal_moments(activation: Activation, variance: float) -> tuple[float, float]:
    """Return mean and variance of ``activation(z)``, z ~ N(0, variance).

    Gauss and Legendre's rule on panels of a sixteenth of a standard deviation, so that a kink at 0 lies between two of them;
    another kink leaves about six digits.

    Raises:
        SnnbenchError: If the moments are not finite: the integral does not settle as its range grows and its panels shrink.
    """
    mean, square, _, _ = _expectations(activation, variance)
    return mean, square - mean * mean


def normal_slopes(activation: Activation, variance: float) -> tuple[float, float]:
    """Return how that mean and that variance grow with the variance of z.

    From ∂E[F(√v·u)]/∂v = E[F(√v·u)·(u² − 1)] / 2v, which needs no derivative of the activation.

    Raises:
        SnnbenchError: If the moments are not finite.
    """
    mean, _, mean_by_v, square_by_v = _expectations(activation, variance)
    return mean_by_v, square_by_v - 2 * mean * mean_by_v


def _expectations(activation: Activation, variance: float) -> tuple[float, float, float, float]:
    """Return E[F] and E[F²], and their derivatives by the variance."""
    coarse, fine = (_integrate(activation, variance, radius, panel) for radius, panel in zip(_RADII, _PANELS, strict=True))
    # The second moment alone says it: where it is finite, so is the first.
    if not (np.isfinite(fine).all() and abs(fine[1] - coarse[1]) <= _TOLERANCE * abs(fine[1])):
        raise SnnbenchError(
            f"The activation must have a finite mean and variance under N(0, {variance:g}), but its second moment is "
            f"{coarse[1]:.4g} over {_RADII[0]:g} standard deviations and {fine[1]:.4g} over {_RADII[1]:g}. "
            "Take one that grows more slowly and is defined everywhere."
        )
    return float(fine[0]), float(fine[1]), float(fine[2]), float(fine[3])


def _integrate(activation: Activation, variance: float, radius: float, panel: float) -> np.ndarray:
    nodes, weights = _RULE
    starts = np.arange(-radius, radius, panel)
    u = (starts[:, np.newaxis] + panel * (nodes + 1) / 2).ravel()
    weight = np.tile(weights * panel / 2, len(starts)) * np.exp(-u * u / 2) / math.sqrt(2 * math.pi)
    with np.errstate(all="ignore"):
        f = activation(math.sqrt(variance) * u)
        growth = (u * u - 1) / (2 * variance)
        return np.array([weight @ f, weight @ (f * f), weight @ (f * growth), weight @ (f * f * growth)])
