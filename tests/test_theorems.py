"""The proofs: what they find is what a dense search finds, and what they cannot prove they do not claim."""

import math
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.paper.theory import theorems
from snnbench.paper.theory.balls import ball_moments, exact, hull, lower, selu_parameters, upper
from snnbench.paper.theory.domain import Domain
from snnbench.paper.theory.moment_map import ALPHA_01, SCALE_01, evaluate, jacobian, moment_map
from snnbench.paper.theory.subdivision import Box, enclose_maximum, mean_value_form
from snnbench.paper.theory.theorems import claims_of, verify

TIGHT = 1e-4


def sample(domain: Domain, n: int) -> list[np.ndarray]:
    """Return n points (μ, ω, ν, τ) of a domain, its corners among them."""
    rng = np.random.default_rng(0)
    ranges = [(-domain.mean, domain.mean), (-domain.omega, domain.omega), domain.variance, domain.tau]
    columns = []
    for position, (low, high) in enumerate(ranges):
        corners = [float((low, high)[corner >> position & 1]) for corner in range(16)]
        columns.append(np.concatenate([corners, rng.uniform(float(low), float(high), n)]))
    return columns


@pytest.fixture(scope="module")
def fast() -> dict[str, list[theorems.Verdict]]:
    return {name: [verify(claim, math.inf, 10**5) for claim in claims_of(name)] for name in theorems.THEOREMS}


@pytest.mark.parametrize(("theorem", "n_claims"), [("1", 7), ("2", 1), ("3", 4)])
def test_all_bounds_of_the_paper_are_proved_over_their_whole_domains(fast, theorem, n_claims):
    assert [verdict.status for verdict in fast[theorem]] == ["proved"] * n_claims
    assert all(verdict.high < verdict.claim.limit for verdict in fast[theorem] if verdict.claim.side == "largest")
    assert all(verdict.low > verdict.claim.limit for verdict in fast[theorem] if verdict.claim.side == "smallest")


def found(verdicts: list[theorems.Verdict]) -> list[tuple[float, float]]:
    assert {verdict.status for verdict in verdicts} == {"proved"}
    return [(verdict.low, verdict.high) for verdict in verdicts]


def test_the_image_of_theorem_1_and_the_paper_s_rounding_of_it():
    """The printed −0.03106 is rounded to the nearest, not outward; those of the variance are wider than need be."""
    image = found([verify(claim, 1e-7, 10**5) for claim in claims_of("1")[1:5]])
    for (low, high), value in zip(image, (-0.03106050, 0.06772510, 0.80371176, 1.48157496), strict=True):
        assert low - 1e-8 <= value <= high + 1e-8
        assert high - low <= 1e-7
    assert image[0][1] < -0.03106 < image[0][1] + 1e-6
    assert image[2][0] > 0.80009
    assert image[3][1] < 1.48617


def test_the_extremes_of_theorems_2_and_3():
    (decrease,) = found([verify(claim, 1e-7, 10**5) for claim in claims_of("2")])
    assert decrease == (pytest.approx(-0.0180173, abs=2e-7), pytest.approx(-0.0180173, abs=1e-7))
    growths = found([verify(claim, TIGHT, 10**5) for claim in claims_of("3")])
    assert [low for low, _ in growths] == pytest.approx([1.158795, 1.208025, 1.158795, 1.208025], abs=2 * TIGHT)


@pytest.mark.parametrize("position", [0, 5, 6])
def test_no_singular_value_of_a_sample_in_four_dimensions_exceeds_the_proved_bound(fast, position):
    """The proof looks at two variables; this looks at all four."""
    verdict = fast["1"][position]
    mean, omega, variance, tau = sample(verdict.claim.domain, 50_000)
    matrices = jacobian(mean, variance, omega, tau)
    if verdict.claim.quantity == theorems.SINGULAR_VALUE_OF_SECOND_MOMENT:
        mu = moment_map(mean, variance, omega, tau)[0]
        matrices[:, 1] += 2 * mu[:, np.newaxis] * matrices[:, 0]
    largest = np.linalg.svd(matrices, compute_uv=False)[:, 0].max()
    assert largest <= verdict.high
    at = verdict.at
    assert jacobian(*(at[name] for name in ("mean", "variance", "omega", "tau"))).shape == (2, 2)
    assert largest == pytest.approx({0: 0.8976083, 5: 0.9890263, 6: 0.9912524}[position], abs=1e-6)


def test_the_paper_s_largest_singular_value_is_that_of_the_second_moment():
    """Its grid has a largest value near 0.9912, which no derivative of the variance has on its domain."""
    found = evaluate(0.1, 0.8, 0.1, 1.25, ALPHA_01, SCALE_01)
    rows = np.array(jacobian(0.1, 0.8, 0.1, 1.25))
    assert np.linalg.norm(rows, 2) == pytest.approx(0.98902627, abs=1e-8)
    rows[1] += 2 * found.mean * rows[0]
    assert np.linalg.norm(rows, 2) == pytest.approx(0.9912524171, abs=1e-10)


