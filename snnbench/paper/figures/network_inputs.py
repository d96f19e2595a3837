"""Figure A8: the network inputs of the second layer before and after training, against the standard normal density.

The theory takes network inputs for normal, by the central limit theorem. The paper shows that they are for an SNN on Tox21,
after 40 epochs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats

from snnbench.config import TrainingSettings
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.figure_files import BLUE, ORANGE
from snnbench.models import NETWORKS, load_class
from snnbench.records import Config, Dataset, Value
from snnbench.suites import load_suite
from snnbench.training.job_rows import job_rows
from snnbench.training.process import prepare_process
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import build_network, train_stack

N_EPOCHS = 40
_MAX_ROWS = 2_000
_LIMIT = 5.0
_N_BINS = 100


@dataclass(frozen=True)
class Training:
    """The SNN whose network inputs are looked at, and how it is trained."""

    n_units: int = 256
    n_layers: int = 8
    learning_rate: float = 0.01
    dropout_rate: float = 0.05
    n_epochs: int = N_EPOCHS
    seed: int = 0


def measure_network_inputs(suite: str, task: str, folder: Path | None, training: Training) -> dict[str, np.ndarray]:
    """Return the inputs of all units of the second layer on validation rows, (n_rows, n_units) before and after training.

    Before means the same network with its initial weights: what an epoch at learning rate 0 leaves.

    Args:
        suite: Name of the suite.
        task: Name of the task; its first split is used, of which no test row is looked at.
        folder: The suite's files; None for an embedded one.
        training: What is trained, and how.

    Raises:
        UnknownNameError: If the suite has no such task.
        ConfigError: If there is no second hidden layer, or the training diverged.
    """
    if training.n_layers < 2:
        raise ConfigError(f"A second layer is looked at, so there must be at least 2, found {training.n_layers}.")
    prepare_process()
    module = load_suite(suite)
    tasks = {found.name: found for found in module.tasks(folder)[0]}
    if task not in tasks:
        raise UnknownNameError(f"task of {suite}", task, tasks)
    train, valid = job_rows("search", suite, task, module.splits(task, folder)[0].name, folder)
    rows = TaskRows(train, valid, tasks[task].n_outputs, tasks[task].metric)
    inputs = {}
    for name, learning_rate, n_epochs in (
        ("before training", 0.0, 1),
        ("after training", training.learning_rate, training.n_epochs),
    ):
        stack = stack_of_one_task("evaluate", [_config(training, learning_rate)], rows, [training.seed], n_epochs)
        network = build_network(load_class(NETWORKS["snn"]), stack)
        run = train_stack(network, stack, TrainingSettings())
        if run.diverged[0]:
            raise ConfigError(f"The training must not diverge, but it did. Take a --learning-rate below {learning_rate:g}.")
        inputs[name] = _second_layer(network, valid)
    return inputs


def _config(training: Training, learning_rate: float) -> Config:
    values: dict[str, Value] = {"n_units": training.n_units, "n_layers": training.n_layers, "form": "rectangular"}
    return Config("snn", tuple((values | {"dropout_rate": training.dropout_rate, "learning_rate": learning_rate}).items()))


@torch.inference_mode()
def _second_layer(network: torch.nn.Module, rows: Dataset) -> np.ndarray:
    network.eval()
    signal = torch.from_numpy(rows.X[:_MAX_ROWS])[np.newaxis]
    layers = list(network.children())
    second = [place for place, layer in enumerate(layers) if hasattr(layer, "weight")][1]
    for layer in layers[: second + 1]:
        signal = layer(signal)
    return signal[0].numpy().astype(np.float64)


def describe_normality(inputs: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return how far from N(0, 1) the values are, a row for each entry.

    ``ks_distance`` is the largest difference between their distribution function and that of N(0, 1); ``ks_own`` to that of
    the normal distribution with their own mean and variance, so that it tells their shape alone. No p-value: values of one
    unit, and of one row, are not independent.
    """
    rows = {}
    for name, values in inputs.items():
        flat = np.sort(values.ravel())
        mean, spread = flat.mean(), flat.std()
        rows[name] = {
            "mean": mean,
            "variance": spread**2,
            "skewness": stats.skew(flat),
            "excess_kurtosis": stats.kurtosis(flat),
            "ks_distance": _ks_distance(flat),
            "ks_own": _ks_distance((flat - mean) / spread),
        }
    return pd.DataFrame(rows).T


def _ks_distance(ordered: np.ndarray) -> float:
    cdf = stats.norm.cdf(ordered)
    n = len(ordered)
    return float(max((np.arange(1, n + 1) / n - cdf).max(), (cdf - np.arange(n) / n).max()))


def draw_network_inputs(inputs: dict[str, np.ndarray], title: str) -> Any:
    """Return the chart: a panel before and one after training, each with its measured density and that of N(0, 1)."""
    import altair as alt

    edges = np.linspace(-_LIMIT, _LIMIT, _N_BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    normal = stats.norm.pdf(centres)
    frames = []
    for name, values in inputs.items():
        density = np.histogram(values, bins=edges)[0] / values.size / (edges[1] - edges[0])
        frames += [
            pd.DataFrame({"stage": name, "curve": "network inputs", "x": centres, "density": density}),
            pd.DataFrame({"stage": name, "curve": "N(0, 1)", "x": centres, "density": normal}),
        ]
    base = alt.Chart(pd.concat(frames))
    colour = alt.Color(
        "curve:N",
        title=None,
        scale=alt.Scale(domain=["network inputs", "N(0, 1)"], range=[BLUE, ORANGE]),
        legend=alt.Legend(orient="top"),
    )
    x = alt.X("x:Q", title="input of a unit of the second layer", axis=alt.Axis(grid=False))
    y = alt.Y("density:Q", title="density", axis=alt.Axis(grid=False))
    area = base.transform_filter("datum.curve == 'network inputs'").mark_area(opacity=0.35).encode(x=x, y=y, color=colour)
    line = base.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour)
    panels = (area + line).properties(width=300, height=240).facet(alt.Column("stage:N", title=None, sort=list(inputs)))
    return panels.properties(title=title)
