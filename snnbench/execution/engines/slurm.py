"""Slurm: every chunk of jobs is an array task, which submitit submits.

The front end and the array tasks communicate by files in ``<results>/_slurm``, which every node must see. So the front end may
end at any time: the same command finds the array tasks that still run and the outcomes that were written in the meantime.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
"""Of a chunk: an array task takes several seconds to start Python and load torch."""
_SHARE_OF_TIME = 1 / 3
"""Of an array task's time limit that a chunk is planned to take, since plans err."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0
"""Seconds between two looks; the wait grows while nothing happens, to spare the scheduler."""
_GRACE_SECONDS, _LONG_GRACE_SECONDS = 5.0, 75.0
"""How long Slurm must have reported an array task as over before its missing outcomes count as lost: shared file systems show
files late, NFS up to a minute. The longer time is for one that is reported as complete."""
_MANY = 10**6
"""How often an array task may be requeued at its time limit; one that made no progress ends itself."""
_SUBMITTED = "submitit"
"""The folder of submitit's own files: what it submits, and the logs."""
_OVER = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"}
_GONE = "GONE"
"""Our name for the state of an array task that Slurm no longer lists."""
_NEVER = {"BadConstraints", "InvalidAccount", "InvalidQOS", "PartitionConfig", "PartitionNodeLimit", "PartitionTimeLimit"}
"""Reasons for which an array task would stay pending for ever."""
_HELD = {"JobHeldAdmin", "JobHoldMaxRequeue", "launch failed requeued held"}
"""Reasons for which Slurm holds a requeued array task until it is released by hand."""


@dataclass(frozen=True)
class Options:
    """What an array task asks of Slurm. ``time`` is in minutes; ``max_array`` array tasks are queued or run at once."""

    partition: str | None = None
    account: str | None = None
    time: int = 60
    max_array: int = 256
    cpus_per_job: int = 1
    gpus_per_job: float = 0.0
    max_retries: int = 2


@dataclass
class _Run:
    """The state of a run.

    ``wanted`` holds the keys of the jobs without an outcome, ``queue`` what is not submitted yet and ``array_tasks`` what may
    still run. ``has_opened`` says whether any worker has started so far.
    """

    engine_spec: EngineSpec
    open_worker: OpenWorker
    callbacks: EngineCallbacks
    on_gpu: bool
    wanted: set[str]
    queue: list[Chunk]
    array_tasks: list[ArrayTask]
    stopped: bool = False
    has_opened: bool = False

    @property
    def options(self) -> Options:
        """Those of the engine."""
        options: Options = self.engine_spec.options
        return options

    @property
    def folder(self) -> Path:
        """Where the files of all array tasks are."""
        return self.engine_spec.folder

    def undone(self, array_task: ArrayTask) -> list[Job]:
        """Return the jobs of an array task that have no outcome."""
        return [job for job in array_task.not_taken if job.key in self.wanted]


def engine_spec(options: Options, results: Path) -> EngineSpec:
    """Check that Slurm and submitit can be used.

    Raises:
        ConfigError: If one cannot, or an option is not possible.
    """
    _library()
    if options.gpus_per_job != int(options.gpus_per_job):
        raise ConfigError(f"--gpus-per-job must be whole on Slurm, found {options.gpus_per_job:g}.")
    command = ["sinfo", "--noheader", "--format=%R"]
    try:
        partitions = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise ConfigError(f"--engine slurm must be started where Slurm's commands work, but sinfo failed: {said}.") from error
    if options.partition and options.partition not in partitions:
        raise ConfigError(f"--partition must be one of {', '.join(sorted(set(partitions)))}, found {options.partition}.")
    return EngineSpec("slurm", options, options.max_array, options.max_array, (results / "_slurm").absolute())


def recover_jobs(jobs: Sequence[Job], engine_spec: EngineSpec) -> Sequence[Job]:
    """Return the same trainings in the jobs of array tasks that an earlier run submitted, and in others."""
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
    """Run jobs in array tasks, in about the order given, and yield each as its outcome is found.

    Once ``callbacks.stop`` is true, pending array tasks are cancelled and running ones end after their current job. If the
    front end is interrupted, all array tasks are cancelled; if it is killed, they continue.

    Raises:
        SnnbenchError: If no worker can work, or another front end uses this folder.
    """
    if not jobs:
        return
    with _one_front_end(engine_spec.folder):
        run = _resume(jobs, open_worker, engine_spec, callbacks, on_gpu)
        try:
            yield from _run_jobs(run)
        except (KeyboardInterrupt, GeneratorExit, SnnbenchError):
            _cancel(run.array_tasks)
            for array_task in run.array_tasks:
                array_task.discard()
            raise
        if not find_array_tasks(run.folder):  # else of another stage, or of models that are not wanted this time
            shutil.rmtree(run.folder / _SUBMITTED, ignore_errors=True)
            (run.folder / STOP).unlink(missing_ok=True)


