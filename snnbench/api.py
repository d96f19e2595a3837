"""The Python interface: what ``import snnbench as sb`` offers, beside the classifiers."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Unpack

import pandas as pd

from snnbench import __version__, benchmark
from snnbench.comparison import Comparison, ComparisonChoices, compare_scores
from snnbench.display.plan import describe_plan, estimate_seconds
from snnbench.display.progress import Mode, display
from snnbench.display.wording import name_some, plural
from snnbench.errors import StoreError, UnknownNameError
from snnbench.execution.plan import Plan, evaluation_seconds
from snnbench.execution.request import Request
from snnbench.execution.run_options import Names, RunOptions, build_request
from snnbench.paper.theory.normalising import ask_theory
from snnbench.records import Dataset, Split
from snnbench.report import ComparisonOptions, choose_rows
from snnbench.results import selection
from snnbench.results.runlog import log_event, open_log
from snnbench.results.store import read_results
from snnbench.suites import load_suite, open_source
from snnbench.suites.loading import LoadedSuite, check_tasks


@dataclass(frozen=True, eq=False, repr=False)
class RunPlan:
    """What a run will do: ``run`` does it. ``seconds`` is the estimate of the search on this machine."""

    request: Request
    loaded: LoadedSuite
    search: Plan
    seconds: float

    @property
    def n_jobs(self) -> int:
        """Jobs of the search that are left."""
        return len(self.search.jobs)

    @property
    def missing(self) -> dict[str, str]:
        """The reason for every task of the suite that is not at hand."""
        return dict(self.loaded.missing)

    def __repr__(self) -> str:
        rows = describe_plan(self.request, self.loaded, self.search, self.seconds)
        width = max(len(name) for name, _ in rows)
        return "\n".join([*(f"{name:<{width}}  {words}" for name, words in rows), *self.loaded.notes])


@dataclass(frozen=True, eq=False, repr=False)
class RunSummary:
    """How a run ended. ``unfinished`` has a row for every training without a score: task, split, model, status and error."""

    results: Path
    n_trained: int
    n_failed: int
    unfinished: pd.DataFrame

    def __repr__(self) -> str:
        stored = (
            f"{plural(self.n_trained, 'training')} stored in {self.results}" if self.n_trained else "Nothing was left to train"
        )
        return f"{stored}, {self.n_failed:,} of them failed." if self.n_failed else f"{stored}."


def load_task(suite: str, task: str, source: str | Path | None = None, offline: bool = False) -> tuple[Dataset, list[Split]]:
    """Return a task's arrays as they were read, and its splits into training, validation and test rows.

    Args:
        suite: Name of the suite.
        task: Name of the task.
        source: Folder, archive or URL of the data; None for the official address.
        offline: Whether the network must not be used.

    Raises:
        UnknownNameError: If there is no such suite or task.
        DataError: If the data cannot be had or is damaged.
    """
    module = load_suite(suite)
    check_tasks(suite, [task])
    folder = open_source(suite, None if source is None else str(source), print, offline=offline)
    return module.load(task, folder), module.splits(task, folder)


def plan(
    suite: str,
    models: Names = None,
    *,
    tasks: Names = None,
    preset: str = "quick",
    results: str | Path = "results",
    **options: Unpack[RunOptions],
) -> RunPlan:
    """Lay out a run and print what it will do: its jobs, an estimate of its time, what is stored and what is missing.

    Args:
        suite: Name of the suite.
        models: Models of the preset; None for all.
        tasks: Tasks of the suite; None for all.
        preset: Grids of the suite.
        results: The folder where results are stored; what lies there is not trained again.
        **options: See ``RunOptions``.

    Raises:
        SnnbenchError: If a name does not exist, a value is wrong, or the data cannot be had.
    """
    request = build_request(suite, models, tasks, preset, results, options)
    request = replace(request, settings=ask_theory(request.settings, request.models))
    loaded = benchmark.prepare(request)
    search = benchmark.plan(request, loaded)
    further_seconds = evaluation_seconds(request.specify(loaded), search, request.n_seeds)
    planned = RunPlan(request, loaded, search, estimate_seconds(request, search, further_seconds))
    print(planned)
    return planned


def run(plan: RunPlan, progress: Literal["auto", "rich", "plain", "none"] = "auto") -> RunSummary:
    """Train what a plan says, select by validation score and evaluate once on the test rows.

    Every finished job is stored: an interrupted run goes on with ``run(plan)``, or with the plan made anew.

    Args:
        plan: What to do.
        progress: How progress is shown; ``"auto"``: bars in notebooks and terminals, lines elsewhere.

    Raises:
        SnnbenchError: If the results folder cannot be written, or no worker can work.
    """
    if progress not in list(Mode):
        raise UnknownNameError("kind of progress", progress, list(Mode))
    request = plan.request
    search = benchmark.plan(request, plan.loaded)  # what was stored since is not trained again
    with open_log(request.results) as log, _main_left_alone():
        log_event("run started", command="snnbench.run", version=__version__)
        with display(Mode(progress)) as report:
            outcome = benchmark.run(request, plan.loaded, search, report)
        log.kept = outcome.n_trained > 0 or outcome.n_left > 0
        log_event("run ended", n_trained=outcome.n_trained, n_failed=len(outcome.failures), n_left=outcome.n_left)
    columns = ["task", "split", "model", "status", "error"]
    rows = [[getattr(row, name) for name in columns] for row in (*outcome.failures, *outcome.refused)]
    summary = RunSummary(request.results, outcome.n_trained, len(outcome.failures), pd.DataFrame(rows, columns=columns))
    if outcome.failures:
        errors = sorted({f"{row.model} on {row.task}: {row.error}" for row in outcome.failures})
        warnings.warn(f"{plural(len(outcome.failures), 'training')} failed: {name_some(errors, 3)}", stacklevel=2)
    return summary


@contextmanager
def _main_left_alone() -> Iterator[None]:
    """Keep worker processes from importing the script that calls, of which they need nothing.

    So it may call ``run`` without asking for its own name, as Python otherwise asks of every script that starts processes.
    """
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(kept)


def load_results(folders: str | Path | Sequence[str | Path], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return all stored rows, one for each training.

    Args:
        folders: One results folder, or several.
        columns: Which columns are needed beside key, status and finished_at; None for all.

    Raises:
        StoreError: If a folder does not exist, or a file cannot be read.
    """
    paths = [Path(folders)] if isinstance(folders, str | Path) else [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise StoreError(f"Results must lie in a folder, but {path} is none. Name the results of a run.")
    return read_results(paths, columns)


def score_table(rows: pd.DataFrame, metric: str = "", suite: str | None = None) -> pd.DataFrame:
    """Return the test scores of the selected configurations, (n_tasks, n_models); NaN where a model has none.

    Seeds and splits of a task are averaged.

    Args:
        rows: Of ``load_results``.
        metric: Another metric than that of the suite, computed from the stored outputs.
        suite: Whose tasks; None for the only one in the rows.

    Raises:
        SnnbenchError: If the rows are of several suites, or the metric is not one for their tasks.
    """
    chosen, _ = choose_rows(rows, ComparisonOptions(suite=suite))
    table = selection.score_table(chosen, metric)
    table.attrs = {
        "suite": str(chosen["suite"].iloc[0]),
        "metric": metric or " or ".join(sorted(set(chosen["metric"].dropna()))),
    }
    return table


def compare(scores: pd.DataFrame, baseline: str = "best", **choices: Unpack[ComparisonChoices]) -> Comparison:
    """Rank the models of a score table and test whether they differ.

    Args:
        scores: (n_tasks, n_models), higher is better, NaN = missing: of ``score_table``, or any table of one's own, a row a
            task or a row a score, in the forms that ``snnbench compare`` reads.
        baseline: The model that the others are tested against, or ``"best"``.
        **choices: See ``ComparisonChoices``.

    Raises:
        SnnbenchError: If the table is none of scores under distinct names.
        UnknownNameError: If the baseline or a choice does not exist.
    """
    return compare_scores(scores, {"baseline": baseline, **choices})
