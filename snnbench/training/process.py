"""What every process that trains does first, so that results do not depend on where they were computed."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import scipy.linalg.cython_blas  # noqa: F401  (so that its threads are limited, too)
import torch
from threadpoolctl import ThreadpoolController, threadpool_limits

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def prepare_process(number: int = 0, on_gpu: bool = False) -> None:
    """Set one thread, flush denormal numbers to zero, keep freed memory, and take a GPU if asked for.

    One thread a process is faster than two in one (measured in ``make bench``'s setting) and makes sums exact: with more
    threads a wide member's bits can depend on the machine's load. Flushing denormals changes values, so it is part of the
    protocol.

    Args:
        number: The worker's; workers share the GPUs evenly by it.
        on_gpu: Whether the process trains networks on a GPU.
    """
    if on_gpu:  # otherwise CUDA is not even started
        torch.cuda.set_device(number % torch.cuda.device_count())
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    threadpool_limits(1)
    if platform.system() == "Linux" and platform.libc_ver()[0] == "glibc":
        # Otherwise glibc returns every layer's signals to the system at once, and each step pays for fresh pages again.
        libc = ctypes.CDLL(None)
        for option, n_bytes in ((_M_MMAP_THRESHOLD, 2**25), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**26)):
            libc.mallopt(option, n_bytes)


@contextmanager
def exact_process() -> Iterator[None]:
    """Compute as a worker does, with one thread and no denormal numbers, and leave the process as it was found."""
    n_threads, flushes = torch.get_num_threads(), _flushes_denormals()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with _thread_pools().limit(limits=1):
            yield
    finally:
        torch.set_flush_denormal(flushes)
        torch.set_num_threads(n_threads)


@cache
def _thread_pools() -> ThreadpoolController:
    """Return the thread pools of the numerical libraries; looking for them takes as long as some fits."""
    return ThreadpoolController()


def _flushes_denormals() -> bool:
    return bool((torch.full((1,), 1e-300, dtype=torch.float64) * 1e-10 == 0).item())
