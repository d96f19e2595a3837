"""What every network in ``NETWORKS`` must do, whoever wrote it."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from snnbench import models
from snnbench.config import ModelSettings, TrainingSettings, expand_grid, load_config
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.models import NETWORKS, PER_MEMBER, canonical, check_config, load_class
from snnbench.models.cost.network_cost import member_seconds
from snnbench.models.layers.padding import can_be_padded, stack_size
from snnbench.models.layers.stacked import reset
from snnbench.records import Config, Dataset, StackSize, Task, TrainingRun, Value
from snnbench.training.stack import Stack, TaskRows, stack_of_one_task
from snnbench.training.stacked import build_network, initialise, train_stack

SHARED = {"fully_connected", "with_activation"}
"""Files in snnbench/models/networks that serve several networks."""

N_SAMPLES, N_FEATURES, N_CLASSES = 60, 5, 4
TABLE = ModelSettings(grid={})

WRONG: dict[str, tuple[Value, ...]] = {
    "learning_rate": (0.0, -0.1),
    "dropout_rate": (-0.1, 1.0),
    "n_layers": (0, 2.5),
    "n_units": (-1, 2.5),
}
"""Values out of range, or of another type, of hyperparameters that several networks have."""


def toy_rows(seed: int = 0, n_samples: int = N_SAMPLES) -> Dataset:
    """Return rows of four classes; the last feature is constant."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, N_CLASSES, n_samples)
    X = rng.normal(size=(n_samples, N_FEATURES)).astype(np.float32)
    X[:, :N_CLASSES] += 2 * np.eye(N_CLASSES, dtype=np.float32)[y]
    X[:, -1] = 1
    return Dataset(X, y)


