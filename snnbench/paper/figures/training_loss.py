"""Figure 1: how the training loss of SELU and of batch-normalised networks falls, at depths 8, 16 and 32.

Settings of the paper and of its authors' script: hidden layers as wide as the input, SGD with learning rate 1e-5 on a loss
summed over the batch of 128, inputs standardised, batch normalisation after ReLU, 2000 epochs. Our loss is averaged over the
batch, where the same steps have learning rate 1.28e-3. Incomplete batches do not occur: the rows are cut to whole ones.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from snnbench.config import TrainingSettings
from snnbench.errors import ConfigError
from snnbench.figure_files import BLUE, ORANGE
from snnbench.models import NETWORKS, load_class
from snnbench.paper.figures.images import load_images
from snnbench.records import Config, Dataset
from snnbench.training.process import prepare_process
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import build_network, train_stack

MODELS = {"snn": {}, "batchnorm": {"placement": "after", "decay": 0.99}}
"""The networks of the figure, and what differs from the benchmark's: the authors normalise after ReLU."""

DEPTHS = (8, 16, 32)
BATCH_SIZE = 128
LEARNING_RATE = 1e-5 * BATCH_SIZE


@dataclass(frozen=True)
class Preset:
    """How long the figure trains.

    On the first ``n_rows`` rows (0 = all), in networks as wide as the input but at most ``max_units`` (0 = no limit).
    """

    n_rows: int
    n_epochs: int
    max_units: int


PRESETS = {"quick": Preset(n_rows=20 * BATCH_SIZE, n_epochs=10, max_units=784), "paper": Preset(0, 2000, 0)}


@dataclass(frozen=True)
class StackRequest:
    """One stack to train: a model at one depth, a member a seed. Names and numbers only, so that it travels."""

    images: str
    files: tuple[Path, ...]
    model: str
    depth: int
    preset: Preset
    learning_rate: float
    n_seeds: int
    device: str


def plan_stacks(
    images: str,
    files: tuple[Path, ...],
    preset: Preset,
    depths: Sequence[int] = DEPTHS,
    learning_rate: float = LEARNING_RATE,
    n_seeds: int = 1,
    device: str = "cpu",
) -> list[StackRequest]:
    """Return the stacks of the figure, the slowest first; networks of different depth have different shapes.

    Raises:
        ConfigError: If the rows do not fill a batch.
    """
    if 0 < preset.n_rows < BATCH_SIZE:
        raise ConfigError(f"The rows must fill at least one batch of {BATCH_SIZE}, found {preset.n_rows}.")
    return [
        StackRequest(images, files, model, depth, preset, learning_rate, n_seeds, device)
        for depth in sorted(set(depths), reverse=True)
        for model in MODELS
    ]


def measure_losses(
    requests: Sequence[StackRequest],
    n_workers: int,
    report: Callable[[StackRequest, float], None] = lambda stack, seconds: None,
) -> pd.DataFrame:
    """Train the stacks in worker processes.

    Args:
        requests: Of ``plan_stacks``.
        n_workers: Number of processes.
        report: Is told every stack that is done, and the seconds that it took.

    Returns:
        One row a network and epoch: model, depth, seed, epoch (from 1), loss (mean over the rows as they were seen).
    """
    frames = []
    for request, frame, seconds in _trained(requests, n_workers):
        report(request, seconds)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True).sort_values(["depth", "model", "seed", "epoch"], ignore_index=True)


def _trained(requests: Sequence[StackRequest], n_workers: int) -> Iterator[tuple[StackRequest, pd.DataFrame, float]]:
    with ProcessPoolExecutor(min(n_workers, len(requests)), get_context("spawn"), prepare_process) as pool:
        futures = {pool.submit(train_request, request): request for request in requests}
        try:
            for future in as_completed(futures):
                yield futures[future], *future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def train_request(request: StackRequest) -> tuple[pd.DataFrame, float]:
    """Train one stack; return its rows of the table, and the seconds."""
    rows = _whole_batches(load_images(request.images, request.files), request.preset.n_rows)
    n_features, n_outputs = rows.X.shape[1], int(rows.y.max()) + 1
    n_units = min(n_features, request.preset.max_units or n_features)
    values = {"n_units": n_units, "n_layers": request.depth, "form": "rectangular", "learning_rate": request.learning_rate}
    config = Config(request.model, tuple((values | MODELS[request.model]).items()))
    seeds = list(range(request.n_seeds))
    held_out = Dataset(rows.X[:BATCH_SIZE], rows.y[:BATCH_SIZE])  # whose score is not used
    task_rows = TaskRows(rows, held_out, n_outputs)
    stack = stack_of_one_task("evaluate", [config] * len(seeds), task_rows, seeds, request.preset.n_epochs)
    network = build_network(load_class(NETWORKS[request.model]), stack, request.device)
    run = train_stack(network, stack, TrainingSettings(batch_size=BATCH_SIZE))
    losses = (
        pd.DataFrame(run.train_loss, columns=seeds)
        .rename_axis(index="epoch", columns="seed")
        .stack()
        .rename("loss")
        .reset_index()
    )
    return losses.assign(model=request.model, depth=request.depth, epoch=losses["epoch"] + 1), run.seconds


def resize(preset: Preset, n_rows: int | None, n_epochs: int | None) -> Preset:
    """Return the preset with what was asked for otherwise."""
    return replace(preset, n_rows=preset.n_rows if n_rows is None else n_rows, n_epochs=n_epochs or preset.n_epochs)


def draw_losses(losses: pd.DataFrame, title: str) -> Any:
    """Return the chart: a line a network, colour by model, dashes by depth; the mean over seeds."""
    import altair as alt

    names = {"snn": "SNN", "batchnorm": "BatchNorm"}
    table = losses.groupby(["model", "depth", "epoch"], as_index=False)["loss"].mean().replace({"model": names})
    table["network"] = table["model"] + " " + table["depth"].astype(str)
    depths = sorted(table["depth"].unique())
    dashes = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2]]
    return (
        alt.Chart(table, title=title)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, grid=False)),
            y=alt.Y("loss:Q", title="training loss", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(grid=False)),
            color=alt.Color("model:N", title=None, scale=alt.Scale(domain=list(names.values()), range=[ORANGE, BLUE])),
            strokeDash=alt.StrokeDash(
                "depth:O",
                title="hidden layers",
                scale=alt.Scale(domain=depths, range=[dashes[i % 4] for i in range(len(depths))]),
            ),
        )
        .properties(width=420, height=300)
    )


def _whole_batches(rows: Dataset, n_rows: int) -> Dataset:
    n_rows = min(n_rows or len(rows.y), len(rows.y)) // BATCH_SIZE * BATCH_SIZE
    return Dataset(rows.X[:n_rows], rows.y[:n_rows])
