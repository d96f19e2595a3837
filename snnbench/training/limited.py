"""A time limit for one training: a process of the worker's own does it, which can be ended at any moment.

Compiled code of an estimator neither looks at a clock nor lets signals through, and no thread can stop it. So with a limit a
worker only watches: an assistant trains what is trained together, a stack, an ensemble's stages of growth or a single fit;
what is not done in time ends with the assistant, and the next one takes what is left. This is so on every engine, whose worker
goes on as if nothing had happened.

A stack of n networks has n times the limit, as its rows count the n-th part of its seconds each. If it runs out, its
members are trained again, each alone and within the limit: only what is too slow alone is out of time, whatever its
neighbours cost, and what finishes has the bits that it has without a limit.
"""

import ctypes
import multiprocessing
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from snnbench.errors import SnnbenchError
from snnbench.models.estimators.building import families
from snnbench.records import Job, Result
from snnbench.training.context import JobContext
from snnbench.training.jobs import load_rows, out_of_time

RunJob = Callable[[Job], list[Result]]
OpenAssistant = Callable[[], tuple[RunJob, JobContext]]
"""Called once in the assistant's process; returns what runs a job there, and what it knows of data and machine. Picklable."""

_PR_SET_PDEATHSIG = 1
_LOAD, _TRAIN = "load", "train"


@dataclass
class _Assistant:
    """The current process, the pipe to it, and the context of its machine."""

    process: BaseProcess
    line: Connection
    context: JobContext


def within_limit(open_assistant: OpenAssistant, limit_seconds: float) -> RunJob:
    """Start an assistant and return what runs jobs in it, each training within the limit.

    Raises:
        SnnbenchError: If the assistant cannot work: without code or data, say.
    """
    at_hand = [_start(open_assistant)]

    def ask(job: Job) -> list[Result] | None:
        """Return the results of what is trained together, or None if it was not done in time."""
        if not at_hand[0].process.is_alive():
            at_hand[0] = _start(open_assistant)
        assistant = at_hand[0]
        try:
            assistant.line.send((_LOAD, job))  # neither reading files nor importing packages counts as training
            assistant.line.recv()
            assistant.line.send((_TRAIN, job))
            if assistant.line.poll(limit_seconds * len(job.members)):
                results: list[Result] = assistant.line.recv()
                return results
        except (EOFError, OSError):  # it died, perhaps out of memory: the engine handles workers that die
            os._exit(1)
        _end(assistant)
        return None

    def run_job(job: Job) -> list[Result]:
        results: dict[str, Result] = {}
        for part in _parts(job, at_hand[0].context):
            found = ask(part)
            if found is None and len(part.members) > 1:
                alone = [replace(part, members=(member,)) for member in part.members]
                found = [result for one in alone for result in ask(one) or [_late(one)]]
            results |= {result.key: result for result in found or [_late(part)]}
        return [results[member.key] for member in job.members]

    def _late(job: Job) -> Result:
        return out_of_time(job.members[0], job, at_hand[0].context, limit_seconds)

    return run_job


def _parts(job: Job, context: JobContext) -> Iterator[Job]:
    """Yield what a job trains together: all of its networks, or one estimator after another."""
    settings = context.spec.model(job.members[0])
    if not settings.estimator:
        yield job
        return
    for family in families(settings, job.members):
        yield replace(job, members=tuple(family))


def _start(open_assistant: OpenAssistant) -> _Assistant:
    # A fresh interpreter: a copy of this process could have another thread's locked lock, or a GPU that it cannot use.
    fresh = multiprocessing.get_context("spawn")
    line, other_end = fresh.Pipe()
    process = fresh.Process(target=_assist, args=(open_assistant, other_end, os.getpid()), daemon=True)
    process.start()
    other_end.close()
    try:
        found = line.recv()
    except EOFError:
        os._exit(1)
    if isinstance(found, str):
        process.join()
        raise SnnbenchError(found)
    return _Assistant(process, line, found)


def _end(assistant: _Assistant) -> None:
    assistant.process.kill()
    assistant.process.join()
    assistant.line.close()


def _assist(open_assistant: OpenAssistant, line: Connection, worker: int) -> None:
    """In the assistant's process: say that it is ready, and do what the worker asks until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(worker)
    try:
        run_job, context = open_assistant()
    except SnnbenchError as error:
        line.send(str(error))
        return
    line.send(context)
    with suppress(EOFError, OSError):
        while True:
            what, job = line.recv()
            if what == _LOAD:
                load_rows(job, context)
            line.send([] if what == _LOAD else run_job(job))


def _die_with(worker: int) -> None:
    """End with the worker, even if it is killed: the results would be lost."""
    if platform.system() == "Linux":  # at once, whatever compiled code is doing
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != worker:
            os._exit(1)
    threading.Thread(target=_wait_for, args=(multiprocessing.parent_process(),), daemon=True).start()


def _wait_for(parent: Any) -> None:
    parent.join()
    os._exit(1)
