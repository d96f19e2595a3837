"""Slurm: bundles of jobs are elements of job arrays, which submitit submits.

All that passes between the front end and the elements lies in ``<results>/_slurm``, which every node must see. So the front end
may go: the same command finds the elements that still run and the outcomes that came meanwhile.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from snnbench.errors import ConfigError, SnnbenchError
from snnbench.execution.engines import NO_CALLBACKS, ONE_THREAD, EngineCallbacks, EngineSpec, Finished, FinishedJobs, OpenWorker
from snnbench.execution.engines.array_tasks import (
    STOP,
    ArrayTask,
    ArrayTaskProgram,
    add_array_task,
    find_array_tasks,
    note_submitted,
)
from snnbench.execution.engines.chunks import Chunk, last_line, make_chunks, retry_or_fail
from snnbench.records import Job
from snnbench.results.runlog import log_warning

SUMMARY = "Slurm job arrays, by submitit"
REMOTE = True

_MIN_SECONDS = 120.0
"""Of a bundle: an element spends several seconds in starting Python and loading torch."""
_SHARE_OF_TIME = 1 / 3
"""Of an element's time limit that a bundle is planned to take, since plans err."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0
"""Seconds between two looks; the scheduler is not to be bothered while nothing happens."""
_GRACE_SECONDS, _LONG_GRACE_SECONDS = 5.0, 75.0
"""How long an element must be over until its missing outcomes are believed: shared file systems show files late, NFS up to a
minute. The longer time is for one that says that it has done everything."""
_MANY = 10**6
"""How often an element may be queued again for want of time; it sees to it itself that it gets on."""
_SUBMITTED = "submitit"
"""The folder of submitit's own files: what it submits, and the logs."""
_OVER = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"}
_GONE = "GONE"
"""What we call the state of an element that Slurm has forgotten."""
_NEVER = {"BadConstraints", "InvalidAccount", "InvalidQOS", "PartitionConfig", "PartitionNodeLimit", "PartitionTimeLimit"}
"""Reasons for which an element would wait for ever."""
_HELD = {"JobHeldAdmin", "JobHoldMaxRequeue", "launch failed requeued held"}
"""Reasons for which an element that was queued again waits for somebody."""


@dataclass(frozen=True)
class Options:
    """What an element of an array asks of Slurm. ``time`` is in minutes; ``max_array`` elements are queued or run at once."""

    partition: str | None = None
    account: str | None = None
    time: int = 60
    max_array: int = 256
    cpus_per_job: int = 1
    gpus_per_job: float = 0.0
    max_retries: int = 2


def engine_spec(options: Options, results: Path) -> EngineSpec:
    """Check that Slurm and submitit are at hand.

    Raises:
        ConfigError: If one is not, or an option cannot be.
    """
    _library()
    if options.gpus_per_job != int(options.gpus_per_job):
        raise ConfigError(f"--gpus-per-job must be whole on Slurm, found {options.gpus_per_job:g}.")
    command = ["sinfo", "--noheader", "--format=%R"]
    try:
        partitions = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise ConfigError(f"--engine slurm must be started where Slurm's commands work, but sinfo says: {said}.") from error
    if options.partition and options.partition not in partitions:
        raise ConfigError(f"--partition must be one of {', '.join(sorted(set(partitions)))}, found {options.partition}.")
    return EngineSpec("slurm", options, options.max_array, options.max_array, (results / "_slurm").absolute())


def recover_jobs(jobs: Sequence[Job], engine_spec: EngineSpec) -> Sequence[Job]:
    """Return the same trainings in the jobs of elements that still run, or have run since, and in others."""
    wanted = {member.key for job in jobs for member in job.members}
    begun = {job.key: job for array_task in find_array_tasks(engine_spec.folder) for job in array_task.not_taken}
    begun = {key: job for key, job in begun.items() if wanted.issuperset(member.key for member in job.members)}
    covered = {member.key for job in begun.values() for member in job.members}
    rest = []
    for job in jobs:
        if left := tuple(member for member in job.members if member.key not in covered):
            rest.append(replace(job, members=left, seconds=job.seconds * len(left) / len(job.members)))
    return [*begun.values(), *rest]


