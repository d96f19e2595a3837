"""One stage of a run: its jobs go to the engine, its results to the store, and word of both to whoever watches."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from snnbench.execution.engines import EngineCallbacks, EngineSpec, load_engine
from snnbench.models.estimators.accelerators import needs_gpu
from snnbench.records import Job, Result, Stage
from snnbench.results.runlog import log_event, log_warning
from snnbench.results.store import write_results
from snnbench.training.jobs import JobContext, failed
from snnbench.training.worker import describe_code, open_worker


@dataclass(frozen=True)
class Progress:
    """A stage at one moment.

    ``planned_done`` and ``planned_left`` are seconds of the cost model, ``seconds`` those that went by. ``n_nodes`` and
    ``n_workers`` are what an engine of several machines has at hand, 0 if it did not say.
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


_Finished = Generator[tuple[Job, list[Result] | Exception | None], None, None]


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
    start = time.monotonic()
    jobs = load_engine(engine_spec.engine).recover_jobs(jobs, engine_spec)
    planned = sum(job.seconds for job in jobs)
    in_flight: dict[str, Job] = {}
    failures: list[Result] = []
    refused: list[Result] = []
    n_jobs, n_done, n_trained, planned_done = len(jobs), 0, 0, 0.0
    n_nodes = n_workers = 0

    def tell() -> None:
        flying, left = tuple(in_flight.values()), planned - planned_done
        seconds = time.monotonic() - start
        report(Progress(stage, n_jobs, n_done, len(failures), flying, planned_done, left, seconds, n_nodes, n_workers))

    def started(job: Job) -> None:
        in_flight[job.key] = job
        tell()

    def on_workers_changed(nodes: int, workers: int) -> None:
        nonlocal n_nodes, n_workers
        n_nodes, n_workers = nodes, workers
        tell()

    log_event(
        "stage started",
        stage=stage,
        n_jobs=n_jobs,
        engine=engine_spec.engine,
        n_workers=engine_spec.n_workers,
        planned_seconds=planned,
    )
    with closing(
        _run_networks_then_estimators(jobs, context, engine_spec, EngineCallbacks(started, on_workers_changed, stop))
    ) as finished:
        for job, outcome in finished:
            in_flight.pop(job.key)
            if outcome is None:
                n_jobs += 1
                continue
            rows = (
                [failed(member, job, context, outcome) for member in job.members] if isinstance(outcome, Exception) else outcome
            )
            write_results(results_folder, job, rows)
            _log_job(job, rows)
            failures += [row for row in rows if row.status == "failed" or (row.status, stage) == ("diverged", "evaluate")]
            refused += [row for row in rows if row.status in ("infeasible", "timeout")]
            n_done, n_trained, planned_done = n_done + 1, n_trained + len(rows), planned_done + job.seconds
            tell()
    log_event("stage ended", stage=stage, n_jobs=n_done, n_failed=len(failures), seconds=time.monotonic() - start)
    return StageOutcome(n_trained, tuple(failures), tuple(refused), n_left=n_jobs - n_done if stop() else 0)


def _run_networks_then_estimators(
    jobs: Sequence[Job], context: JobContext, engine_spec: EngineSpec, callbacks: EngineCallbacks
) -> _Finished:
    """Yield finished jobs: first those that need a GPU, of which each has one worker, then the others on all cores."""
    models = {job.members[0].config.model for job in jobs}
    needing = {name for name in models if needs_gpu(context.settings.models[name], context.compute)}
    on_gpu = [job for job in jobs if job.members[0].config.model in needing]
    others = [job for job in jobs if job.members[0].config.model not in needing]
    if on_gpu:
        yield from _finished_jobs(on_gpu, context, engine_spec, callbacks, on_gpu=True)
    if others or not on_gpu:
        yield from _finished_jobs(others, context, engine_spec, callbacks)


def _finished_jobs(
    jobs: Sequence[Job], context: JobContext, engine_spec: EngineSpec, callbacks: EngineCallbacks, on_gpu: bool = False
) -> _Finished:
    """Yield each job as it finishes; one that ended with its process is yielded with None, halved, and its halves run.

    So a configuration that is killed or runs out of memory ends alone, and does not take the others of its job along.
    """
    run = load_engine(engine_spec.engine).run_jobs
    models = sorted({job.members[0].config.model for job in jobs})
    code = describe_code(context, models) if engine_spec.is_remote else None
    ready = partial(open_worker, context=context, on_gpu=on_gpu, code=code)
    waiting = jobs
    while waiting:
        halves: list[Job] = []
        with closing(run(waiting, ready, engine_spec, callbacks, on_gpu)) as finished:
            for job, outcome in finished:
                middle = len(job.members) // 2
                if isinstance(outcome, Exception) and middle:
                    parts = job.members[:middle], job.members[middle:]
                    halves += [replace(job, members=part, seconds=job.seconds / 2) for part in parts]
                    yield job, None
                else:
                    yield job, outcome
        waiting = [] if callbacks.stop() else halves


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
