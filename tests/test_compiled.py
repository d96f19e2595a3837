"""The compiled step: the mathematics of torch's, by other means; who is trained by it, and what it leaves on the disk."""

import os
import sys

import numpy as np
import pytest
import torch
from stacks import N_FEATURES, build, configs, rows
from test_multilabel import rows as labelled_rows
from torch import nn

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.errors import SnnbenchError
from snnbench.models.code import _trace, code_of
from snnbench.models.layers.precision import precision
from snnbench.models.layers.stacked import SELU, StackedLinear
from snnbench.training.compiled import choice
from snnbench.training.compiled.building import _private_folder, compiled, split_exp
from snnbench.training.compiled.choice import read_chain
from snnbench.training.compiled.trainer import CompiledStack
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack

N_STEPS = 50
RATES = [0.05, 0.01]


def train(members, data: TaskRows, dtype=torch.float64, batch_size=20, n_epochs=10, momentum=0.0, **how):
    """Return what training gave, and the parameters."""
    stack = stack_of_one_task("search", members, data, [3, 4], n_epochs)
    network = initialise(build(members[0].model, members, data.n_features, data.n_outputs), stack.seeds).to(dtype)
    run = train_stack(network, stack, TrainingSettings(batch_size=batch_size, momentum=momentum), **how)
    return run, [values.detach() for values in network.parameters()]


def assert_equal(one, other, tolerance: float) -> None:
    (run, parameters), (other_run, other_parameters) = one, other
    np.testing.assert_allclose(run.train_loss, other_run.train_loss, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(run.valid_score, other_run.valid_score)
    for found, wanted in zip(parameters, other_parameters, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=tolerance)


@pytest.fixture
def calls(monkeypatch):
    """Counts the calls of the compiled step."""
    counted = []
    before = CompiledStack.train
    monkeypatch.setattr(CompiledStack, "train", lambda *a, **how: counted.append(a) or before(*a, **how))
    return counted


@pytest.mark.parametrize("model", ["snn", "msrainit"])
@pytest.mark.parametrize("form", ["rectangular", "conic"])
@pytest.mark.parametrize(("dropout_rate", "l2"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.02), (0.5, 0.02)])
@pytest.mark.parametrize(("n_units", "n_layers", "n_classes", "n_rows"), [(1, 1, 2, 100), (33, 3, 3, 97), (16, 8, 17, 100)])
def test_fifty_steps_in_float64_are_those_of_torch(model, form, dropout_rate, l2, n_units, n_layers, n_classes, n_rows, calls):
    """Batches of 20 rows, the last of 17 where there are 97; torch's step has the bits of autograd (``test_stacked``)."""
    members = configs(model, RATES, n_units, n_layers, form, dropout_rate, l2=l2)
    data = TaskRows(rows(n_rows, 19, n_classes), rows(41, 19, n_classes, seed=1), n_classes)
    found = train(members, data)
    assert len(calls) > 1
    assert_equal(found, train(members, data, fused=False, compiled=False), 1e-12)


@pytest.mark.parametrize("model", ["snn", "msrainit"])
@pytest.mark.parametrize("dropout_rate", [0.0, 0.2])
def test_labels_that_are_not_all_measured(model, dropout_rate, calls):
    members = configs(model, RATES, 13, 2, "conic", dropout_rate)
    data = TaskRows(labelled_rows(97), labelled_rows(30, seed=1), 4, "mean_auc")
    found = train(members, data)
    assert calls
    assert_equal(found, train(members, data, fused=False, compiled=False), 1e-12)