def run_jobs(
    jobs: Sequence[Job],
    open_worker: OpenWorker,
    engine_spec: EngineSpec,
    callbacks: EngineCallbacks = NO_CALLBACKS,
    on_gpu: bool = False,
) -> FinishedJobs:
    """Run jobs as elements of arrays, in about the order given, and yield each as its outcome is found.

    Once ``callbacks.stop`` is true, what is queued is cancelled, and elements end after the job at hand. If the front end is
    interrupted all elements are cancelled; if it is killed they go on.

    Raises:
        SnnbenchError: If the elements cannot work, or another front end drives those of this folder.
    """
    if not jobs:
        return
    with _one_front_end(engine_spec.folder):
        array_tasks = _resume(jobs, engine_spec, callbacks)
        try:
            yield from _run_jobs(jobs, array_tasks, open_worker, engine_spec, callbacks, on_gpu)
        except (KeyboardInterrupt, GeneratorExit, SnnbenchError):
            _cancel(array_tasks)
            for array_task in array_tasks:
                array_task.discard()
            raise
        if not any(engine_spec.folder.glob("element-*")):  # of another stage, or of models that are not wanted this time
            shutil.rmtree(engine_spec.folder / _SUBMITTED, ignore_errors=True)
            (engine_spec.folder / STOP).unlink(missing_ok=True)


def _run_jobs(
    jobs: Sequence[Job],
    array_tasks: list[ArrayTask],
    open_worker: OpenWorker,
    engine_spec: EngineSpec,
    callbacks: EngineCallbacks,
    on_gpu: bool,
) -> FinishedJobs:
    """Submit, look and take what has come, until nothing is left; ``array_tasks`` are always those that may still run."""
    options: Options = engine_spec.options
    if n_long := sum(job.seconds > 60 * options.time for job in jobs):
        log_warning("slurm", f"{n_long} jobs are planned to take longer than --time {options.time}")
    wanted, begun = {job.key for job in jobs}, {job.key for array_task in array_tasks for job in array_task.not_taken}
    queue = list(make_chunks([job for job in jobs if job.key not in begun], _min_seconds(jobs, options)))
    wait, stopped, has_opened = _FIRST_WAIT, False, False
    while array_tasks or (queue and not stopped):
        if callbacks.stop() and not stopped:
            stopped = True
            (engine_spec.folder / STOP).touch()
            _cancel(array_tasks, "--state=PENDING")
        room = options.max_array - len(array_tasks)
        if queue and not stopped and room >= min(len(queue), options.max_array / 2):
            queue = _submit(queue, room, array_tasks, engine_spec, open_worker, on_gpu, callbacks)
        _ask_slurm(array_tasks, callbacks)
        n_before = len(array_tasks)
        for array_task in list(array_tasks):
            has_opened |= array_task.has_opened
            for job, outcome in array_task.take_outcomes():
                wait = _FIRST_WAIT
                if job.key in wanted:  # otherwise it is stored: by an earlier front end, or from another element
                    wanted.remove(job.key)
                    yield job, outcome
            undone = [job for job in array_task.not_taken if job.key in wanted]
            should_be_whole = array_task.state in ("COMPLETED", _GONE) and not stopped
            grace_seconds = _LONG_GRACE_SECONDS if should_be_whole else _GRACE_SECONDS
            if not array_task.is_over(grace_seconds if undone and not array_task.refusal else 0):
                continue
            if undone and not stopped:
                again, given_up = _retry_or_fail(array_task, undone, options.max_retries, engine_spec.folder, has_opened)
                queue = again + queue
                wanted -= {job.key for job, _ in given_up}
                yield from given_up
            array_tasks.remove(array_task)
            array_task.discard()
        if array_tasks and len(array_tasks) == n_before:
            time.sleep(wait)
            wait = min(_LONGEST_WAIT, 1.5 * wait)


def _resume(jobs: Sequence[Job], engine_spec: EngineSpec, callbacks: EngineCallbacks) -> list[ArrayTask]:
    """Return the elements of an earlier front end that have some of the jobs."""
    (engine_spec.folder / STOP).unlink(missing_ok=True)
    wanted = {job.key for job in jobs}
    array_tasks = []
    for array_task in find_array_tasks(engine_spec.folder):
        begun = [job for job in array_task.not_taken if job.key in wanted]
        if begun:
            array_tasks.append(array_task)
        for job in begun:
            callbacks.started(job)
    return array_tasks


def _min_seconds(jobs: Sequence[Job], options: Options) -> float:
    """Return how long a bundle is planned to take: long enough for its start, else so that all elements get their share."""
    share = sum(job.seconds for job in jobs) / options.max_array
    return max(_MIN_SECONDS, min(share, _SHARE_OF_TIME * 60 * options.time))


