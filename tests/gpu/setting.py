"""What all stages of the kit share: where they run, how long they may, the sizes of their networks, and how time is taken."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from snnbench.models import NETWORKS, load_class
from snnbench.models.layers.padding import stack_size
from snnbench.records import Config, Dataset, Value
from snnbench.training.cuda_graph import replayed
from snnbench.training.loaders import MultiTaskLoader
from snnbench.training.optimizer import make_optimizer, step
from snnbench.training.stack import Stack, TaskRows
from snnbench.training.stacked import build_network

MODELS = ("batchnorm", "highway", "layernorm", "msrainit", "resnet", "snn", "weightnorm")
"""The networks of the paper: the kit knows their hyperparameters and measures their grid."""

Case = tuple[str, Callable[[], dict]]
Cases = Iterator[Case]


@dataclass(frozen=True)
class Setting:
    """Where a stage runs; ``tiny`` rehearses it with networks of a few units. ``data`` is the archive of the UCI tasks."""

    device: str
    tiny: bool
    data: str | None = None

    @property
    def precision(self) -> str:
        """The precision of matrix products that a GPU trains in."""
        return "tf32" if self.device == "cuda" else "float32"

    def scaled(self, n: int, tiny: int) -> int:
        """Return a size, or what stands for it in a rehearsal."""
        return tiny if self.tiny else n


def wait(device: str) -> None:
    """Wait for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(action: Callable[[], object], device: str, n_times: int = 20, n_rounds: int = 3) -> float:
    """Return the median seconds of a call over some rounds, after four calls to warm up."""
    for _ in range(4):
        action()
    rounds = []
    for _ in range(n_rounds):
        wait(device)
        start = time.perf_counter()
        for _ in range(n_times):
            action()
        wait(device)
        rounds.append((time.perf_counter() - start) / n_times)
    return statistics.median(rounds)


def configs_of(
    model: str, n_stack: int, n_units: int, n_layers: int, dropout: float, form: str = "rectangular"
) -> list[Config]:
    """Return the members of a stack: learning rates as in the paper's grid, every other one with dropout."""
    values: dict[str, Value] = {"n_units": n_units, "n_layers": n_layers, "form": form}
    if model == "resnet":
        values |= {"n_blocks": max(1, values.pop("n_layers") // 2), "form": "diavolo" if form == "conic" else form}
    if model == "highway":
        values.pop("form")
    rates = (0.01, 0.1, 1.0)
    own = [{"learning_rate": rates[k % 3] / 10, "dropout_rate": dropout * (k % 2)} for k in range(n_stack)]
    return [Config(model, tuple({**values, **one}.items())) for one in own]


def rows_of(n_train: int, n_features: int, n_outputs: int, seed: int = 0, multilabel: bool = False) -> TaskRows:
    """Return random rows with classes that can be learned, a quarter as many held out."""
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Dataset:
        X = rng.normal(size=(n, n_features)).astype(np.float32)
        noisy = X[:, :n_outputs] + 0.5 * rng.normal(size=(n, n_outputs))
        if multilabel:
            return Dataset(X, np.where(rng.random(noisy.shape) < 0.3, np.nan, noisy > 0).astype(np.float32))
        return Dataset(X, noisy.argmax(axis=1))

    return TaskRows(draw(n_train), draw(max(2, n_train // 4)), n_outputs, "mean_auc" if multilabel else "accuracy")


def fused(network: nn.Module) -> nn.Module:
    """Return a network that is computed by fused kernels, which only the stages that ask for them need Triton for."""
    from snnbench.models.kernels.fusing import fuse

    found = fuse(network)
    assert found is not network, "no kernel knows this network"
    return found


def step_of(
    setting: Setting, configs: list[Config], rows: TaskRows, eager: bool = False, kernels: str = "plain"
) -> Callable[[], None]:
    """Return one training step of a stack on a task, replayed where there is a GPU."""
    model, device, zeros = configs[0].model, torch.device(setting.device), [0] * len(configs)
    size = stack_size(configs[0], rows.n_features, rows.n_outputs, len(rows.train.y), 128)
    stack = Stack("search", configs, [rows], task_of=zeros, seeds=zeros, n_epochs=[1] * len(configs), size=size)
    network = build_network(load_class(NETWORKS[model]), stack, device)
    network = fused(network) if kernels == "fused" else network
    feed = MultiTaskLoader(stack, size, device, torch.float32)
    feed.start_epoch(1)
    feed.shuffle()
    optimizer = make_optimizer(network, stack.learning_rates)
    for layer in network.modules():
        if hasattr(layer, "counter"):
            layer.counter = feed.counter

    def take() -> None:
        network.train()
        feed.columns.zero_()  # always the first batch, so that any number of steps can be taken
        feed.columns.add_(torch.arange(size.n_batch, device=device))
        batch = feed.next_batch()
        for layer in network.modules():
            if hasattr(layer, "row_share"):
                layer.row_share = batch.row_share.unsqueeze(-1)
        step(network, optimizer, batch)

    return take if eager else replayed(take, device)
