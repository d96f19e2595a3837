"""The moment map g in float64: from mean and variance of one layer's activations to those of the next."""

from typing import Any

import numpy as np
from scipy.special import erfcx, ndtr

from snnbench.errors import SnnbenchError
from snnbench.paper.theory.closed_form import Moments, Parts, moments

ALPHA_01 = 1.6732632423543772
"""α₀₁ of Klambauer et al. 2017, equation 14; ``fixed_points.solve_parameters(0, 1)`` gives it again."""
SCALE_01 = 1.0507009873554805
"""λ₀₁ of the same equation."""


def selu(z: np.ndarray, alpha: float = ALPHA_01, scale: float = SCALE_01) -> np.ndarray:
    """Return ``λz`` for z > 0, else ``λα(exp(z) - 1)`` (equation 2). Any shape."""
    return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def moment_map(
    mean: Any, variance: Any, omega: Any = 0.0, tau: Any = 1.0, alpha: float = ALPHA_01, scale: float = SCALE_01
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of selu(z), z ~ N(mean·omega, variance·tau), the map g of the paper (equation 3).

    Args:
        mean: μ of the activations of the layer before. All arguments broadcast.
        variance: ν, their variance; 0 is allowed and means a constant.
        omega: ω, the sum of a unit's weights (n times their mean).
        tau: τ, the sum of their squares (n times their second moment).
        alpha: SELU's α.
        scale: SELU's λ.

    Returns:
        μ̃ and ν̃, of the broadcast shape. Against 400-bit arithmetic, for |mean·omega| ≤ 50: the relative error of ν̃ is below
        1e-12 for variance·tau ≥ 0.1 and grows like 1e-14 / (variance·tau) below.

    Raises:
        SnnbenchError: If a variance or tau is negative, or anything is not finite.
    """
    found = evaluate(mean, variance, omega, tau, alpha, scale)
    return found.mean, found.variance


def jacobian(
    mean: Any, variance: Any, omega: Any = 0.0, tau: Any = 1.0, alpha: float = ALPHA_01, scale: float = SCALE_01
) -> np.ndarray:
    """Return the Jacobian of g with respect to (μ, ν), shape (..., 2, 2); arguments as in ``moment_map``, variance·tau > 0.

    Raises:
        SnnbenchError: If the arguments are outside the formulas' validity.
    """
    if np.any(np.asarray(variance) * np.asarray(tau) == 0):
        raise SnnbenchError("The Jacobian of the moment map needs variance·tau > 0, found 0. Ask a little above 0.")
    found = evaluate(mean, variance, omega, tau, alpha, scale)
    rows = ((found.mean_by_m * omega, found.mean_by_v * tau), (found.variance_by_m * omega, found.variance_by_v * tau))
    return np.stack([np.stack(np.broadcast_arrays(*row), axis=-1) for row in rows], axis=-2)


def evaluate(mean: Any, variance: Any, omega: Any, tau: Any, alpha: float, scale: float) -> Moments:
    """Return all moments and their derivatives by m = mean·omega and v = variance·tau; arguments as in ``moment_map``."""
    arrays = [np.asarray(value, dtype=np.float64) for value in (mean, variance, omega, tau)]
    for name, array in zip(("mean", "variance", "omega", "tau"), arrays, strict=True):
        if not np.isfinite(array).all() or (name in ("variance", "tau") and (array < 0).any()):
            allowed = "finite and not negative" if name in ("variance", "tau") else "finite"
            raise SnnbenchError(f"The moment map holds for a {name} that is {allowed}, found {_first_bad(array, name)}.")
    m, v = np.broadcast_arrays(arrays[0] * arrays[2], arrays[1] * arrays[3])
    # A variance of 0 is the limit, and the smallest normal number is as good.
    # Anchored at f(m): without that the variance would cancel where f hardly varies.
    anchor = np.where(m > 0, m, alpha * np.expm1(np.minimum(m, 0)))
    with np.errstate(over="ignore"):  # m²/v of a variance near 0, of which exp(−m²/v) is taken
        found = moments(parts_of(m, np.maximum(v, np.finfo(np.float64).tiny), anchor), alpha, scale)
    return found._replace(
        mean=np.where(v == 0, selu(m, alpha, scale), found.mean), variance=np.where(v == 0, 0, found.variance)
    )


def _first_bad(array: np.ndarray, name: str) -> float:
    bad = ~np.isfinite(array) | ((array < 0) if name in ("variance", "tau") else False)
    return float(array[bad].flat[0])


def parts_of(m: Any, v: Any, anchor: Any) -> Parts:
    """Return the expectations over z ~ N(m, v), v > 0, that all moments follow from."""
    t = m / np.sqrt(v)
    return Parts(
        m=m,
        v=v,
        positive=ndtr(t),
        negative=ndtr(-t),
        density=np.exp(-t * t / 2) / np.sqrt(2 * np.pi * v),
        exp_1=_exp_of_negative(1, m, v),
        exp_2=_exp_of_negative(2, m, v),
        anchor=anchor,
    )


def _exp_of_negative(k: int, m: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return E[exp(kz); z ≤ 0] = exp(km + k²v/2)·Φ(−x), x = (m + kv)/√v.

    For x > 0 the first factor overflows while the second underflows: there it is exp(−m²/2v)·erfcx(x/√2)/2.
    """
    x = (m + k * v) / np.sqrt(v)
    scaled = np.exp(-m * m / v / 2) * erfcx(np.maximum(x, 0) / np.sqrt(2)) / 2
    direct = np.exp(np.minimum(k * m + k * k * v / 2, 0)) * ndtr(-np.minimum(x, 0))
    return np.where(x > 0, scaled, direct)