def _submit(
    queue: list[Chunk],
    room: int,
    array_tasks: list[ArrayTask],
    engine_spec: EngineSpec,
    open_worker: OpenWorker,
    on_gpu: bool,
    callbacks: EngineCallbacks,
) -> list[Chunk]:
    """Submit the first bundles of a queue, an array for all that need as much memory; return what is left of the queue.

    Raises:
        SnnbenchError: If Slurm takes none and nothing runs; else it is asked again later.
    """
    arrays: dict[int, list[Chunk]] = {}
    for chunk in queue[:room]:
        arrays.setdefault(chunk.memory_bytes, []).append(chunk)
    left = queue[room:]
    for memory_bytes, chunks in arrays.items():
        submitted = [add_array_task(engine_spec.folder, chunk) for chunk in chunks]
        array_tasks += submitted
        try:
            _submit_array(submitted, memory_bytes // 2**20, engine_spec, open_worker, on_gpu)
        except SnnbenchError:
            del array_tasks[-len(submitted) :]
            for array_task in submitted:
                array_task.discard()
            if not array_tasks:
                raise
            left = chunks + left
            continue
        for job in (job for chunk in chunks for job in chunk.jobs):
            callbacks.started(job)
    return left


def _submit_array(
    array_tasks: Sequence[ArrayTask], memory_mb: int, engine_spec: EngineSpec, open_worker: OpenWorker, on_gpu: bool
) -> None:
    submitit, options = _library(), engine_spec.options
    asked = {
        "partition": options.partition,
        "account": options.account,
        "mem": f"{memory_mb}M" if memory_mb else None,
        "gpus_per_node": int(options.gpus_per_job) if on_gpu else None,
    }
    executor = submitit.SlurmExecutor(engine_spec.folder / _SUBMITTED, max_num_timeout=_MANY)
    executor.update_parameters(
        job_name="snnbench",
        time=options.time,
        cpus_per_task=options.cpus_per_job,
        array_parallelism=len(array_tasks),
        setup=[f"export {name}={value}" for name, value in ONE_THREAD.items()],
        additional_parameters={"requeue": True},
        **{name: value for name, value in asked.items() if value is not None},
    )
    try:
        submitted = executor.submit_array([ArrayTaskProgram(array_task.folder, open_worker) for array_task in array_tasks])
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        said = last_line(str(error)).removeprefix("sbatch: error: ")
        raise SnnbenchError(f"Slurm must take the jobs, but sbatch says: {said}.") from error
    for array_task, job in zip(array_tasks, submitted, strict=True):
        note_submitted(array_task, job.job_id)


def _ask_slurm(array_tasks: Sequence[ArrayTask], callbacks: EngineCallbacks) -> None:
    """Note the state of every element; accounting, which not every cluster has, is not needed.

    Raises:
        SnnbenchError: If one waits for what the cluster does not have.
    """
    command = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%N|%r"]
    asked = subprocess.run(command, capture_output=True, text=True)
    if asked.returncode:
        return  # the controller is busy or restarts: what was known still holds
    said = {name: rest for name, *rest in (line.split("|") for line in asked.stdout.splitlines())}
    for array_task in array_tasks:
        state, node, reason = said.get(array_task.slurm_id, (_GONE, "", ""))
        if state == "PENDING" and reason in _NEVER:
            raise SnnbenchError(f"Slurm must be able to start the jobs, but never will: {reason}. See `sinfo` for what it has.")
        is_held = state == "PENDING" and reason.replace("_", " ") in _HELD
        array_task.update(reason if is_held else state, node, is_over=is_held or state in _OVER | {_GONE})
    running = [array_task for array_task in array_tasks if array_task.state == "RUNNING"]
    callbacks.on_workers_changed(len({array_task.node for array_task in running}), len(running))


def _retry_or_fail(
    array_task: ArrayTask, undone: list[Job], max_retries: int, folder: Path, has_opened: bool
) -> tuple[list[Chunk], list[Finished]]:
    """Return which jobs of an element that is over are run again, and which are given up.

    Raises:
        SnnbenchError: If its worker could not work, as no other could; ``has_opened`` says whether one could so far.
    """
    _cancel([array_task])  # one that is held would run again as soon as somebody releases it
    if refusal := array_task.refusal:
        raise SnnbenchError(refusal)
    logs = sorted((folder / _SUBMITTED).glob(f"{array_task.slurm_id}_*_log.err"))
    said = last_line(logs[-1].read_text(errors="replace")) if logs else ""
    cause = f"Slurm says {array_task.state} on {array_task.node or 'no node'}" + (f", the log says: {said}" if said else "")
    if not has_opened and array_task.chunk.n_deaths >= max_retries:
        raise SnnbenchError(f"Every node must be able to run snnbench, but no worker starts: {cause}.")
    return retry_or_fail(array_task.chunk, undone, max_retries, cause, is_blameless=array_task.state == "PREEMPTED")


def _cancel(array_tasks: Sequence[ArrayTask], *which: str) -> None:
    if names := [array_task.slurm_id for array_task in array_tasks if array_task.slurm_id]:
        subprocess.run(["scancel", *which, *names], capture_output=True)


@contextmanager
def _one_front_end(folder: Path) -> Iterator[None]:
    """Keep a second front end from driving the same elements."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SnnbenchError(
            f"One run at a time may drive the Slurm jobs of {folder.parent}, found another. Wait for it."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _library() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ConfigError("--engine slurm needs the package submitit. Install it: pip install 'snnbench[slurm]'.") from error
    return submitit
