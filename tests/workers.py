"""Jobs and workers that do what a job's name says, for the tests of engines."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from snnbench.errors import DataError
from snnbench.records import Config, Job, Member


def job(name: str, seconds: float = 0.0) -> Job:
    """Return a job of one member, named like its task."""
    return Job("search", "core", (Member(name, "repetition-1", Config("snn", ()), 0, 1, name),), seconds)


def echo(number: int) -> Callable[[Job], list]:
    """Open a worker that returns the name, its process and its setting of threads."""
    return _echo


def _echo(job: Job) -> list:
    time.sleep(0.05)
    return [job.members[0].task, os.getpid(), os.environ["OMP_NUM_THREADS"]]


def tell_number(number: int) -> Callable[[Job], list]:
    """Open a worker that returns its number."""
    return partial(_tell, str(number))


def _tell(number: str, job: Job) -> list:
    time.sleep(0.2)
    return [number]


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
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return [name]


def refuse(number: int) -> Callable[[Job], list]:
    """Open no worker, as on a node without data."""
    raise DataError(f"Node {number} has no data.")
