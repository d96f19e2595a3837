"""The cost model: what it counts, and that its estimates follow measured times."""

import time
from itertools import product

import numpy as np
import pytest

from snnbench.config import ModelSettings, TrainingSettings, expand_grid, load_config
from snnbench.models import NETWORKS, load_class, network_class, stack_key
from snnbench.models.cost.estimator_cost import COSTS, fit_seconds
from snnbench.models.cost.network_cost import (
    SECONDS,
    built_layers,
    compiled_counts,
    counts,
    is_compiled,
    member_seconds,
    network_layers,
    network_totals,
    sum_up,
)
from snnbench.models.cost.shapes import SHAPES, Layer
from snnbench.models.registry import WITH_ACTIVATION
from snnbench.records import Config, Dataset, Task
from snnbench.training.compiled.choice import read_chain
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack

TASK = Task("s", "t", "multiclass", 400, 16, 3, "accuracy", "", "")
TABLE = ModelSettings(grid={})


def config(model: str, **changes) -> Config:
    grid = expand_grid(model, load_config("core").models[model])[0]
    return Config(model, tuple({**dict(grid.values), "dropout_rate": 0.0, **changes}.items()))


def layers(model: str, n_features: int, n_outputs: int, **changes) -> tuple[Layer, ...]:
    return network_layers(NETWORKS[model], stack_key(config(model, **changes)), n_features, n_outputs)


def test_layers_are_read_from_the_network():
    found = layers("snn", 16, 3, n_units=8, n_layers=2)
    assert found == (
        Layer("linear", 8, 128),
        Layer("selu", 8),
        Layer("alpha_dropout", 8),
        Layer("linear", 8, 64),
        Layer("selu", 8),
        Layer("alpha_dropout", 8),
        Layer("linear", 3, 24),
    )
    assert layers("highway", 16, 3, n_layers=1) == (Layer("highway", 32, 512), Layer("dropout", 16), Layer("linear", 3, 48))
    residual = layers("resnet", 16, 3, n_units=8, n_blocks=1, form="rectangular")
    assert [layer.kind for layer in residual].count("batchnorm") == 3
    assert Layer("residual", 8) in residual


@pytest.mark.parametrize(("rate", "n_noisy"), [(0.0, 0), (0.1, 2)])
def test_dropout_costs_nothing_where_its_rate_is_0(rate, n_noisy):
    found = network_totals(NETWORKS["snn"], config("snn", n_units=8, n_layers=2, dropout_rate=rate), 16, 3)
    assert found.get("alpha_dropout", (0,))[0] == n_noisy


FORMS = {
    "batchnorm": [{"form": "conic"}, {"placement": "after"}],
    "highway": [{"n_units": 5}],
    "resnet": [{"form": "diavolo", "n_blocks": 2}, {"form": "rectangular", "normalisation": "none"}],
}


@pytest.mark.parametrize("size", [(2, 2), (16, 3), (7, 12)])
@pytest.mark.parametrize("model", NETWORKS)
def test_arithmetic_gives_the_layers_that_are_built(model, size):
    path, known = NETWORKS[model], load_class(NETWORKS[model]).hyperparameters
    assert path in SHAPES
    changes = FORMS.get(model, []) if model == "resnet" else [{"n_layers": 3, "form": "conic"}, *FORMS.get(model, [])]
    for preset, change in product(("quick", "paper"), ({}, *changes)):
        grid = expand_grid(model, load_config("uci", preset).models[model])
        for one in (grid[0], grid[-1]):
            values = {name: value for name, value in {**dict(one.values), **change}.items() if name in known}
            shape = stack_key(Config(model, tuple(values.items())))
            assert network_layers(path, shape, *size) == built_layers(path, shape, *size)


def test_what_an_epoch_is_made_of():
    found = counts(sum_up((Layer("linear", 8, 128), Layer("selu", 8))), n_stack=3, n_train=300, batch_size=128)
    assert (found["epoch"], found["step"], found["linear weight"]) == (1, 3, 3 * 3 * 128)
    assert found["selu call"] == 3 + 1 / 3
    assert found["selu unit"] == pytest.approx(300 * (1 + 0.25 / 3) * 3 * 8)
    assert found["flop"] == pytest.approx(6 * found["selu unit"] / 8 * 128)


