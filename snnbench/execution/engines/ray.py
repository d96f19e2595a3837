"""A Ray cluster that runs already: a chunk of jobs is a Ray task, and Ray chooses where it runs.

The driver submits a few chunks more than there are workers and collects results as they finish. A chunk whose worker or node
dies is submitted again by the driver, not by Ray, which cannot take a chunk apart.
"""

import logging
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnbench import __version__
from snnbench.errors import ConfigError, SnnbenchError
from snnbench.execution.engines import NO_CALLBACKS, EngineCallbacks, EngineSpec, Finished, FinishedJobs, OpenWorker, RunJob
from snnbench.execution.engines.chunks import Chunk, last_line, make_chunks, outcome_of, retry_or_fail
from snnbench.records import Job, digest

SUMMARY = "a Ray cluster that runs already"
REMOTE = True

_MIN_SECONDS = 0.2
"""Of a chunk: a task costs the cluster a few milliseconds (`make bench`, part g)."""
_MIN_GPU_SECONDS = 120.0
"""Of a chunk on a GPU, for which Ray starts a process of its own: several seconds."""
_CHUNKS_PER_WORKER = 2
_SECONDS_BETWEEN_LOOKS = 5.0
_CONNECT_SECONDS = 5.0
_TOKEN_FILE = Path("~/.ray/auth_token")


@dataclass(frozen=True)
class Options:
    """Where the cluster is and what a job reserves there.

    ``address`` is ``HOST:PORT``, ``ray://HOST:PORT``, or ``auto`` for the cluster that this machine belongs to.
    """

    address: str = "auto"
    cpus_per_job: int = 1
    gpus_per_job: float = 0.0
    max_in_flight: int | None = None
    max_retries: int = 2


@dataclass(frozen=True)
class _Cluster:
    """How many nodes it has, how many jobs they run at once, and the memory of the largest that can run one."""

    n_nodes: int
    n_workers: int
    memory_bytes: int


def engine_spec(options: Options, results: Path) -> EngineSpec:
    """Connect to the cluster and count how many jobs its CPUs and GPUs run at once.

    Raises:
        ConfigError: If Ray is not installed, the cluster cannot be reached or is too small for a job.
    """
    if options.gpus_per_job > 1 and options.gpus_per_job % 1:
        raise ConfigError(f"--gpus-per-job must be a part of one GPU or a whole number, found {options.gpus_per_job:g}.")
    ray = _connect(options.address)
    n_workers, n_gpu_workers = (_look(ray, options, on_gpu).n_workers for on_gpu in (False, True))
    gpus_wanted = options.gpus_per_job > 0
    if not n_workers or (gpus_wanted and not n_gpu_workers):
        need = f"{options.cpus_per_job} CPUs" + (f" and {options.gpus_per_job:g} GPUs" if gpus_wanted else "")
        found = {name: total for name, total in ray.cluster_resources().items() if name in ("CPU", "GPU")}
        raise ConfigError(
            f"The Ray cluster must have a node with {need} for a job, found {found or 'none'} in all. "
            "Lower --cpus-per-job or --gpus-per-job, or add nodes."
        )
    return EngineSpec("ray", options, n_workers, max(1, n_gpu_workers))


def recover_jobs(jobs: Sequence[Job], engine_spec: EngineSpec) -> Sequence[Job]:
    """Return the jobs: Ray ends the tasks of a driver that is gone."""
    return jobs


def run_jobs(
    jobs: Sequence[Job],
    open_worker: OpenWorker,
    engine_spec: EngineSpec,
    callbacks: EngineCallbacks = NO_CALLBACKS,
    on_gpu: bool = False,
) -> FinishedJobs:
    """Run jobs on the cluster, in about the order given, and yield each as it finishes.

    Once ``callbacks.stop`` is true, tasks that no worker has begun are cancelled.

    Raises:
        SnnbenchError: If a worker lacks the code or the data.
    """
    if not jobs:
        return
    ray, options = _library(), engine_spec.options
    # A process that has used a GPU keeps it, and the memory there, even if Ray gives it another one for the next task.
    submit = ray.remote(max_retries=0, **({"max_calls": 1} if on_gpu else {}))(_run_chunk).options
    # In a list Ray hands a reference on as it is: a process fetches it once, and not again for another stage of the same run.
    opened = [digest(repr(open_worker)), ray.put(open_worker)]
    cluster, next_look, stopped = _look(ray, options, on_gpu), 0.0, False
    share = sum(job.seconds for job in jobs) / max(1, _CHUNKS_PER_WORKER * cluster.n_workers)
    queue = deque(make_chunks(jobs, min(share, _MIN_GPU_SECONDS if on_gpu else _MIN_SECONDS)))
    in_flight: dict[Any, tuple[Chunk, float]] = {}
    try:
        while (queue and not stopped) or in_flight:
            if callbacks.stop() and not stopped:
                stopped = True
                for ref in in_flight:
                    ray.cancel(ref, force=False)  # workers ignore the signal, so this ends pending tasks only
            if time.monotonic() >= next_look:
                cluster, next_look = _look(ray, options, on_gpu), time.monotonic() + _SECONDS_BETWEEN_LOOKS
                callbacks.on_workers_changed(cluster.n_nodes, cluster.n_workers)
                for ref, (_, memory) in in_flight.items():
                    if memory > cluster.memory_bytes:  # only a node that has left had room for it
                        ray.cancel(ref, force=False)
            room = options.max_in_flight or max(1, _CHUNKS_PER_WORKER * cluster.n_workers)
            while queue and not stopped and len(in_flight) < room:
                chunk = queue.popleft()
                needs = _needs(chunk, options, cluster, on_gpu)
                in_flight[submit(**needs).remote(opened, chunk.jobs)] = chunk, needs["memory"]
                for job in chunk.jobs:
                    callbacks.started(job)
            for ref in _ready(ray, list(in_flight)):
                finished, again = _collect(ray, ref, in_flight.pop(ref)[0], options.max_retries)
                yield from finished
                queue.extendleft(again)
    finally:
        for ref in in_flight:
            ray.cancel(ref, force=True)


