"""(e) A GPU: naive loop, naive with CUDA graphs, stacked, stacked across tasks; and what they make of the paper's whole grid.

Every way trains the same networks on random rows of the sizes of real tasks. A member-step is one step of one network; what
it costs is measured on a sample of tasks and shapes and fitted as ``seconds = a + b * flops`` with a, b >= 0, a way at a time.
The hours of the grid are the sum of that over its configurations, tasks, epochs and steps.
"""

import csv
import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product

import numpy as np
import torch
from scipy.optimize import nnls
from torch import nn

from snnbench.config import ModelSettings, TrainingSettings, expand_grid, load_config
from snnbench.execution.plan import MAX_GPU_UNITS, MAX_STACK
from snnbench.models import implementation, load_class, stack_key
from snnbench.models.cost.network_cost import network_work
from snnbench.models.layers.padding import batch_class, padded_size
from snnbench.models.layers.precision import precision
from snnbench.records import Config, Dataset, Task
from snnbench.resources import resource
from snnbench.training.cuda_graph import replayed
from snnbench.training.loaders import TaskRows
from snnbench.training.stacked import train_across, train_stack

TITLE = "(e) GPU: microseconds a member-step, and hours of the paper's UCI grid (972 configurations x 121 tasks x 100 epochs)"

N_ROUNDS, N_SAMPLED_TASKS = 3, 8
SHAPES = [(256, 4), (256, 16), (1024, 8)]
"""Widths and depths of the snn that are measured."""


