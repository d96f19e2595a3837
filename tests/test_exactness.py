"""The promise of equal bits: the setting that MKL needs for it, and the test of a machine that keeps it or not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from snnbench.models.layers import stacked as layers
from snnbench.models.layers.precision import add_product, add_product_, product
from snnbench.records import ON_CPU, Compute
from snnbench.training.exactness import describe_exactness, examine_machine

WITH_MKL = torch.backends.mkl.is_available()
SETTINGS = [
    {"ATEN_CPU_CAPABILITY": "default"},
    {"ATEN_CPU_CAPABILITY": "avx2"},
    {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    {"MKL_CBWR": "COMPATIBLE"},
]
"""What makes this processor compute as others do."""


@pytest.fixture
def examined_anew():
    examine_machine.cache_clear()
    yield
    examine_machine.cache_clear()


def run_python(*words: str, **variables: str) -> str:
    """Run Python in a process in which nobody has set anything of MKL but the variables given; return what it printed."""
    inherited = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    done = subprocess.run([sys.executable, *words], env=inherited | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_setting_is_made_where_the_user_has_made_none():
    say = "import torch, os, snnbench; print(os.environ['MKL_CBWR'])"
    assert run_python("-c", say) == "AUTO,STRICT\n"
    assert run_python("-c", say, MKL_CBWR="COMPATIBLE") == "COMPATIBLE\n"


@pytest.mark.skipif(not WITH_MKL, reason="torch computes with another library than MKL here, which has no such setting")
def test_with_mkl_every_processor_keeps_the_promise():
    examine = (
        "from snnbench.training.process import prepare_process; from snnbench.training.exactness import examine_machine; "
        "prepare_process(); print(examine_machine())"
    )
    assert run_python("-c", examine) == "Exactness(n_compared=42, differing=())\n"


def test_a_machine_whose_sums_depend_on_the_stack_is_found_out(monkeypatch, examined_anew):
    def other(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return product(a, b) if len(a) > 1 else (a.unsqueeze(-1) * b.unsqueeze(1)).sum(dim=2)

    monkeypatch.setattr(layers, "product", other)
    found = examine_machine()
    assert {"a layer 64x5 on 5 rows", "a layer 33x33 on 37 rows"} <= set(found.differing)
    assert "a layer 1x1 on 1 rows" not in found.differing
    assert found.words.startswith("A network may have other bits here than alone")
    assert describe_exactness(ON_CPU) == {"equal_bits": False}


@pytest.mark.equal_bits
def test_rows_say_that_the_promise_is_kept_and_only_where_it_is_made():
    assert describe_exactness(ON_CPU) == {"equal_bits": True}
    for other in (
        Compute("cuda", "float32", "within-task"),
        Compute("cpu", "bfloat16", "within-task"),
        Compute("cpu", "float32", "across-tasks"),
    ):
        assert describe_exactness(other) == {"equal_bits": False}


@pytest.mark.equal_bits
@pytest.mark.parametrize(
    ("n_batch", "n_in", "n_out"), [(100, 7, 1), (23, 64, 1), (100, 1, 7), (37, 1, 33), (7, 1, 1), (1, 9, 1)]
)
def test_a_single_input_or_unit_has_the_bits_alone_that_it_has_among_others(n_batch, n_in, n_out):
    generator = torch.Generator().manual_seed(0)
    shapes = ((n_batch, n_in), (n_in, n_out), (1, n_out), (n_batch, n_out))
    x, weight, bias, gradient = (torch.randn(5, *shape, generator=generator) for shape in shapes)

    def compute(which: slice) -> list[torch.Tensor]:
        a, b = x[which].clone().requires_grad_(), weight[which].clone().requires_grad_()
        y = add_product(bias[which], a, b)
        moved = weight[which].clone()
        add_product_(moved, x[which].mT, gradient[which], alpha=-0.5)
        by_hand = [product(gradient[which], weight[which].mT), product(x[which].mT, gradient[which])]
        return [y.detach(), product(a, b).detach(), moved, *by_hand, *torch.autograd.grad(y, [a, b], gradient[which])]

    together = compute(slice(None))
    for member in range(5):
        for one, others in zip(compute(slice(member, member + 1)), together, strict=True):
            assert torch.equal(one[0], others[member])
    expected = weight.double() - 0.5 * x.double().mT @ gradient.double()
    torch.testing.assert_close(together[2].double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.equal_bits
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: "=".join(*setting.items()))
def test_the_promise_is_kept_as_other_processors_compute(setting):
    """The tests of the promise once more, at the shapes that no vector register divides."""
    tests = ["test_stacked.py", "test_multilabel.py", "contracts/test_models.py"]
    chosen = [
        "-m",
        "equal_bits",
        "-k",
        "(33-37 and rectangular and not 0.0) or members_may_differ",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    folder = Path(__file__).parent
    found = run_python("-m", "pytest", *chosen, *(str(folder / file) for file in tests), **setting)
    assert "21 passed" in found
    assert "skipped" not in found
