"""``run_job``: from a job's names and numbers to its results."""

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator

from snnbench.config import PROTOCOL_VERSION, ModelSettings, RunSettings
from snnbench.models import implementation, load_class
from snnbench.models.code import code_of
from snnbench.models.estimators.accelerators import accelerator_version
from snnbench.models.estimators.building import build_estimator, families, resize
from snnbench.records import Compute, Dataset, Job, Member, Result, Task, TrainingRun, Value, digest
from snnbench.suites.audit.flags import flags_of
from snnbench.training.estimators import fit_estimator, is_infeasible
from snnbench.training.loaders import TaskRows
from snnbench.training.networks import NetworkMember, is_out_of_memory, train_networks
from snnbench.training.rows import job_rows


@dataclass(frozen=True)
class NodeSetup:
    """Where another machine finds what it lacks.

    ``source`` is what the user named for the data (None = the official addresses), ``offline`` keeps it from the network, and
    ``code_folder`` holds a user's own models.
    """

    source: str | None = None
    offline: bool = False
    code_folder: Path | None = None


@dataclass(frozen=True)
class JobContext:
    """What all jobs of a run share, so that a job itself is names and numbers only.

    ``limit_seconds`` is the time limit of one training; no number of those that finish depends on it.
    """

    folder: Path | None
    tasks: dict[str, Task]
    settings: RunSettings
    compute: Compute
    provenance: dict[str, Value]
    node_setup: NodeSetup = field(default_factory=NodeSetup)
    limit_seconds: float = math.inf


def run_job(job: Job, context: JobContext, in_worker: bool = False) -> list[Result]:
    """Train the members of a job; an error becomes failed results, never an exception.

    Args:
        job: What to train.
        context: What it needs beside its names and numbers.
        in_worker: Whether this is an engine's process, which ends where an error leaves it useless.
    """
    results: list[Result] = []
    try:
        results.extend(_train(job, context))
    except Exception as error:
        if in_worker and _is_broken(error):
            os._exit(1)  # the engine tries the job again, in a new process
        done = {result.key for result in results}
        results.extend(failed(member, job, context, error) for member in job.members if member.key not in done)
    return results


def _is_broken(error: Exception) -> bool:
    """Say whether an error leaves a worker useless: after one on a GPU, all that follows in the process fails with it."""
    return isinstance(error, getattr(torch, "AcceleratorError", ())) and not is_out_of_memory(error)


def failed(member: Member, job: Job, context: JobContext, error: BaseException) -> Result:
    """Return the result of a member that has none, with the error's type and words."""
    return _result(member, job, context, status="failed", error=f"{type(error).__name__}: {error}")


def infeasible(member: Member, job: Job, context: JobContext, error: BaseException) -> Result:
    """Return the result of a member whose estimator refuses its rows, with the error's type and words."""
    return _result(member, job, context, status="infeasible", error=f"{type(error).__name__}: {error}")


def out_of_time(member: Member, job: Job, context: JobContext, limit_seconds: float) -> Result:
    """Return the result of a member that was not done within its time limit, which its row then says, too."""
    words = f"not done after {limit_seconds:g} s, the time limit"
    return _result(member, job, context, status="timeout", error=words, seconds=limit_seconds)


def load_rows(job: Job, context: JobContext) -> None:
    """Read what a job trains on and import what it trains, so that neither takes time later; errors come again there."""
    model = job.members[0].config.model
    with suppress(Exception):
        load_class(implementation(model, context.settings.models[model]))
        for task, split in dict.fromkeys((member.task, member.split) for member in job.members):
            job_rows(job.stage, job.suite, task, split, context.folder, context.settings.preprocessing)


def _train(job: Job, context: JobContext) -> Iterator[Result]:
    model = job.members[0].config.model
    settings = context.settings.models[model]
    if settings.estimator:
        yield from _fit_group(settings, job, context)
        return
    rows: dict[tuple[str, str], TaskRows | Exception] = {}
    for task, split in dict.fromkeys((member.task, member.split) for member in job.members):
        try:
            rows[task, split] = _rows(job, context, task, split)
        except Exception as error:  # of one task; those of others in this stack are trained
            rows[task, split] = error
    members, networks = [], []
    for member in job.members:
        found = rows[member.task, member.split]
        if isinstance(found, Exception):
            yield failed(member, job, context, found)
            continue
        members.append(member)
        networks.append(NetworkMember(member.config, found, _stream_seed(member, job), member.n_epochs))
    if not networks:
        return
    runs = train_networks(networks, settings, job.stage, context.settings.training, context.compute)
    for member, network, (run, place) in zip(members, networks, runs, strict=True):
        yield _trained(member, job, context, run, place, network.rows.held_out)


