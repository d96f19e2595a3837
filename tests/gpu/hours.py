"""Hours of the paper's grid: the sum over the real jobs of the real plan, by step times that were measured."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import nnls

from snnbench.config import RunSettings, load_config
from snnbench.execution.plan import Stored, plan_search
from snnbench.models import implementation
from snnbench.models.cost.network_cost import network_size
from snnbench.models.layers.padding import batch_class, padded_size
from snnbench.records import Compute, Config, Job, Split, Task
from snnbench.resources import resource
from snnbench.suites.loading import LoadedSuite
from snnbench.training.context import specify_run

COMPUTE = Compute("cuda", "tf32", "across-tasks")


def catalogued_material(limit: int | None = None) -> LoadedSuite:
    """Return the UCI tasks with splits of the numbers of rows that they have, from the catalogue alone."""
    with resource("datasets", "uci.csv").open(encoding="utf-8") as file:
        catalogue = list(csv.DictReader(file))
    tasks, splits = [], {}
    for row in catalogue[:limit]:
        n, n_test = int(row["n_samples"]), int(row["n_test"])
        sizes = n, int(row["n_features"]), int(row["n_classes"])
        tasks.append(Task("uci", row["name"], "binary" if sizes[2] == 2 else "multiclass", *sizes, "accuracy", "", ""))
        n_valid = max(1, round(0.2 * (n - n_test)))
        places = np.split(np.arange(n), [n - n_test - n_valid, n - n_test])
        splits[row["name"]] = [Split("repetition-1", *places)]
    return LoadedSuite(tuple(tasks), splits, {})


def paper_jobs(loaded: LoadedSuite, settings: RunSettings | None = None) -> list[Job]:
    """Return the jobs of the paper's networks on a GPU, as ``snnbench run uci --preset paper`` would plan them."""
    settings = settings or load_config("uci", "paper")
    networks = [name for name, table in settings.models.items() if not table.estimator]
    return list(plan_search(specify_run("uci", loaded, settings, COMPUTE), networks, Stored()).jobs)


def job_work(job: Job, loaded: LoadedSuite) -> tuple[int, float, float]:
    """Return a job's steps, and a step's floating-point operations and values of units, padding included."""
    config, batch_size = job.members[0].config, 128
    most = max(loaded.n_train[member.task, member.split] for member in job.members)
    task = loaded.by_name[job.members[0].task]
    n_batch, padded = batch_class(most, batch_size), padded_size(config, task.n_features, task.n_outputs)
    n_epochs = max(member.n_epochs for member in job.members)
    return n_epochs * math.ceil(most / n_batch), *step_work(config, len(job.members), n_batch, padded)


def step_work(config: Config, n_stack: int, n_batch: int, size: tuple[int, int]) -> tuple[float, float]:
    """Return the floating-point operations of a stack's step, and the values of its units."""
    path = implementation(config.model, load_config("uci", "paper").models[config.model])
    n_weights, n_units = network_size(path, config, *size)
    return 6.0 * n_stack * n_batch * n_weights, float(n_stack * n_batch * n_units)


def fit(points: Sequence[tuple[float, float, float, float]]) -> np.ndarray:
    """Fit seconds = a * layers + b * operations + c * values, none negative, by least squares of the relative errors.

    Args:
        points: Layers, operations, values of units and measured seconds of a step.
    """
    table = np.array(points)
    design = table[:, :3] / table[:, 3:]
    scale = np.maximum(design.max(axis=0), 1e-300)
    found, _ = nnls(design / scale, np.ones(len(table)))
    return found / scale


def depth_of(config: Config) -> int:
    """Return a network's layers: kernels that wait for each other."""
    return int(config.get("n_layers", 0)) or 2 * int(config["n_blocks"]) + 1


def hours(fits: Mapping[str, np.ndarray], jobs: Sequence[Job], loaded: LoadedSuite) -> dict[str, float]:
    """Return the hours of each network, one job after another; a network that was not measured is left out."""
    found: dict[str, float] = defaultdict(float)
    for job in jobs:
        config = job.members[0].config
        if config.model in fits:
            n_steps, operations, values = job_work(job, loaded)
            seconds = n_steps * float(fits[config.model] @ [depth_of(config), operations, values])
            found[config.model] += seconds / 3600
    return dict(found)
