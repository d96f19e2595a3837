"""The networks of a job: cut to the memory, halved when it runs out, in the precision that was asked for."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from stacks import configs, rows

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models.cost.memory import fitting, member_bytes
from snnbench.models.layers.padding import stack_size
from snnbench.models.layers.precision import precision, product
from snnbench.models.networks.snn import SNN
from snnbench.records import Compute, StackSize, Value
from snnbench.training import networks
from snnbench.training.networks import is_out_of_memory, train_networks
from snnbench.training.stack import Stack, TaskRows

ACROSS = Compute(stacking="across-tasks")
SETTINGS = TrainingSettings(batch_size=32)
SNN_PATH = "snnbench.models.networks.snn.SNN"


class Greedy(SNN):
    """A network of which at most two fit into memory together."""

    most = 2
    built: ClassVar[list[int]] = []

    def __init__(self, members, n_features, n_outputs):
        self.built.append(len(members))
        if len(members) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        super().__init__(members, n_features, n_outputs)


def stack_of(n_members: int, n_tasks: int = 1, **shape: Value) -> Stack:
    rates = np.linspace(0.01, 0.1, n_members).tolist()
    tasks = [TaskRows(rows(80, seed=task), rows(40, seed=9 + task), 3) for task in range(n_tasks)]
    task_of = [place % n_tasks for place in range(n_members)]
    return Stack("search", configs("snn", rates, **shape), tasks, task_of, [5] * n_members, [3] * n_members)


def losses(stack: Stack, path=SNN_PATH, compute=ACROSS) -> np.ndarray:
    found = train_networks(stack, ModelSettings(network=path, grid={}), SETTINGS, compute)
    return np.array([trained.train_loss for trained in found])


@pytest.mark.parametrize("compute", [ACROSS, Compute()])
def test_a_stack_that_is_too_large_is_halved_and_gives_the_same_bits(compute):
    stack = stack_of(7, n_tasks=1 if compute.stacking == "within-task" else 3)
    Greedy.built.clear()
    found = losses(stack, f"{__name__}.Greedy", compute)
    np.testing.assert_array_equal(found, losses(stack, compute=compute))
    assert max(Greedy.built) == 7
    assert max(size for size in Greedy.built if size <= Greedy.most) == 2


def test_one_network_that_does_not_fit_is_an_error(monkeypatch):
    monkeypatch.setattr(Greedy, "most", 0)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        losses(stack_of(3), f"{__name__}.Greedy")


def test_another_error_is_not_taken_for_a_lack_of_memory():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"))
    broken = RuntimeError("capture_end: capture was invalidated")
    broken.__context__ = torch.OutOfMemoryError("CUDA out of memory.")
    assert is_out_of_memory(broken)
    assert not is_out_of_memory(RuntimeError("The size of tensor a (3) must match"))


@pytest.mark.parametrize("compute", [ACROSS, Compute()])
def test_stacks_are_cut_to_the_memory_and_give_the_same_bits(compute, monkeypatch):
    stack = stack_of(6)
    whole = losses(stack, compute=compute)
    settings = ModelSettings(network=SNN_PATH, grid={})
    size = stack_size(stack.configs[0], 7, 3, 80, 32) if compute == ACROSS else StackSize(7, 3, 32)
    monkeypatch.setattr(networks, "budget_bytes", lambda _: 2.5 * member_bytes(stack.configs[0], settings, size))
    Greedy.built.clear()
    np.testing.assert_array_equal(losses(stack, f"{__name__}.Greedy", compute), whole)
    assert Greedy.most >= max(Greedy.built)


def test_members_fill_the_budget_in_their_order():
    assert fitting([3, 3, 3, 3], 7) == [2, 2]
    assert fitting([5, 1, 1, 9, 1], 7) == [3, 1, 1]
    assert fitting([100], 7) == [1]


def test_the_estimate_of_a_members_memory_covers_its_tensors():
    (config,) = configs("snn", [0.1], n_units=512, n_layers=8)
    weights = 4 * (20 * 512 + 7 * 512 * 512 + 512 * 4)
    needed = member_bytes(config, ModelSettings(network=SNN_PATH, grid={}), StackSize(20, 4, 128))
    assert 2 * weights + 4 * 4 * 8 * 512 * 128 < needed < 6 * weights + 4 * 16 * 8 * 512 * 128


def test_bfloat16_rounds_factors_and_nothing_else_is_lost():
    a, b = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
    with precision("bfloat16"):
        found = product(a, b)
    assert found.dtype == torch.float32
    expected = a.bfloat16().double() @ b.bfloat16().double()
    torch.testing.assert_close(found.double(), expected, rtol=2**-7, atol=1e-2)
    assert torch.equal(product(a, b), torch.bmm(a, b))


def test_precision_changes_the_last_digits_and_not_what_is_learned():
    stack = stack_of(3, n_units=64)
    exact, rounded = losses(stack), losses(stack, compute=Compute(precision="bfloat16", stacking="across-tasks"))
    assert (exact != rounded).all()
    np.testing.assert_allclose(rounded, exact, rtol=0.02)
