"""What several small stacks at once take: one after another, on streams, as branches of one graph, in processes."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import torch
from setting import Cases, Setting, configs_of, rows_of, seconds_of, step_of, wait

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models.layers.precision import precision
from snnbench.records import Compute, TrainedMember
from snnbench.training.at_once import train_at_once
from snnbench.training.networks import train_networks
from snnbench.training.stack import stack_of_one_task

N_STACK = 6


def cases(setting: Setting) -> Cases:
    """Yield a case for each way and number of stacks at once."""
    for n in (1, 2) if setting.tiny else (1, 2, 4, 8):
        for name, way in WAYS.items():
            yield f"{name}, {n} at once", lambda way=way, n=n: {"us_a_step": 1e6 * way(setting, n)}


def _steps(setting: Setting, n: int, eager: bool = False) -> list[Callable[[], None]]:
    rows = rows_of(setting.scaled(1000, 200), 16, 3)
    configs = configs_of("snn", N_STACK, setting.scaled(256, 8), setting.scaled(16, 2), 0.05)
    return [step_of(setting, configs, rows, eager) for _ in range(n)]


def one_after_another(setting: Setting, n: int) -> float:
    """Return the seconds of a stack's step."""
    steps = _steps(setting, n)
    with precision(setting.precision):
        return seconds_of(lambda: [take() for take in steps], setting.device, setting.scaled(20, 3)) / n


def on_streams(setting: Setting, n: int) -> float:
    """Replay each stack on a stream of its own."""
    steps = _steps(setting, n)
    with precision(setting.precision):
        for _ in range(5):  # records every step before streams run side by side
            for take in steps:
                take()
        streams = [torch.cuda.Stream() if setting.device == "cuda" else None for _ in steps]
        wait(setting.device)

        def all_at_once() -> None:
            for take, stream in zip(steps, streams, strict=True):
                if stream is None:
                    take()
                    continue
                with torch.cuda.stream(stream):
                    take()

        return seconds_of(all_at_once, setting.device, setting.scaled(20, 3)) / n


def as_branches(setting: Setting, n: int) -> float:
    """Record the steps of all stacks as branches of one graph."""
    steps = _steps(setting, n, eager=True)
    with precision(setting.precision):
        for _ in range(3):
            for take in steps:
                take()
        if setting.device != "cuda":
            return seconds_of(lambda: [take() for take in steps], setting.device, 3) / n
        streams, graph = [torch.cuda.Stream() for _ in steps], torch.cuda.CUDAGraph()
        wait(setting.device)
        with torch.cuda.graph(graph):
            before = torch.cuda.current_stream()
            for take, stream in zip(steps, streams, strict=True):
                stream.wait_stream(before)
                with torch.cuda.stream(stream):
                    take()
            for stream in streams:
                before.wait_stream(stream)
        return seconds_of(graph.replay, setting.device, 20) / n


def in_processes(setting: Setting, n: int) -> float:
    """Let each stack be a process of its own; they begin together."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(n, context) as pool:
        barrier = manager.Barrier(n)
        return max(pool.map(_wait_and_train, [setting] * n, [barrier] * n)) / n


def by_the_scheduler(setting: Setting, n: int) -> float:
    """Train n stacks at once as a job does: the difference between longer trainings and shorter ones, which both set up."""
    rows, configs = rows_of(setting.scaled(1000, 200), 16, 3), configs_of("snn", N_STACK, setting.scaled(256, 8), 4, 0.05)
    compute = Compute(setting.device, setting.precision, "across-tasks")

    def train(n_epochs: int) -> float:
        stack = stack_of_one_task("search", configs, rows, [0] * N_STACK, n_epochs)

        def one(place: int) -> list[TrainedMember]:
            return list(train_networks(stack, ModelSettings(grid={}), TrainingSettings(), compute, budget=1e9))

        start = time.perf_counter()
        for trained in train_at_once([1] * n, n, n, one, setting.device):
            assert not isinstance(trained, Exception), trained
        return time.perf_counter() - start

    few, many = setting.scaled(10, 1), setting.scaled(60, 3)
    with precision(setting.precision):
        train(few)
        seconds = train(many) - train(few)
    return seconds / (many - few) / -(-len(rows.train.y) // 128) / n


def _wait_and_train(setting: Setting, barrier) -> float:
    (take,), n_times = _steps(setting, 1), setting.scaled(400, 10)
    with precision(setting.precision):
        for _ in range(5):
            take()
        wait(setting.device)
        barrier.wait(60)
        start = time.perf_counter()
        for _ in range(n_times):
            take()
        wait(setting.device)
    return (time.perf_counter() - start) / n_times


WAYS = {
    "one after another": one_after_another, "streams": on_streams, "branches": as_branches, "processes": in_processes,
    "the scheduler": by_the_scheduler,
}  # fmt: skip
