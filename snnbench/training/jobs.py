"""``run_job``: from a job's names and numbers to its results."""

import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import torch
from sklearn.base import BaseEstimator

from snnbench.config import PROTOCOL_VERSION, ModelSettings
from snnbench.models import implementation, load_class
from snnbench.models.code import code_of
from snnbench.models.estimators.accelerators import accelerator_version
from snnbench.models.estimators.building import build_estimator, families, resize
from snnbench.models.layers.precision import precision
from snnbench.records import Dataset, Job, Member, Result, TrainedMember, digest
from snnbench.suites.audit.flags import flags_of
from snnbench.training.at_once import train_at_once
from snnbench.training.compiled.choice import prepare
from snnbench.training.context import JobContext, RunSpec
from snnbench.training.estimators import fit_estimator
from snnbench.training.job_rows import job_rows
from snnbench.training.networks import budget_bytes, is_out_of_memory, stack_bytes, train_networks
from snnbench.training.refusals import is_infeasible
from snnbench.training.stack import Stack, TaskRows


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
    """Read what a job trains on, import what it trains and compile its step, so that nothing of it takes time later.

    Errors come again there.
    """
    with suppress(Exception):
        settings = context.spec.model(job.members[0])
        load_class(implementation(job.members[0].config.model, settings))
        if not settings.estimator and context.spec.compute.device == "cpu":
            prepare()
        for member in {(member.task, member.split): member for member in job.members}.values():
            _rows(job, context, member)


def _train(job: Job, context: JobContext) -> Iterator[Result]:
    settings = context.spec.model(job.members[0])
    if settings.estimator:
        yield from _fit_group(settings, job, context)
        return
    rows, errors = _load(job, context)
    members = []
    for member in job.members:
        if error := errors.get((member.task, member.split)):
            yield failed(member, job, context, error)
        else:
            members.append(member)
    if not members:
        return
    for part, found in _train_parts(replace(job, members=tuple(members)), rows, settings, context.spec):
        if isinstance(found, Exception):
            if _is_broken(found):
                raise found
            yield from (failed(member, job, context, found) for member in part)
            continue
        for member, trained in zip(part, found, strict=True):
            yield _trained(member, job, context, trained, rows[member.task, member.split].held_out)


def _train_parts(
    job: Job, rows: Mapping[tuple[str, str], TaskRows], model: ModelSettings, spec: RunSpec
) -> Iterator[tuple[Sequence[Member], Iterable[TrainedMember] | Exception]]:
    """Yield the members of each stack of a job and what training gave them; several stacks are trained at once."""
    training, compute, fused = spec.settings.training, spec.compute, spec.gpu.kernels == "fused"
    stacks = [_stack(part, job, rows) for part in job.parts]
    if len(stacks) == 1:
        yield job.parts[0], train_networks(stacks[0], model, training, compute, fused)
        return
    budget = budget_bytes(compute)
    needs = [stack_bytes(stack, model, training, compute) for stack in stacks]

    def train(place: int) -> list[TrainedMember]:
        return list(train_networks(stacks[place], model, training, compute, fused, budget))

    with precision(compute.precision):  # of the process: the stacks would end each other's
        found = train_at_once(needs, budget, spec.gpu.n_at_once, train, compute.device)
    yield from zip(job.parts, found, strict=True)


def _stack(members: Sequence[Member], job: Job, rows: Mapping[tuple[str, str], TaskRows]) -> Stack:
    used = {split: place for place, split in enumerate(dict.fromkeys((member.task, member.split) for member in members))}
    return Stack(
        job.stage,
        configs=[member.config for member in members],
        tasks=[rows[split] for split in used],
        task_of=[used[member.task, member.split] for member in members],
        seeds=[_stream_seed(member, job) for member in members],
        n_epochs=[member.n_epochs for member in members],
    )


def _load(job: Job, context: JobContext) -> tuple[dict[tuple[str, str], TaskRows], dict[tuple[str, str], Exception]]:
    """Return the rows of every task and split of a job, and why some have none: the others are trained all the same."""
    rows, errors = {}, {}
    for place, member in {(member.task, member.split): member for member in job.members}.items():
        try:
            rows[place] = _rows(job, context, member)
        except Exception as error:
            errors[place] = error
    return rows, errors


