"""What the figures of single networks measure."""

import gzip
import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from test_images import idx

from snnbench.errors import ConfigError, UnknownNameError
from snnbench.figure_files import write_figure
from snnbench.paper.figures import network_inputs, training_loss
from snnbench.paper.figures.activation_moments import Network, draw_moments, measure_moments
from snnbench.paper.figures.images import MNIST_IMAGES, MNIST_LABELS
from snnbench.paper.figures.network_inputs import Training, describe_normality, draw_network_inputs, measure_network_inputs
from snnbench.paper.figures.training_loss import Preset, draw_losses, measure_losses, plan_stacks, resize, train_request
from snnbench.paper.theory.fixed_points import fixed_point
from snnbench.paper.theory.moment_map import moment_map
from snnbench.paper.theory.vector_field import draw_vector_field, vector_field
from snnbench.records import Dataset
from snnbench.suites import load_suite
from snnbench.training.job_rows import job_rows


@pytest.fixture
def clusters(monkeypatch) -> None:
    """Put three clusters of 300 rows in the place of the images."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    X = (rng.normal(size=(300, 16)) + 2 * rng.normal(size=(3, 16))[y]).astype(np.float32)
    monkeypatch.setattr(training_loss, "load_images", lambda name, files: Dataset(X, y))


def test_the_stacks_of_figure_1_are_those_of_the_paper():
    stacks = plan_stacks("mnist", (), training_loss.PRESETS["paper"])
    assert [(stack.depth, stack.model) for stack in stacks] == [
        (depth, model) for depth in (32, 16, 8) for model in ("snn", "batchnorm")
    ]
    assert {(stack.preset.n_epochs, stack.preset.n_rows, stack.preset.max_units) for stack in stacks} == {(2000, 0, 0)}
    assert stacks[0].learning_rate == pytest.approx(1.28e-3)


def test_a_stack_trains_a_network_a_seed_on_whole_batches(clusters):
    (request,) = [stack for stack in plan_stacks("mnist", (), Preset(0, 5, 0), [2], 0.05, n_seeds=2) if stack.model == "snn"]
    table, seconds = train_request(request)
    assert seconds > 0
    assert table.columns.tolist() == ["epoch", "seed", "loss", "model", "depth"]
    assert sorted(zip(table["seed"], table["epoch"], strict=True)) == [(s, e) for s in (0, 1) for e in range(1, 6)]
    curves = table.pivot(index="epoch", columns="seed", values="loss")
    assert (curves.iloc[-1] < 0.5 * curves.iloc[0]).all()
    assert curves[0].iloc[0] != curves[1].iloc[0]


def test_figure_1_is_measured_in_processes(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 130)
    files = (tmp_path / MNIST_IMAGES, tmp_path / MNIST_LABELS)
    for file, array in zip(files, (rng.integers(0, 40, (130, 4, 4)) + 60 * labels[:, None, None], labels), strict=True):
        file.write_bytes(gzip.compress(idx(array)))
    told = []
    stacks = plan_stacks("mnist", files, Preset(0, 3, 8), [1, 2], 0.05)
    table = measure_losses(stacks, 2, lambda stack, seconds: told.append((stack.model, stack.depth)))
    assert sorted(told) == [("batchnorm", 1), ("batchnorm", 2), ("snn", 1), ("snn", 2)]
    assert table.groupby(["model", "depth"]).size().tolist() == [3, 3, 3, 3]
    first, last = (table[table["epoch"] == epoch]["loss"].to_numpy() for epoch in (1, 3))
    assert (last < first).all()
    for file in ("figure.svg", "figure.png"):
        write_figure(draw_losses(table, "two depths"), tmp_path / file)
        assert (tmp_path / file).stat().st_size > 5_000


def test_too_few_rows_for_a_batch_are_refused(clusters):
    with pytest.raises(ConfigError, match="at least one batch of 128, found 100"):
        plan_stacks("mnist", (), Preset(100, 1, 0))
    assert resize(Preset(0, 2000, 0), 256, None) == Preset(256, 2000, 0)
    assert resize(Preset(256, 2000, 0), 0, 3) == Preset(0, 3, 0)


def test_the_vector_field_is_the_map_at_a_grid(tmp_path):
    field = vector_field(0.05, 1.1)
    images = moment_map(field["mean"], field["variance"], 0.05, 1.1)
    np.testing.assert_array_equal(field[["next_mean", "next_variance"]].to_numpy().T, images)
    assert (field["mean"].min(), field["mean"].max(), field["variance"].min(), field["variance"].max()) == (-0.1, 0.1, 0.8, 1.5)
    chart = draw_vector_field(0.05, 1.1)
    mean, variance = fixed_point(0.05, 1.1)
    assert chart.title == f"Moment map of SELU, ω = 0.05, τ = 1.1: fixed point ({mean:.4f}, {variance:.4f})"
    write_figure(chart, tmp_path / "field.svg")
    assert (tmp_path / "field.svg").stat().st_size > 20_000


def predict(network: Network, activation) -> tuple[float, float]:
    """Go through the layers with scipy's integrals over a normal input."""
    mean, variance = network.mean, network.variance
    for _ in range(network.n_layers):
        spread = math.sqrt(network.tau * (variance if network.normalised else variance + mean**2))
        halves = [(-12 * spread, 0.0), (0.0, 12 * spread)]
        first, second = (
            sum(quad(lambda z, k=k, s=spread: activation(z) ** k * stats.norm.pdf(z, scale=s), *half)[0] for half in halves)
            for k in (1, 2)
        )
        mean, variance = first, second - first**2
    return mean, variance


