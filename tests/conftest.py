"""What all tests share: where the real data lies, and the process settings of a worker."""

import os
from pathlib import Path

import pytest
import torch

from snnbench.training.exactness import examine_machine
from snnbench.training.process import prepare_process

SHARED = Path(__file__).parents[2] / "shared"

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when kernels are defined: they are then computed on the CPU

os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / "build" / "numba"))  # compiled once for all sessions

prepare_process()  # exactness is claimed for one thread with denormals flushed, as in every worker


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzzing")
    group.addoption("--fuzz-times", type=int, default=1, metavar="N", help="N times as many damaged inputs")
    group.addoption("--fuzz-seed", type=int, default=0, metavar="SEED", help="what draws the damaged inputs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = {}
    if not SHARED.is_dir():
        reasons["shared_data"] = f"the real data is not at {SHARED}"
    if os.name == "nt":
        reasons["unix"] = "Windows has no such signals, links, pipes or forks"
    if not torch.cuda.is_available():
        reasons["gpu"] = "torch finds no GPU"
    if examine_machine().differing:
        reasons["equal_bits"] = examine_machine().words
    for item in items:
        for marker, reason in reasons.items():
            if marker in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def shared() -> Path:
    return SHARED


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from the user's cache; one cache serves all tests of a session."""
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
