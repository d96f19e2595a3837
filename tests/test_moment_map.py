"""The moment map: printed figures, numerical integration, 400-bit arithmetic, Monte Carlo, and what it refuses."""

import math

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from snnbench.errors import SnnbenchError
from snnbench.models.layers import stacked as layers
from snnbench.paper.theory.balls import ball_moments
from snnbench.paper.theory.fixed_points import contraction_at, fixed_point, solve_parameters
from snnbench.paper.theory.moment_map import ALPHA_01, SCALE_01, evaluate, jacobian, moment_map, selu


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)  # which the tests' process flushes to 0


def by_integration(m: float, v: float) -> tuple[float, float]:
    s = math.sqrt(v)

    def expectation(power: int, centre: float) -> float:
        def density(z: float) -> float:
            return (
                (float(selu(np.float64(z))) - centre) ** power
                * math.exp(-((z - m) ** 2) / (2 * v))
                / (s * math.sqrt(2 * math.pi))
            )

        low, high = m - 40 * s, m + 40 * s
        points = [0.0, m] if low < 0 < high else [m]
        return quad(density, low, high, points=points, limit=400, epsabs=1e-13, epsrel=1e-13)[0]

    mean = expectation(1, 0.0)
    return mean, expectation(2, mean)


@pytest.mark.parametrize(("m", "v"), [(0, 1), (0.1, 0.016), (-0.1, 3.75), (2, 0.3), (-3, 0.5), (0.01, 20), (-1, 100)])
def test_mean_and_variance_are_those_of_numerical_integration(m, v):
    mean, variance = moment_map(m, v, 1.0, 1.0)
    wanted = by_integration(m, v)
    np.testing.assert_allclose((mean, variance), wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("v", "rtol"), [(1e-6, 1e-7), (1e-4, 1e-9), (0.016, 1e-11), (0.1, 1e-12), (1, 1e-12), (20, 1e-12), (1e4, 1e-12)]
)
def test_the_variance_agrees_with_400_bit_arithmetic(v, rtol):
    """Also far in the flat part of SELU and where exp overflows; the docstring of moment_map states these errors."""
    means = [-50, -5, -1, -0.1, -0.001, 0, 0.001, 0.1, 1, 5, 50]
    found = evaluate(means, v, 1.0, 1.0, ALPHA_01, SCALE_01)
    alpha, scale = arb(ALPHA_01), arb(SCALE_01)
    with ctx.workprec(400):
        exact = [ball_moments(arb(m), arb(v), alpha, scale) for m in means]
    np.testing.assert_allclose(found.variance, [float(e.variance) for e in exact], rtol=rtol)
    np.testing.assert_allclose(found.mean, [float(e.mean) for e in exact], rtol=1e-12, atol=1e-15)
    for name in ("mean_by_m", "mean_by_v"):
        np.testing.assert_allclose(getattr(found, name), [float(getattr(e, name)) for e in exact], rtol=1e-12, atol=1e-300)
    for name in ("variance_by_m", "variance_by_v"):
        np.testing.assert_allclose(getattr(found, name), [float(getattr(e, name)) for e in exact], rtol=1e-9, atol=1e-12)


def test_a_monte_carlo_sample_agrees():
    rng = np.random.default_rng(0)
    values = selu(rng.normal(0.2 * 0.5, math.sqrt(1.3 * 0.9), 2_000_000))
    mean, variance = moment_map(0.2, 1.3, 0.5, 0.9)
    assert values.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / len(values)))
    assert values.var() == pytest.approx(variance, rel=0.005)


def test_the_printed_parameters_to_fifteen_digits():
    alpha, scale = solve_parameters(0, 1)
    assert alpha == pytest.approx(1.6732632423543772, rel=5e-16)
    assert scale == pytest.approx(1.0507009873554805, rel=5e-16)
    assert (ALPHA_01, SCALE_01) == (layers.ALPHA, layers.SCALE)


def test_the_printed_parameters_of_mean_0_and_variance_2():
    assert [round(value, 5) for value in solve_parameters(0, 2)] == [1.97126, 1.06071]


def test_the_printed_jacobian():
    matrix = jacobian(0, 1)
    assert matrix.round(6).tolist() == [[0, 0.088835], [0, 0.782648]]
    assert contraction_at((0, 1), 0, 1, ALPHA_01, SCALE_01) == (
        pytest.approx(0.7877, abs=5e-5),
        pytest.approx(0.782648, abs=5e-7),
    )


