"""Chunks: jobs that share a remote call, and which of them are run again when their process or its machine dies."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from snnbench.execution.engines import Finished, JobOutcome, RunJob
from snnbench.records import Job

_MEMORY_STEP = 512 * 2**20


@dataclass(frozen=True)
class Chunk:
    """Jobs that one process runs one after another, and how many processes they have seen die."""

    jobs: tuple[Job, ...]
    n_deaths: int = 0

    @property
    def memory_bytes(self) -> int:
        """What the process needs, planned generously, in steps: clusters queue equal needs together."""
        return math.ceil(max(job.memory_bytes for job in self.jobs) / _MEMORY_STEP) * _MEMORY_STEP


def make_chunks(jobs: Sequence[Job], min_seconds: float) -> Iterator[Chunk]:
    """Join jobs in their order until each chunk is planned to take ``min_seconds``: a remote call has its price."""
    gathered: list[Job] = []
    seconds = 0.0
    for job in jobs:
        gathered.append(job)
        seconds += job.seconds
        if seconds >= min_seconds:
            yield Chunk(tuple(gathered))
            gathered, seconds = [], 0.0
    if gathered:
        yield Chunk(tuple(gathered))


def retry_or_fail(
    chunk: Chunk, undone: Sequence[Job], max_retries: int, cause: str, is_blameless: bool = False
) -> tuple[list[Chunk], list[Finished]]:
    """Return which undone jobs of a chunk that died are run again, each alone, and which are given up.

    Args:
        chunk: What was being run.
        undone: Those of its jobs that have no outcome.
        max_retries: How often a job is run again; one that did not die alone is tried alone at least once.
        cause: Why it died.
        is_blameless: Whether it was preempted, which does not count as a death.
    """
    n_deaths = chunk.n_deaths + (not is_blameless)
    if len(chunk.jobs) > 1:
        return [Chunk((job,), min(n_deaths, max_retries)) for job in undone], []
    if n_deaths <= max_retries:
        return [Chunk((job,), n_deaths) for job in undone], []
    return [], [(job, RuntimeError(f"the worker died {n_deaths} times: {cause}")) for job in undone]


def outcome_of(job: Job, run_job: RunJob) -> JobOutcome:
    """Return a job's outcome; an exception must not lose the other jobs of its chunk."""
    try:
        return run_job(job)
    except Exception as error:
        return error


def last_line(text: str) -> str:
    """Return the last line of a program's output, without its full stop; empty if there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
