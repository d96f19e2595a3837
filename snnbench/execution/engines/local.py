"""Processes on this machine, one job each at a time."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from snnbench.execution.engines import (
    NO_CALLBACKS,
    ONE_THREAD,
    EngineCallbacks,
    EngineSpec,
    Finished,
    FinishedJobs,
    OpenWorker,
    RunJob,
)
from snnbench.records import Job, Result

SUMMARY = "processes on this machine"
REMOTE = False

_IS_WINDOWS = os.name == "nt"
_MAX_WORKERS = 61 if _IS_WINDOWS else sys.maxsize
"""More handles than these no process of Windows can wait for."""
_LOOK_SECONDS = 1.0 if _IS_WINDOWS else None
"""How long a wait for jobs may last: Windows notices Ctrl-C only between two of them."""


@dataclass(frozen=True)
class Options:
    """``workers``: processes; by default one for each core."""

    workers: int | None = None


def engine_spec(options: Options, results: Path) -> EngineSpec:
    """Return as many workers as the options say, of which no more train networks on GPUs than there are GPUs."""
    import torch

    n_workers = min(options.workers or n_cores(), _MAX_WORKERS)
    return EngineSpec("local", options, n_workers, min(n_workers, max(1, torch.cuda.device_count())))


def n_cores() -> int:
    """Return the cores that this process may use, which containers and batch systems restrict."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def recover_jobs(jobs: Sequence[Job], engine_spec: EngineSpec) -> Sequence[Job]:
    """Return the jobs: no process outlives a run here."""
    return jobs


def run_jobs(
    jobs: Sequence[Job],
    open_worker: OpenWorker,
    engine_spec: EngineSpec,
    callbacks: EngineCallbacks = NO_CALLBACKS,
    on_gpu: bool = False,
) -> FinishedJobs:
    """Run jobs in worker processes, in the order given, and yield each as it finishes.

    When a worker dies (killed, out of memory), all jobs in flight are lost. They are run again, each alone, so that only the
    one at fault ends with an exception.
    """
    n_workers = engine_spec.n_gpu_workers if on_gpu else engine_spec.n_workers
    queue, suspects = deque(jobs), deque[Job]()
    while (queue or suspects) and not callbacks.stop():
        alone = bool(suspects)
        waiting, width = (suspects, 1) if alone else (queue, n_workers)
        with _pool(min(width, len(waiting)), open_worker) as pool:
            lost = yield from _until_broken(pool, waiting, width, callbacks)
        if alone and lost:
            yield lost[0], RuntimeError("the worker process died: killed, or out of memory")
        else:
            suspects.extend(lost)


def _until_broken(
    pool: ProcessPoolExecutor, waiting: deque[Job], width: int, callbacks: EngineCallbacks
) -> Generator[Finished, None, list[Job]]:
    """Feed the pool until nothing is waiting or a worker died; return the jobs that died with it."""
    in_flight: dict[Future[list[Result]], Job] = {}
    lost: list[Job] = []
    while (waiting and not lost and not callbacks.stop()) or in_flight:
        while waiting and not lost and len(in_flight) < width and not callbacks.stop():
            try:
                future = pool.submit(_run_job, waiting[0])
            except BrokenProcessPool:  # a worker died since the last look, and all jobs in flight with it
                return list(in_flight.values())
            in_flight[future] = waiting.popleft()
            callbacks.started(in_flight[future])
        for future in wait(in_flight, _LOOK_SECONDS, FIRST_COMPLETED).done:
            job = in_flight.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                lost.append(job)
            else:
                yield job, future.result() if error is None else _as_exception(error)
    return lost


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


@contextmanager
def _pool(n_workers: int, open_worker: OpenWorker) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of fresh processes of one thread each; kill them when the caller is interrupted."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)  # read by the numerical libraries when a worker loads them
    context = _context(open_worker)
    numbers = context.SimpleQueue()
    for number in range(n_workers):
        numbers.put(number)
    pool = ProcessPoolExecutor(n_workers, context, _start_worker, (open_worker, numbers))
    try:
        yield pool
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _context(open_worker: OpenWorker) -> multiprocessing.context.BaseContext:
    """Start workers from a clean server process that has loaded their packages once, where the system has such a thing.

    Forking the calling process instead could copy another thread's locked lock.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([getattr(open_worker, "func", open_worker).__module__])
    # Ctrl-C reaches every process of the terminal and would end the server while it loads. It inherits what is blocked here;
    # the resource tracker is started first because starting it unblocks the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


_worker: list[RunJob] = []
"""In a worker process: what runs a job."""


def _start_worker(open_worker: OpenWorker, numbers: "SimpleQueue[int]") -> None:
    # Ctrl-C reaches every process of the terminal; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _worker.append(open_worker(numbers.get()))


def _run_job(job: Job) -> list[Result]:
    return _worker[0](job)


def _die_with_parent() -> None:
    """End the worker when its parent is gone, even killed: its results would not be stored."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
