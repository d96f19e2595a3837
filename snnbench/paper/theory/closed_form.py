"""The algebra of the moment map, written once for every arithmetic: float64 arrays and Arb balls.

Let z be normal with mean m and variance v, and f(z) = z for z > 0, α(exp(z) − 1) otherwise, so that selu = λf. All moments of f
follow from six expectations (``Parts``). Since E[f] for a normal z obeys ∂E[f]/∂m = E[f′] and ∂E[f]/∂v = E[f″]/2, so do all
derivatives. Source: Klambauer et al. 2017, equations 4 and 5; their Jacobian is in section A3.2.
"""

from typing import Any, NamedTuple


class Parts(NamedTuple):
    """Expectations over z ~ N(m, v), in any arithmetic.

    ``positive`` and ``negative`` are the probabilities of z > 0 and z ≤ 0, ``density`` is that of z at 0, ``exp_1`` and
    ``exp_2`` are the expectations of exp(z) and exp(2z) over z ≤ 0. ``anchor`` is any constant: moments are taken about
    f = anchor, which changes nothing but the rounding.
    """

    m: Any
    v: Any
    positive: Any
    negative: Any
    density: Any
    exp_1: Any
    exp_2: Any
    anchor: Any


class Moments(NamedTuple):
    """Mean and variance of selu(z), and their derivatives with respect to m and v."""

    mean: Any
    variance: Any
    mean_by_m: Any
    mean_by_v: Any
    variance_by_m: Any
    variance_by_v: Any

    @property
    def second_moment(self) -> Any:
        """ξ̃, the variance plus the squared mean."""
        return self.variance + self.mean * self.mean


def moments(parts: Parts, alpha: Any, scale: Any) -> Moments:
    """Return the moments of ``scale * f(z)`` with f's parameter ``alpha``.

    With h = f − anchor, which is z − c for z > 0 and α·exp(z) − b otherwise: the mean is c + E[h], the variance is
    E[h²] − E[h]², and the derivatives of both follow from E[h′], E[h′²], E[hh′] and E[hh″].
    """
    m, v, positive, negative, density, exp_1, exp_2, c = parts
    b = alpha + c
    first_positive = (m - c) * positive + v * density
    square_positive = ((m - c) * (m - c) + v) * positive + v * density * (m - 2 * c)
    first = alpha * exp_1 - b * negative + first_positive
    square = alpha * alpha * exp_2 - 2 * alpha * b * exp_1 + b * b * negative + square_positive
    slope = positive + alpha * exp_1
    curvature = alpha * exp_1 + (1 - alpha) * density
    times_slope = alpha * alpha * exp_2 - alpha * b * exp_1 + first_positive
    square_by_v = positive + 2 * alpha * alpha * exp_2 - alpha * b * exp_1 - (1 - alpha) * density * c
    return Moments(
        mean=scale * (c + first),
        variance=scale * scale * (square - first * first),
        mean_by_m=scale * slope,
        mean_by_v=scale * curvature / 2,
        variance_by_m=2 * scale * scale * (times_slope - first * slope),
        variance_by_v=scale * scale * (square_by_v - first * curvature),
    )
