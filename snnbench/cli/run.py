"""``snnbench run``."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench import __version__
from snnbench.cli import completion
from snnbench.cli.machine import Device, choose_device, n_cores
from snnbench.cli.outcome import MAX_NAMES, print_outcome, print_unused, print_warnings
from snnbench.cli.output import FLAG, duration, errors, missing_sentence, plural, quantity, results, say
from snnbench.cli.progress import Mode, display
from snnbench.errors import ConfigError, SnnbenchError, UnknownNameError

if TYPE_CHECKING:
    from snnbench.benchmark import Material, Request
    from snnbench.plan import Plan
    from snnbench.records import Compute

_PRESET = "quick"
_SHORT_SECONDS = 10
_LONG_SECONDS = 12 * 3600


class Preprocessing(StrEnum):
    """How published features are used; restandardise: standardised again, on the training rows alone."""

    as_published = "as-published"
    restandardise = "restandardise"


class Precision(StrEnum):
    """Precision of matrix products; ``auto`` takes tf32 on a GPU and float32 on a CPU."""

    auto = "auto"
    float32 = "float32"
    tf32 = "tf32"
    bfloat16 = "bfloat16"


class Stacking(StrEnum):
    """Which networks are trained together; ``auto`` goes across tasks on a GPU."""

    auto = "auto"
    within_task = "within-task"
    across_tasks = "across-tasks"


def run(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="Suite to run; see `snnbench data list`.", autocompletion=completion.suites)
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Model to run; may be repeated. Default: all of the config.", autocompletion=completion.models
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Task to run; may be repeated. Default: all of the suite.", autocompletion=completion.tasks
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Grids of the suite; see `snnbench models list`. Default: quick.",
            autocompletion=completion.presets,
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A TOML file instead of a preset.")] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="DIR|FILE|URL", help="Folder, archive or URL with the data. Default: the official URL."),
    ] = None,
    results_folder: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where results are stored.")] = Path(
        "results"
    ),
    repetition: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Hold-out or fold, from 1; may be repeated. Default: 1; all folds of htru2."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of weights, orders and dropout.", min=0)] = 0,
    seeds: Annotated[int, typer.Option(metavar="N", help="Final trainings of each selected configuration.", min=1)] = 1,
    preprocessing: Annotated[
        Preprocessing | None, typer.Option(help="Use published features as they are, or standardise them again.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", metavar=FLAG, help="Use data in the cache, never the network (SNNBENCH_OFFLINE).")
    ] = False,
    allow_import: Annotated[
        list[str] | None,
        typer.Option(metavar="PACKAGE", help="Package of your own that the config may import; may be repeated."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where networks are trained.")] = Device.auto,
    precision: Annotated[
        Precision, typer.Option(help="Of matrix products. Default: tf32 on a GPU, float32 on a CPU.")
    ] = Precision.auto,
    stacking: Annotated[
        Stacking, typer.Option(help="Networks trained together. Default: of several tasks on a GPU, of one on a CPU.")
    ] = Stacking.auto,
    accelerator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Fit scikit-learn's estimators by sklearnex (scikit-learn-intelex) or cuml (a GPU) where these have them.",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Worker processes. Default: one per core.", min=1)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar=FLAG, help="Print the plan and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", metavar=FLAG, help="Do not ask before a long run.")] = False,
    progress: Annotated[Mode, typer.Option(help="How progress is shown.")] = Mode.auto,
) -> None:
    """Train every configuration of the models' grids, select by validation score, evaluate once on the test rows.

    Results are stored job by job: the same command goes on where a run was stopped, and does nothing once all is done.
    """
    from snnbench import benchmark
    from snnbench.models.allowed import check_imports
    from snnbench.provenance import installed_packages
    from snnbench.runlog import log_event, open_log

    compute = _compute(device, precision, stacking)
    request = _resolve(
        suite,
        model,
        task,
        preset,
        config,
        source,
        offline,
        results_folder,
        repetition,
        seed,
        seeds,
        compute,
        workers,
        accelerator,
    )
    request = _preprocessed(request, preprocessing)
    check_imports(request.settings, request.models, allow_import or ())
    material = benchmark.prepare(request)
    plan = benchmark.plan(request, material)
    seconds = _estimate(request, plan)
    _print_plan(request, material, plan, seconds)
    print_unused(request, material, plan)
    if dry_run:
        return
    if seconds > _LONG_SECONDS and not yes:
        _confirm(seconds)
    with open_log(request.results) as log:
        log_event("run started", command=sys.argv[1:], version=__version__, packages=installed_packages())
        with display(progress) as report, _stop_on_interrupt() as stop:
            outcome = benchmark.run(request, material, plan, report, stop)
        log.kept = outcome.n_trained > 0 or outcome.stopped
        log_event("run ended", n_trained=outcome.n_trained, n_failed=len(outcome.failures), stopped=outcome.stopped)
    print_warnings(log.warnings)
    print_outcome(request, outcome)
    if outcome.stopped:
        raise typer.Exit(130)
    if outcome.failures or outcome.unselected:
        raise typer.Exit(1)


def _resolve(
    suite: str,
    models: list[str] | None,
    tasks: list[str] | None,
    preset: str | None,
    config: Path | None,
    source: str | None,
    offline: bool,
    results_folder: Path,
    repetitions: list[int] | None,
    seed: int,
    n_seeds: int,
    compute: "Compute",
    workers: int | None,
    accelerator: str | None,
) -> "Request":
    """Turn what was typed into a validated request; the data is located last, since it may mean a download."""
    from snnbench.benchmark import Request
    from snnbench.config import load_config
    from snnbench.models.accelerators import accelerate
    from snnbench.suites import load_suite, open_source
    from snnbench.suites.material import check_tasks

    module = load_suite(suite)
    if config and preset:
        raise ConfigError(f"--config and --preset exclude each other, found {config} and {preset}. Leave one of them out.")
    preset = preset or _PRESET
    if config:
        # A network of the user's own lies beside the config; behind all others, so that nothing there poses as a library.
        sys.path.append(str(config.absolute().parent))
    settings = load_config(suite, preset, config)
    if accelerator:
        settings = accelerate(settings, accelerator)
    for name in models or ():
        if name not in settings.models:
            raise UnknownNameError(f"model of {config or f'preset {preset}'}", name, settings.models)
    check_tasks(suite, tasks or ())
    most = int(module.catalogue()["repetitions"].max())
    for number in repetitions or ():
        if not 1 <= number <= most:
            raise ConfigError(f"--repetition must be 1 to {most}, found {number}.")
    return Request(
        suite=suite,
        models=tuple(dict.fromkeys(models or settings.models)),
        preset=config.stem if config else preset,
        settings=settings,
        results=results_folder,
        folder=open_source(suite, source, lambda message: errors().print(message, soft_wrap=True), settings.data, offline),
        tasks=tuple(dict.fromkeys(tasks or ())),
        repetitions=tuple(dict.fromkeys(repetitions or module.REPETITIONS)),
        seed=seed,
        n_seeds=n_seeds,
        compute=compute,
        n_workers=workers or n_cores(),
    )


def _preprocessed(request: "Request", preprocessing: Preprocessing | None) -> "Request":
    """Put the option's value, if it was given, in the place of the config's."""
    if preprocessing is None:
        return request
    settings = request.settings.model_copy(update={"preprocessing": preprocessing.value})
    return replace(request, settings=settings)


def _compute(device: Device, precision: Precision, stacking: Stacking) -> "Compute":
    from snnbench.records import Compute

    chosen = choose_device(device)
    on_gpu = chosen == "cuda"
    if precision is Precision.tf32 and not on_gpu:
        raise ConfigError("--precision tf32 needs a GPU; a CPU has no such products. Use --precision float32 or auto.")
    if precision is Precision.auto:
        precision = Precision.tf32 if on_gpu else Precision.float32
    if stacking is Stacking.auto:
        stacking = Stacking.across_tasks if on_gpu else Stacking.within_task
    return Compute(chosen, precision.value, stacking.value)  # type: ignore[arg-type]


def _estimate(request: "Request", plan: "Plan") -> float:
    """Return the run's seconds on this machine; the evaluations add little and are left out.

    The machine is not measured for a run that will take a few seconds even if it is slow.
    """
    from snnbench.training.process import network_workers, prepare_process
    from snnbench.training.speed import measure_speed

    if plan.seconds < _SHORT_SECONDS / 5:
        return plan.seconds
    prepare_process()
    n_workers = network_workers(request.compute, request.n_workers)
    return plan.seconds * measure_speed(request.compute) / min(n_workers, len(plan.jobs))


def _print_plan(request: "Request", material: "Material", plan: "Plan", seconds: float) -> None:
    from rich.table import Table

    from snnbench.plan import search_work

    n_tasks = len(material.tasks)
    sizes = [sum(1 for m in plan.members.values() if m.config.model == name) for name in request.models]
    per_task = [size // max(1, sum(map(len, material.splits.values()))) for size in sizes]
    grids = ", ".join(f"{name} {size}" for name, size in zip(request.models, per_task, strict=True))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("suite", f"{request.suite}, preset {request.preset}, seed {request.seed}")
    table.add_row("tasks", missing_sentence(n_tasks, n_tasks + len(material.missing), dict(material.missing), MAX_NAMES))
    table.add_row("grids", f"{grids} configurations a task")
    table.add_row("trainings", f"{len(plan.members):,} in the search, {plan.n_stored:,} of them stored already")
    table.add_row("then", f"up to {plural(plan.n_evaluations * request.n_seeds, 'evaluation')} of the selected configurations")
    accelerated = {name: request.settings.models[name].accelerator for name in request.models}
    if by := "; ".join(f"{name} by {accelerator}" for name, accelerator in accelerated.items() if accelerator):
        table.add_row("accelerated", by)
    n_steps, flops = search_work(plan, material, request.settings)
    if n_steps:
        table.add_row("networks", f"{quantity(n_steps)} optimiser steps, {quantity(flops)} floating-point operations")
    table.add_row("jobs", f"{len(plan.jobs):,} on {plural(request.n_workers, 'worker')} ({_describe(request.compute)})")
    about = "a few seconds" if seconds < _SHORT_SECONDS else f"about {duration(seconds)}"
    table.add_row("estimate", f"{about} on this machine" if plan.jobs else "nothing left to search")
    results().print(table)
    for note in material.notes:
        say("Note:", note)


def _describe(compute: "Compute") -> str:
    """Return how networks are computed, leaving out what is usual."""
    usual = {"float32", "within-task"} if compute.device == "cpu" else {"tf32", "across-tasks"}
    return ", ".join([compute.device, *(word for word in (compute.precision, compute.stacking) if word not in usual)])


def _confirm(seconds: float) -> None:
    words = f"This run is estimated at {duration(seconds)} on this machine"
    if not errors().is_terminal or not sys.stdin.isatty():
        raise SnnbenchError(f"{words}. Say --yes to start it all the same, or use --preset quick.")
    typer.confirm(f"{words}. Start it? (--preset quick takes minutes)", abort=True)


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed; the second press, or being told to end, stops at once."""
    pressed = False

    def interrupt(signum: int, frame: object) -> None:
        nonlocal pressed
        if pressed or signum == signal.SIGTERM:  # a batch system kills soon after
            raise KeyboardInterrupt
        pressed = True
        errors().print("Finishing the jobs in flight; press Ctrl-C again to stop now.")

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
