"""Theorems 1, 2 and 3 of the paper as bounds that ball arithmetic proves or refutes.

Sources: Klambauer et al. 2017, theorems 1 to 3 and their proofs in section A3.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from snnbench.errors import UnknownNameError
from snnbench.paper.theory.balls import PRECISION_BITS, ball_moments, exact, load_flint, selu_parameters
from snnbench.paper.theory.domain import Domain
from snnbench.paper.theory.subdivision import Box, Enclosure, Function, Objective, Report, enclose_maximum, mean_value_form

if TYPE_CHECKING:
    from flint import arb

    from snnbench.paper.theory.closed_form import Moments

CONTRACTION = Domain.of("0.1", "0.1", ("0.8", "1.5"), ("0.95", "1.1"))
CONTRACTION_GRID = Domain.of("0.1", "0.1", ("0.8", "1.5"), ("0.8", "1.25"))
"""What the paper's grid covers: its largest value, 0.99125, is that at μ = ω = 0.1, ν = 0.8, τ = 1.25."""
LARGE_VARIANCE = Domain.of("1", "0.1", ("3", "16"), ("0.8", "1.25"))
SMALL_VARIANCE = Domain.of("0.1", "0.1", ("0.02", "0.16"), ("0.8", "1.25"))
SMALL_VARIANCE_WIDE = Domain.of("0.1", "0.1", ("0.02", "0.24"), ("0.9", "1.25"))


@dataclass(frozen=True)
class Claim:
    """One bound: the largest (or smallest) value of a quantity over a domain stays below (or above) ``limit``.

    ``pieces`` are the quantity, negated if its smallest value is asked for, on the rectangles that make up the domain.
    ``printed`` is the paper's value, "" where it has none.
    """

    theorem: str
    quantity: str
    side: Literal["largest", "smallest"]
    limit: float
    domain: Domain
    pieces: tuple[tuple[Function, Box], ...]
    printed: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: its extreme value lies between ``low`` and ``high``, both proved.

    ``at`` is a point (μ, ω, ν, τ) that comes as close as the enclosure says, and a counterexample of a refuted claim; ``box``
    is where an undecided claim could not be decided.
    """

    claim: Claim
    status: Literal["proved", "refuted", "undecided"]
    low: float
    high: float
    at: dict[str, float]
    box: Box
    n_boxes: int
    seconds: float


def verify(claim: Claim, tolerance: float, max_boxes: int, report: Report = lambda n_boxes, lower, upper: None) -> Verdict:
    """Prove or refute one claim; ``tolerance`` is how well its extreme is to be known, infinite for no better than needed."""
    start = time.perf_counter()
    sign = 1 if claim.side == "largest" else -1
    with load_flint().ctx.workprec(PRECISION_BITS):
        found = enclose_maximum(claim.pieces, tolerance, sign * claim.limit, max_boxes, report)
    low, high = sorted((sign * found.lower, sign * found.upper))
    at = claim.domain.witness(*found.at, largest_variance=claim.quantity == GROWTH and claim.side == "smallest")
    return Verdict(
        claim, _status(found, sign * claim.limit), low, high, at, found.worst, found.n_boxes, time.perf_counter() - start
    )


def _status(found: Enclosure, limit: float) -> Literal["proved", "refuted", "undecided"]:
    if found.upper < limit:
        return "proved"
    return "refuted" if found.lower >= limit else "undecided"


SINGULAR_VALUE = "singular value of ∂(μ̃, ν̃)/∂(μ, ν)"
SINGULAR_VALUE_OF_SECOND_MOMENT = "singular value of ∂(μ̃, ξ̃)/∂(μ, ν)"
MEAN, VARIANCE, DECREASE, GROWTH = "μ̃", "ν̃", "ξ̃ − ν", "ν̃ / ν"


def theorem_1(domain: Domain | None = None) -> list[Claim]:
    """Return the claims of Theorem 1: g is a contraction of the domain into itself, so it has one attracting fixed point.

    On the paper's domain, the contraction is also asked for where the paper's grid looked, and for the derivatives that it
    has at its largest value: those of the second moment ξ̃ instead of the variance.
    """
    own, domain = domain is not None, domain or CONTRACTION
    claims = [_contraction(domain, SINGULAR_VALUE)]
    mean, low, high = float(domain.mean), float(domain.variance[0]), float(domain.variance[1])
    printed = ("", "", "", "") if own else ("-0.03106", "0.06773", "0.80009", "1.48617")
    claims += [
        _image(domain, MEAN, "smallest", -mean, printed[0]),
        _image(domain, MEAN, "largest", mean, printed[1]),
        _image(domain, VARIANCE, "smallest", low, printed[2]),
        _image(domain, VARIANCE, "largest", high, printed[3]),
    ]
    if not own:
        claims += [
            _contraction(CONTRACTION_GRID, SINGULAR_VALUE),
            _contraction(CONTRACTION_GRID, SINGULAR_VALUE_OF_SECOND_MOMENT, printed="0.99125"),
        ]
    return claims


def theorem_2(domain: Domain | None = None) -> list[Claim]:
    """Return the claim of Theorem 2: a large variance falls. As in the paper, already ξ̃ = ν̃ + μ̃² is below ν."""
    own, domain = domain is not None, domain or LARGE_VARIANCE
    alpha, scale = selu_parameters()
    smallest, tau = exact(domain.variance[0]), exact(domain.tau[1])

    def second_moment(m: "arb", v: "arb") -> "tuple[Moments, arb, arb]":
        found = ball_moments(m, v, alpha, scale)
        by_m = found.variance_by_m + 2 * found.mean * found.mean_by_m
        return found, by_m, found.variance_by_v + 2 * found.mean * found.mean_by_v

    def at_smallest(m: "arb", v: "arb") -> "tuple[arb, arb, arb]":
        found, by_m, by_v = second_moment(m, v)
        return found.second_moment - smallest, by_m, by_v

    def at_largest_tau(m: "arb", v: "arb") -> "tuple[arb, arb, arb]":
        found, by_m, by_v = second_moment(m, v)
        return found.second_moment - v / tau, by_m, by_v - 1 / tau

    split = domain.variance[0] * domain.tau[1]
    pieces = _two_pieces(domain, split, at_smallest, at_largest_tau)
    return [Claim("2", DECREASE, "largest", 0.0, domain, pieces, "" if own else "-0.0180173")]


def theorem_3(domain: Domain | None = None) -> list[Claim]:
    """Return the claims of Theorem 3: a small variance grows; from 0.02, as it is stated, and from 0.05, as it is proved."""
    if domain is not None:
        return [_growth(domain)]
    stated = [SMALL_VARIANCE, SMALL_VARIANCE_WIDE]
    proved = [replace(each, variance=(Fraction("0.05"), each.variance[1])) for each in stated]
    return [_growth(each) for each in stated + proved]


THEOREMS: dict[str, Callable[[Domain | None], list[Claim]]] = {"1": theorem_1, "2": theorem_2, "3": theorem_3}
"""The theorems by number; each takes a domain instead of the paper's."""

