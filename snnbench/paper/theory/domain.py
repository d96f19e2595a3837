"""The domains of the theorems, and why two variables are enough.

The moment map depends on (μ, ω, ν, τ) through m = μω and v = ντ only. What a theorem bounds is, for given (m, v), monotone in
what is left. A singular value of the Jacobian D·diag(ω, τ), where D is the derivative by (m, v), grows with |ω| and τ, since
D·diag(ω², τ²)·Dᵀ does in the order of positive semidefinite matrices; ξ̃ − ν and ν̃ / ν fall with ν. So the extreme over the
four-dimensional box is that over a rectangle of (m, v), with ω, and τ or ν, at the end of the range that (m, v) allows: |ω| at
its largest, which leaves μ = m/ω inside its range; τ = min(τ_max, v/ν_min); ν = max(ν_min, v/τ_max) where a variance is to fall
and min(ν_max, v/τ_min) where it is to grow. All of these are points of the domain, so nothing is lost either.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from snnbench.errors import SnnbenchError
from snnbench.paper.theory.subdivision import Box


@dataclass(frozen=True)
class Domain:
    """|μ| ≤ mean, |ω| ≤ omega, ν and τ in their ranges; exact rationals, so that 0.1 means one tenth.

    Raises:
        SnnbenchError: If a range is empty, or ν or τ is not above 0, where the formulas do not hold.
    """

    mean: Fraction
    omega: Fraction
    variance: tuple[Fraction, Fraction]
    tau: tuple[Fraction, Fraction]

    def __post_init__(self) -> None:
        for name, (low, high) in (("variance", self.variance), ("tau", self.tau)):
            if not 0 < low <= high:
                raise SnnbenchError(
                    f"The formulas hold for a {name} above 0 and a range LOW HIGH, found {float(low):g} {float(high):g}."
                )
        for name, value in (("mean", self.mean), ("omega", self.omega)):
            if value <= 0:
                raise SnnbenchError(f"The largest |{name}| of a domain must be above 0, found {float(value):g}.")

    @classmethod
    def of(cls, mean: str, omega: str, variance: tuple[str, str], tau: tuple[str, str]) -> "Domain":
        """Make a domain of decimal numbers as they are printed.

        Raises:
            SnnbenchError: If something is not a number.
        """
        return cls(
            rational(mean),
            rational(omega),
            (rational(variance[0]), rational(variance[1])),
            (rational(tau[0]), rational(tau[1])),
        )

    def box(self, v_from: Fraction | None = None, v_to: Fraction | None = None) -> Box:
        """Return the rectangle of (m, v), or its part with ``v_from ≤ v ≤ v_to``; rounded outward, so that it covers all."""
        largest_m = float(np.nextafter(float(self.mean * self.omega), np.inf))
        low = self.variance[0] * self.tau[0] if v_from is None else v_from
        high = self.variance[1] * self.tau[1] if v_to is None else v_to
        return Box((-largest_m, largest_m), (float(np.nextafter(float(low), 0)), float(np.nextafter(float(high), np.inf))))

    def witness(self, m: float, v: float, largest_variance: bool) -> dict[str, float]:
        """Return μ, ω, ν, τ of the domain with μω = m and ντ = v, and the largest or smallest ν that they allow."""
        low, high = self.variance
        exact_v = Fraction(v)
        variance = min(high, exact_v / self.tau[0]) if largest_variance else max(low, exact_v / self.tau[1])
        named = {"mean": Fraction(m) / self.omega, "omega": self.omega, "variance": variance, "tau": exact_v / variance}
        return {name: float(value) for name, value in named.items()}

    def __str__(self) -> str:
        mean, omega = float(self.mean), float(self.omega)
        (a, b), (c, d) = ((float(low), float(high)) for low, high in (self.variance, self.tau))
        return f"|μ| ≤ {mean:g}, |ω| ≤ {omega:g}, ν ∈ [{a:g}, {b:g}], τ ∈ [{c:g}, {d:g}]"


def rational(text: str) -> Fraction:
    """Read a decimal number exactly.

    Raises:
        SnnbenchError: If it is none.
    """
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise SnnbenchError(f"A bound of a domain must be a number, found '{text}'.") from error