def _rows(job: Job, context: JobContext, member: Member) -> TaskRows:
    spec, task = context.spec, context.spec.tasks[member.task]
    how = spec.settings.preprocessing, spec.encoding(member.task, member.config.model)
    train, held_out = job_rows(job.stage, job.suite, member.task, member.split, context.folder, *how)
    return TaskRows(train, held_out, task.n_outputs, task.metric)


def _fit_group(settings: ModelSettings, job: Job, context: JobContext) -> list[Result]:
    """Fit the members one after another, an ensemble's sizes by growing it; return their results in the job's order."""
    results: dict[str, Result] = {}
    grows = context.spec.tasks[job.members[0].task].kind != "multilabel"  # of which every label has an ensemble of its own
    for family in families(settings, job.members):
        first = family[0]
        grown = build_estimator(settings, first.config, _stream_seed(first, job)) if grows and len(family) > 1 else None
        for member in family:
            results[member.key] = _fit(settings, member, job, context, grown)
            if results[member.key].status != "ok":
                grown = None  # it may have learned a part before it failed: the others are fitted by themselves
    return [results[member.key] for member in job.members]


def _fit(settings: ModelSettings, member: Member, job: Job, context: JobContext, grown: BaseEstimator | None) -> Result:
    rows, config = _rows(job, context, member), member.config
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if grown is not None:
                resize(grown, settings, config)
            start = time.perf_counter()
            n_rounds = None if job.stage == "search" else member.n_epochs
            scored = fit_estimator(settings, config, _stream_seed(member, job), rows, grown, n_rounds)
            seconds = time.perf_counter() - start
        except Exception as error:  # one configuration that fails must not take its neighbours along
            is_refusal = is_infeasible(error, settings, config, rows)
            return infeasible(member, job, context, error) if is_refusal else failed(member, job, context, error)
    if job.stage == "search":
        trained = TrainedMember(seconds, valid_score=scored.score, best_epoch=scored.n_rounds)
    else:
        trained = TrainedMember(seconds, test_score=scored.score, test_outputs=scored.outputs)
    result = _trained(member, job, context, trained, rows.held_out)
    return replace(result, warnings="\n".join(dict.fromkeys(str(warning.message) for warning in caught)))


def _stream_seed(member: Member, job: Job) -> int:
    """Return the seed of everything random in a member.

    It depends on the run's seed, the suite, the task and the split, and not on the config: so all configurations see the same
    order of rows and, where their shapes agree, start from the same weights, and one noise field serves a whole stack.
    """
    return int(digest([member.seed, job.suite, member.task, member.split], length=8), 16) >> 1


def _trained(member: Member, job: Job, context: JobContext, trained: TrainedMember, held_out: Dataset) -> Result:
    return _result(
        member,
        job,
        context,
        status="diverged" if trained.diverged else "ok",
        error="its loss or its outputs are not finite" if trained.diverged else "",
        valid_score=trained.valid_score,
        test_score=trained.test_score,
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
        train_loss=tuple(trained.train_loss.tolist()),
        valid_curve=tuple(trained.valid_curve.tolist()),
        test_targets=_targets(held_out.y) if job.stage == "evaluate" else (),
        test_outputs=tuple(trained.test_outputs.ravel().tolist()),
    )


def _targets(y: np.ndarray) -> tuple[int | None, ...]:
    """Return the targets row by row; None = not measured."""
    return tuple(None if np.isnan(label) else int(label) for label in y.ravel().tolist())


def _result(member: Member, job: Job, context: JobContext, **outcome: object) -> Result:
    task, config, spec = context.spec.tasks[member.task], member.config, context.spec
    settings = spec.model(member)
    code = code_of(config.model, settings)
    provenance = {
        **context.provenance,
        "grid": spec.settings.grid_digest(config.model),
        "code_digest": code.digest,
        "code_versions": code.versions,
        "search_seed": member.seed if member.search_seed is None else member.search_seed,
        "protocol_version": PROTOCOL_VERSION,
        "preprocessing": spec.settings.preprocessing,
        "encoding": spec.encoding(member.task, config.model),
        "metric": task.metric,
        "task_n_samples": task.n_samples,
        "task_n_outputs": task.n_outputs,
        "task_sha256": task.sha256,
        "task_source": task.source,
        "task_flags": flags_of(job.suite, task.name, context.folder),
        "limit_seconds": context.limit_seconds,
        "n_stack": len(job.members),
        "accelerator": accelerator_version(settings),
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