def test_what_an_epoch_of_the_compiled_step_is_made_of():
    totals = sum_up((Layer("linear", 8, 128), Layer("selu", 8)))
    found = compiled_counts(totals, n_stack=3, n_train=300, batch_size=128)
    assert (found["compiled epoch"], found["compiled step"], found["compiled product"]) == (1, 3 * 3, 3 * 3)
    assert found["compiled selu unit"] == pytest.approx(300 * (1 + 0.25 / 3) * 3 * 8)
    assert found["compiled linear weight"] == 3 * 3 * 128


def test_the_networks_that_are_compiled_are_known(monkeypatch):
    for name, path in NETWORKS.items():
        chain = read_chain(load_class(path)([config(name, dropout_rate=0.1)], 16, 3))
        assert is_compiled(path) == (chain is not None)
    assert not is_compiled(NETWORKS["snn"], momentum=0.9)
    monkeypatch.setattr("snnbench.models.cost.network_cost.has_numba", lambda: False)
    assert not is_compiled(NETWORKS["snn"])


@pytest.mark.parametrize("activation", ["selu", "relu", "mish", "softsign"])
@pytest.mark.parametrize(
    "how",
    [
        {"dropout": "alpha"},
        {"dropout": "plain"},
        {"gain": 2.0, "init": "torch.nn.init.orthogonal_"},
        {"scale": 2.0},
        {"shift": 0.5},
    ],
)
def test_designs_that_are_compiled_are_known(activation, how):
    path = f"torch.nn.functional.{activation}"
    table = ModelSettings(network="fully_connected", activation=path, grid={}, **how)
    chain = read_chain(network_class("own", table)([config("snn", dropout_rate=0.1)], 16, 3))
    assert is_compiled(WITH_ACTIVATION, model=table) == (chain is not None)


@pytest.mark.parametrize(
    ("activation", "beside_selu"),
    [
        ("gelu", (1.02, 0.99)),
        ("tanh", (1.09, 1.10)),
        ("mish", (1.68, 1.46)),
        ("softsign", (0.99, 1.09)),
        ("curves.PReLU", (2.16, 1.77)),
    ],
)
def test_activations_are_estimated_as_they_were_measured_beside_selu_by_torch(activation, beside_selu):
    """On stacks of 6 with 8 layers of 64 units and 500 rows, and of 4 with 4 layers of 256 units and 2,000 rows."""
    path = activation if "." in activation else f"torch.nn.functional.{activation}"
    for (n_stack, n_train, shape), measured in zip(((6, 500, (64, 8)), (4, 2000, (256, 4))), beside_selu, strict=True):
        values = config("snn", n_units=shape[0], n_layers=shape[1])
        selu, other = (
            member_seconds([values] * n_stack, table, TASK, n_train, 10, TrainingSettings(momentum=0.5))
            for table in (TABLE, ModelSettings(network="fully_connected", activation=path, grid={}))
        )
        assert measured / 1.5 < other / selu < 1.5 * measured


@pytest.mark.parametrize("model", NETWORKS)
def test_every_layer_of_our_networks_has_a_measured_cost(model):
    totals = network_totals(NETWORKS[model], config(model, dropout_rate=0.1), 16, 3)
    assert set(counts(totals, 3, 300, 128)) <= set(SECONDS)
    if is_compiled(NETWORKS[model]):
        assert set(compiled_counts(totals, 3, 300, 128)) <= set(SECONDS)


def test_normalised_networks_cost_more():
    plain, *normalised = (
        member_seconds([config(model, n_units=64, n_layers=4)], TABLE, TASK, 400, 100, TrainingSettings())
        for model in ("msrainit", "batchnorm", "layernorm", "weightnorm")
    )
    assert all(3 < seconds / plain < 20 for seconds in normalised)  # torch trains them, the plain one is compiled