def _ready(ray: Any, refs: list[Any]) -> list[Any]:
    """Wait a moment for the first result, and return all that are there."""
    if not refs:
        return []
    done, rest = ray.wait(refs, num_returns=1, timeout=0.5)
    return done + (ray.wait(rest, num_returns=len(rest), timeout=0)[0] if done and rest else [])


def _collect(ray: Any, ref: Any, chunk: Chunk, max_retries: int) -> tuple[list[Finished], list[Chunk]]:
    """Return the outcomes of a task and, if it died or was cancelled, what is to be submitted again."""
    try:
        found = ray.get(ref)
    except ray.exceptions.TaskCancelledError:
        return [], [chunk]
    except ray.exceptions.RayTaskError as error:  # jobs raise nothing that gets so far
        raise SnnbenchError(
            f"Every node of the Ray cluster must be able to run snnbench {__version__}, but on one it failed: {_words(error)}. "
            "Install it there, with the same Python."
        ) from error
    except ray.exceptions.RayError as error:
        again, given_up = retry_or_fail(chunk, chunk.jobs, max_retries, _words(error))
        return given_up, again
    if isinstance(found, str):
        raise SnnbenchError(found)
    return list(zip(chunk.jobs, found, strict=True)), []


def _words(error: Exception) -> str:
    return last_line(str(error)) or type(error).__name__


_workers: dict[str, RunJob] = {}
"""In a worker process: what runs a job of the run that it works for."""


def _run_chunk(opened: list[Any], jobs: Sequence[Job]) -> list[Any] | str:
    """In a worker process: return the outcomes of jobs, or why this node can run none."""
    # Ray interrupts a task that is cancelled while it runs; the driver cancels only what should not begin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name, ref = opened
    if name not in _workers:
        try:
            run_job = _library().get(ref)(0)
        except SnnbenchError as error:
            return str(error)
        _workers.clear()
        _workers[name] = run_job
    return [outcome_of(job, _workers[name]) for job in jobs]


def _needs(chunk: Chunk, options: Options, cluster: _Cluster, on_gpu: bool) -> dict[str, float]:
    """Return what a task reserves; never more memory than the largest node has, or it would stay pending for ever."""
    memory = min(chunk.memory_bytes, cluster.memory_bytes)
    needs: dict[str, float] = {"num_cpus": options.cpus_per_job, "memory": memory}
    return needs | ({"num_gpus": options.gpus_per_job} if on_gpu else {})


def _look(ray: Any, options: Options, on_gpu: bool) -> _Cluster:
    """Return the state of the cluster now: nodes join and leave."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    jobs_at_once = [_jobs_at_once(node, options, on_gpu) for node in nodes]
    memory = [node.get("memory", 0) for node, n_jobs in zip(nodes, jobs_at_once, strict=True) if n_jobs]
    return _Cluster(len(nodes), sum(jobs_at_once), int(max(memory, default=0)))


def _jobs_at_once(node: Mapping[str, float], options: Options, on_gpu: bool) -> int:
    by_cpu, n_gpus = int(node.get("CPU", 0) // options.cpus_per_job), node.get("GPU", 0)
    if not on_gpu:
        return by_cpu
    share = options.gpus_per_job
    return min(by_cpu, int(n_gpus // share if share >= 1 else n_gpus * (1 // share)) if share else 0)


def _library() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ConfigError("--engine ray needs the package ray. Install it: pip install 'snnbench[ray]'.") from error
    return ray


def _connect(address: str) -> Any:
    """Connect this process to a cluster, once."""
    if _TOKEN_FILE.expanduser().exists():
        # `ray start` asks for the token as soon as there is one; a driver that connects says so only if it is told to.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    ray = _library()
    if ray.is_initialized():
        return ray
    _check_address(address)
    try:
        ray.init(address=address, namespace="snnbench", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise ConfigError(
            f"--address must be that of a Ray cluster, but connecting to {address} failed: {_words(error)}. "
            "Start one with `ray start --head` and join it from here with `ray start --address HOST:PORT`, or give "
            f"ray://HOST:10001 to stay outside. A cluster that asks for a token needs it in {_TOKEN_FILE}."
        ) from error
    return ray


def _check_address(address: str) -> None:
    """Try the port first: Ray itself retries for a long time."""
    if address == "auto":
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (host and colon and port.isdigit()):
        raise ConfigError(f"--address must be HOST:PORT, ray://HOST:PORT or auto, found '{address}'.")
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise ConfigError(
            f"--address must be that of a Ray cluster, but {address} does not answer: {error}. "
            "Start one with `ray start --head`, and give HOST:PORT as it prints it."
        ) from error
