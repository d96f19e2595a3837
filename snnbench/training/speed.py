"""How fast this machine trains, against the constants of the cost model."""

import time
from collections.abc import Callable

import numpy as np

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.cost import member_seconds
from snnbench.records import Config, Dataset, Task, Value
from snnbench.training.stacked import train_stack

_N_ROWS, _N_FEATURES, _N_CLASSES, _N_STACK, _N_EPOCHS = 512, 16, 3, 3, 8
_SECONDS = 0.5


def measure_speed(clock: Callable[[], float] = time.perf_counter) -> float:
    """Train a small stack again and again and return its real seconds over its estimated seconds.

    It takes half a second: on a busy machine, a process that has just started gets more than its share for a moment.

    Args:
        clock: ``time.process_time`` to leave out what other processes take.
    """
    values: dict[str, Value] = {"n_units": 64, "n_layers": 4, "form": "rectangular", "learning_rate": 0.01, "dropout_rate": 0.0}
    configs = [Config("snn", tuple(values.items()))] * _N_STACK
    rng = np.random.default_rng(0)
    rows = Dataset(
        rng.normal(size=(_N_ROWS, _N_FEATURES)).astype(np.float32), rng.integers(0, _N_CLASSES, _N_ROWS, dtype=np.int64)
    )
    task = Task("", "", "multiclass", _N_ROWS, _N_FEATURES, _N_CLASSES, "accuracy", "", "")
    training = TrainingSettings(n_epochs=_N_EPOCHS)
    network = load_class(NETWORKS["snn"])(configs, _N_FEATURES, _N_CLASSES)
    arguments = ([0.01] * _N_STACK, [0] * _N_STACK)
    train_stack(network, "search", rows, rows, *arguments, 1, training)  # warms up
    start, n_rounds = clock(), 0
    while (seconds := clock() - start) < _SECONDS or not n_rounds:
        train_stack(network, "search", rows, rows, *arguments, _N_EPOCHS, training)
        n_rounds += 1
    return seconds / n_rounds / member_seconds(configs, ModelSettings(grid={}), task, _N_ROWS, _N_EPOCHS, training)