def measure(
    device: str = "cuda", shapes: Sequence[tuple[int, int]] = tuple(SHAPES), n_tasks: int = N_SAMPLED_TASKS, n_steps: int = 400
) -> dict:
    """Measure all ways in turn; without a GPU, say so."""
    if device == "cuda" and not torch.cuda.is_available():
        return {"skipped": "torch finds no GPU"}
    tasks = _sample(n_tasks)
    rows, points = [], {way: [] for way in WAYS}
    with precision("tf32" if device == "cuda" else "float32"):
        for (n_units, n_layers), task in product(shapes, tasks):
            configs = _configs(n_units, n_layers)
            n_epochs = -(-n_steps // -(-_n_train(task) // 128))  # so many that setting up does not count
            seconds = {way: [] for way in WAYS}
            for _ in range(N_ROUNDS):
                for way, train in WAYS.items():
                    seconds[way].append(train(configs, task, n_epochs, device))
            steps, flops = network_work(configs[0], SNN, task, _n_train(task), 1, 128)
            row = {"width": n_units, "layers": n_layers, "task": task.name, "steps an epoch": steps}
            for way in WAYS:
                points[way].append((flops / steps, np.median(seconds[way])))
                row[f"{way}, us"] = 1e6 * float(np.median(seconds[way]))
            row["ratio"] = float(np.median(np.array(seconds["naive"]) / np.array(seconds["across tasks"])))
            row["TFLOP/s"] = flops / steps / float(np.median(seconds["across tasks"])) / 1e12
            rows.append(row)
        ceilings = _ceilings(device)
    return {"rows": rows, "hours": {way: _hours(points[way]) for way in WAYS}, **ceilings}


def _sample(n_tasks: int) -> list[Task]:
    """Return tasks of the catalogue, evenly over their order by size; their samples are those that are not for the test."""
    with resource("datasets", "uci.csv").open(encoding="utf-8") as file:
        catalogue = sorted(csv.DictReader(file), key=lambda row: int(row["n_samples"]))
    tasks = []
    for row in catalogue:
        n_samples = int(row["n_samples"]) - int(row["n_test"])
        sizes = n_samples, int(row["n_features"]), int(row["n_classes"])
        tasks.append(Task("uci", row["name"], "multiclass", *sizes, "accuracy", "", ""))
    places = np.linspace(0, len(tasks) - 1, n_tasks + 2)[1:-1] if n_tasks < len(tasks) else range(len(tasks))
    return [tasks[round(place)] for place in places]


SNN = ModelSettings(grid={})


def _configs(n_units: int, n_layers: int) -> list[Config]:
    """Return what the paper's grid holds of one shape: three learning rates, two dropout rates."""
    shape = {"n_units": n_units, "n_layers": n_layers, "form": "rectangular"}
    rates = [{"learning_rate": rate, "dropout_rate": dropout} for rate in (0.01, 0.1, 1.0) for dropout in (0.0, 0.05)]
    return [Config("snn", tuple({**shape, **values}.items())) for values in rates]


def _n_train(task: Task) -> int:
    """Return the training rows: all but the fifth that validates."""
    return max(2, math.floor(0.8 * task.n_samples))


def _rows(task: Task, seed: int = 0) -> TaskRows:
    rng = np.random.default_rng(seed)

    def draw(n_samples: int) -> Dataset:
        X = rng.normal(size=(n_samples, task.n_features)).astype(np.float32)
        return Dataset(X, rng.integers(0, task.n_outputs, n_samples))

    return TaskRows(draw(_n_train(task)), draw(max(1, _n_train(task) // 4)), task.n_outputs)


def _naive(configs: Sequence[Config], task: Task, n_epochs: int, device: str, graphs: bool = False) -> float:
    """Train one ``nn.Sequential`` with torch's SGD, on full batches; return the seconds of a step."""
    rows, width = _rows(task), int(configs[0]["n_units"])
    layers: list[nn.Module] = []
    for n_in in (task.n_features, *[width] * (int(configs[0]["n_layers"]) - 1)):
        layers += [nn.Linear(n_in, width), nn.SELU(inplace=True)]
    network = nn.Sequential(*layers, nn.Linear(width, task.n_outputs)).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    n_batch = min(128, len(rows.train.y))
    X, y = (torch.from_numpy(values[:n_batch]).to(device) for values in (rows.train.X, rows.train.y))

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(network(X), y).backward()
        optimizer.step()

    action = replayed(step, torch.device(device)) if graphs else step
    n_steps = n_epochs * -(-len(rows.train.y) // 128)
    return _seconds(lambda: [action() for _ in range(n_steps)], device, lambda: [action() for _ in range(4)]) / n_steps


def _within(configs: Sequence[Config], task: Task, n_epochs: int, device: str) -> float:
    rows, settings = _rows(task), TrainingSettings()
    network_class = load_class(implementation("snn", SNN))

    def train(n_epochs: int) -> None:
        network = network_class(configs, task.n_features, task.n_outputs)
        rates = [float(config["learning_rate"]) for config in configs]
        train_stack(
            network, "search", rows.train, rows.held_out, rates, range(len(configs)), n_epochs, settings, "accuracy", device
        )

    return _seconds_of_epoch(train, n_epochs, device) / -(-_n_train(task) // 128) / len(configs)


def _across(configs: Sequence[Config], task: Task, n_epochs: int, device: str) -> float:
    """Train as many members as a job on a GPU has, as if other tasks of this class filled it."""
    n_members = max(MAX_STACK, MAX_GPU_UNITS // int(configs[0]["n_units"])) if device == "cuda" else 2 * len(configs)
    n_copies = max(1, n_members // len(configs))
    tasks = [_rows(task, seed) for seed in range(n_copies)]
    members, task_of = [*configs] * n_copies, [copy for copy in range(n_copies) for _ in configs]
    rates = [float(config["learning_rate"]) for config in members]
    padded, n_batch = padded_size(members[0], task.n_features, task.n_outputs), batch_class(_n_train(task), 128)
    network_class = load_class(implementation("snn", SNN))

    def train(n_epochs: int) -> None:
        train_across(
            network_class, members, "search", tasks, task_of, padded, n_batch, rates, task_of,
            [n_epochs] * len(members), TrainingSettings(), device,
        )  # fmt: skip

    return _seconds_of_epoch(train, n_epochs, device) / -(-_n_train(task) // 128) / len(members)


WAYS: dict[str, Callable[[Sequence[Config], Task, int, str], float]] = {
    "naive": _naive,
    "naive + graphs": lambda configs, task, n_epochs, device: _naive(configs, task, n_epochs, device, graphs=True),
    "within task": _within,
    "across tasks": _across,
}


def _seconds(action: Callable[[], object], device: str, warm_up: Callable[[], object] = lambda: None) -> float:
    warm_up()
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    action()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _seconds_of_epoch(train: Callable[[int], object], n_epochs: int, device: str) -> float:
    """Return the seconds of an epoch, without those of setting up: from trainings of one length and of three."""
    short, long = (_seconds(lambda n=n: train(n), device) for n in (n_epochs, 3 * n_epochs))
    return max(long - short, 1e-9) / (2 * n_epochs)


def _hours(points: Sequence[tuple[float, float]]) -> float:
    """Extrapolate to the whole grid: every network of it, a step at a time."""
    flops, seconds = np.array(points).T
    (a, b), _ = nnls(np.stack([np.ones_like(flops), flops], axis=1), seconds)
    n_steps, work = _work_of_grid()
    return (a * n_steps + b * work) / 3600


@cache
def _work_of_grid() -> tuple[float, float]:
    """Return the optimiser steps of the paper's whole grid and their floating-point operations."""
    settings, total = load_config("uci", "paper"), np.zeros(2)
    for model, table in settings.models.items():
        if table.estimator:
            continue
        shapes = [stack_key(config) for config in expand_grid(model, table)]
        for shape in set(shapes):
            config = Config(model, (*shape, ("learning_rate", 0.1)))
            for task in _sample(10**6):
                total += shapes.count(shape) * np.array(network_work(config, table, task, _n_train(task), 100, 128))
    return float(total[0]), float(total[1])


def _ceilings(device: str) -> dict[str, float]:
    """Return the card's rate of a large tf32 product and of a large copy, reads and writes counted."""
    n = 8192 if device == "cuda" else 512
    a, b = torch.randn(n, n, device=device), torch.randn(n, n, device=device)
    source = torch.randn(n * n * 4, device=device)
    target = torch.empty_like(source)
    product_seconds = min(_seconds(lambda: torch.mm(a, b), device, lambda: torch.mm(a, b)) for _ in range(5))
    copy_seconds = min(_seconds(lambda: target.copy_(source), device) for _ in range(5))
    return {"ceiling_tflops": 2 * n**3 / product_seconds / 1e12, "ceiling_gb_per_s": 8 * len(source) / copy_seconds / 1e9}
