"""Jobs that share a remote call, and what becomes of them when their process or its machine dies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from snnbench.engines import Finished
from snnbench.records import Job


@dataclass(frozen=True)
class Bundle:
    """Jobs that one process runs one after another, and how many processes they have seen die."""

    jobs: tuple[Job, ...]
    n_deaths: int = 0

    @property
    def seconds(self) -> float:
        """Their planned cost."""
        return sum(job.seconds for job in self.jobs)

    @property
    def memory_bytes(self) -> int:
        """What the process needs, planned generously."""
        return max(job.memory_bytes for job in self.jobs)


def make_bundles(jobs: Sequence[Job], min_seconds: float) -> Iterator[Bundle]:
    """Join jobs in their order until each bundle is planned to take ``min_seconds``: a remote call has its price."""
    gathered: list[Job] = []
    for job in jobs:
        gathered.append(job)
        if sum(one.seconds for one in gathered) >= min_seconds:
            yield Bundle(tuple(gathered))
            gathered = []
    if gathered:
        yield Bundle(tuple(gathered))


def after_death(bundle: Bundle, undone: Sequence[Job], max_retries: int, cause: str) -> tuple[list[Bundle], list[Finished]]:
    """Return what of a dead bundle's undone jobs is run again, each alone, and what is given up.

    Args:
        bundle: What was being run.
        undone: Those of its jobs that have no outcome.
        max_retries: How often a job is run again; one that did not die alone is tried alone at least once.
        cause: Why it died.
    """
    n_deaths = bundle.n_deaths + 1
    if len(bundle.jobs) > 1:
        return [Bundle((job,), min(n_deaths, max_retries)) for job in undone], []
    if n_deaths <= max_retries:
        return [Bundle((job,), n_deaths) for job in undone], []
    return [], [(job, RuntimeError(f"the worker died {n_deaths} times: {cause}")) for job in undone]


def run_each(jobs: Sequence[Job], run_job) -> Iterator[Finished]:  # type: ignore[no-untyped-def]
    """Run jobs one after another; what one raises is its outcome."""
    for job in jobs:
        try:
            yield job, run_job(job)
        except Exception as error:  # of an engine's worker: it must not take the other jobs along
            yield job, error
