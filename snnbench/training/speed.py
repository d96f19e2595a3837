"""How fast this machine trains, against the constants of the cost model."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import NETWORKS
from snnbench.models.cost.gpu_cost import member_layers, stack_cost
from snnbench.models.cost.network_cost import member_seconds
from snnbench.models.layers.padding import stack_size
from snnbench.records import ON_CPU, Compute, Config, Dataset, Task, Value
from snnbench.training.networks import train_networks
from snnbench.training.process import prepare_process
from snnbench.training.stack import TaskRows, stack_of_one_task

_N_ROWS, _N_FEATURES, _N_CLASSES, _N_STACK, _N_EPOCHS = 512, 16, 3, 3, 64
_SECONDS = 0.5
_GPU_UNITS, _N_GPU_STACK = 256, 264


def measure_apart(compute: Compute) -> float:
    """Measure the speed in a process of its own, which takes what it needs of a GPU with it when it ends."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), prepare_process, (0, compute.device == "cuda")) as pool:
        return pool.submit(measure_speed, compute).result()


def measure_speed(compute: Compute = ON_CPU, clock: Callable[[], float] = time.perf_counter) -> float:
    """Train a stack again and again and return its real seconds over its estimated seconds.

    It takes half a second: on a busy machine, a process that has just started gets more than its share for a moment. On a CPU
    the stack is small; on a GPU it is as large as a job's, since a small one would leave the chip idle.

    Args:
        compute: How networks are computed.
        clock: ``time.process_time`` to leave out what other processes take.
    """
    on_gpu = compute.device == "cuda"
    n_units, n_stack = (_GPU_UNITS, _N_GPU_STACK) if on_gpu else (64, _N_STACK)
    values: dict[str, Value] = {
        "n_units": n_units,
        "n_layers": 4,
        "form": "rectangular",
        "learning_rate": 0.01,
        "dropout_rate": 0.0,
    }
    configs = [Config("snn", tuple(values.items()))] * n_stack
    rng = np.random.default_rng(0)

    def rows(n_rows: int) -> Dataset:
        X = rng.normal(size=(n_rows, _N_FEATURES)).astype(np.float32)
        return Dataset(X, rng.integers(0, _N_CLASSES, n_rows, dtype=np.int64))

    task = Task("", "", "multiclass", _N_ROWS, _N_FEATURES, _N_CLASSES, "accuracy", "", "")
    training = TrainingSettings(n_epochs=_N_EPOCHS)
    model, task_rows = ModelSettings(grid={}), TaskRows(rows(_N_ROWS), rows(_N_ROWS // 4), _N_CLASSES)
    stack = stack_of_one_task("search", configs, task_rows, [0] * n_stack, _N_EPOCHS)

    def train() -> None:
        for _ in train_networks(stack, model, training, compute):
            pass

    train()  # warms up
    start, n_rounds = clock(), 0
    while (seconds := clock() - start) < _SECONDS or not n_rounds:
        train()
        n_rounds += 1
    if not on_gpu:
        return seconds / n_rounds / member_seconds(configs, model, task, _N_ROWS, _N_EPOCHS, training)
    size = stack_size(configs[0], _N_FEATURES, _N_CLASSES, _N_ROWS, training.batch_size)
    layers = member_layers(NETWORKS["snn"], configs[0], size.n_features, size.n_outputs)
    return seconds / n_rounds / stack_cost(layers, n_stack, size, _N_ROWS, _N_EPOCHS, fused=False).seconds
