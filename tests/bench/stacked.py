"""(a) Stacked training against a loop over ``nn.Sequential``.

Both train the same 24 networks on the same rows with the same batches, score the validation rows after every epoch, and run as
two processes of one thread each, which is the fastest way to run the loop.
"""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise

import torch
from rounds import interleave, ratio
from rows import random_rows
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.records import Config, Value
from snnbench.training.process import prepare_process
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import build_network, train_stack

TITLE = "(a) 24 SELU networks as a stack against a loop over nn.Sequential, 2 processes x 1 thread"

N_STACK, N_FEATURES, N_CLASSES, N_PROCESSES = 24, 32, 10, 2
N_BATCHES, N_EPOCHS = 10, 2
CASES = [
    (n_units, n_layers, batch_size, dropout_rate)
    for n_units in (16, 64, 256)
    for n_layers in (2, 8)
    for batch_size in (32, 128)
    for dropout_rate in (0.0, 0.05)
]
Case = tuple[int, int, int, float]


def train_stacked(case: Case) -> float:
    """Train the stack and return its seconds."""
    n_units, n_layers, batch_size, dropout_rate = case
    values: dict[str, Value] = {"n_units": n_units, "n_layers": n_layers, "form": "rectangular", "learning_rate": 0.01}
    configs = [Config("snn", tuple({**values, "dropout_rate": dropout_rate}.items()))] * N_STACK
    train, valid = random_rows(N_BATCHES * batch_size), random_rows(N_BATCHES * batch_size // 4)
    start = time.perf_counter()
    stack = stack_of_one_task("search", configs, TaskRows(train, valid, N_CLASSES), [0] * N_STACK, N_EPOCHS)
    train_stack(build_network(load_class(NETWORKS["snn"]), stack), stack, TrainingSettings(batch_size=batch_size))
    return time.perf_counter() - start


def train_naive(case: Case) -> float:
    """Train the networks one after another and return the seconds of all."""
    n_units, n_layers, batch_size, dropout_rate = case
    train, valid = random_rows(N_BATCHES * batch_size), random_rows(N_BATCHES * batch_size // 4)
    X, y = torch.from_numpy(train.X), torch.from_numpy(train.y)
    X_valid, y_valid = torch.from_numpy(valid.X), torch.from_numpy(valid.y)
    start = time.perf_counter()
    for _ in range(N_STACK):
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([N_FEATURES] + [n_units] * n_layers):
            layers += [nn.Linear(n_in, n_out), nn.SELU()] + [nn.AlphaDropout(dropout_rate)] * (dropout_rate > 0)
        network = nn.Sequential(*layers, nn.Linear(n_units, N_CLASSES))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        for _ in range(N_EPOCHS):
            network.train()
            for rows in torch.randperm(len(y)).split(batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(X[rows]), y[rows]).backward()
                optimizer.step()
            network.eval()
            with torch.no_grad():
                (network(X_valid).argmax(dim=1) == y_valid).float().mean().item()
    return time.perf_counter() - start


def measure(n_rounds: int = 5) -> dict:
    """Return a row for each shape."""
    context = multiprocessing.get_context("spawn")
    rows = []
    with ProcessPoolExecutor(N_PROCESSES, mp_context=context, initializer=prepare_process) as pool:
        for case in CASES:
            sides = {
                "naive": partial(_wall_seconds, pool, train_naive, case),
                "stacked": partial(_wall_seconds, pool, train_stacked, case),
            }
            seconds = interleave(sides, n_rounds)
            steps = {
                f"{name}, us/step": sorted(times)[n_rounds // 2] / (N_EPOCHS * N_BATCHES) * 1e6
                for name, times in seconds.items()
            }
            shape = dict(zip(("width", "layers", "batch", "dropout"), case, strict=True))
            rows.append({**shape, **steps, **ratio(seconds["naive"], seconds["stacked"])})
    return {"rows": rows}


def _wall_seconds(pool: ProcessPoolExecutor, train: Callable[[Case], float], case: Case) -> float:
    return max(pool.map(train, [case] * N_PROCESSES))