@pytest.mark.parametrize("model", ["snn", "msrainit"])
@pytest.mark.parametrize("dropout_rate", [0.0, 0.1])
def test_float32_differs_from_torch_by_rounding_alone(model, dropout_rate):
    members = configs(model, RATES, 64, 4, "rectangular", dropout_rate)
    data = TaskRows(rows(300), rows(50, seed=1), 3)
    # Of three steps: later, units near zero have fallen to either side of it.
    (run, _), (other, _) = (train(members, data, torch.float32, 128, 1, compiled=compiled) for compiled in (True, False))
    np.testing.assert_allclose(run.train_loss, other.train_loss, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dropout_rate", [0.0, 0.2])
def test_how_many_epochs_one_call_has_changes_nothing(dropout_rate, monkeypatch):
    members = configs("snn", RATES, 17, 2, "rectangular", dropout_rate)
    data = TaskRows(rows(97), rows(41, seed=1), 3)
    whole = train(members, data, torch.float32)
    monkeypatch.setattr(CompiledStack, "n_epochs_at_once", lambda self: 3)
    assert_equal(whole, train(members, data, torch.float32), 0)


def test_the_exponential_has_the_digits_of_float32():
    @compiled
    def exponentials(x, grown, powers):
        for i in range(x.size):
            p, s = split_exp(x[i])
            grown[i], powers[i] = s * p + (s - np.float32(1)), s * p + s

    x = -np.abs(np.concatenate([np.geomspace(1e-30, 87, 10**6), [0, 1e-45, 104, 1e30, np.inf]])).astype(np.float32)
    grown, powers = np.empty_like(x), np.empty_like(x)
    exponentials(x, grown, powers)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(grown, np.expm1(exact), rtol=3e-7, atol=1e-38)
    np.testing.assert_allclose(powers, np.exp(exact), rtol=3e-7, atol=2e-38)
    exponentials(np.full(33, np.nan, np.float32), grown[:33], powers[:33])
    assert np.isnan(grown[:33]).all()
    assert np.isnan(powers[:33]).all()


def test_it_can_be_compiled_before_a_limit_runs(calls):
    choice.prepare.cache_clear()
    choice.prepare()
    assert len(calls) == 1


def test_only_plain_chains_are_compiled():
    assert read_chain(build("snn", configs("snn", [0.1], dropout_rate=0.1))).widths == [N_FEATURES, 16, 16, 3]
    for model in ("batchnorm", "highway", "layernorm", "resnet", "weightnorm"):
        assert read_chain(build(model, configs(model, [0.1]))) is None
    first, last = StackedLinear(1, 4, 4, gain=1), StackedLinear(1, 4, 2, gain=1)
    assert read_chain(nn.Sequential(first, SELU(), last)).linear == [first, last]
    assert read_chain(nn.Sequential(last)).widths == [4, 2]
    without_bias = StackedLinear(1, 4, 4, gain=1, bias=False)
    for others in ([first, nn.Tanh(), last], [first, last], [first, SELU()], [without_bias, SELU(), last], []):
        assert read_chain(nn.Sequential(*others)) is None


@pytest.mark.parametrize("how", [{"momentum": 0.9}, {"fused": False}, {"compiled": False}])
def test_all_others_are_trained_by_torch(how, calls):
    train(configs("snn", RATES), TaskRows(rows(40), rows(20, seed=1), 3), **{"dtype": torch.float32, "n_epochs": 1, **how})
    assert not calls


def test_rounded_factors_are_those_of_torch(calls):
    with precision("bfloat16"):
        train(configs("snn", RATES), TaskRows(rows(40), rows(20, seed=1), 3), torch.float32, n_epochs=1)
    assert not calls


def test_without_numba_torch_trains_and_the_key_says_so(monkeypatch, calls):
    monkeypatch.setattr(choice, "has_numba", lambda: False)
    members, data = configs("snn", RATES, dropout_rate=0.1), TaskRows(rows(97), rows(20, seed=1), 3)
    assert_equal(train(members, data, torch.float32), train(members, data, torch.float32, compiled=False), 0)
    assert not calls
    monkeypatch.setattr("snnbench.models.code._release", lambda name: "not installed" if name == "numba" else "1")
    _trace.cache_clear()
    assert code_of("snn", ModelSettings(grid={})).versions == "numba not installed, scipy 1, torch 1"
    _trace.cache_clear()


def test_a_numba_that_does_not_work_is_an_error_since_keys_name_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "snnbench.training.compiled.trainer", None)
    choice._load.cache_clear()
    with pytest.raises(
        SnnbenchError, match=r"numba must work where it is installed, since keys name it, found: .* uninstall it"
    ):
        train(configs("snn", RATES), TaskRows(rows(40), rows(20, seed=1), 3), n_epochs=1)
    choice._load.cache_clear()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owners here")
def test_compiled_functions_are_kept_where_nobody_else_can_write(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    folder = _private_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert _private_folder() is None
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "no" / ("long-" * 60)))
    assert _private_folder() is None