def _run_jobs(run: _Run) -> FinishedJobs:
    """Submit, ask for states and take outcomes until nothing is left."""
    wait = _FIRST_WAIT
    while run.array_tasks or (run.queue and not run.stopped):
        _stop_if_asked(run)
        _submit(run)
        _ask_slurm(run.array_tasks, run.callbacks)
        n_before = len(run.array_tasks)
        for array_task in list(run.array_tasks):
            for finished in _take_outcomes(run, array_task):
                wait = _FIRST_WAIT
                yield finished
            if _is_over(run, array_task):
                yield from _close(run, array_task)
        if run.array_tasks and len(run.array_tasks) == n_before:
            time.sleep(wait)
            wait = min(_LONGEST_WAIT, 1.5 * wait)


def _resume(
    jobs: Sequence[Job], open_worker: OpenWorker, engine_spec: EngineSpec, callbacks: EngineCallbacks, on_gpu: bool
) -> _Run:
    """Return a run that keeps the array tasks of an earlier front end and queues the jobs that none of them has."""
    (engine_spec.folder / STOP).unlink(missing_ok=True)
    run = _Run(engine_spec, open_worker, callbacks, on_gpu, {job.key for job in jobs}, [], [])
    begun = set()
    for array_task in find_array_tasks(engine_spec.folder):
        if undone := run.undone(array_task):
            run.array_tasks.append(array_task)
            begun |= {job.key for job in undone}
        for job in undone:
            callbacks.started(job)
    if n_long := sum(job.seconds > 60 * run.options.time for job in jobs):
        log_warning("slurm", f"{n_long} jobs are planned to take longer than --time {run.options.time}")
    run.queue = list(make_chunks([job for job in jobs if job.key not in begun], _min_seconds(jobs, run.options)))
    return run


def _min_seconds(jobs: Sequence[Job], options: Options) -> float:
    """Return how long a chunk is planned to take: long enough for its start, else so that all array tasks get their share."""
    share = sum(job.seconds for job in jobs) / options.max_array
    return max(_MIN_SECONDS, min(share, _SHARE_OF_TIME * 60 * options.time))


def _stop_if_asked(run: _Run) -> None:
    """Cancel pending array tasks and tell running ones to end after their current job, once."""
    if run.callbacks.stop() and not run.stopped:
        run.stopped = True
        (run.folder / STOP).touch()
        _cancel(run.array_tasks, "--state=PENDING")


def _take_outcomes(run: _Run, array_task: ArrayTask) -> Iterator[Finished]:
    """Yield the jobs of an array task that have finished since the last look."""
    run.has_opened |= array_task.has_opened
    for job, outcome in array_task.take_outcomes():
        if job.key in run.wanted:  # otherwise it is stored: by an earlier front end, or from another array task
            run.wanted.remove(job.key)
            yield job, outcome


def _is_over(run: _Run, array_task: ArrayTask) -> bool:
    """Say whether nothing more is to be expected of an array task; missing outcomes are waited for."""
    if array_task.refusal or not run.undone(array_task):
        return array_task.is_over(grace_seconds=0)
    should_be_whole = array_task.state in ("COMPLETED", _GONE) and not run.stopped
    return array_task.is_over(_LONG_GRACE_SECONDS if should_be_whole else _GRACE_SECONDS)


def _close(run: _Run, array_task: ArrayTask) -> Iterator[Finished]:
    """Queue the undone jobs of an array task that is over, or give them up; remove it."""
    undone = run.undone(array_task)
    if undone and not run.stopped:
        again, given_up = _retry_or_fail(run, array_task, undone)
        run.queue[:0] = again
        run.wanted -= {job.key for job, _ in given_up}
        yield from given_up
    run.array_tasks.remove(array_task)
    array_task.discard()