def _rows(job: Job, context: JobContext, task: str, split: str) -> TaskRows:
    train, held_out = job_rows(job.stage, job.suite, task, split, context.folder, context.settings.preprocessing)
    return TaskRows(train, held_out, context.tasks[task].n_outputs, context.tasks[task].metric)


def _fit_group(settings: ModelSettings, job: Job, context: JobContext) -> list[Result]:
    """Fit the members one after another, an ensemble's sizes by growing it; return their results in the job's order."""
    results: dict[str, Result] = {}
    grows = context.tasks[job.members[0].task].kind != "multilabel"  # of which every label has an ensemble of its own
    for family in families(settings, job.members):
        first = family[0]
        grown = build_estimator(settings, first.config, _stream_seed(first, job)) if grows and len(family) > 1 else None
        for member in family:
            results[member.key] = _fit(settings, member, job, context, grown)
            if results[member.key].status != "ok":
                grown = None  # who knows what it learned before it failed: the others are fitted by themselves
    return [results[member.key] for member in job.members]


def _fit(settings: ModelSettings, member: Member, job: Job, context: JobContext, grown: BaseEstimator | None) -> Result:
    task = context.tasks[member.task]
    train, held_out = job_rows(job.stage, job.suite, task.name, member.split, context.folder, context.settings.preprocessing)
    seed, config = _stream_seed(member, job), member.config
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if grown is not None:
                resize(grown, settings, config)
            run = fit_estimator(settings, config, seed, job.stage, train, held_out, task.n_outputs, task.metric, grown)
        except Exception as error:  # one configuration that fails must not take its neighbours along
            return infeasible(member, job, context, error) if is_infeasible(error) else failed(member, job, context, error)
    result = _trained(member, job, context, run, 0, held_out)
    return replace(result, warnings="\n".join(dict.fromkeys(str(warning.message) for warning in caught)))


def _stream_seed(member: Member, job: Job) -> int:
    """Return the seed of everything random in a member.

    It depends on the run's seed, the suite, the task and the split, and not on the config: so all configurations see the same
    order of rows and, where their shapes agree, start from the same weights, and one noise field serves a whole stack.
    """
    return int(digest([member.seed, job.suite, member.task, member.split], length=8), 16) >> 1


def _trained(member: Member, job: Job, context: JobContext, run: TrainingRun, index: int, held_out: Dataset) -> Result:
    n_seen = np.isfinite(run.train_loss[:, index]).sum() + 1  # up to the epoch in which a member was lost
    return _result(
        member,
        job,
        context,
        status="diverged" if run.diverged[index] else "ok",
        error="its loss or its outputs are not finite" if run.diverged[index] else "",
        valid_score=float(run.best_score[index]),
        test_score=float(run.test_score[index]),
        best_epoch=int(run.best_epoch[index]),
        seconds=run.seconds / run.train_loss.shape[1],
        train_loss=tuple(run.train_loss[:n_seen, index].tolist()),
        valid_curve=tuple(run.valid_score[:n_seen, index].tolist()),
        test_targets=_targets(held_out.y) if job.stage == "evaluate" else (),
        test_outputs=() if run.diverged[index] else tuple(run.test_outputs[index].ravel().tolist()),
    )


def _targets(y: np.ndarray) -> tuple[int | None, ...]:
    """Return the targets row by row; None = not measured."""
    return tuple(None if np.isnan(label) else int(label) for label in y.ravel().tolist())


def _result(member: Member, job: Job, context: JobContext, **outcome: object) -> Result:
    task = context.tasks[member.task]
    config = member.config
    code = code_of(config.model, context.settings.models[config.model])
    provenance = {
        **context.provenance,
        "grid": context.settings.grid_digest(config.model),
        "code_digest": code.digest,
        "code_versions": code.versions,
        "search_seed": member.seed if member.search_seed is None else member.search_seed,
        "protocol_version": PROTOCOL_VERSION,
        "preprocessing": context.settings.preprocessing,
        "metric": task.metric,
        "task_n_samples": task.n_samples,
        "task_n_outputs": task.n_outputs,
        "task_sha256": task.sha256,
        "task_source": task.source,
        "task_flags": flags_of(job.suite, task.name),
        "limit_seconds": context.limit_seconds,
        "n_stack": len(job.members),
        "accelerator": accelerator_version(context.settings.models[config.model]),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Result(
        key=member.key,
        stage=job.stage,
        suite=job.suite,
        task=member.task,
        split=member.split,
        model=config.model,
        config=config.to_json(),
        config_key=config.key,
        seed=member.seed,
        n_epochs=member.n_epochs,
        provenance=provenance,
        **outcome,  # type: ignore[arg-type]
    )
