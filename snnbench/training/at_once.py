"""Several stacks at once in one process: threads, on a GPU each with a stream of its own.

A stack of few members leaves most of a GPU idle, and some shapes have no more members. Stacks share nothing but the device, so
none of their numbers depends on what is trained beside them.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch

from snnbench.records import TrainedMember

Trained = list[TrainedMember] | Exception
"""What training gave the members of a stack, or why it gave nothing."""


def train_at_once(
    needs: Sequence[float], budget: float, n_at_once: int, train: Callable[[int], list[TrainedMember]], device: str = "cpu"
) -> list[Trained]:
    """Train stacks, each as soon as there is a place for it and memory; those that take longest should stand first.

    Args:
        needs: (n_stacks,) bytes that each is estimated to take; one that takes more than all is trained alone.
        budget: Bytes that those in training may take together.
        n_at_once: Stacks in training at most.
        train: Trains the stack at a place; called in a thread.
        device: Where.

    Returns:
        (n_stacks,) in the order of the stacks. The seconds of all members add up to those of the whole.
    """
    found: dict[int, Trained] = {}
    waiting, running = list(range(len(needs))), dict[Future[list[TrainedMember]], int]()
    start, gpu = time.perf_counter(), torch.cuda.current_device() if device == "cuda" else None
    with ThreadPoolExecutor(n_at_once, initializer=_prepare_thread, initargs=(gpu,)) as pool:
        while waiting or running:
            free = budget - sum(needs[place] for place in running.values())
            fits = next((place for place in waiting if needs[place] <= free or not running), None)
            if fits is not None and len(running) < n_at_once:
                waiting.remove(fits)
                running[pool.submit(_in_thread, train, fits)] = fits
                continue
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                error = done.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error
                found[running.pop(done)] = done.result() if error is None else error
    return _shared_seconds([found[place] for place in range(len(needs))], time.perf_counter() - start)


def _shared_seconds(trained: Sequence[Trained], seconds: float) -> list[Trained]:
    """Divide the seconds of the whole in proportion to those that each member was in training."""
    counted = sum(member.seconds for members in trained if not isinstance(members, Exception) for member in members)
    share = seconds / counted if counted else 1.0
    return [
        members if isinstance(members, Exception) else [replace(member, seconds=share * member.seconds) for member in members]
        for members in trained
    ]


_thread = threading.local()


def _prepare_thread(gpu: int | None) -> None:
    """Make a thread compute as the process does (``snnbench.training.process``), on a stream of its own."""
    # The threads of torch, the flushing of denormals and the device are set for a thread, not for the process.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    _thread.stream = None
    if gpu is not None:
        torch.cuda.set_device(gpu)
        _thread.stream = torch.cuda.Stream()


def _in_thread(train: Callable[[int], list[TrainedMember]], place: int) -> list[TrainedMember]:
    own: AbstractContextManager[object] = nullcontext() if _thread.stream is None else torch.cuda.stream(_thread.stream)
    with own:
        return train(place)