def is_allowed(value: object, annotation: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def example(model: str, **changes: Value) -> Config:
    """Return a configuration with what a grid must give, from the annotations alone."""
    network = load_class(NETWORKS[model])
    required = {name: known for name, known in network.hyperparameters.items() if name not in getattr(network, "defaults", {})}
    values = {
        name: next(value for value in (*get_args(known), 0.1, 8) if is_allowed(value, known))
        for name, known in required.items()
    }
    return Config(model, tuple({**values, **changes}.items()))


def build(model: str, members: list[Config]) -> nn.Module:
    return load_class(NETWORKS[model])(members, N_FEATURES, N_CLASSES)


def train(
    model: str, members: list[Config], network: nn.Module | None = None, batch_size: int = 16, **changes: Any
) -> TrainingRun:
    arguments = {"stage": "search", "n_epochs": 60, "seeds": [3] * len(members), **changes}
    stack = stack_of_one_task(configs=members, rows=TaskRows(toy_rows(), toy_rows(1), N_CLASSES), **arguments)
    network = initialise(network or build(model, members), stack.seeds)
    return train_stack(network, stack, TrainingSettings(batch_size=batch_size))


def members_of(model: str) -> list[Config]:
    """Return three configurations of one shape."""
    rates: list[dict[str, Value]] = [{"learning_rate": rate} for rate in (0.01, 0.03, 0.1)]
    return [example(model, **rate) for rate in rates]


def test_every_file_is_a_network_of_the_dict_or_known_to_be_shared():
    files = {file.stem for file in (Path(models.__file__).parent / "networks").glob("*.py")} - {"__init__"} - SHARED
    assert files == {path.split(".")[-2] for path in NETWORKS.values()}
    assert list(NETWORKS) == sorted(NETWORKS)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_is_documented_and_says_its_hyperparameters(model):
    network = load_class(NETWORKS[model])
    assert issubclass(network, nn.Module)
    assert "Shape:" in network.__doc__
    assert {"learning_rate"} <= set(network.hyperparameters)
    defaults = getattr(network, "defaults", {})
    assert all(is_allowed(value, network.hyperparameters[name]) for name, value in defaults.items())
    check_config(example(model), TABLE)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_has_a_small_grid_in_the_preset_quick(model):
    """In ``configs/uci/quick.toml``, which that of ``core`` extends; in other presets a network may be left out."""
    for suite in ("uci", "core"):
        assert 1 <= len(expand_grid(model, load_config(suite, "quick").models[model])) <= 16


@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_maps_a_stack_of_batches_to_a_stack_of_logits(model):
    network = build(model, members_of(model))
    reset(network, [1, 2, 3])
    outputs = network(torch.randn(3, 7, N_FEATURES))
    assert outputs.shape == (3, 7, N_CLASSES)
    assert all(values.shape[0] == 3 for values in network.state_dict().values())


@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_fits_a_toy_task(model):
    run = train(model, members_of(model))
    assert not run.diverged.any()
    assert (run.train_loss[-1] < run.train_loss[0]).all()
    assert run.best_score.max() > 0.6  # guessing gives a quarter


@pytest.mark.parametrize("model", NETWORKS)
def test_a_batch_may_be_larger_than_the_data(model):
    run = train(model, members_of(model), batch_size=1000)
    assert not run.diverged.any()
    assert (run.train_loss[-1] < run.train_loss[0]).all()


@pytest.mark.parametrize("model", NETWORKS)
def test_float64(model):
    members = members_of(model)
    single, double = train(model, members, n_epochs=1), train(model, members, build(model, members).double(), n_epochs=1)
    np.testing.assert_allclose(double.train_loss, single.train_loss, rtol=1e-4)
    assert (double.train_loss != single.train_loss).any()


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("dropout_rate", [0.0, 0.3])
def test_two_runs_have_equal_bits(model, dropout_rate):
    members = [example(model, dropout_rate=dropout_rate)] * 2
    one, other = (train(model, members, seeds=[1, 2], n_epochs=5) for _ in range(2))
    np.testing.assert_array_equal(one.train_loss, other.train_loss)
    np.testing.assert_array_equal(one.valid_score, other.valid_score)
    assert (one.train_loss[:, 0] != one.train_loss[:, 1]).all()  # of another seed


@pytest.mark.parametrize("model", NETWORKS)
def test_training_anew_forgets_the_training_before(model):
    members = members_of(model)
    network = build(model, members)
    runs = [train(model, members, network, n_epochs=5) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].train_loss, runs[1].train_loss)
    np.testing.assert_array_equal(runs[0].valid_score, runs[1].valid_score)


@pytest.mark.equal_bits
@pytest.mark.parametrize("model", NETWORKS)
def test_members_may_differ_in_learning_and_dropout_rate(model):
    hyperparameters = load_class(NETWORKS[model]).hyperparameters
    rates: list[dict[str, Value]] = [{"learning_rate": 0.01}, {"learning_rate": 0.05}]
    if "dropout_rate" in hyperparameters:
        rates = [{**rate, "dropout_rate": dropout} for rate in rates for dropout in (0.0, 0.2)]
    members = [example(model, **rate) for rate in rates]
    together = train(model, members, n_epochs=5)
    for member, config in enumerate(members):
        alone = train(model, [config], n_epochs=5)
        np.testing.assert_array_equal(alone.train_loss[:, 0], together.train_loss[:, member])


@pytest.mark.parametrize("model", NETWORKS)
def test_an_evaluation_scores_once(model):
    run = train(model, members_of(model), stage="evaluate", n_epochs=5)
    assert run.valid_score.shape == (0, 3)
    assert np.isfinite(run.test_score).all()


