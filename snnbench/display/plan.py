"""What is said before a run starts: what it will do and how long it will take."""

import math
from typing import TYPE_CHECKING

from snnbench.display.wording import duration, missing_sentence, plural, quantity

if TYPE_CHECKING:
    from snnbench.benchmark import LoadedSuite, Request
    from snnbench.execution.plan import Plan
    from snnbench.records import Compute

MAX_NAMES = 12
"""Tasks named for one reason; ``snnbench data verify`` names all."""

_SHORT_SECONDS = 10


def estimate_seconds(request: "Request", plan: "Plan", further_seconds: float = 0.0) -> float:
    """Return the run's seconds on this machine, search and evaluations.

    Args:
        request: What was asked for.
        plan: What is to be searched.
        further_seconds: Planned cost of the evaluations, one after another.

    The machine is not measured for a run that will take a few seconds even if it is slow.
    """
    import torch

    from snnbench.training.process import exact_process
    from snnbench.training.speed import measure_apart, measure_speed

    on_gpu, engine_spec = request.compute.device == "cuda", request.engine_spec
    planned = plan.seconds + further_seconds
    if planned < _SHORT_SECONDS / 5 or (on_gpu and not torch.cuda.is_available()):
        return planned
    n_workers = engine_spec.n_gpu_workers if on_gpu else engine_spec.n_workers
    with exact_process():
        # The process in front would keep a GPU's memory for the whole run.
        speed = measure_apart(request.compute) if on_gpu else measure_speed(request.compute)
    return planned * speed / min(n_workers, len(plan.jobs))


def describe_plan(request: "Request", loaded: "LoadedSuite", plan: "Plan", seconds: float) -> list[tuple[str, str]]:
    """Return what a run will do, a line each: what it speaks of, and what it says."""
    from snnbench.execution.plan import search_work

    n_tasks = len(loaded.tasks)
    sizes = [sum(1 for m in plan.members.values() if m.config.model == name) for name in request.models]
    per_task = [size // max(1, sum(map(len, loaded.splits.values()))) for size in sizes]
    grids = ", ".join(f"{name} {size}" for name, size in zip(request.models, per_task, strict=True))
    rows = [
        ("suite", f"{request.suite}, preset {request.preset}, seed {request.seed}"),
        ("tasks", missing_sentence(n_tasks, n_tasks + len(loaded.missing), dict(loaded.missing), MAX_NAMES)),
        ("grids", f"{grids} configurations a task"),
        ("trainings", f"{len(plan.members):,} in the search, {plan.n_stored:,} of them stored already"),
        ("then", f"up to {plural(plan.n_evaluations * request.n_seeds, 'evaluation')} of the selected configurations"),
    ]
    accelerated = {name: request.settings.models[name].accelerator for name in request.models}
    if by := "; ".join(f"{name} by {accelerator}" for name, accelerator in accelerated.items() if accelerator):
        rows.append(("accelerated", by))
    spec = request.specify(loaded)
    encodings = {name: {spec.encoding(task, name) for task in spec.tasks} - {""} for name in request.models}
    if any(encodings.values()):
        by_kind = {kind: [name for name, of in encodings.items() if kind in of] for kind in ("one-hot", "ordinal", "native")}
        rows.append(("encoding", "; ".join(f"{kind} for {', '.join(names)}" for kind, names in by_kind.items() if names)))
    n_steps, flops = search_work(plan, spec)
    if n_steps:
        rows.append(("networks", f"{quantity(n_steps)} optimiser steps, {quantity(flops)} floating-point operations"))
    engine_spec = request.engine_spec
    workers = plural(engine_spec.n_gpu_workers if request.compute.device == "cuda" else engine_spec.n_workers, "worker")
    where = f"up to {workers} of {engine_spec.name}" if engine_spec.is_remote else workers
    rows.append(("jobs", f"{len(plan.jobs):,} on {where} ({_describe(request.compute)})"))
    if request.limit_seconds < math.inf:
        rows.append(("limit", f"{request.limit_seconds:g} s a training, of a stack for each of its members"))
    about = "a few seconds" if seconds < _SHORT_SECONDS else f"about {duration(seconds)}"
    fast = "if all work at once, each as fast as this machine" if request.engine_spec.is_remote else "on this machine"
    rows.append(("estimate", f"{about} {fast}" if plan.jobs else "nothing left to search"))
    return rows


def _describe(compute: "Compute") -> str:
    """Return how networks are computed, leaving out what is usual."""
    usual = {"float32", "within-task"} if compute.device == "cpu" else {"tf32", "across-tasks"}
    return ", ".join([compute.device, *(word for word in (compute.precision, compute.stacking) if word not in usual)])
