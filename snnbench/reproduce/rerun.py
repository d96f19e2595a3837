"""Training again exactly what produced a stored row."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from snnbench.config import PROTOCOL_VERSION, RunSettings
from snnbench.errors import DataError, SnnbenchError, StoreError
from snnbench.execution.engines import configure_engine, load_engine
from snnbench.execution.plan import evaluation_member, search_member
from snnbench.models.code import code_of
from snnbench.models.import_policy import check_imports
from snnbench.records import Compute, Config, Job, Member, Result, is_lasting
from snnbench.results.folders import find_rows
from snnbench.results.selection import only_suite
from snnbench.results.stale import describe_other_code
from snnbench.results.store import load_settings, read_results, settings_file
from snnbench.suites import load_suite
from snnbench.training.context import GpuUse, JobContext, RunSpec
from snnbench.training.jobs import failed
from snnbench.training.worker import open_worker

_MADE_WITH = ["suite", "settings_digest", "device", "precision", "stacking"]
_NUMBERS = ("valid_score", "test_score", "best_epoch", "train_loss", "valid_curve", "test_outputs")


@dataclass(frozen=True)
class Rerun:
    """A stored row (with the names of ``Result``) and the result of training it again."""

    stored: Any
    again: Result

    @property
    def is_equal(self) -> bool:
        """Whether both have the same status and the same bits."""
        same = self.stored.status == self.again.status
        return same and all(
            _bits(getattr(self.stored, name), name) == _bits(getattr(self.again, name), name) for name in _NUMBERS
        )


def rerun_rows(
    results: Path,
    keys: Sequence[str],
    suite: str | None,
    open_folder: Callable[[str], Path | None],
    n_workers: int = 1,
    allowed: Sequence[str] = (),
) -> list[Rerun]:
    """Train stored rows again, each from its own settings, seed and number of epochs; nothing is stored.

    Args:
        results: A results folder.
        keys: Keys of rows, or their beginnings; none for all evaluations.
        suite: Whose rows, if there are several.
        open_folder: Returns where the data of a suite lies.
        n_workers: Number of processes.
        allowed: Packages that the settings may import beside the usual ones.

    Raises:
        SnnbenchError: If there is no such row, its settings are gone, or data, code or protocol are no longer those of the row.
    """
    rows = pd.concat([find_rows([results], key) for key in keys]) if keys else _evaluations(results, suite)
    rows = rows[rows["status"].map(is_lasting)].drop_duplicates("key")
    if rows.empty:
        raise SnnbenchError(f"There must be a finished row to run again, found none in {results}. Run `snnbench run` first.")
    if absent := [name for name in (*_MADE_WITH, "protocol_version") if name not in rows]:
        raise StoreError(
            f"Running a row again needs rows that say how they were made, but these do not say {', '.join(absent)}."
        )
    # Rows say what compiled their kernels; those by torch's say nothing.
    rows = rows.assign(is_fused=rows["kernels"].notna() if "kernels" in rows else False)
    outcomes, engine_spec = [], configure_engine("local", {"workers": n_workers})
    for (name, digest, *how, is_fused), group in rows.groupby([*_MADE_WITH, "is_fused"], dropna=False):
        settings, folder = _settings(results, str(digest)), open_folder(str(name))
        check_imports(settings, set(group["model"]) & set(settings.models), allowed)
        tasks = {task.name: task for task in load_suite(str(name), folder).tasks(folder)[0]}
        gpu = GpuUse("fused" if is_fused else "plain")
        spec = RunSpec(str(name), tasks, {}, settings, Compute(*how), gpu=gpu)
        jobs = {job.key: (job, row) for job, row in _jobs(group, spec)}
        context = JobContext(spec, folder)
        for job, outcome in load_engine("local").run_jobs(
            [job for job, _ in jobs.values()], partial(open_worker, context=context), engine_spec
        ):
            result = failed(job.members[0], job, context, outcome) if isinstance(outcome, Exception) else outcome[0]
            outcomes.append(Rerun(jobs[job.key][1], result))
    return outcomes


def _evaluations(results: Path, suite: str | None) -> pd.DataFrame:
    rows = read_results([results])
    return rows if rows.empty else rows[(rows["suite"] == only_suite(rows, suite)) & (rows["stage"] == "evaluate")]


def _settings(results: Path, digest: str) -> RunSettings:
    file = settings_file(results, digest)
    try:
        return RunSettings.model_validate(load_settings(file))
    except (OSError, ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        raise StoreError(
            f"Running a row again needs the settings of the run in {file}, but reading it says: {error}."
        ) from error


def _jobs(rows: pd.DataFrame, spec: RunSpec) -> Iterator[tuple[Job, Any]]:
    for row in rows.itertuples():
        if row.task not in spec.tasks or spec.tasks[row.task].sha256 != row.task_sha256:
            raise DataError(
                f"Row {row.key} needs the data of {row.task} that it was trained on, found other or none. See --source."
            )
        if row.model not in spec.settings.models:
            raise StoreError(
                f"The settings of row {row.key} must have the model {row.model}, found {', '.join(spec.settings.models)}."
            )
        yield Job(row.stage, row.suite, (_member(row, spec),)), row


def _member(row: Any, spec: RunSpec) -> Member:
    """Return the row's member; its key is computed again, so that nothing else than the row is run again."""
    config = Config(row.model, tuple(json.loads(row.config).items()))
    seed = row.seed if row.stage == "search" else _search_seed(row)
    member = search_member(replace(spec, seed=seed), row.task, row.split, config)
    if row.stage == "evaluate":
        member = evaluation_member(spec, member, row.n_epochs, row.seed)
    if member.key == row.key:
        return member
    raise SnnbenchError(
        f"Row {row.key} ({row.model} on {row.task}) must have the key that its settings give now, found another: "
        f"{_what_changed(row, spec.settings)}. "
        f"Install snnbench {row.snnbench_version} (commit {row.git_commit or 'not known'})."
    )


def _search_seed(row: Any) -> int:
    """Return the seed of the search behind an evaluation; its own, which is that of most, where an old row does not say."""
    found = getattr(row, "search_seed", None)
    return int(row.seed if found is None or pd.isna(found) else found)


def _what_changed(row: Any, settings: RunSettings) -> str:
    if row.protocol_version != PROTOCOL_VERSION:
        return f"it is of protocol version {row.protocol_version:.0f}, here is {PROTOCOL_VERSION}"
    code = code_of(row.model, settings.models[row.model])
    found = describe_other_code(code, row.code_digest, row.code_versions)
    return "it was made with " + " and ".join(found.values()) if found else "its settings have changed"


def _bits(value: Any, name: str) -> bytes:
    return np.asarray(value, dtype=np.float32 if name == "test_outputs" else np.float64).tobytes()