@pytest.mark.parametrize("model", [model for model in NETWORKS if can_be_padded(load_class(NETWORKS[model]))])
def test_a_network_that_can_be_padded_computes_what_it_does_without(model):
    """Two tasks in one stack, the narrower filled up with zeros: each member is what it is in a network of its own task."""
    wide, narrow = toy_rows(), toy_rows(2)
    tasks = [TaskRows(rows, rows, N_CLASSES) for rows in (wide, Dataset(narrow.X[:, :-2], narrow.y))]
    config, settings = example(model, learning_rate=0.05), TrainingSettings(batch_size=16)
    sizes = [stack_size(config, rows.n_features, rows.n_outputs, N_SAMPLES, 16) for rows in tasks]
    largest = StackSize(*(max(getattr(size, name) for size in sizes) for name in ("n_features", "n_outputs", "n_batch")))
    stack = Stack("search", [config] * 2, tasks, [0, 1], seeds=[3, 4], n_epochs=[3, 3], size=largest)
    network = load_class(NETWORKS[model])
    run = train_stack(build_network(network, stack, dtype=torch.float64), stack, settings)
    for place in range(2):
        own = replace(stack.part(place, place + 1), size=None)
        alone = train_stack(build_network(network, own, dtype=torch.float64), own, settings).member(0)
        found = run.member(place)
        np.testing.assert_allclose(found.train_loss, alone.train_loss, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(found.valid_curve, alone.valid_curve)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_configuration_travels(model):
    config = example(model)
    copy = pickle.loads(pickle.dumps(config))
    assert copy == config
    assert copy.key == config.key
    assert canonical(copy, TABLE) == canonical(config, TABLE)
    assert build(model, [canonical(config, TABLE)]).eval()(torch.randn(1, 2, N_FEATURES)).shape == (1, 2, N_CLASSES)


@pytest.mark.parametrize("model", NETWORKS)
def test_the_cost_of_a_network_can_be_estimated(model):
    task = Task("s", "t", "multiclass", N_SAMPLES, N_FEATURES, N_CLASSES, "accuracy", "", "")
    seconds = [member_seconds(members_of(model), TABLE, task, n, 100, TrainingSettings()) for n in (100, 10_000)]
    assert 0 < seconds[0] < seconds[1]


HYPERPARAMETERS = [(model, name) for model in NETWORKS for name in load_class(NETWORKS[model]).hyperparameters]


@pytest.mark.parametrize(("model", "name"), HYPERPARAMETERS)
def test_a_wrong_hyperparameter_is_refused_with_its_name(model, name):
    known = load_class(NETWORKS[model]).hyperparameters[name]
    never = ["no such word", True, float("nan")]
    for wrong in never + [value for value in (-(10**9), 10**9 + 0.5) if not is_allowed(value, known)]:
        with pytest.raises(ConfigError, match=f"{name} of {model} is "):
            check_config(example(model, **{name: wrong}), TABLE)


@pytest.mark.parametrize(("model", "name", "wrong"), [(m, n, w) for m, n in HYPERPARAMETERS for w in WRONG.get(n, ())])
def test_a_value_out_of_range_is_refused(model, name, wrong):
    with pytest.raises(ConfigError, match=f"{name} of {model} is {wrong}"):
        check_config(example(model, **{name: wrong}), TABLE)


@pytest.mark.parametrize("model", NETWORKS)
def test_an_unknown_hyperparameter_is_refused_with_the_nearest(model):
    with pytest.raises(UnknownNameError, match=f"hyperparameter of {model} 'learning_rat'. Did you mean 'learning_rate'"):
        check_config(example(model, learning_rat=0.1), TABLE)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_missing_hyperparameter_is_named(model):
    values = dict(example(model).values)
    for name in values:
        rest = Config(model, tuple((other, value) for other, value in values.items() if other != name))
        with pytest.raises(ConfigError, match=f"The grid of {model} must give {name}"):
            check_config(rest, TABLE)


def test_hyperparameters_of_one_name_mean_the_same_everywhere():
    first: dict[str, Any] = {}
    for model, name in HYPERPARAMETERS:
        known = load_class(NETWORKS[model]).hyperparameters[name]
        if name in PER_MEMBER or name == "n_layers":
            assert first.setdefault(name, known) == known, f"{name} of {model}"
