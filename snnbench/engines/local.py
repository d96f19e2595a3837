"""Processes on this machine, one job each at a time."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.queues import SimpleQueue

from snnbench.records import Job, Result

RunJob = Callable[[Job], list[Result]]
Outcome = list[Result] | Exception

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def run_jobs(
    jobs: Sequence[Job],
    run_job: RunJob,
    n_workers: int,
    prepare: Callable[[int], None],
    started: Callable[[Job], None] = lambda job: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Job, Outcome]]:
    """Run jobs in worker processes, in the order given, and yield each as it finishes.

    A worker that dies (killed, out of memory) takes the jobs in flight with it. They are run again, each alone, so that only
    the one at fault ends with an exception.

    Args:
        jobs: What to run.
        run_job: Called in the worker; must be picklable.
        n_workers: Number of processes.
        prepare: Called once in every worker before its first job, with the worker's number from 0 on; must be picklable.
        started: Called when a job is handed to a worker.
        stop: Asked before a job is started; once true, the jobs in flight are finished and no other is started.
    """
    queue, suspects = deque(jobs), deque[Job]()
    while (queue or suspects) and not stop():
        alone = bool(suspects)
        waiting, width = (suspects, 1) if alone else (queue, n_workers)
        with _pool(min(width, len(waiting)), prepare) as pool:
            lost = yield from _until_broken(pool, waiting, width, run_job, started, stop)
        if alone and lost:
            yield lost[0], RuntimeError("the worker process died: killed, or out of memory")
        else:
            suspects.extend(lost)


def _until_broken(
    pool: ProcessPoolExecutor,
    waiting: deque[Job],
    width: int,
    run_job: RunJob,
    started: Callable[[Job], None],
    stop: Callable[[], bool],
) -> Generator[tuple[Job, Outcome], None, list[Job]]:
    """Feed the pool until nothing is waiting or a worker died; return the jobs that died with it."""
    in_flight: dict[Future[list[Result]], Job] = {}
    lost: list[Job] = []
    while (waiting and not lost and not stop()) or in_flight:
        while waiting and not lost and len(in_flight) < width and not stop():
            try:
                future = pool.submit(run_job, waiting[0])
            except BrokenProcessPool:  # a worker died while nobody looked, and took all jobs in flight with it
                return list(in_flight.values())
            in_flight[future] = waiting.popleft()
            started(in_flight[future])
        for future in wait(in_flight, return_when=FIRST_COMPLETED).done:
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
def _pool(n_workers: int, prepare: Callable[[int], None]) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of fresh processes of one thread each; kill them when the caller is interrupted."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)  # read by the numerical libraries when a worker loads them
    context = _context(prepare)
    numbers = context.SimpleQueue()
    for number in range(n_workers):
        numbers.put(number)
    pool = ProcessPoolExecutor(n_workers, context, _start_worker, (prepare, numbers))
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


def _context(prepare: Callable[[int], None]) -> multiprocessing.context.BaseContext:
    """Start workers from a clean server process that has loaded their packages once, where the system has such a thing.

    Forking the calling process instead could copy another thread's locked lock.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([getattr(prepare, "func", prepare).__module__])
    # Ctrl-C reaches every process of the terminal and would end the server while it loads. It inherits what is blocked here;
    # the resource tracker is started first because starting it unblocks the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _start_worker(prepare: Callable[[int], None], numbers: "SimpleQueue[int]") -> None:
    # Ctrl-C reaches every process of the terminal; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    prepare(numbers.get())


def _die_with_parent() -> None:
    """End the worker when its parent is gone, even killed: nobody would store what it computes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
