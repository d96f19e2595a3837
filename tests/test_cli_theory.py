"""``snnbench theory`` and the paper's figures as their users meet them."""

import re
import sys

import pytest
from test_cli import Program, program  # noqa: F401  a fixture


def test_the_theorems_are_proved(program: Program):  # noqa: F811
    answer = program("theory", "verify", "--fast", "--progress", "none")
    assert answer.code == 0
    assert "12 of 12 bounds proved" in answer.out
    assert "largest ξ̃ − ν < 0" in answer.out
    assert "-0.0180173" in answer.out
    assert answer.err == ""


def test_extremes_are_printed_between_proved_digits(program: Program):  # noqa: F811
    answer = program("theory", "verify", "--theorem", "2", "--tolerance", "1e-6")
    assert answer.code == 0
    low, high = map(float, re.search(r"in \[(\S+), (\S+)\]", answer.out).groups())
    assert low <= -0.01801729 <= high  # the value at (1, 0.1, 3, 1.25)
    assert high - low <= 4e-6  # the tolerance, and the rounding of both to six digits
    assert "1 of 1 bound proved" in answer.out


def test_a_bound_that_fails_is_said_with_a_point_and_a_box(program: Program):  # noqa: F811
    answer = program("theory", "verify", "--theorem", "3", "--variance", "1e-5", "0.16")
    assert answer.code == 1
    assert "refuted" in answer.out
    assert "0 of 1 bound proved" in answer.out
    assert (
        "Theorem 3, smallest ν̃ / ν on |μ| ≤ 0.1, |ω| ≤ 0.1, ν ∈ [1e-05, 0.16], τ ∈ [0.8, 1.25]: fails at mean 0.0" in answer.out
    )
    assert "last box μω in [" in answer.out


def test_a_bound_that_was_not_decided_is_no_success(program: Program):  # noqa: F811
    answer = program("theory", "verify", "--theorem", "1", "--fast", "--max-boxes", "20")
    assert answer.code == 1
    assert "undecided after 20 boxes in the box μω in [" in answer.out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("verify", "--theorem", "4"), "Unknown theorem '4'"),
        (("verify", "--variance", "0.1", "0.2"), "Another domain is for one theorem"),
        (("verify", "--theorem", "3", "--variance", "0", "0.2"), "The formulas hold for a variance above 0"),
        (("verify", "--theorem", "3", "--tau", "1", "x"), "A bound of a domain must be a number, found 'x'"),
        (("verify", "--tolerance", "0"), "--tolerance must be above 0"),
        (("analyse", "--activation", "rellu"), "Did you mean 'relu'?"),
        (("analyse", "--activation", "my_activations.boom"), "must have a finite mean and variance under N(0, 1)"),
    ],
)
def test_mistakes_are_one_red_line(program: Program, tmp_path, words, problem):  # noqa: F811
    (tmp_path / "my_activations.py").write_text("import numpy as np\nboom = lambda z: np.exp(z * z)\n")
    answer = program("theory", *words)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert answer.err.startswith("Error: ")
    assert problem in answer.err


def test_a_missing_extra_is_named(program: Program, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "flint", None)
    answer = program("theory", "verify")
    assert (answer.code, answer.out) == (2, "")
    assert "pip install 'snnbench[theory]'" in answer.err


@pytest.mark.parametrize(
    ("activation", "lines"),
    [
        ("selu", ["fixed point mean 0, variance 1 (spectral norm 0.787673, spectral radius 0.782648)", "It normalises itself"]),
        ("relu", ["The variance falls with every layer, by a factor of 0.3408", "which does not attract."]),
        ("tanh", ["1.59253742 · tanh(z) + 0:", "spectral radius 0.461071), which attracts."]),
        ("linear", ["Every variance is a fixed point"]),
        ("numpy.square", ["fixed point mean 0.5, variance 0.5", "Small variances fall and large ones grow."]),
        ("numpy.exp", ["The variance grows with every layer"]),
    ],
)
def test_activations_are_judged(program: Program, activation, lines):  # noqa: F811
    answer = program("theory", "analyse", "--activation", activation)
    assert answer.code == 0
    assert all(line in answer.out for line in lines)


def test_an_activation_may_lie_in_the_folder(program: Program, tmp_path):  # noqa: F811
    (tmp_path / "bent_lines.py").write_text("import numpy as np\nbent = lambda z: np.where(z > 0, 2 * z, z)\n")
    answer = program("theory", "analyse", "--activation", "bent_lines.bent")
    assert answer.code == 0
    assert "The variance grows with every layer, by a factor of 2.341" in answer.out


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (("2", "--omega", "0.05", "--output", "field.svg"), b"<svg"),
        (
            ("moments", "--activation", "gelu", "--layers", "3", "--units", "32", "--rows", "64", "--output", "moments.pdf"),
            b"%PDF",
        ),
        (("a8", "--task", "iris", "--units", "16", "--layers", "2", "--epochs", "2", "--output", "a8.png"), b"\x89PNG"),
    ],
)
def test_figures_are_written(program: Program, tmp_path, words, start):  # noqa: F811
    answer = program("figure", *words)
    assert answer.code == 0
    assert answer.err == f"Written to {words[-1]}\n"
    assert (tmp_path / words[-1]).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("2", "--output", "field.gif"), "must end in .svg, .png, .pdf; found 'field.gif'"),
        (("2", "--output", "nowhere/field.svg"), "--output must be in a folder that exists"),
        (("2", "--tau", "9", "--output", "field.svg"), "must settle for a fixed point"),
        (("2", "--tau", "-1", "--output", "field.svg"), "finite and not negative"),
        (("1", "--source", ".", "--output", "loss.svg"), "train-images-idx3-ubyte.gz is not there"),
        (("1", "--source", "damaged", "--output", "loss.svg"), "must be the original train-images-idx3-ubyte.gz of SHA-256"),
        (("1", "--learning-rate", "0", "--output", "loss.svg"), "--learning-rate must be above 0"),
        (("a8", "--task", "iriss", "--output", "a8.svg"), "Did you mean 'iris'?"),
        (("a8", "--suite", "cora", "--output", "a8.svg"), "Did you mean 'core'?"),
        (("moments", "--layers", "0", "--output", "m.svg"), "at least 1 layers, found 0"),
    ],
)
def test_figures_that_cannot_be_drawn_are_one_red_line(program: Program, tmp_path, words, problem):  # noqa: F811
    (tmp_path / "damaged").mkdir()
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (tmp_path / "damaged" / name).write_bytes(b"damaged")
    answer = program("figure", *words)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert problem in answer.err
    assert not list(tmp_path.glob("*.svg"))
