"""The fused kernels against the plain layers: on the CPU by Triton's interpreter, in float64 to twelve digits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from stacks import configs, rows
from torch import nn

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.cost.gpu_cost import member_layers, step_work
from snnbench.models.layers import counter_rng
from snnbench.models.layers.padding import stack_size
from snnbench.models.layers.stacked import SELU, AlphaDropout, Dropout, ReLU, StackedLinear, reset
from snnbench.records import ON_CPU, Config
from snnbench.training.losses import Batch
from snnbench.training.networks import train_networks
from snnbench.training.optimizer import is_chain, make_optimizer, step
from snnbench.training.stack import Stack, TaskRows, stack_of_one_task
from snnbench.training.stacked import build_network, train_stack

pytest.importorskip("triton")

from snnbench.models.kernels import batch_norm, following, fusing, gates, layer_norm, units, weight_norm

CASES = [
    (model, form, {}) for model in sorted(NETWORKS) for form in ("rectangular", "diavolo" if model == "resnet" else "conic")
] + [("batchnorm", "rectangular", {"placement": "after"}), ("resnet", "rectangular", {"normalisation": "none"})]
"""Every network in every form; ``highway`` has no form: its second is the one with a projection."""


def trained(model: str, form: str, others: dict, dropout: float, across: bool, fused: bool, **how):
    """Train a small stack of odd sizes; return its run and its network."""
    rates, own = [0.1, 0.01, 0.05], [0.0, dropout, 2 * dropout]
    members = configs(model, rates, n_units=11, n_layers=2, form=form, **others)
    members = [
        Config(model, (*(dict(one.values) | {"dropout_rate": rate, "l2": how.get("l2", 0.0)}).items(),))
        for one, rate in zip(members, own, strict=True)
    ]
    tasks, task_of, size = [TaskRows(rows(35), rows(9, seed=1), 3)], [0, 0, 0], None
    if across:
        tasks.append(TaskRows(rows(33, 5, seed=2), rows(7, 5, seed=3), 3))
        task_of, size = [0, 1, 0], stack_size(members[0], 7, 3, 35, 32)
    stack = Stack("search", members, tasks, task_of, [3, 4, 3], [2] * 3, size)
    network = build_network(load_class(NETWORKS[model]), stack, "cpu", torch.float64)
    used = fusing.fuse(network) if fused else network
    if fused:
        assert used is not network
        assert [id(one) for one in used.parameters()] == [id(one) for one in network.parameters()]
        assert is_chain(used)
    settings = TrainingSettings(batch_size=32, smoothing_window=2, momentum=how.get("momentum", 0.0))
    return train_stack(used, stack, settings), network


def assert_same_training(*case, **how) -> None:
    (wanted, plain), (found, fused) = (trained(*case, kernels, **how) for kernels in (False, True))
    np.testing.assert_allclose(found.train_loss, wanted.train_loss, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.valid_score, wanted.valid_score, rtol=0, atol=0)
    for name, values in plain.state_dict().items():
        torch.testing.assert_close(fused.state_dict()[name], values, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize(("model", "form", "others"), CASES)
@pytest.mark.parametrize(("dropout", "across"), [(0.0, False), (0.2, False), (0.2, True)])
def test_a_network_of_fused_kernels_trains_as_the_plain_one(model, form, others, dropout, across):
    assert_same_training(model, form, others, dropout, across)


@pytest.mark.parametrize("model", sorted(NETWORKS))
def test_momentum_and_a_penalty_get_the_gradients_of_the_plain_network(model):
    assert_same_training(model, "rectangular", {}, 0.2, True, momentum=0.9, l2=0.02)


@pytest.mark.parametrize("model", ["weightnorm", "highway", "snn"])
def test_a_penalty_shrinks_the_same_parameters(model):
    assert_same_training(model, "rectangular", {}, 0.0, True, l2=0.5)


@pytest.mark.parametrize("rates", [(0.0, 0.2, 0.5), (0.9, 0.9, 0.9)])
@pytest.mark.parametrize("kind", [Dropout, AlphaDropout])
@pytest.mark.parametrize("shape", [(1, 1), (3, 37), (33, 130)])
def test_masks_are_those_of_the_counter_bit_for_bit(kind, rates, shape):
    plain, fused = kind(rates), kind(rates)
    for layer in (plain, fused):
        layer.masks.reset([5, 6, 7])
        counter_rng.start_epoch(layer.masks.counter, 2**30 + 1)
    follow = following.Biased(lambda: torch.zeros(3, 1, shape[1]), following.Elementwise(None, fused)).train()
    x = torch.linspace(0.5, 2, 3 * shape[0] * shape[1]).view(3, *shape)
    found = follow.output(x.clone())
    wanted = plain(x)
    kept = plain.masks.spread(plain.masks(x)).expand_as(x) > 0
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    gradient, _ = follow.of_product(torch.ones_like(x), found, updates=True)
    assert torch.equal(gradient != 0, kept)
    torch.testing.assert_close(gradient, plain.backward(torch.ones_like(x), x, wanted)[0], rtol=1e-6, atol=0)


@pytest.mark.parametrize("activation", [ReLU, SELU])
def test_what_is_not_a_number_stays_so(activation):
    follow = following.Biased(lambda: torch.zeros(1, 1, 3), following.Elementwise(activation(), None))
    found = follow.output(torch.tensor([[[torch.nan, -1.0, 2.0]]]))
    assert found.isnan().tolist() == [[[True, False, False]]]
    gradient, _ = follow.of_product(torch.ones(1, 1, 3), found, updates=True)
    assert torch.equal(gradient, activation().backward(torch.ones(1, 1, 3), found, found)[0])


@pytest.mark.parametrize("n_rows", [1, 2, 127, 128, 130])
@pytest.mark.parametrize("model", ["batchnorm", "layernorm", "snn"])
def test_batches_of_any_number_of_rows(model, n_rows):
    """In float32, where the two may differ by rounding alone."""
    members = configs(model, [0.1, 0.2], n_units=9, n_layers=1)
    X = torch.randn(2, n_rows, 7, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(n_rows).remainder(3).expand(2, -1).contiguous()
    found = []
    for use in (lambda network: network, fusing.fuse):
        network = load_class(NETWORKS[model])(members, 7, 3).train()
        reset(network, [1, 2])
        used = use(network)
        loss = step(used, make_optimizer(used, [0.1, 0.2]), Batch(X, targets, n_rows))
        found.append([loss, *network.parameters(), *network.buffers()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-6)


def test_a_member_has_the_bits_among_others_that_it_has_alone():
    found = []
    for members in ([0], [0, 1, 2]):
        rates = [(0.1, 0.2, 0.3)[member] for member in members]
        network = load_class(NETWORKS["batchnorm"])(configs("batchnorm", rates, n_layers=2, dropout_rate=0.2), 7, 3)
        reset(network, members)
        used = fusing.fuse(network).train()
        X = torch.randn(1, 32, 7, generator=torch.Generator().manual_seed(0)).expand(len(members), -1, -1)
        targets = torch.arange(32).remainder(3).expand(len(members), -1).contiguous()
        optimizer = make_optimizer(used, rates)
        losses = [step(used, optimizer, Batch(X, targets, 32)) for _ in range(3)]
        found.append([values[:1] for values in (*losses, *network.parameters(), *network.buffers())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [ReLU()],
        lambda: [StackedLinear(1, 3, 3, 1), ReLU(), Dropout([0.2]), SELU()],
        lambda: [StackedLinear(1, 3, 3, 1, bias=False), ReLU()],
    ],
    ids=["an activation first", "two activations", "no bias"],
)
def test_a_network_with_parts_that_no_kernel_knows_stays_as_it_is(layers):
    network = nn.Sequential(*layers())
    assert fusing.fuse(network) is network


@pytest.mark.parametrize("model", sorted(NETWORKS))
def test_a_layer_makes_three_products_and_the_kernels_of_the_cost_model(monkeypatch, model):
    """An snn layer makes 13 kernels a step without dropout and 29 with it; fused, it makes 5."""
    calls: list[object] = []
    for module in (units, batch_norm, layer_norm, weight_norm, gates):
        for name in {"forward", "backward", "add_tiles"} & set(vars(module)):
            monkeypatch.setattr(module, name, _Counted(getattr(module, name), calls))
    found, counted = [], []
    for n_layers in (2, 4):
        members = configs(model, [0.1], n_units=4, n_layers=n_layers, dropout_rate=0.2)
        network = load_class(NETWORKS[model])(members, 7, 3)
        reset(network, [1])
        used = fusing.fuse(network).train()
        calls.clear()
        step(used, make_optimizer(used, [0.1]), Batch(torch.zeros(1, 4, 7), torch.zeros(1, 4, dtype=torch.int64), 4))
        found.append(len(calls))
        layers = member_layers(NETWORKS[model], members[0], 7, 3)
        n_products = 3 * sum(layer.n_weights > 0 for layer in layers)
        counted.append(step_work(layers, 1, 4, fused=True).kernels - n_products)
    assert found[1] - found[0] == counted[1] - counted[0]


class _Counted:
    def __init__(self, kernel, calls: list) -> None:
        self.kernel, self.calls = kernel, calls

    def __getitem__(self, grid):
        self.calls.append(grid)
        return self.kernel[grid]


@pytest.mark.parametrize("fused", [False, True])
def test_a_job_trains_by_the_kernels_that_are_asked_for(monkeypatch, fused):
    used = []
    monkeypatch.setattr(fusing, "fuse", lambda network: used.append(network) or network)
    stack = stack_of_one_task("search", configs("snn", [0.1]), TaskRows(rows(20), rows(9, seed=1), 3), [1], 1)
    (trained,) = train_networks(stack, ModelSettings(grid={}), TrainingSettings(), ON_CPU, fused)
    assert np.isfinite(trained.train_loss).all()
    assert len(used) == fused


@pytest.mark.slow
def test_every_kernel_compiles_for_an_h100_without_one(tmp_path):
    """In a process of its own: here kernels are interpreted."""
    script = Path(__file__).parent / "gpu" / "compiled.py"
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) == 17