def plain_selu(z: float) -> float:
    return 1.0507009873554805 * (z if z > 0 else 1.6732632423543772 * math.expm1(z))


@pytest.mark.parametrize(
    ("network", "activation"),
    [
        (Network(n_layers=8, mean=0.5, variance=2.0), plain_selu),
        (Network("selu", n_layers=4, tau=1.05), plain_selu),
        (Network("relu", n_layers=8), lambda z: max(z, 0)),
        (Network("relu", n_layers=3, tau=2.0, normalised=False), lambda z: max(z, 0)),
        (Network("tanh", n_layers=4), math.tanh),
    ],
)
def test_a_network_has_the_moments_that_the_map_predicts(network, activation):
    moments = measure_moments(network)
    assert moments["layer"].tolist() == list(range(network.n_layers + 1))
    last = moments.iloc[-1]
    assert (last["predicted_mean"], last["predicted_variance"]) == pytest.approx(
        predict(network, activation), rel=1e-6, abs=1e-12
    )
    spread = np.sqrt(last["predicted_variance"])
    assert last["mean"] == pytest.approx(last["predicted_mean"], abs=0.15 * spread)
    assert last["variance"] == pytest.approx(last["predicted_variance"], rel=0.2)
    np.testing.assert_allclose(moments["variance"].iloc[:3], moments["predicted_variance"].iloc[:3], rtol=0.1)


def test_moments_are_drawn_on_a_logarithmic_axis_where_they_collapse(tmp_path):
    assert draw_moments(measure_moments(Network("relu", n_layers=12)), "relu").to_json().count('"log"') == 2
    assert draw_moments(measure_moments(Network("selu", n_layers=3)), "selu").to_json().count('"log"') == 0


@pytest.mark.parametrize("changes", [{"n_layers": 0}, {"n_units": 1}, {"n_rows": 1}, {"tau": 0.0}, {"variance": -1.0}])
def test_an_impossible_network_is_refused(changes):
    with pytest.raises(ConfigError, match="must be"):
        measure_moments(Network(**changes))


def test_network_inputs_before_and_after_training(tmp_path):
    inputs = measure_network_inputs("core", "iris", None, Training(n_units=64, n_layers=3, n_epochs=3))
    assert list(inputs) == ["before training", "after training"]
    before, after = inputs.values()
    assert before.shape == after.shape == (23, 64)
    assert 0 < np.abs(after - before).max() < 1
    write_figure(draw_network_inputs(inputs, "iris"), tmp_path / "inputs.svg")
    assert "before training" in (tmp_path / "inputs.svg").read_text()


def test_before_training_is_the_network_that_training_starts_from():
    kept = Training(n_units=16, n_layers=2, n_epochs=1, learning_rate=1e-30, dropout_rate=0.0)
    before, after = measure_network_inputs("core", "iris", None, kept).values()
    np.testing.assert_array_equal(before, after)


def test_the_second_layer_s_inputs_are_computed_as_by_plain_torch(monkeypatch):
    """From the weights alone: (selu(X·W₁ + b₁))·W₂ + b₂."""
    networks = []
    build = network_inputs.build_network
    monkeypatch.setattr(network_inputs, "build_network", lambda *args: networks.append(build(*args)) or networks[-1])
    _, after = measure_network_inputs("core", "iris", None, Training(n_units=16, n_layers=2, n_epochs=2)).values()
    weights = [parameter.detach()[0] for parameter in networks[-1].parameters()]
    _, valid = job_rows("search", "core", "iris", load_suite("core").splits("iris", None)[0].name, None)
    hidden = torch.nn.functional.selu(torch.from_numpy(valid.X) @ weights[0] + weights[1])
    np.testing.assert_allclose(after, (hidden @ weights[2] + weights[3]).numpy(), atol=1e-5)


def test_normality_is_measured_against_both_normal_distributions():
    rng = np.random.default_rng(0)
    table = describe_normality(
        {"normal": rng.normal(size=20_000), "wide": 2 * rng.normal(size=20_000), "flat": rng.uniform(size=9_999)}
    )
    assert table.loc["normal", "ks_distance"] == pytest.approx(0, abs=0.012)
    assert table.loc["wide", "ks_distance"] == pytest.approx(0.1615, abs=0.012)  # of N(0, 4) to N(0, 1)
    assert table.loc["wide", "ks_own"] == pytest.approx(0, abs=0.012)
    assert table.loc["flat", "excess_kurtosis"] == pytest.approx(-1.2, abs=0.05)
    values = rng.normal(0.3, 1.2, 500)
    ours = describe_normality({"values": values}).loc["values", "ks_distance"]
    assert ours == pytest.approx(stats.kstest(values, "norm").statistic, abs=1e-15)


def test_a_task_and_a_depth_that_are_not_there_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'iris'"):
        measure_network_inputs("core", "iriss", None, Training())
    with pytest.raises(ConfigError, match="at least 2, found 1"):
        measure_network_inputs("core", "iris", None, Training(n_layers=1))


def test_a_training_that_diverges_is_refused():
    with pytest.raises(ConfigError, match="Take a --learning-rate below 1e"):
        measure_network_inputs("core", "iris", None, Training(n_units=16, n_layers=8, n_epochs=3, learning_rate=1e6))
