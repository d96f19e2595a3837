"""Other activations: moments by quadrature, fixed points, what would give them one, and what is refused."""

import math

import numpy as np
import pytest

from snnbench.errors import ConfigError, SnnbenchError, UnknownNameError
from snnbench.paper.theory.activations import ACTIVATIONS, find_activation, normal_moments, normal_slopes
from snnbench.paper.theory.analysis import analyse
from snnbench.paper.theory.moment_map import jacobian, moment_map


@pytest.mark.parametrize("variance", [1e-4, 0.3, 1.0, 50.0])
def test_quadrature_agrees_with_the_closed_form_of_selu(variance):
    np.testing.assert_allclose(normal_moments(ACTIVATIONS["selu"], variance), moment_map(0, variance), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(normal_slopes(ACTIVATIONS["selu"], variance), jacobian(0, variance)[:, 1], rtol=1e-11)


def test_quadrature_agrees_with_known_moments():
    assert normal_moments(ACTIVATIONS["relu"], 4.0) == pytest.approx(
        (2 / math.sqrt(2 * math.pi), 2 - 4 / (2 * math.pi)), rel=1e-13
    )
    assert normal_moments(np.exp, 0.5) == pytest.approx((math.exp(0.25), math.exp(1) - math.exp(0.5)), rel=1e-12)
    assert normal_moments(np.square, 3.0) == pytest.approx((3.0, 18.0), rel=1e-12)
    # A kink that is not at 0 costs digits: |z| < 1 by its error function.
    inside = math.erf(1 / math.sqrt(2)) - math.sqrt(2 / math.pi) * math.exp(-0.5)
    outside = 1 - math.erf(1 / math.sqrt(2))
    assert normal_moments(ACTIVATIONS["hardtanh"], 1.0)[1] == pytest.approx(inside + outside, rel=1e-5)


def test_selu_normalises_itself():
    found = analyse("selu")
    (point,) = found.fixed_points
    assert (point.mean, point.variance) == (pytest.approx(0, abs=1e-12), pytest.approx(1, abs=1e-12))
    assert (point.spectral_norm, point.spectral_radius) == (
        pytest.approx(0.787673, abs=5e-7),
        pytest.approx(0.782648, abs=5e-7),
    )
    assert point.attracts
    assert (found.scale, found.shift) == (pytest.approx(1, abs=1e-12), pytest.approx(0, abs=1e-12))


@pytest.mark.parametrize(
    ("name", "small", "radius", "attracts"),
    [
        ("relu", 0.3408, 1.0, False),
        ("elu", 0.9921, 0.860232, True),
        ("gelu", 0.2500, 1.062116, False),
        ("silu", 0.2500, 1.100947, False),
        ("tanh", 0.9998, 0.461071, True),
    ],
)
def test_others_collapse_unless_they_are_scaled_and_shifted(name, small, radius, attracts):
    found = analyse(name)
    assert found.fixed_points == ()
    assert found.small == pytest.approx(small, abs=1e-4)
    assert found.large < 1
    assert found.normalised.spectral_radius == pytest.approx(radius, abs=1e-6)
    assert found.normalised.attracts == attracts
    mean, variance = normal_moments(lambda z: found.scale * find_activation(name)(z) + found.shift, 1.0)
    assert (mean, variance) == (pytest.approx(0, abs=1e-12), pytest.approx(1, abs=1e-12))


def test_a_repelling_fixed_point_is_found_and_called_so():
    (point,) = analyse("numpy.square").fixed_points
    assert (point.mean, point.variance) == (pytest.approx(0.5), pytest.approx(0.5))
    assert point.spectral_radius == pytest.approx(2)
    assert not point.attracts


def test_the_identity_keeps_every_variance():
    found = analyse("linear")
    assert found.keeps_every_variance
    assert found.fixed_points == ()
    assert not found.normalised.attracts


def test_a_function_of_torch_tensors_is_understood():
    z = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(find_activation("torch.nn.functional.gelu")(z), ACTIVATIONS["gelu"](z), atol=1e-12)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    lines = [
        "import numpy as np",
        "boom = lambda z: np.exp(z * z)",
        "edge = lambda z: np.exp(z * z / 4)",
        "constant = lambda z: np.ones_like(z)",
        "total = lambda z: z.sum()",
    ]
    (tmp_path / "my_functions.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("my_functions.boom", SnnbenchError, "must have a finite mean and variance under N(0, 1)"),
        ("my_functions.edge", SnnbenchError, "must have a finite mean and variance under N(0, 1)"),
        ("numpy.log", SnnbenchError, "must have a finite mean and variance under N(0, 1)"),
        ("numpy.reciprocal", SnnbenchError, "must have a finite mean and variance under N(0, 1)"),
        ("my_functions.constant", SnnbenchError, "must vary, but under N(0, 1) its variance is"),
        ("my_functions.total", ConfigError, "must map an array to an array of its shape"),
        ("my_functions.nothing", ConfigError, "must be the import path of a function"),
        ("rellu", UnknownNameError, "Did you mean 'relu'?"),
    ],
)
def test_what_cannot_be_analysed_is_refused(mine, name, error, words):
    with pytest.raises(error) as refusal:
        analyse(name)
    assert words in str(refusal.value)