def _submit(run: _Run) -> None:
    """Submit the first chunks of the queue if there is room for many: an array for all that need as much memory.

    Raises:
        SnnbenchError: If Slurm accepts none and nothing runs; else it is asked again later.
    """
    room = run.options.max_array - len(run.array_tasks)
    if run.stopped or not run.queue or room < min(len(run.queue), run.options.max_array / 2):
        return
    arrays: dict[int, list[Chunk]] = {}
    for chunk in run.queue[:room]:
        arrays.setdefault(chunk.memory_bytes, []).append(chunk)
    run.queue = run.queue[room:]
    for memory_bytes, chunks in arrays.items():
        submitted = [add_array_task(run.folder, chunk) for chunk in chunks]
        run.array_tasks += submitted
        try:
            _submit_array(run, submitted, memory_bytes // 2**20)
        except SnnbenchError:
            del run.array_tasks[-len(submitted) :]
            for array_task in submitted:
                array_task.discard()
            if not run.array_tasks:
                raise
            run.queue[:0] = chunks
            continue
        for job in (job for chunk in chunks for job in chunk.jobs):
            run.callbacks.started(job)


def _submit_array(run: _Run, array_tasks: Sequence[ArrayTask], memory_mb: int) -> None:
    submitit, options = _library(), run.options
    asked = {
        "partition": options.partition,
        "account": options.account,
        "mem": f"{memory_mb}M" if memory_mb else None,
        "gpus_per_node": int(options.gpus_per_job) if run.on_gpu else None,
    }
    executor = submitit.SlurmExecutor(run.folder / _SUBMITTED, max_num_timeout=_MANY)
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
        submitted = executor.submit_array([ArrayTaskProgram(array_task.folder, run.open_worker) for array_task in array_tasks])
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        reason = last_line(str(error)).removeprefix("sbatch: error: ")
        raise SnnbenchError(f"Slurm must accept the jobs, but sbatch failed: {reason}.") from error
    for array_task, job in zip(array_tasks, submitted, strict=True):
        note_submitted(array_task, job.job_id)


def _ask_slurm(array_tasks: Sequence[ArrayTask], callbacks: EngineCallbacks) -> None:
    """Update the state of every array task; this needs no accounting, which not every cluster has.

    Raises:
        SnnbenchError: If one asks for what the cluster does not have.
    """
    command = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%N|%r"]
    asked = subprocess.run(command, capture_output=True, text=True)
    if asked.returncode:
        return  # the controller is busy or restarts: the states known so far still hold
    listed = {name: rest for name, *rest in (line.split("|") for line in asked.stdout.splitlines())}
    for array_task in array_tasks:
        state, node, reason = listed.get(array_task.slurm_id, (_GONE, "", ""))
        if state == "PENDING" and reason in _NEVER:
            raise SnnbenchError(f"Slurm must be able to start the jobs, but never will: {reason}. See `sinfo` for what it has.")
        is_held = state == "PENDING" and reason.replace("_", " ") in _HELD
        array_task.update(reason if is_held else state, node, is_over=is_held or state in _OVER | {_GONE})
    running = [array_task for array_task in array_tasks if array_task.state == "RUNNING"]
    callbacks.on_workers_changed(len({array_task.node for array_task in running}), len(running))


def _retry_or_fail(run: _Run, array_task: ArrayTask, undone: list[Job]) -> tuple[list[Chunk], list[Finished]]:
    """Return which undone jobs of an array task that is over are run again, and which are given up.

    Raises:
        SnnbenchError: If its worker could not work, as no other could.
    """
    _cancel([array_task])  # one that is held would run again as soon as it is released
    if refusal := array_task.refusal:
        raise SnnbenchError(refusal)
    logs = sorted((run.folder / _SUBMITTED).glob(f"{array_task.slurm_id}_*_log.err"))
    last = last_line(logs[-1].read_text(encoding="utf-8", errors="replace")) if logs else ""
    cause = f"Slurm state {array_task.state} on {array_task.node or 'no node'}" + (
        f", its log ends with: {last}" if last else ""
    )
    if not run.has_opened and array_task.chunk.n_deaths >= run.options.max_retries:
        raise SnnbenchError(f"Every node must be able to run snnbench, but no worker starts: {cause}.")
    is_blameless = array_task.state == "PREEMPTED"
    return retry_or_fail(array_task.chunk, undone, run.options.max_retries, cause, is_blameless)


def _cancel(array_tasks: Sequence[ArrayTask], *which: str) -> None:
    if names := [array_task.slurm_id for array_task in array_tasks if array_task.slurm_id]:
        subprocess.run(["scancel", *which, *names], capture_output=True)


@contextmanager
def _one_front_end(folder: Path) -> Iterator[None]:
    """Keep a second front end from using the same folder, where the file system has locks."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        with suppress(NotImplementedError):
            lock.acquire(timeout=0)
    except Timeout as error:
        raise SnnbenchError(
            f"Only one run at a time may use the Slurm jobs of {folder.parent}, found another. Wait until it ends."
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
