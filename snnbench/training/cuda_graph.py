"""CUDA graphs: what a stack does in every step is recorded once and then replayed without launching its kernels one by one."""

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

_N_WARM_UPS = 3
"""Calls before the recording, as torch asks for: libraries choose their kernels and take their memory in them."""

_preparing = threading.Lock()
"""One thread warms up or records at a time, while others replay: a recording begins by waiting for the whole device, which
another's would not survive, and in a warm-up kernels are compiled and memory is taken."""


@cache
def _side_stream(device: int, stream: int) -> torch.cuda.Stream:
    """Return the stream for warm-ups beside a stream: always the same, since libraries keep a workspace for every stream."""
    return torch.cuda.Stream(device)


def new_pool(device: torch.device) -> Any:
    """Return memory that recordings can share which never run at the same time: those of one stack. None on a CPU."""
    return torch.cuda.graph_pool_handle() if device.type == "cuda" else None


def replayed(action: Callable[[], None], device: torch.device, pool: Any = None) -> Callable[[], None]:
    """Return a function that does the same and, on a GPU, is a replay from the fourth call on.

    Args:
        action: Reads and writes tensors that stay where they are; it must not synchronise with the device, and what it does
            must not depend on anything but those tensors.
        device: Where these tensors are. On a CPU the action itself is returned.
        pool: The memory of ``new_pool``, shared with other recordings; by default a recording has its own.
    """
    if device.type != "cuda":
        return action
    graph: torch.cuda.CUDAGraph | None = None
    n_calls = 0

    def call() -> None:
        nonlocal graph, n_calls
        n_calls += 1
        if n_calls <= _N_WARM_UPS:
            before = torch.cuda.current_stream()
            stream = _side_stream(torch.cuda.current_device(), before.cuda_stream)
            stream.wait_stream(before)
            with _preparing, torch.cuda.stream(stream):
                action()
            torch.cuda.current_stream().wait_stream(stream)
            return
        if graph is None:
            graph = _record(action, pool)
        graph.replay()

    return call


def _record(action: Callable[[], None], pool: Any) -> torch.cuda.CUDAGraph:
    """Record an action, which runs nothing; other threads may go on meanwhile."""
    graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    with _preparing:
        try:
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                action()
        finally:
            torch.cuda.set_stream(before)  # torch stays on the recording stream when a recording fails
    return graph
