"""Whole runs through ``snnbench.benchmark``, as ``snnbench run`` makes them, into a folder that is thrown away."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnbench import benchmark
from snnbench.config import RunSettings, load_config
from snnbench.display.plan import estimate_seconds
from snnbench.execution.engines import EngineSpec, configure_engine
from snnbench.execution.plan import evaluation_seconds
from snnbench.execution.request import Request
from snnbench.results.store import read_results
from snnbench.suites import open_source
from snnbench.suites.loading import load_tasks

N_SUBSET = 20
N_JOBS = (1000, 10_000, 40_000)


@dataclass(frozen=True)
class Where:
    """The tasks of a measurement: those that are embedded, or ``n_tasks`` of the UCI tasks (0 = all) from ``source``.

    ``n_jobs`` are the sizes of the stores that are measured.
    """

    source: str | None = None
    n_tasks: int = N_SUBSET
    n_jobs: tuple[int, ...] = N_JOBS

    @property
    def suite(self) -> str:
        """The suite that the tasks belong to."""
        return "uci" if self.source else "core"

    def folder(self) -> Path | None:
        """Return the unpacked files."""
        return open_source(self.suite, self.source, report=print)

    def tasks(self) -> tuple[str, ...]:
        """Return the names of the tasks: evenly many of all sizes, but no more than 2,000 rows unless all are wanted."""
        found = sorted(load_tasks(self.suite, self.folder()).tasks, key=lambda task: task.n_samples)
        if not self.n_tasks:
            return tuple(task.name for task in found)
        small = [task.name for task in found if task.n_samples <= 2000]
        return tuple(small[:: max(1, len(small) // self.n_tasks)][: self.n_tasks])


def run_whole(
    where: Where,
    models: Sequence[str] = (),
    tasks: Sequence[str] = (),
    settings: RunSettings | None = None,
    engine_spec: EngineSpec | None = None,
) -> dict[str, float]:
    """Run a search with its evaluations; return the estimate, the wall seconds and those that were spent in training."""
    engine_spec = engine_spec or configure_engine("local", {})
    settings = settings or load_config(where.suite, "quick")
    with tempfile.TemporaryDirectory() as results:
        request = Request(
            suite=where.suite,
            models=tuple(models or settings.models),
            preset="quick",
            settings=settings,
            results=Path(results),
            folder=where.folder(),
            tasks=tuple(tasks or where.tasks()),
            engine_spec=engine_spec,
        )
        loaded = benchmark.prepare(request)
        plan = benchmark.plan(request, loaded)
        estimate = estimate_seconds(request, plan, evaluation_seconds(request.specify(loaded), plan, request.n_seeds))
        start = time.perf_counter()
        outcome = benchmark.run(request, loaded, plan)
        wall = time.perf_counter() - start
        training = float(read_results([request.results], ["seconds"])["seconds"].sum())
    return {
        "trainings": outcome.n_trained,
        "jobs": len(plan.jobs),
        "wall, s": wall,
        "training, s": training,
        "training / (wall x workers)": training / wall / engine_spec.n_workers,
        "estimate, s": estimate,
        "estimate / wall": estimate / wall,
    }
