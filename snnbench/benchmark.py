"""The product in prose: prepare the data, plan, search, select, evaluate, compare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from snnbench.config import RunSettings
from snnbench.plan import Plan, plan_evaluation, plan_search
from snnbench.provenance import describe_environment
from snnbench.published import beside_published, published_suite
from snnbench.records import ON_CPU, Alternative, Compute, Result
from snnbench.report import Ranking, rank_models
from snnbench.selection import COMPARED, DESCRIBED, OUTPUTS, describe_models, left_out, only_suite, score_table, select
from snnbench.stage import Progress, run_jobs
from snnbench.store import prepare_store, read_results, write_settings
from snnbench.suites.material import Material, gather, subset_tasks
from snnbench.training import JobContext


@dataclass(frozen=True)
class Request:
    """What a user asks of ``snnbench run``, with names resolved and settings validated."""

    suite: str
    models: tuple[str, ...]
    preset: str
    settings: RunSettings
    results: Path
    folder: Path | None = None
    tasks: tuple[str, ...] = ()
    repetitions: tuple[int, ...] = ()
    seed: int = 0
    n_seeds: int = 1
    compute: Compute = ON_CPU
    n_workers: int = 1


@dataclass(frozen=True)
class Outcome:
    """How a run ended: what failed, which models have no score on which split and why, and whether it was stopped."""

    n_trained: int
    failures: tuple[Result, ...]
    unselected: Mapping[tuple[str, str, str, int], str]
    stopped: bool


_KEPT = ("valid_score", "best_epoch", "error")


def prepare(request: Request) -> Material:
    """Load and check every task of the request.

    Raises:
        DataError: If a task's files are damaged, or a task that was named is not at hand.
        UnknownNameError: If there is no such task.
    """
    return gather(request.suite, request.folder, request.tasks, request.repetitions)


def plan(request: Request, material: Material) -> Plan:
    """Lay out the search, minus what is stored."""
    models = request.models or tuple(request.settings.models)
    where = request.compute, request.n_workers
    return plan_search(request.suite, material, request.settings, models, request.seed, _finished(_stored(request)), *where)


def run(
    request: Request,
    material: Material,
    search: Plan,
    report: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Search, select, evaluate; every finished job is stored before the next is looked at.

    Raises:
        StoreError: If the results folder cannot be written.
    """
    prepare_store(request.results)
    provenance = describe_environment(request.compute)
    provenance |= {"preset": request.preset, "settings_digest": request.settings.digest}
    write_settings(request.results, request.settings.digest, request.settings.model_dump(), provenance)
    context = JobContext(request.folder, material.by_name, request.settings, request.compute, provenance)
    run_stage = partial(
        run_jobs, context=context, results_folder=request.results, n_workers=request.n_workers, report=report, stop=stop
    )
    searched = run_stage("search", search.jobs)
    if searched.stopped:
        return Outcome(searched.n_trained, searched.failures, {}, stopped=True)

    stored = _stored(request)
    selected, unselected = select(search.members, stored, request.settings.select_by)
    jobs = plan_evaluation(search, selected, material, request.settings, _finished(stored), request.n_seeds, request.compute)
    evaluated = run_stage("evaluate", jobs)
    n_trained, failures = searched.n_trained + evaluated.n_trained, searched.failures + evaluated.failures
    return Outcome(n_trained, failures, unselected, evaluated.stopped)


def compare(
    folders: Sequence[Path],
    suite: str | None = None,
    baseline: str = "best",
    alternative: Alternative = "two-sided",
    correction: str = "holm",
    subset: str = "all",
    metric: str = "",
    published: Sequence[str] = (),
    missing: str = "drop-task",
) -> Ranking:
    """Rank the models of a suite by the test scores of their selected configurations, beside published scores if named.

    Raises:
        SnnbenchError: If there is nothing to compare, or results of several suites and none was named.
    """
    rows = read_results(folders, COMPARED + (OUTPUTS if metric else ()))
    suite = only_suite(rows, suite or (published_suite(published) if published and not folders else None))
    asked = subset_tasks(suite, subset)
    rows = _of_tasks(rows, suite, asked)
    table = score_table(rows, metric)
    reasons = left_out(rows, table, asked) if folders else {}
    table = beside_published(table, published, suite, metric).loc[lambda scores: scores.index.isin(asked)]
    return rank_models(
        table, reasons, baseline=baseline, alternative=alternative, correction=correction, subset=subset, missing=missing
    )


def describe(folders: Sequence[Path], suite: str | None = None, subset: str = "all") -> pd.DataFrame:
    """Return what was selected and what it took, by model; see ``selection.describe_models``."""
    rows = read_results(folders, DESCRIBED)
    suite = only_suite(rows, suite)
    return describe_models(_of_tasks(rows, suite, subset_tasks(suite, subset)))


def _of_tasks(rows: pd.DataFrame, suite: str, tasks: Sequence[str]) -> pd.DataFrame:
    return rows[(rows["suite"] == suite) & rows["task"].isin(tasks)]


def _stored(request: Request) -> pd.DataFrame:
    return read_results([request.results], _KEPT)


def _finished(rows: pd.DataFrame) -> set[str]:
    """Return the keys that need no training; what failed is tried again."""
    return set(rows.loc[rows["status"] != "failed", "key"])