DOMAINS = {"1": CONTRACTION, "2": LARGE_VARIANCE, "3": SMALL_VARIANCE}


def claims_of(theorem: str, domain: Domain | None = None) -> list[Claim]:
    """Return the claims of a theorem.

    Raises:
        UnknownNameError: If there is no such theorem.
        SnnbenchError: If python-flint is not installed.
    """
    if theorem not in THEOREMS:
        raise UnknownNameError("theorem", theorem, THEOREMS)
    with load_flint().ctx.workprec(PRECISION_BITS):
        return THEOREMS[theorem](domain)


def _contraction(domain: Domain, quantity: str, printed: str = "") -> Claim:
    alpha, scale = selu_parameters()
    omega, largest_tau, smallest = exact(domain.omega), exact(domain.tau[1]), exact(domain.variance[0])
    of_second_moment = quantity == SINGULAR_VALUE_OF_SECOND_MOMENT

    def function(m: "arb", v: "arb") -> "arb":
        found = ball_moments(m, v, alpha, scale)
        tau = largest_tau.min(v / smallest)
        a, b, c, d = found.mean_by_m, found.mean_by_v, found.variance_by_m, found.variance_by_v
        if of_second_moment:
            c, d = c + 2 * found.mean * a, d + 2 * found.mean * b
        return _largest_singular_value(a * omega, b * tau, c * omega, d * tau)

    return Claim("1", quantity, "largest", 1.0, domain, ((function, domain.box()),), printed)


def _largest_singular_value(a: "arb", b: "arb", c: "arb", d: "arb") -> "arb":
    """Return that of [[a, b], [c, d]]: half the sum of |(a + d, b − c)| and |(a − d, b + c)|."""
    return (_length(a + d, b - c) + _length(a - d, b + c)) / 2


def _length(x: "arb", y: "arb") -> "arb":
    # The product of a ball around 0 with itself reaches below 0; what is there is nothing's square.
    return (x * x + y * y).nonnegative_part().sqrt()


def _image(domain: Domain, quantity: str, side: Literal["largest", "smallest"], limit: float, printed: str) -> Claim:
    alpha, scale = selu_parameters()
    sign = 1 if side == "largest" else -1

    def objective(m: "arb", v: "arb") -> "tuple[arb, arb, arb]":
        found = ball_moments(m, v, alpha, scale)
        if quantity == MEAN:
            return sign * found.mean, sign * found.mean_by_m, sign * found.mean_by_v
        return sign * found.variance, sign * found.variance_by_m, sign * found.variance_by_v

    return Claim("1", quantity, side, limit, domain, ((mean_value_form(objective), domain.box()),), printed)


def _growth(domain: Domain) -> Claim:
    alpha, scale = selu_parameters()
    largest, tau = exact(domain.variance[1]), exact(domain.tau[0])

    def at_smallest_tau(m: "arb", v: "arb") -> "tuple[arb, arb, arb]":
        found = ball_moments(m, v, alpha, scale)
        growth = found.variance / v
        return -tau * growth, -tau * found.variance_by_m / v, -tau * (found.variance_by_v - growth) / v

    def at_largest(m: "arb", v: "arb") -> "tuple[arb, arb, arb]":
        found = ball_moments(m, v, alpha, scale)
        return -found.variance / largest, -found.variance_by_m / largest, -found.variance_by_v / largest

    pieces = _two_pieces(domain, domain.variance[1] * domain.tau[0], at_smallest_tau, at_largest)
    return Claim("3", GROWTH, "smallest", 1.0, domain, pieces)


def _two_pieces(domain: Domain, split: Fraction, below: Objective, above: Objective) -> tuple[tuple[Function, Box], ...]:
    """Return the objective below and above the v where the variable that is left reaches the end of its range."""
    return ((mean_value_form(below), domain.box(v_to=split)), (mean_value_form(above), domain.box(v_from=split)))
