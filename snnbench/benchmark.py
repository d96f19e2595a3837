"""The product in prose: prepare the data, plan, search, select, evaluate, compare."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from snnbench.config import RunSettings
from snnbench.engines import Crew, gather_crew
from snnbench.models.code import code_of
from snnbench.plan import Plan, Stored, plan_evaluation, plan_search
from snnbench.provenance import describe_environment
from snnbench.records import ON_CPU, Code, Compute, Result
from snnbench.report import ANSWERED, DEFAULT, Analysis, Question, Ranking, answer, choose_rows, render_page
from snnbench.report.runs import EXAMINED, Runs, examine_runs
from snnbench.selection import DESCRIBED, KEPT, OUTPUTS, describe_models, finished, refused, select
from snnbench.stage import Progress, run_jobs
from snnbench.store import prepare_store, read_results, read_settings, write_settings
from snnbench.suites.material import Material, gather
from snnbench.training import JobContext, Origin
from snnbench.unused import accepted_code


@dataclass(frozen=True)
class Request:
    """What a user asks of ``snnbench run``, names resolved, settings validated; ``limit_seconds`` bounds one training.

    ``accepted`` names what of the code behind stored rows may differ: ``"code"`` (the user's own), ``"packages"``.
    """

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
    crew: Crew = field(default_factory=partial(gather_crew, "local", {"workers": 1}))
    origin: Origin = field(default_factory=Origin)
    limit_seconds: float = math.inf
    accepted: tuple[str, ...] = ()

    @property
    def codes(self) -> dict[str, Code]:
        """The code at hand behind each model."""
        return {name: code_of(name, self.settings.models[name]) for name in self.models or self.settings.models}


@dataclass(frozen=True)
class Outcome:
    """How a run ended: what failed, which models have no score and why (``missing``: without a failure)."""

    n_trained: int
    failures: tuple[Result, ...]
    unselected: Mapping[tuple[str, str, str, int], str]
    n_left: int = 0
    refused: tuple[Result, ...] = ()
    missing: Mapping[tuple[str, str, str, int], str] = field(default_factory=dict)


def prepare(request: Request) -> Material:
    """Load and check every task of the request.

    Raises:
        DataError: If a task's files are damaged, or a task that was named is not at hand.
        UnknownNameError: If there is no such task.
    """
    return gather(request.suite, request.folder, request.tasks, request.repetitions, request.settings.preprocessing)


def plan(request: Request, material: Material) -> Plan:
    """Lay out the search, minus what is stored."""
    models = request.models or tuple(request.settings.models)
    done, where = _finished(request, _stored(request)), (request.compute, request.crew.n_workers)
    return plan_search(request.suite, material, request.settings, models, request.seed, done, *where)


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
    where = request.folder, material.by_name, request.settings, request.compute, provenance
    context = JobContext(*where, request.origin, request.limit_seconds)
    run_stage = partial(run_jobs, context=context, results_folder=request.results, crew=request.crew, report=report, stop=stop)
    searched = run_stage("search", search.jobs)
    if searched.n_left:
        return Outcome(searched.n_trained, searched.failures, {}, searched.n_left, searched.refused)

    stored = _stored(request)
    selected, unselected = select(search.members, stored, request.settings.select_by)
    done = _finished(request, stored)
    jobs = plan_evaluation(search, selected, material, request.settings, done, request.n_seeds, request.compute)
    evaluated = run_stage("evaluate", jobs)
    n_trained, failures = searched.n_trained + evaluated.n_trained, searched.failures + evaluated.failures
    excused = unselected.keys() & refused(search.members, stored, request.settings.select_by)
    missing = {group: unselected.pop(group) for group in sorted(excused)}
    return Outcome(n_trained, failures, unselected, evaluated.n_left, searched.refused + evaluated.refused, missing)


def compare(folders: Sequence[Path], question: Question = DEFAULT) -> Ranking:
    """Rank the models of a suite by the test scores of their selected configurations, beside published scores if named.

    Raises:
        SnnbenchError: If there is nothing to compare, or results of several suites and none was named.
    """
    return answer(question, _rows(folders, question, ANSWERED), own=bool(folders))


def examine(folders: Sequence[Path], question: Question = DEFAULT) -> Runs:
    """Return what the runs behind a comparison tell: learning curves, selected hyperparameters, costs, provenance."""
    rows = _rows(folders, question, EXAMINED)
    return examine_runs(rows, answer(question, rows, own=bool(folders)), read_settings(folders))


def report(folders: Sequence[Path], question: Question = DEFAULT) -> str:
    """Return a comparison and the runs behind it as one page of HTML."""
    rows = _rows(folders, question, EXAMINED)
    ranking = answer(question, rows, own=bool(folders))
    return render_page(Analysis(ranking), examine_runs(rows, ranking, read_settings(folders)), folders)


def describe(folders: Sequence[Path], question: Question = DEFAULT) -> pd.DataFrame:
    """Return what was selected and what it took, by model; see ``selection.describe_models``."""
    rows, _ = choose_rows(_rows(folders, question, DESCRIBED), question)
    return describe_models(rows)


def _rows(folders: Sequence[Path], question: Question, columns: Sequence[str]) -> pd.DataFrame:
    return read_results(folders, [*columns, *(OUTPUTS if question.metric else ())])


def _stored(request: Request) -> pd.DataFrame:
    return read_results([request.results], KEPT)


def _finished(request: Request, rows: pd.DataFrame) -> Stored:
    """Return what needs no training; what failed is tried again."""
    keys = finished(rows, request.limit_seconds)
    return Stored(keys, accepted_code(rows[rows["key"].isin(keys)], request.codes, request.accepted))