def test_the_printed_second_moments():
    assert evaluate(1, 3, 0.1, 1.25, ALPHA_01, SCALE_01).second_moment - 3 == pytest.approx(-0.0180173, abs=5e-8)
    # The paper's 0.0662727 is the value at μω = 0.01, which is (0.1, 0.1) and not (0.01, 0.01), with the last digit rounded up.
    assert evaluate(0.1, 0.05, 0.1, 0.8, ALPHA_01, SCALE_01).second_moment == pytest.approx(0.0662727, abs=1e-7)
    assert evaluate(0.01, 0.05, 0.01, 0.8, ALPHA_01, SCALE_01).second_moment == pytest.approx(0.0678004, abs=1e-7)


@given(mean=numbers(-0.1, 0.1), omega=numbers(-0.1, 0.1), variance=numbers(0.5, 16), tau=numbers(0.8, 1.25))
def test_the_jacobian_is_the_derivative_of_the_map(mean, omega, variance, tau):
    step = 1e-5
    by_mean = np.subtract(moment_map(mean + step, variance, omega, tau), moment_map(mean - step, variance, omega, tau))
    by_variance = np.subtract(moment_map(mean, variance + step, omega, tau), moment_map(mean, variance - step, omega, tau))
    numerical = np.column_stack([by_mean, by_variance]) / (2 * step)
    np.testing.assert_allclose(jacobian(mean, variance, omega, tau), numerical, atol=1e-8)


def test_arguments_broadcast():
    mean, variance = moment_map(np.zeros((3, 1)), np.linspace(0.8, 1.5, 4), 0.1, [[0.9], [1.0], [1.1]])
    assert mean.shape == variance.shape == (3, 4)
    assert jacobian(np.zeros((3, 1)), np.linspace(0.8, 1.5, 4)).shape == (3, 4, 2, 2)
    assert variance[2, 1] == moment_map(0, np.linspace(0.8, 1.5, 4)[1], 0.1, 1.1)[1]


def test_a_constant_input_is_mapped_by_selu_itself():
    mean, variance = moment_map([-2.0, 0.0, 3.0], 0, 1.0, 1.0)
    np.testing.assert_array_equal(mean, selu(np.array([-2.0, 0.0, 3.0])))
    np.testing.assert_array_equal(variance, 0)


@given(mean=numbers(-0.1, 0.1), variance=numbers(0.3, 5), omega=numbers(-0.1, 0.1), tau=numbers(0.8, 1.2))
def test_solved_parameters_have_the_wanted_fixed_point(mean, variance, omega, tau):
    alpha, scale = solve_parameters(mean, variance, omega, tau)
    np.testing.assert_allclose(moment_map(mean, variance, omega, tau, alpha, scale), (mean, variance), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("omega", "tau"), [(0, 1), (0.1, 1.1), (-0.1, 0.95)])
def test_a_fixed_point_stays(omega, tau):
    point = fixed_point(omega, tau)
    np.testing.assert_allclose(moment_map(*point, omega, tau), point, atol=1e-13)
    assert -0.1 < point[0] < 0.1
    assert 0.8 < point[1] < 1.5


def test_where_variance_explodes_there_is_no_fixed_point():
    with pytest.raises(SnnbenchError, match=r"must settle for a fixed point, but from \(0\.0, 1\.0\) with ω = 0, τ = 5"):
        fixed_point(tau=5.0)


@pytest.mark.parametrize(("mean", "variance"), [(5, 1), (-5, 1)])
def test_an_impossible_fixed_point_is_refused(mean, variance):
    with pytest.raises(SnnbenchError, match="No α > 0 and λ > 0"):
        solve_parameters(mean, variance)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, -1, 0, 1), "variance that is finite and not negative, found -1"),
        ((0, 1, 0, -0.5), "tau that is finite and not negative, found -0.5"),
        ((float("nan"), 1, 0, 1), "mean that is finite, found nan"),
        ((0, [1, float("inf")], 0, 1), "variance that is finite and not negative, found inf"),
    ],
)
def test_outside_their_validity_the_formulas_refuse(arguments, words):
    with pytest.raises(SnnbenchError, match=words):
        moment_map(*arguments)


def test_a_jacobian_without_variance_is_refused():
    with pytest.raises(SnnbenchError, match="needs variance·tau > 0"):
        jacobian(0, [1, 0])