@pytest.mark.parametrize("model", NETWORKS)
def test_estimates_follow_measured_times(model):
    """Against snn of the same run, within a factor of 2: the test machine is not the one of the constants, and it is busy."""
    rng = np.random.default_rng(0)
    rows = Dataset(rng.normal(size=(400, 16)).astype(np.float32), rng.integers(0, 3, 400))

    def ratio(name: str) -> float:
        configs = [config(name)] * 3
        network = load_class(NETWORKS[name])(configs, 16, 3)
        stack = stack_of_one_task("search", configs, TaskRows(rows, rows, 3), [0] * 3, 10)
        seconds = []
        for _ in range(3):
            start = time.process_time()
            train_stack(initialise(network, stack.seeds), stack, TrainingSettings())
            seconds.append(time.process_time() - start)
        return member_seconds(configs, TABLE, TASK, 400, 10, TrainingSettings()) / min(seconds)

    assert 0.5 < ratio(model) / ratio("snn") < 2


@pytest.mark.parametrize("path", COSTS)
@pytest.mark.filterwarnings("default")  # packages warn while they are imported
def test_a_fit_costs_more_with_more_rows_and_features(path):
    pytest.importorskip(path.partition(".")[0])
    table = ModelSettings(estimator=path, grid={})
    seconds = [fit_seconds(table, [Config("m", ())], TASK, n) for n in (50, 500, 5000)]
    assert 0 < seconds[0] < seconds[1] < seconds[2]


def test_a_grown_family_costs_what_its_largest_does_and_parts_are_counted():
    forest = ModelSettings(estimator="sklearn.ensemble.RandomForestClassifier", grid={})
    sizes = [Config("m", (("n_estimators", n),)) for n in (10, 100, 1000)]
    whole, largest = fit_seconds(forest, sizes, TASK, 400), fit_seconds(forest, sizes[2:], TASK, 400)
    assert largest < whole < 1.05 * largest
    part = {"class": forest.estimator, "n_estimators": 1000}
    voting = ModelSettings(estimator="sklearn.ensemble.VotingClassifier", arguments={"estimators": [["a", part]]}, grid={})
    stacking = voting.model_copy(update={"estimator": "sklearn.ensemble.StackingClassifier"})
    stacking.arguments["cv"] = 3
    assert fit_seconds(
        voting.model_copy(update={"arguments": {"estimators": [["a", part]]}}), [Config("m", ())], TASK, 400
    ) == (pytest.approx(largest, rel=0.05))
    assert fit_seconds(stacking, [Config("m", ())], TASK, 400) == pytest.approx(4 * largest, rel=0.05)


def test_a_value_that_its_class_will_refuse_can_be_estimated():
    forest = ModelSettings(estimator="sklearn.ensemble.RandomForestClassifier", grid={})
    assert fit_seconds(forest, [Config("m", (("n_estimators", "many"),))], TASK, 400) > 0


MODERN = load_config("uci", "modern").models
IRIS, GLASS, LIBRAS = (90, 4, 3), (129, 9, 6), (216, 90, 15)
"""Training rows, features and classes."""


@pytest.mark.parametrize(
    ("model", "size", "measured"),
    [
        ("lightgbm", GLASS, 0.11),
        ("lightgbm", LIBRAS, 4.4),
        ("xgboost", GLASS, 0.17),
        ("xgboost", LIBRAS, 9.4),
        ("catboost", IRIS, 0.11),
        ("catboost", GLASS, 0.53),
        ("realmlp", IRIS, 3.3),
        ("realmlp", GLASS, 3.9),
        ("tabm", IRIS, 1.8),
        ("tabm", GLASS, 3.4),
    ],
)
@pytest.mark.filterwarnings("default")  # packages warn while they are imported
def test_grids_of_modern_models_are_estimated_as_they_were_measured(model, size, measured):
    """Processor seconds of all fits of the preset's grid on a quiet machine, over its speed; within a factor of 2.5."""
    pytest.importorskip(str(MODERN[model].estimator).partition(".")[0])
    n_train, n_features, n_outputs = size
    task = Task("uci", "t", "multiclass", 2 * n_train, n_features, n_outputs, "accuracy", "", "")
    found = sum(fit_seconds(MODERN[model], [point], task, n_train) for point in expand_grid(model, MODERN[model]))
    assert measured / 2.5 < found < 2.5 * measured
