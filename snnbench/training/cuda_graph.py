"""CUDA graphs: what a stack does in every step is recorded once and then replayed without launching its kernels one by one."""

from collections.abc import Callable
from functools import cache

import torch

_N_WARM_UPS = 3
"""Calls before the recording, as torch asks for: libraries choose their kernels and take their memory in them."""


@cache
def _side_stream(device: int) -> torch.cuda.Stream:
    """Return the stream for warm-ups: one a process, since libraries keep a workspace for every stream."""
    return torch.cuda.Stream(device)


def replayed(action: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return a function that does the same and, on a GPU, is a replay from the fourth call on.

    Args:
        action: Reads and writes tensors that stay where they are; it must not synchronise with the device, and what it does
            must not depend on anything but those tensors.
        device: Where these tensors are. On a CPU the action itself is returned.
    """
    if device.type != "cuda":
        return action
    graph: torch.cuda.CUDAGraph | None = None
    n_calls = 0

    def call() -> None:
        nonlocal graph, n_calls
        n_calls += 1
        if n_calls <= _N_WARM_UPS:
            stream = _side_stream(torch.cuda.current_device())
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                action()
            torch.cuda.current_stream().wait_stream(stream)
            return
        if graph is None:
            graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
            try:
                with torch.cuda.graph(graph):  # records, and runs nothing
                    action()
            finally:
                torch.cuda.set_stream(before)  # torch stays on the recording stream when a recording fails
        graph.replay()

    return call
