"""Fixed points of the moment map, and the parameters of SELU that put one where it is wanted."""

import math

import numpy as np

from snnbench.errors import SnnbenchError
from snnbench.paper.theory.closed_form import Parts
from snnbench.paper.theory.moment_map import ALPHA_01, SCALE_01, evaluate, jacobian, moment_map, parts_of

_MAX_STEPS = 100_000
_TOLERANCE = 1e-15
_EXPLODED = 1e12


def fixed_point(
    omega: float = 0.0,
    tau: float = 1.0,
    alpha: float = ALPHA_01,
    scale: float = SCALE_01,
    start: tuple[float, float] = (0.0, 1.0),
) -> tuple[float, float]:
    """Return the (μ, ν) that g, repeated from ``start``, tends to: what the activations of a deep network tend to.

    Args:
        omega: ω, the sum of a unit's weights.
        tau: τ, the sum of their squares.
        alpha: SELU's α.
        scale: SELU's λ.
        start: Mean and variance of the network's inputs.

    Raises:
        SnnbenchError: If there is no such point: mean or variance grow without end, or do not settle.
    """
    point = np.array(start, dtype=np.float64)
    for _ in range(_MAX_STEPS):
        image = np.array(moment_map(point[0], point[1], omega, tau, alpha, scale))
        if not (np.abs(image) < _EXPLODED).all():
            break
        if np.abs(image - point).max() <= _TOLERANCE * max(1.0, float(np.abs(image).max())):
            return float(image[0]), float(image[1])
        point = image
    raise SnnbenchError(
        f"The moment map must settle for a fixed point, but from {start} with ω = {omega:g}, τ = {tau:g} it reached "
        f"mean {image[0]:.3g} and variance {image[1]:.3g}. Take ω nearer to 0 and τ nearer to 1."
    )


def contraction_at(point: tuple[float, float], omega: float, tau: float, alpha: float, scale: float) -> tuple[float, float]:
    """Return spectral norm and spectral radius of the Jacobian of g at a point; both below 1 where it attracts in one step."""
    matrix = jacobian(point[0], point[1], omega, tau, alpha, scale)
    return float(np.linalg.norm(matrix, 2)), float(np.abs(np.linalg.eigvals(matrix)).max())


def solve_parameters(mean: float = 0.0, variance: float = 1.0, omega: float = 0.0, tau: float = 1.0) -> tuple[float, float]:
    """Return the (α, λ) whose moment map has (mean, variance) as a fixed point.

    E[selu] = λ(a + αb) and E[selu²] = λ²(c + α²d) with a, b, c, d free of α and λ; dividing the square of the first by the
    second leaves a quadratic equation in α. With mean 0 it is α = −a/b, which is equation 14 of the paper for (0, 1).

    Raises:
        SnnbenchError: If the variance is not above 0, or no α > 0, λ > 0 has such a fixed point.
    """
    if not variance > 0:
        raise SnnbenchError(f"The variance of a fixed point must be above 0, found {variance:g}.")
    evaluate(mean, variance, omega, tau, 1.0, 1.0)  # refuses what the formulas do not hold for
    a, b, c, d = _coefficients(parts_of(np.float64(mean * omega), np.float64(variance * tau), anchor=0.0))
    square = variance + mean * mean
    # Written so that it does not cancel for a mean near 0, where the two roots meet.
    discriminant = square * (a * a * d + b * b * c) - mean * mean * c * d
    denominator = square * b * b - mean * mean * d
    if discriminant >= 0 and denominator != 0:
        root = abs(mean) * math.sqrt(discriminant)
        found = [((sign * root - square * a * b) / denominator) for sign in (1, -1)]
        pairs = [(alpha, math.sqrt(square / (c + alpha * alpha * d))) for alpha in found if alpha > 0]
        # Squaring brought in the root whose mean has the other sign.
        residuals = [abs(scale * (a + alpha * b) - mean) for alpha, scale in pairs]
        if pairs and min(residuals) <= 1e-9 * max(1.0, abs(mean)):
            return pairs[residuals.index(min(residuals))]
    raise SnnbenchError(
        f"No α > 0 and λ > 0 make (mean {mean:g}, variance {variance:g}) a fixed point at ω = {omega:g}, τ = {tau:g}. "
        "Take a mean nearer to 0."
    )


def _coefficients(parts: Parts) -> tuple[float, float, float, float]:
    m, v, positive, negative, density, exp_1, exp_2, _ = parts
    a = m * positive + v * density
    c = (m * m + v) * positive + m * v * density
    return float(a), float(exp_1 - negative), float(c), float(exp_2 - 2 * exp_1 + negative)
