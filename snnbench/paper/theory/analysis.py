"""Does an activation normalise itself? The check that the paper makes for SELU, for any activation.

At unit weights (ω = 0, τ = 1) z is N(0, ν) whatever the mean was, so the map is a function of ν alone: its fixed points are
the ν with Var[f(z)] = ν, and each comes with the mean E[f(z)].
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from snnbench.errors import SnnbenchError
from snnbench.paper.theory.activations import Activation, find_activation, normal_moments, normal_slopes
from snnbench.paper.theory.normalising import normalise

SEARCHED = (1e-4, 1e4)
"""The variances between which fixed points are looked for."""

_N_STARTS = 81
_NEUTRAL = 1e-6
"""A variance that grows or falls by less in a layer is taken as one that stays."""


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point at unit weights.

    ``spectral_radius`` is |∂ν̃/∂ν|, by which a small difference in variance shrinks with every layer; ``spectral_norm`` is the
    largest factor by which one step changes a small difference of (mean, variance).
    """

    mean: float
    variance: float
    spectral_norm: float
    spectral_radius: float

    @property
    def attracts(self) -> bool:
        """Whether networks that start near it come nearer with every layer."""
        return self.spectral_radius < 1 - _NEUTRAL


@dataclass(frozen=True)
class Analysis:
    """What the moment map of an activation does at unit weights.

    ``small`` and ``large`` are ν̃/ν at the smallest variance looked at and at the largest one where the moments are finite,
    ``largest_variance``.
    ``normalised`` is the fixed point (0, 1) of ``scale * f(z) + shift``.
    """

    fixed_points: tuple[FixedPoint, ...]
    small: float
    large: float
    largest_variance: float
    scale: float
    shift: float
    normalised: FixedPoint
    keeps_every_variance: bool


def analyse(name: str) -> Analysis:
    """Find the fixed points of an activation between ``SEARCHED``, and the scale and shift that put one at (0, 1).

    Raises:
        UnknownNameError: If the activation is unknown.
        ConfigError: If its import path leads to no elementwise function.
        SnnbenchError: If its moments under N(0, 1) are not finite, or it is constant.
    """
    activation = find_activation(name)
    scale, shift = normalise(activation, name)
    starts = np.geomspace(*SEARCHED, _N_STARTS)
    growths = _growths(activation, starts)
    starts = starts[: len(growths)]
    return Analysis(
        fixed_points=tuple(_fixed_points(activation, starts, growths)),
        small=growths[0],
        large=growths[-1],
        largest_variance=float(starts[-1]),
        scale=scale,
        shift=shift,
        normalised=_describe(activation, 1.0, 0.0, 1.0, scale),
        keeps_every_variance=bool(np.abs(np.array(growths) - 1).max() < _NEUTRAL),
    )


def _growths(activation: Activation, variances: np.ndarray) -> list[float]:
    """Return ν̃/ν, up to the first variance above 1 whose moments are not finite."""
    growths = []
    for variance in variances:
        try:
            growths.append(normal_moments(activation, float(variance))[1] / float(variance))
        except SnnbenchError:
            if variance <= 1:
                raise
            break
    return growths


def _fixed_points(activation: Activation, starts: np.ndarray, growths: list[float]) -> list[FixedPoint]:
    """Return a fixed point wherever ν̃/ν crosses 1 between two starts, or is 1 at one of them alone."""
    excess = [growth - 1 if abs(growth - 1) > _NEUTRAL else 0.0 for growth in growths]
    variances = [
        math.exp(brentq(lambda log_v: _log_growth(activation, math.exp(log_v)), math.log(low), math.log(high), xtol=1e-12))
        for low, high, left, right in zip(starts, starts[1:], excess, excess[1:], strict=False)
        if left * right < 0
    ]
    alone = zip(starts[1:], excess, excess[1:], excess[2:], strict=False)
    variances += [float(variance) for variance, left, here, right in alone if here == 0 and left != 0 and right != 0]
    return [_describe(activation, v, normal_moments(activation, v)[0], v, 1.0) for v in sorted(variances)]


def _log_growth(activation: Activation, variance: float) -> float:
    return math.log(normal_moments(activation, variance)[1] / variance)


def _describe(activation: Activation, input_variance: float, mean: float, variance: float, scale: float) -> FixedPoint:
    mean_by_v, variance_by_v = normal_slopes(activation, input_variance)
    norm = math.hypot(scale * mean_by_v, scale**2 * variance_by_v)
    return FixedPoint(mean, variance, norm, scale**2 * abs(variance_by_v))
