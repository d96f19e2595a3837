"""Jobs and workers that do what a job's name says, for the tests of engines."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sklearn.svm import SVC

from snnbench.errors import DataError
from snnbench.records import Config, Job, Member, Result, Value


class Moody(SVC):
    """Raises for some values of its grid."""

    def fit(self, X, y, sample_weight=None):
        """Fit, or raise."""
        if self.C > 5:
            raise RuntimeError("no C above 5")
        return super().fit(X, y, sample_weight)


def job(name: str, seconds: float = 0.0) -> Job:
    """Return a job of one member, named like its task."""
    return Job("search", "core", (Member(name, "repetition-1", Config("snn", ()), 0, 1, name),), seconds)


def answer(job: Job, **said: Value) -> list[Result]:
    """Return a result that says something; ``said_of`` reads it."""
    (member,) = job.members
    named = (member.key, job.stage, job.suite, member.task, member.split, "snn", "{}", member.config.key, 0, 1, "ok")
    return [Result(*named, provenance=said)]  # type: ignore[arg-type]


def said_of(outcome: list[Result] | Exception) -> dict[str, Value]:
    """Return the task of an answer and what it says."""
    assert isinstance(outcome, list), outcome
    return {"task": outcome[0].task, **outcome[0].provenance}


def echo(number: int) -> Callable[[Job], list]:
    """Open a worker that tells its process, its setting of threads and its node of Slurm."""
    return _echo


def _echo(job: Job) -> list:
    time.sleep(0.05)
    return answer(job, process=os.getpid(), threads=os.environ["OMP_NUM_THREADS"], node=os.environ.get("SLURMD_NODENAME", ""))


def tell_number(number: int) -> Callable[[Job], list]:
    """Open a worker that tells its number."""
    return partial(_tell, str(number))


def _tell(number: str, job: Job) -> list:
    time.sleep(0.2)
    return answer(job, number=number)


def misbehave(number: int, folder: Path) -> Callable[[Job], list]:
    """Open a worker that does what a job's name says; every call leaves a line in the file of that name."""
    return partial(_misbehave, folder)


def _misbehave(folder: Path, job: Job) -> list:
    name = job.members[0].task
    with (folder / name).open("a") as calls:
        calls.write("called\n")
    if name == "raise":
        raise ValueError("as told")
    if name == "die" or (name == "die once" and (folder / name).read_text().count("called") == 1):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    time.sleep(0.05)
    return answer(job)


def refuse(number: int) -> Callable[[Job], list]:
    """Open no worker, as on a node without data."""
    raise DataError(f"Node {number} has no data.")
