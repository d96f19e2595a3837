"""One stage of a run: submit its jobs to the engine, store their results, report progress."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from snnbench.execution.engines import EngineCallbacks, EngineSpec, FinishedJobs, JobOutcome, load_engine
from snnbench.models.estimators.accelerators import needs_gpu
from snnbench.records import Job, Result, Stage
from snnbench.results.runlog import log_event, log_warning
from snnbench.results.store import write_results
from snnbench.training.context import JobContext
from snnbench.training.jobs import failed
from snnbench.training.worker import describe_code, open_worker


@dataclass(frozen=True)
class Progress:
    """A stage at one moment.

    ``planned_done`` and ``planned_left`` are seconds of the cost model, ``seconds`` those that went by. ``n_nodes`` and
    ``n_workers`` are those of an engine of several machines, 0 if it has not reported any.
    """

    stage: Stage
    n_jobs: int
    n_done: int
    n_failed: int
    in_flight: tuple[Job, ...]
    planned_done: float
    planned_left: float
    seconds: float
    n_nodes: int = 0
    n_workers: int = 0


@dataclass(frozen=True)
class StageOutcome:
    """What a stage gave; ``n_left`` jobs remain if it was asked to stop before the last.

    ``refused`` holds what is infeasible or ran out of time: an outcome, and no failure.
    """

    n_trained: int
    failures: tuple[Result, ...]
    refused: tuple[Result, ...] = ()
    n_left: int = 0


@dataclass
class _Tally:
    """How far a stage has come; reports every change. It changes by its methods alone."""

    stage: Stage
    report: Callable[[Progress], None]
    n_jobs: int
    planned_seconds: float
    start: float = field(default_factory=time.monotonic)
    in_flight: dict[str, Job] = field(default_factory=dict)
    n_done: int = 0
    n_trained: int = 0
    planned_done: float = 0.0
    failures: list[Result] = field(default_factory=list)
    refused: list[Result] = field(default_factory=list)
    n_nodes: int = 0
    n_workers: int = 0

    def job_started(self, job: Job) -> None:
        """Note that a job was handed to a worker."""
        self.in_flight[job.key] = job
        self._report()

    def job_halved(self, job: Job) -> None:
        """Note that a job ended without results, and that its two halves are still to be run."""
        self.in_flight.pop(job.key)
        self.n_jobs += 1

    def job_stored(self, job: Job, rows: Sequence[Result]) -> None:
        """Note that the results of a job are stored."""
        self.in_flight.pop(job.key)
        self.n_done += 1
        self.n_trained += len(rows)
        self.planned_done += job.seconds
        self.failures += [row for row in rows if row.status == "failed" or (row.status, self.stage) == ("diverged", "evaluate")]
        self.refused += [row for row in rows if row.status in ("infeasible", "timeout")]
        self._report()

    def workers_changed(self, n_nodes: int, n_workers: int) -> None:
        """Note how many nodes and workers there are."""
        self.n_nodes, self.n_workers = n_nodes, n_workers
        self._report()

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return time.monotonic() - self.start

    def _report(self) -> None:
        self.report(
            Progress(
                stage=self.stage,
                n_jobs=self.n_jobs,
                n_done=self.n_done,
                n_failed=len(self.failures),
                in_flight=tuple(self.in_flight.values()),
                planned_done=self.planned_done,
                planned_left=self.planned_seconds - self.planned_done,
                seconds=self.seconds,
                n_nodes=self.n_nodes,
                n_workers=self.n_workers,
            )
        )


def run_jobs(
    stage: Stage,
    jobs: Sequence[Job],
    context: JobContext,
    results_folder: Path,
    engine_spec: EngineSpec,
    report: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> StageOutcome:
    """Run the jobs of a stage; every finished job is stored before the next is looked at.

    Raises:
        StoreError: If the results folder cannot be written.
        SnnbenchError: If no worker of the engine can work.
    """
    jobs = load_engine(engine_spec.name).recover_jobs(jobs, engine_spec)
    tally = _Tally(stage, report, len(jobs), sum(job.seconds for job in jobs))
    log_event(
        "stage started",
        stage=stage,
        n_jobs=tally.n_jobs,
        engine=engine_spec.name,
        n_workers=engine_spec.n_workers,
        planned_seconds=tally.planned_seconds,
    )
    callbacks = EngineCallbacks(tally.job_started, tally.workers_changed, stop)
    run = partial(_run_with_halving, context=context, engine_spec=engine_spec, callbacks=callbacks, halved=tally.job_halved)
    with closing(_run_on_gpus_then_on_cpus(jobs, context, run)) as finished:
        for job, outcome in finished:
            rows = _rows(job, outcome, context)
            write_results(results_folder, job, rows)
            _log_job(job, rows)
            tally.job_stored(job, rows)
    n_failed = len(tally.failures)
    log_event("stage ended", stage=stage, n_jobs=tally.n_done, n_failed=n_failed, seconds=tally.seconds)
    n_left = tally.n_jobs - tally.n_done if stop() else 0
    return StageOutcome(tally.n_trained, tuple(tally.failures), tuple(tally.refused), n_left)


def _rows(job: Job, outcome: JobOutcome, context: JobContext) -> list[Result]:
    """Return the rows to store of a finished job."""
    if isinstance(outcome, Exception):
        return [failed(member, job, context, outcome) for member in job.members]
    return outcome


def _run_on_gpus_then_on_cpus(jobs: Sequence[Job], context: JobContext, run: Callable[..., FinishedJobs]) -> FinishedJobs:
    """Yield finished jobs: first those that need a GPU, of which each has one worker, then the others on all cores."""
    spec = context.spec
    needing = {job.key for job in jobs if needs_gpu(spec.model(job.members[0]), spec.compute)}
    if needing:
        yield from run([job for job in jobs if job.key in needing], on_gpu=True)
    if others := [job for job in jobs if job.key not in needing]:
        yield from run(others)


def _run_with_halving(
    jobs: Sequence[Job],
    context: JobContext,
    engine_spec: EngineSpec,
    callbacks: EngineCallbacks,
    halved: Callable[[Job], None],
    on_gpu: bool = False,
) -> FinishedJobs:
    """Yield each job as it finishes; one that ended with its process is halved, and its halves are run.

    So a configuration that is killed or runs out of memory fails alone, and the others of its job are trained.
    """
    run = load_engine(engine_spec.name).run_jobs
    models = sorted({job.members[0].config.model for job in jobs})
    code = describe_code(context, models) if engine_spec.is_remote else None
    ready = partial(open_worker, context=context, on_gpu=on_gpu, code=code)
    waiting = jobs
    while waiting:
        halves: list[Job] = []
        with closing(run(waiting, ready, engine_spec, callbacks, on_gpu)) as finished:
            for job, outcome in finished:
                if isinstance(outcome, Exception) and len(job.members) > 1:
                    halves += _halves(job)
                    halved(job)
                else:
                    yield job, outcome
        waiting = [] if callbacks.stop() else halves


def _halves(job: Job) -> list[Job]:
    middle = len(job.members) // 2
    return [replace(job, members=part, seconds=job.seconds / 2) for part in (job.members[:middle], job.members[middle:])]


def _log_job(job: Job, rows: Sequence[Result]) -> None:
    statuses = Counter(row.status for row in rows)
    tasks, models = sorted({row.task for row in rows}), sorted({row.model for row in rows})
    seconds = sum(row.seconds for row in rows)
    log_event("job stored", stage=job.stage, key=job.key, tasks=tasks, models=models, statuses=statuses, seconds=seconds)
    for row in rows:
        if row.status != "ok":
            log_event("training not ok", key=row.key, task=row.task, model=row.model, status=row.status, error=row.error)
        for message in row.warnings.splitlines():
            log_warning(f"{row.model} on {row.task}", message)
