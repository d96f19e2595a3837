"""Slurm array tasks, and the files by which they and the front end communicate.

Every array task has a folder. It holds the jobs (``chunk.json``), the array task's ID in Slurm (``slurm_id``), a mark once a
worker was ready (``opened``) or the reason why it could not be (``refused``), and for each job that is done its outcome
(``<job>.outcome``, JSON), of which only a mark stays (``<job>.taken``) once it is stored. All files appear whole or not at all,
and none is unpickled: a results folder may come from a stranger.
"""

import json
import math
import os
import shutil
import signal
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from pydantic import TypeAdapter

from snnbench.errors import SnnbenchError
from snnbench.execution.engines import Finished, JobOutcome, OpenWorker
from snnbench.execution.engines.chunks import Chunk, outcome_of
from snnbench.records import Job, Result

STOP = "stop"
"""A file in the folder of all array tasks: once it is there, they end after their current job."""

_CHUNK, _SLURM_ID, _BEGUN_WITH, _OPENED, _REFUSED = "chunk.json", "slurm_id", "begun_with", "opened", "refused"
_OUTCOME, _TAKEN = ".outcome", ".taken"
_PREFIX = "array-task-"


@dataclass
class ArrayTask:
    """An array task as the front end knows it: its state in Slurm, the node, and since when Slurm reports it as over."""

    folder: Path
    chunk: Chunk
    slurm_id: str = ""
    state: str = "PENDING"
    node: str = ""
    over_since: float = math.inf

    def update(self, state: str, node: str, is_over: bool) -> None:
        """Note the state that Slurm reports."""
        self.state, self.node = state, node or self.node
        self.over_since = min(self.over_since, time.monotonic()) if is_over else math.inf

    def is_over(self, grace_seconds: float) -> bool:
        """Say whether Slurm has reported it as over for that long."""
        return time.monotonic() - self.over_since >= grace_seconds

    @property
    def not_taken(self) -> list[Job]:
        """The jobs whose outcome is not written yet, or not taken yet."""
        names = {file.name for file in self.folder.iterdir()}
        return [job for job in self.chunk.jobs if job.key + _TAKEN not in names]

    @property
    def has_opened(self) -> bool:
        """Whether a worker was ready in it."""
        return (self.folder / _OPENED).exists()

    @property
    def refusal(self) -> str:
        """Why its worker could not work; empty if it could."""
        file = self.folder / _REFUSED
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def discard(self) -> None:
        """Remove its folder; what is left if this is interrupted is no longer found as an array task."""
        (self.folder / _SLURM_ID).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def take_outcomes(self) -> Iterator[Finished]:
        """Yield new outcomes; each is removed only when the next is asked for, so that the caller can store it first."""
        jobs = {job.key + _OUTCOME: job for job in self.chunk.jobs}
        for file in sorted(self.folder.glob(f"*{_OUTCOME}")):
            yield jobs[file.name], _read_outcome(file)
            file.with_suffix(_TAKEN).touch()
            file.unlink()


def add_array_task(folder: Path, chunk: Chunk) -> ArrayTask:
    """Write the files of an array task that is to be submitted."""
    array_task = ArrayTask(folder / f"{_PREFIX}{uuid.uuid4().hex}", chunk)
    array_task.folder.mkdir(parents=True)
    _write(array_task.folder / _CHUNK, json.dumps(asdict(chunk)))
    return array_task


def note_submitted(array_task: ArrayTask, slurm_id: str) -> None:
    """Write the ID that Slurm gave an array task."""
    array_task.slurm_id = slurm_id
    _write(array_task.folder / _SLURM_ID, slurm_id)


def find_array_tasks(folder: Path) -> list[ArrayTask]:
    """Return the array tasks that an earlier front end left in a folder; one without an ID was never submitted."""
    found = []
    for file in sorted(folder.glob(f"{_PREFIX}*/{_SLURM_ID}")):
        found.append(ArrayTask(file.parent, _read_chunk(file.parent), file.read_text(encoding="utf-8")))
    return found


@dataclass(frozen=True)
class ArrayTaskProgram:
    """What an array task runs: its jobs one after another, leaving out what is done already."""

    folder: Path
    open_worker: OpenWorker

    def __call__(self) -> None:
        """Run the jobs that have no outcome yet."""
        _write(self.folder / _SLURM_ID, _own_slurm_id())  # the front end may have been killed before it could
        signal.signal(signal.SIGUSR2, partial(_end_if_it_raises, signal.getsignal(signal.SIGUSR2)))  # submitit's
        _write(self.folder / _BEGUN_WITH, str(self._n_done()))
        try:
            run_job = self.open_worker(0)
        except SnnbenchError as error:
            _write(self.folder / _REFUSED, str(error))
            return
        (self.folder / _OPENED).touch()
        for job in _read_chunk(self.folder).jobs:
            if (self.folder.parent / STOP).exists():
                return
            if not any((self.folder / (job.key + suffix)).exists() for suffix in (_OUTCOME, _TAKEN)):
                _write_outcome(self.folder / (job.key + _OUTCOME), outcome_of(job, run_job))

    def checkpoint(self) -> Any:
        """Return what Slurm is to requeue, shortly before the time limit or when the array task is preempted.

        Raises:
            RuntimeError: If no job was done since the array task began: none would ever be.
        """
        from submitit.helpers import DelayedSubmission

        if self._n_done() <= int((self.folder / _BEGUN_WITH).read_text(encoding="utf-8")):
            raise RuntimeError("No job of the array task fits into its time limit.")
        return DelayedSubmission(self)

    def _n_done(self) -> int:
        return sum(file.suffix in (_OUTCOME, _TAKEN) for file in self.folder.iterdir())


def _end_if_it_raises(handler: Any, signum: int, frame: FrameType | None) -> None:
    """Handle Slurm's warning signal; an exception raised here would look like an error of the job that it interrupts."""
    try:
        handler(signum, frame)
    except Exception:
        traceback.print_exc()
        os._exit(1)


def _own_slurm_id() -> str:
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID", "")


def _read_chunk(folder: Path) -> Chunk:
    return _read(folder / _CHUNK, Chunk)


def _write_outcome(file: Path, outcome: JobOutcome) -> None:
    """Write results with all digits of their numbers, or what kept a job from having any."""
    if isinstance(outcome, Exception):
        _write(file, json.dumps({"error": f"{type(outcome).__name__}: {outcome}"}))
    else:
        _write(file, json.dumps({"results": [asdict(result) for result in outcome]}))


def _read_outcome(file: Path) -> JobOutcome:
    found = _read(file, dict[Literal["error"], str] | dict[Literal["results"], list[Result]])
    return RuntimeError(found["error"]) if "error" in found else found["results"]


def _read(file: Path, form: Any) -> Any:
    try:
        return TypeAdapter(form).validate_python(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise SnnbenchError(
            f"{file} must be as an array task of this run wrote it, but reading it failed: {reason}. Remove it."
        ) from error


def _write(file: Path, content: str) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8", newline="\n")
    temporary.replace(file)
