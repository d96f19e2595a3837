"""The product in prose: prepare the data, plan, search, select, evaluate, compare."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from snnbench.execution.request import Request, RunOutcome
from snnbench.report import (
    BREAKDOWN_COLUMNS,
    COMPARISON_COLUMNS,
    DEFAULT,
    Analysis,
    Breakdown,
    ComparisonOptions,
    ModelComparison,
    Sources,
    break_down_results,
    choose_rows,
    compare_results,
    read_sources,
    render_page,
)
from snnbench.report.runs import DIAGNOSTIC_COLUMNS, Runs, examine_runs
from snnbench.results.provenance import describe_environment
from snnbench.results.selection import DESCRIPTION_COLUMNS, RUN_COLUMNS, describe_models, finished, refused, select
from snnbench.results.stale import accepted_code
from snnbench.results.store import read_results, read_settings, write_settings
from snnbench.results.writing import prepare_store
from snnbench.suites import keep_catalogue
from snnbench.suites.loading import LoadedSuite, load_tasks
from snnbench.training.context import JobContext

if TYPE_CHECKING:  # what trains is imported where it is used: a comparison needs neither torch nor scikit-learn
    from snnbench.execution.plan import Plan, Stored
    from snnbench.execution.stage import Progress


def prepare(request: Request) -> LoadedSuite:
    """Load and check every task of the request.

    Raises:
        DataError: If a task's files are damaged, or a task that was named is not at hand.
        UnknownNameError: If there is no such task.
    """
    return load_tasks(request.suite, request.folder, request.tasks, request.repetitions, request.settings.preprocessing)


def plan(request: Request, loaded: LoadedSuite) -> "Plan":
    """Lay out the search, minus what is stored."""
    from snnbench.execution.plan import plan_search

    models = request.models or tuple(request.settings.models)
    done = _finished(request, _stored(request))
    return plan_search(request.specify(loaded), models, done, request.engine_spec.n_workers)


def run(
    request: Request,
    loaded: LoadedSuite,
    search: "Plan",
    report: "Callable[[Progress], None]" = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> RunOutcome:
    """Search, select, evaluate; every finished job is stored before the next is looked at.

    Raises:
        StoreError: If the results folder cannot be written.
    """
    from snnbench.execution.plan import plan_evaluation
    from snnbench.execution.stage import run_jobs

    prepare_store(request.results)
    provenance = describe_environment(request.compute)
    provenance |= {"preset": request.preset, "settings_digest": request.settings.digest}
    keep_catalogue(request.results, request.suite, request.folder)
    write_settings(request.results, request.settings.digest, request.settings.model_dump(), provenance)
    spec = request.specify(loaded)
    context = JobContext(spec, request.folder, provenance, request.node_setup, request.limit_seconds)
    run_stage = partial(
        run_jobs, context=context, results_folder=request.results, engine_spec=request.engine_spec, report=report, stop=stop
    )
    searched = run_stage("search", search.jobs)
    if searched.n_left:
        return RunOutcome(searched.n_trained, searched.failures, {}, searched.n_left, searched.refused)

    stored = _stored(request)
    selected, unselected = select(search.members, stored, request.settings.select_by)
    done = _finished(request, stored)
    jobs = plan_evaluation(spec, search, selected, done, request.n_seeds)
    evaluated = run_stage("evaluate", jobs)
    n_trained, failures = searched.n_trained + evaluated.n_trained, searched.failures + evaluated.failures
    excused = unselected.keys() & refused(search.members, stored, request.settings.select_by)
    missing = {group: unselected.pop(group) for group in sorted(excused)}
    return RunOutcome(n_trained, failures, unselected, evaluated.n_left, searched.refused + evaluated.refused, missing)


def compare(sources: Sequence[Path] | Sources, options: ComparisonOptions = DEFAULT) -> ModelComparison:
    """Rank models by the test scores of their selected configurations, and by those of published and other tables if named.

    Raises:
        SnnbenchError: If there is nothing to compare, or results of several suites and none was named.
    """
    found = _read(sources, options, COMPARISON_COLUMNS)
    return compare_results(options, found.rows, bool(found.folders), found.tables)


def break_down(
    sources: Sequence[Path] | Sources, options: ComparisonOptions = DEFAULT, by: str = "", fold_test: str = ""
) -> Breakdown | None:
    """Return the scores by depth or by split; None if neither is asked for and the results are not of one task on several."""
    return break_down_results(_read(sources, options, BREAKDOWN_COLUMNS).rows, options, by, fold_test)


def examine(sources: Sequence[Path] | Sources, options: ComparisonOptions = DEFAULT) -> Runs:
    """Return what the runs behind a comparison tell: learning curves, selected hyperparameters, costs, provenance."""
    found = _read(sources, options, DIAGNOSTIC_COLUMNS)
    return examine_runs(found.rows, compare(found, options), read_settings(found.folders))


def report(sources: Sequence[Path], options: ComparisonOptions = DEFAULT) -> str:
    """Return a comparison and the runs behind it as one page of HTML."""
    found = _read(sources, options, DIAGNOSTIC_COLUMNS)
    comparison = compare(found, options)
    return render_page(Analysis(comparison), examine_runs(found.rows, comparison, read_settings(found.folders)), sources)


def describe(sources: Sequence[Path] | Sources, options: ComparisonOptions = DEFAULT) -> pd.DataFrame:
    """Return what was selected and what it took, by model; see ``selection.describe_models``."""
    rows, _ = choose_rows(_read(sources, options, DESCRIPTION_COLUMNS).rows, options)
    return describe_models(rows)


def _read(sources: Sequence[Path] | Sources, options: ComparisonOptions, columns: Sequence[str]) -> Sources:
    return sources if isinstance(sources, Sources) else read_sources(sources, options, columns)


def _stored(request: Request) -> pd.DataFrame:
    return read_results([request.results], RUN_COLUMNS)


def _finished(request: Request, rows: pd.DataFrame) -> "Stored":
    """Return what needs no training; what failed is tried again."""
    from snnbench.execution.plan import Stored

    keys = finished(rows, request.limit_seconds)
    return Stored(keys, accepted_code(rows[rows["key"].isin(keys)], request.codes, request.accepted))
