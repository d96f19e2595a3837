"""The moment map in ball arithmetic: proved enclosures over boxes, by Arb through python-flint.

An Arb ball is a midpoint and a radius; every operation returns a ball that contains all possible results, roundings included.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from snnbench.errors import SnnbenchError
from snnbench.paper.theory.closed_form import Moments, Parts, moments

if TYPE_CHECKING:
    from flint import arb

PRECISION_BITS = 96
"""Of the midpoints in proofs: so much that only the width of the boxes matters. Balls hold at any precision."""


def load_flint() -> Any:
    """Return python-flint.

    Raises:
        SnnbenchError: If it is not installed.
    """
    try:
        import flint
    except ImportError as error:
        raise SnnbenchError(
            "The proofs need python-flint, which is not installed. Install it with: pip install 'snnbench[theory]'."
        ) from error
    return flint


def exact(value: Fraction) -> "arb":
    """Return the ball of a rational number, which no float need hold."""
    flint = load_flint()
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def hull(low: float, high: float) -> "arb":
    """Return a ball that contains [low, high]."""
    arb = load_flint().arb
    return arb(low).union(arb(high))


def lower(ball: "arb") -> float:
    """Return a float that is not above any number in the ball; −inf for a ball that is not finite."""
    return float(np.nextafter(float(ball.lower()), -np.inf)) if ball.is_finite() else -np.inf


def upper(ball: "arb") -> float:
    """Return a float that is not below any number in the ball; inf for a ball that is not finite."""
    return float(np.nextafter(float(ball.upper()), np.inf)) if ball.is_finite() else np.inf


def selu_parameters() -> tuple["arb", "arb"]:
    """Return balls of α₀₁ and λ₀₁ from their closed forms (equation 14), not from printed digits."""
    arb = load_flint().arb
    e, root_2 = arb(1).exp(), arb(2).sqrt()
    erfc_1, erfc_2 = (1 / root_2).erfc(), root_2.erfc()
    alpha = -(2 / arb.pi()).sqrt() / (erfc_1 * (arb(1) / 2).exp() - 1)
    # E[f²] for z ~ N(0, 1) is 1/2 + α²·E[(exp(z) − 1)²; z ≤ 0].
    square = (1 + alpha * alpha * (e * e * erfc_2 - 2 * (arb(1) / 2).exp() * erfc_1 + 1)) / 2
    return alpha, 1 / square.sqrt()


def ball_moments(m: "arb", v: "arb", alpha: "arb", scale: "arb") -> Moments:
    """Return enclosures of the moments of selu(z), z ~ N(m, v), for all m and v in the balls; infinite if v may be 0."""
    pi, root_2 = load_flint().arb.pi(), load_flint().arb(2).sqrt()
    s = v.sqrt()
    t = m / s

    def tail(x: "arb") -> "arb":
        return (x / root_2).erfc() / 2

    def exp_of_negative(k: int) -> "arb":
        return (k * m + k * k * v / 2).exp() * tail(t + k * s)

    parts = Parts(
        m=m,
        v=v,
        positive=tail(-t),
        negative=tail(t),
        density=(-t * t / 2).exp() / (s * (2 * pi).sqrt()),
        exp_1=exp_of_negative(1),
        exp_2=exp_of_negative(2),
        anchor=m * 0,
    )
    return moments(parts, alpha, scale)