@pytest.mark.parametrize("theorem", ["2", "3"])
def test_a_sample_in_four_dimensions_keeps_theorems_2_and_3(theorem, fast):
    for verdict in fast[theorem]:
        mean, omega, variance, tau = sample(verdict.claim.domain, 20_000)
        after = evaluate(mean, variance, omega, tau, ALPHA_01, SCALE_01)
        if theorem == "2":
            assert (after.second_moment - variance).max() <= verdict.high
        else:
            assert (after.variance / variance).min() >= verdict.low


def test_below_the_paper_s_variances_theorem_3_fails_and_a_counterexample_is_given():
    domain = replace(theorems.SMALL_VARIANCE, variance=(Fraction("1e-5"), Fraction("0.16")))
    verdict = verify(claims_of("3", domain)[0], TIGHT, 10**5)
    assert verdict.status == "refuted"
    at = verdict.at
    assert abs(at["mean"]) <= 0.1
    assert 1e-5 <= at["variance"] <= 0.16
    assert 0.8 <= at["tau"] <= 1.25
    assert moment_map(at["mean"], at["variance"], at["omega"], at["tau"])[1] <= at["variance"]


def test_a_wider_domain_than_theorem_1_s_is_refuted():
    domain = replace(theorems.CONTRACTION, tau=(Fraction("0.95"), Fraction("1.3")))
    verdicts = [verify(claim, TIGHT, 10**5) for claim in claims_of("1", domain)]
    assert [verdict.status for verdict in verdicts] == ["refuted", "proved", "proved", "proved", "refuted"]


def test_too_few_boxes_decide_nothing():
    verdict = verify(claims_of("1")[0], math.inf, 20)
    assert verdict.status == "undecided"
    assert verdict.low < 1 <= verdict.high
    assert verdict.n_boxes == 20


def test_balls_contain_the_map_of_every_point_of_a_box():
    alpha, scale = selu_parameters()
    assert lower(alpha) < ALPHA_01 < upper(alpha)
    assert lower(scale) < SCALE_01 < upper(scale)
    assert upper(alpha) - lower(alpha) < 1e-14
    rng = np.random.default_rng(1)
    for _ in range(50):
        m = np.sort(rng.uniform(-0.1, 0.1, 2))
        v = np.sort(rng.uniform(0.01, 20, 2))
        balls = ball_moments(hull(*m), hull(*v), alpha, scale)
        inside = evaluate(rng.uniform(*m, 200), rng.uniform(*v, 200), 1.0, 1.0, ALPHA_01, SCALE_01)
        for name, ball in balls._asdict().items():
            values = getattr(inside, name)
            assert lower(ball) <= values.min() + 1e-12
            assert values.max() - 1e-12 <= upper(ball)


def test_a_box_that_reaches_variance_0_is_bounded_by_nothing():
    alpha, scale = selu_parameters()
    assert upper(ball_moments(hull(-0.1, 0.1), hull(0.0, 0.1), alpha, scale).variance) == math.inf


def test_the_maximum_of_a_parabola_is_enclosed():
    def parabola(m, v):
        return 1 - m * m - (v - arb(2)) ** 2, -2 * m, -2 * (v - arb(2))

    pieces = [
        (mean_value_form(parabola), Box((-1.0, 1.0), (1.0, 1.9))),
        (mean_value_form(parabola), Box((-1.0, 1.0), (1.9, 3.5))),
    ]
    found = enclose_maximum(pieces, 1e-6, 2.0)
    assert found.lower <= 1 <= found.upper
    assert found.upper - found.lower <= 1e-6
    assert found.at == (pytest.approx(0, abs=2e-3), pytest.approx(2, abs=2e-3))
    refuted = enclose_maximum(pieces, 1e-6, 0.5)
    assert refuted.lower >= 0.5
    assert refuted.n_boxes < found.n_boxes


def test_decimals_are_exact_and_rectangles_are_rounded_outward():
    assert theorems.CONTRACTION.variance == (Fraction(4, 5), Fraction(3, 2))
    assert exact(Fraction(1, 10)).contains(arb(1) / 10)
    box = theorems.CONTRACTION.box()
    assert Fraction(box.m[1]) > Fraction(1, 100)
    assert Fraction(box.v[0]) < Fraction("0.76")
    assert Fraction(box.v[1]) > Fraction("1.65")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"variance": ("0", "1")}, "variance above 0 and a range LOW HIGH, found 0 1"),
        ({"tau": ("1.2", "0.8")}, "tau above 0 and a range LOW HIGH, found 1.2 0.8"),
        ({"omega": "-0.1"}, "largest |omega| of a domain must be above 0, found -0.1"),
        ({"mean": "much"}, "must be a number, found 'much'"),
    ],
)
def test_a_domain_outside_the_formulas_is_refused(changes, words):
    values = {"mean": "0.1", "omega": "0.1", "variance": ("0.8", "1.5"), "tau": ("0.9", "1.1")} | changes
    with pytest.raises(SnnbenchError) as error:
        Domain.of(**values)
    assert words in str(error.value)


def test_without_python_flint_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(SnnbenchError, match=r"pip install 'snnbench\[theory\]'"):
        claims_of("1")


def test_an_unknown_theorem_is_refused():
    with pytest.raises(UnknownNameError, match="Unknown theorem '4'"):
        claims_of("4")
