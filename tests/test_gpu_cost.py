"""The cost model of a GPU: its counts are those of the kernels that a step calls, and its sums what they should be."""

import pytest
import torch
from stacks import configs
from torch.utils._python_dispatch import TorchDispatchMode

from snnbench.models import NETWORKS, load_class
from snnbench.models.cost.gpu_cost import (
    FUSED,
    H100,
    PLAIN,
    StackCost,
    member_layers,
    seconds_at_once,
    stack_cost,
    stack_members,
    step_work,
)
from snnbench.models.cost.network_cost import SECONDS
from snnbench.models.layers.stacked import reset
from snnbench.records import StackSize
from snnbench.training.losses import Batch
from snnbench.training.optimizer import make_optimizer, step

VIEWS = (
    "view",
    "unsafe_view",
    "transpose",
    "expand",
    "unsqueeze",
    "slice",
    "detach",
    "empty",
    "split",
    "unflatten",
    "alias",
    "mT",
    "chunk",
)
N_STACK, N_UNITS, N_BATCH = 3, 64, 32


class Counted(TorchDispatchMode):
    """Counts what a GPU would launch: all but views and allocations, and a copy of each bias that is broadcast."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().partition("::")[2].partition(".")[0].lstrip("_")
        if not name.startswith(VIEWS):
            self.n += 1 + (name == "baddbmm" and args[0].shape[1] == 1)
        return func(*args, **kwargs or {})


def kernels_of(model: str, n_layers: int, dropout: float) -> int:
    """Count the kernels of a padded step on a device that computes nothing."""
    members = configs(model, [0.1] * N_STACK, n_units=N_UNITS, n_layers=n_layers, dropout_rate=dropout)
    if model == "highway":
        members = [type(one)(model, (*(dict(one.values) | {"n_units": N_UNITS}).items(),)) for one in members]
    network = load_class(NETWORKS[model])(members, 16, 4).train()
    reset(network, range(N_STACK))
    network = network.to("meta")
    X = torch.empty(N_STACK, N_BATCH, 16, device="meta")
    targets = torch.empty(N_STACK, N_BATCH, dtype=torch.int64, device="meta")
    share = torch.empty(N_STACK, N_BATCH, device="meta")
    for layer in network.modules():
        if hasattr(layer, "row_share"):
            layer.row_share = share.unsqueeze(-1)
    batch, optimizer = Batch(X, targets, N_BATCH, share, None), make_optimizer(network, [0.1] * N_STACK)
    step(network, optimizer, batch)  # what is made once is made then
    with Counted() as counted:
        step(network, optimizer, batch)
    return counted.n


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("model", sorted(NETWORKS))
def test_the_plain_kernels_of_further_layers_are_counted(model, dropout):
    found = kernels_of(model, 8, dropout) - kernels_of(model, 4, dropout)
    works = []
    for n_layers in (8, 4):
        (config,) = configs(model, [0.1], n_units=N_UNITS, n_layers=n_layers, dropout_rate=dropout)
        layers = member_layers(NETWORKS[model], config, 16, 4)
        works.append(step_work(layers, N_STACK, N_BATCH, fused=False).kernels)
    assert works[0] - works[1] == pytest.approx(found, rel=0.1)


def test_both_tables_know_every_kind_of_layer():
    kinds = {name.partition(" ")[0] for name in SECONDS} - {"compiled", "epoch", "flop", "product", "step"}
    assert set(PLAIN) == set(FUSED) == kinds


def layers_of(model: str, n_units: int, n_layers: int):
    (config,) = configs(model, [0.1], n_units=n_units, n_layers=n_layers)
    return member_layers(NETWORKS[model], config, 16, 4)


@pytest.mark.parametrize("model", sorted(set(NETWORKS) - {"highway"}))
def test_fused_kernels_and_full_stacks_take_less_than_plain_and_small_ones(model):
    layers, size = layers_of(model, 256, 8), StackSize(16, 4, 128)
    small, full = (stack_cost(layers, n, size, 1000, 10, fused=False) for n in (6, 264))
    assert small.seconds / 6 > 5 * full.seconds / 264
    assert small.busy_seconds / 6 == pytest.approx(full.busy_seconds / 264)
    assert stack_cost(layers, 6, size, 1000, 10, fused=True).seconds < 0.9 * small.seconds
    assert full.busy_seconds < full.seconds


def test_seconds_are_those_of_steps_and_scores():
    layers, size = layers_of("snn", 256, 4), StackSize(16, 4, 128)
    work = step_work(layers, 6, 128, fused=False)
    tenfold = stack_cost(layers, 6, size, 1280, 10, fused=False)
    # Ten steps an epoch, and two batches of scored rows, which go forward only.
    assert 10 * 10 * work.seconds(H100) < tenfold.seconds < 10 * (10 + 2 / 3 + 0.1) * work.seconds(H100)
    assert tenfold.seconds == pytest.approx(10 * stack_cost(layers, 6, size, 1280, 1, fused=False).seconds)


def test_a_stack_is_as_large_as_it_is_worth():
    layers = layers_of("snn", 256, 8)
    n_stack = stack_members(layers, 128, 1024, fused=False)
    assert 32 <= n_stack <= 512
    assert stack_members(layers, 128, 5, fused=False) == 5
    assert stack_members(layers, 128, 1024, fused=True) <= n_stack
    assert stack_members(layers_of("snn", 1024, 8), 128, 1024, fused=False) < n_stack


def test_stacks_at_once_share_their_waiting_and_not_their_work():
    costs = [StackCost(8.0, 1.0), StackCost(8.0, 1.0)]
    assert [seconds_at_once(costs, n) for n in (1, 2, 4, 100)] == [16, 8, 4, 2]
