"""Stacked training against a loop over ``nn.Sequential``: the ratios behind the README. Run it with ``make bench``.

Both train the same 24 networks on the same rows with the same batches, score the validation rows after every epoch, and run as
two processes of one thread each. A ratio compares wall times of one run; the best of three rounds counts for each side.
"""

import argparse
import multiprocessing
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.records import Config, Dataset
from snnbench.training.process import prepare_process
from snnbench.training.stacked import train_stack

N_STACK, N_FEATURES, N_CLASSES, N_TRAIN, N_VALID, N_PROCESSES, N_ROUNDS = 24, 32, 10, 1280, 320, 2, 3
CASES = [
    ("snn", n_units, n_layers, batch_size, dropout_rate)
    for n_units, n_layers in ((16, 2), (64, 2), (64, 8))
    for batch_size in (32, 128)
    for dropout_rate in (0.0, 0.05)
]


def data(n_rows: int) -> Dataset:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, N_FEATURES)).astype(np.float32)
    return Dataset(X, rng.integers(0, N_CLASSES, n_rows))


def train_stacked(case: tuple, n_epochs: int) -> float:
    model, n_units, n_layers, batch_size, dropout_rate = case
    values = {"n_units": n_units, "n_layers": n_layers, "form": "rectangular", "learning_rate": 0.01}
    configs = [Config(model, tuple({**values, "dropout_rate": dropout_rate}.items()))] * N_STACK
    start = time.perf_counter()
    network = load_class(NETWORKS[model])(configs, N_FEATURES, N_CLASSES)
    settings = TrainingSettings(batch_size=batch_size)
    rates = [0.01] * N_STACK
    train_stack(network, "search", data(N_TRAIN), data(N_VALID), rates, [0] * N_STACK, n_epochs, settings)
    return time.perf_counter() - start


def train_naive(case: tuple, n_epochs: int) -> float:
    _, n_units, n_layers, batch_size, dropout_rate = case
    train, valid = data(N_TRAIN), data(N_VALID)
    X, y = torch.from_numpy(train.X), torch.from_numpy(train.y)
    X_valid, y_valid = torch.from_numpy(valid.X), torch.from_numpy(valid.y)
    start = time.perf_counter()
    for _ in range(N_STACK):
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([N_FEATURES] + [n_units] * n_layers):
            layers += [nn.Linear(n_in, n_out), nn.SELU()] + [nn.AlphaDropout(dropout_rate)] * (dropout_rate > 0)
        network = nn.Sequential(*layers, nn.Linear(n_units, N_CLASSES))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        for _ in range(n_epochs):
            network.train()
            for rows in torch.randperm(N_TRAIN).split(batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(X[rows]), y[rows]).backward()
                optimizer.step()
            network.eval()
            with torch.no_grad():
                (network(X_valid).argmax(dim=1) == y_valid).float().mean().item()
    return time.perf_counter() - start


def wall_seconds(pool: ProcessPoolExecutor, train, case: tuple, n_epochs: int) -> float:
    return max(pool.map(train, [case] * N_PROCESSES, [n_epochs] * N_PROCESSES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4, help="epochs of each training (default 4)")
    n_epochs = parser.parse_args().epochs
    table = Table(title=f"{N_STACK} SELU networks, {N_PROCESSES} processes x 1 thread, torch {torch.__version__}")
    for column in ("width", "layers", "batch", "dropout", "naive, us/step", "stacked, us/step", "ratio"):
        table.add_column(column, justify="right")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(N_PROCESSES, mp_context=context, initializer=prepare_process) as pool:
        for case in CASES:
            # Taken in turn, so that a busy neighbour slows both sides.
            rounds = [
                (wall_seconds(pool, train_naive, case, n_epochs), wall_seconds(pool, train_stacked, case, n_epochs))
                for _ in range(N_ROUNDS)
            ]
            naive, stacked = (min(times) for times in zip(*rounds, strict=True))
            n_steps = n_epochs * -(-N_TRAIN // case[3])
            micro = [f"{seconds / n_steps * 1e6:,.0f}" for seconds in (naive, stacked)]
            table.add_row(*map(str, case[1:]), *micro, f"{naive / stacked:.1f}")
    Console().print(table)
    Console().print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
