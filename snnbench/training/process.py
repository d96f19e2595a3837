"""What every process that trains does first, so that results do not depend on where they were computed."""

import ctypes
import platform

import torch
from threadpoolctl import threadpool_limits

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
