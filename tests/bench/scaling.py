"""(d) How the time grows with members, rows and workers, and how much memory a worker takes."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from rows import random_rows

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.records import Config, Value
from snnbench.training.process import prepare_process
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import build_network, train_stack

TITLE = "(d) scaling of an 8-layer snn of width 64, batch 128, and memory of a worker"

VALUES: dict[str, Value] = {"n_units": 64, "n_layers": 8, "form": "rectangular", "learning_rate": 0.01, "dropout_rate": 0.0}
N_FEATURES, N_CLASSES, N_ROUNDS = 32, 10, 3
LARGEST_TASK = (130_064, 50, 2)
"""Rows, features and classes of miniboone, the largest of the 121 tasks."""


def train(n_stack: int, n_rows: int, n_epochs: int = 1, shape: tuple[int, int] = (N_FEATURES, N_CLASSES)) -> float:
    """Train a stack and return its seconds."""
    configs = [Config("snn", tuple(VALUES.items()))] * n_stack
    rows, held_out = random_rows(n_rows, *shape), random_rows(n_rows // 4, *shape)
    stack = stack_of_one_task("search", configs, TaskRows(rows, held_out, shape[1]), [0] * n_stack, n_epochs)
    start = time.perf_counter()
    train_stack(build_network(load_class(NETWORKS["snn"]), stack), stack, TrainingSettings())
    return time.perf_counter() - start


def peak_memory_mb(n_stack: int, n_rows: int, n_features: int, n_classes: int) -> float:
    """Train one epoch and return the largest resident memory of this process."""
    train(n_stack, n_rows, shape=(n_features, n_classes))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure() -> dict:
    """Return a row for each number of members, rows and workers, and the memory of a worker on rows like the largest task's."""
    prepare_process()
    train(3, 1000)
    members, rows, workers = (1, 3, 6, 12, 24, 48), (500, 2000, 8000, 32_000), (1, 2, 4)
    found = []
    found += _table("members", members, [[train(n, 4000) for n in members] for _ in range(N_ROUNDS)], lambda n: 32 * n)
    found += _table("rows", rows, [[train(6, n) for n in rows] for _ in range(N_ROUNDS)], lambda n: 6 * n / 128)
    found += _table("workers", workers, [[_in_processes(n) for n in workers] for _ in range(N_ROUNDS)], lambda n: 6 * 63 * n)
    context = multiprocessing.get_context("spawn")
    for n_stack in (1, 24):
        with ProcessPoolExecutor(1, mp_context=context, initializer=prepare_process) as pool:
            memory = pool.submit(peak_memory_mb, n_stack, *LARGEST_TASK).result()
        found.append({"what": "peak MB, 130,064 rows", "number": n_stack, "value": memory, "unit": "MB a worker"})
    return {"rows": found}


def _table(
    what: str, numbers: tuple[int, ...], rounds: list[list[float]], n_member_steps: Callable[[int], float]
) -> list[dict]:
    """Return the time of one member's step, with the spread of the rounds."""
    found = []
    for number, seconds in zip(numbers, np.array(rounds).T, strict=True):
        micro = seconds / n_member_steps(number) * 1e6
        middle, spread = float(np.median(micro)), f"{micro.min():.0f} to {micro.max():.0f}"
        found.append({"what": what, "number": number, "value": middle, "unit": "us a member and step", "spread": spread})
    return found


def _in_processes(n_workers: int) -> float:
    """Return the seconds that a number of workers need for one stack each; they have started and warmed up before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, mp_context=context, initializer=prepare_process) as pool:
        list(pool.map(train, [6] * n_workers, [1000] * n_workers))
        start = time.perf_counter()
        list(pool.map(train, [6] * n_workers, [8000] * n_workers))
        return time.perf_counter() - start
