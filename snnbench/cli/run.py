"""``snnbench run``."""

import math
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench import __version__
from snnbench.cli import completion, own
from snnbench.cli.machine import Device, Kernels, choose_device, use_gpu
from snnbench.cli.names import activation_models, load_settings, read_repetitions
from snnbench.cli.outcome import print_outcome, print_unused, print_warnings
from snnbench.cli.output import FLAG, errors
from snnbench.cli.plan import confirm, print_plan
from snnbench.display.plan import estimate_seconds
from snnbench.display.progress import Mode, display
from snnbench.errors import ConfigError
from snnbench.seeds import MAX_SEED, check_seeds

if TYPE_CHECKING:
    from snnbench.config import RunSettings
    from snnbench.records import Compute
    from snnbench.suites.own import TableOptions

_PRESET = "quick"
_CLUSTERS = "More than one machine"


class Preprocessing(StrEnum):
    """How published features are used; restandardise: standardised again, on the training rows alone."""

    as_published = "as-published"
    restandardise = "restandardise"


class Accepted(StrEnum):
    """Of which other versions stored trainings count: of one's own code, of what is installed."""

    code = "code"
    packages = "packages"


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


@own.takes_tables
def run(
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE|PATH", help="Suite of `snnbench data list`, or a table or folder.", autocompletion=completion.suites
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Model to run; may be repeated. Default: all of the config.", autocompletion=completion.models
        ),
    ] = None,
    activation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Fully connected networks with an activation (mish, gelu) or a function of your own; may be repeated.",
            autocompletion=completion.activations,
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
        list[str] | None,
        typer.Option(metavar="N|N..N", help="Hold-outs or folds, from 1: 3, 1..10 or 1,4. Default: 1; all folds of htru2."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of weights, orders and dropout.", min=0, max=MAX_SEED)] = 0,
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
    accept: Annotated[
        list[Accepted] | None,
        typer.Option(help="Count stored trainings by other versions of your own code, of packages; may be repeated."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where networks are trained.")] = Device.auto,
    precision: Annotated[
        Precision, typer.Option(help="Of matrix products. Default: tf32 on a GPU, float32 on a CPU.")
    ] = Precision.auto,
    stacking: Annotated[
        Stacking, typer.Option(help="Networks trained together. Default: of several tasks on a GPU, of one on a CPU.")
    ] = Stacking.auto,
    kernels: Annotated[
        Kernels, typer.Option(help="Of a GPU: torch's, or fewer by Triton, which no GPU has run yet.")
    ] = Kernels.plain,
    stacks_at_once: Annotated[
        int, typer.Option(metavar="N", help="Stacks that a GPU trains at the same time; no number depends on it.", min=1)
    ] = 1,
    accelerator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Fit scikit-learn's estimators by sklearnex (scikit-learn-intelex) or cuml (a GPU) where these have them.",
        ),
    ] = None,
    job_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Time limit of one training. What runs out of it has no score and is not tried again below a larger one.",
            min=1,
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Worker processes. Default: one per core.", min=1)] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Where jobs run: local (processes on this machine), ray or slurm.",
            autocompletion=completion.engines,
            rich_help_panel=_CLUSTERS,
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|auto", help="Of the Ray cluster. Default: auto, that of this machine.", rich_help_panel=_CLUSTERS
        ),
    ] = None,
    partition: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of Slurm. Default: the cluster's.", rich_help_panel=_CLUSTERS)
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Slurm account to charge.", rich_help_panel=_CLUSTERS)
    ] = None,
    time: Annotated[
        int | None,
        typer.Option(metavar="MINUTES", help="Time limit of a Slurm job. Default: 60.", min=5, rich_help_panel=_CLUSTERS),
    ] = None,
    max_array: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Slurm array tasks at once, queued or running. Default: 256.", min=1, rich_help_panel=_CLUSTERS
        ),
    ] = None,
    cpus_per_job: Annotated[
        int | None,
        typer.Option(metavar="N", help="Cores that a job reserves. Default: 1.", min=1, rich_help_panel=_CLUSTERS),
    ] = None,
    gpus_per_job: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="GPUs, or on Ray the part of one, that a job of networks reserves. Default: 1 with --device cuda, else 0.",
            min=0,
            rich_help_panel=_CLUSTERS,
        ),
    ] = None,
    max_in_flight: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Chunks of jobs that Ray has at once. Default: two a worker.", min=1, rich_help_panel=_CLUSTERS
        ),
    ] = None,
    max_retries: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Times that a job is run again whose node or process died. Default: 2.",
            min=0,
            rich_help_panel=_CLUSTERS,
        ),
    ] = None,
    tables: "TableOptions | None" = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar=FLAG, help="Print the plan and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", metavar=FLAG, help="Do not ask before a long run.")] = False,
    progress: Annotated[Mode, typer.Option(help="How progress is shown.")] = Mode.auto,
) -> None:
    """Train every configuration of the models' grids, select by validation score, evaluate once on the test rows.

    Results are stored job by job: the same command continues a run that was stopped, and does nothing once all is done.
    """
    if config and preset:
        raise ConfigError(f"--config and --preset exclude each other, found {config} and {preset}. Leave one of them out.")
    # Names are checked before anything that takes long is imported; a suite of the user's is known once it is opened.
    activated = activation_models(activation or ())
    asked_for = (*(model or ()), *activated)
    load = partial(load_settings, preset=preset or _PRESET, config=config, activations=activation or ())
    settings = None if own.is_own(suite) and not config else load(suite, asked_for)
    from snnbench import benchmark
    from snnbench.execution.engines import configure_engine, load_engine
    from snnbench.execution.plan import evaluation_seconds, search_grid
    from snnbench.execution.request import Request
    from snnbench.models.import_policy import check_imports
    from snnbench.paper.theory.normalising import ask_theory
    from snnbench.results.provenance import installed_packages
    from snnbench.results.runlog import log_event, open_log
    from snnbench.suites import load_suite
    from snnbench.suites.loading import check_tasks
    from snnbench.training.context import NodeSetup

    asked = {
        "workers": workers,
        "address": address,
        "partition": partition,
        "account": account,
        "time": time,
        "max_array": max_array,
        "cpus_per_job": cpus_per_job,
        "gpus_per_job": gpus_per_job,
        "max_in_flight": max_in_flight,
        "max_retries": max_retries,
    }
    is_remote = load_engine(engine).REMOTE
    compute = _compute(device, precision, stacking, gpus_per_job, is_remote)
    if is_remote:
        asked["gpus_per_job"] = gpus_per_job or float(compute.device == "cuda")
    suite, source = own.open_suite(
        suite,
        source,
        tables,
    )
    settings = settings or load(suite, asked_for)
    own_code = config.absolute().parent if config else Path.cwd() if activation else None
    settings = _with_options(settings, own_code, accelerator, preprocessing)
    models = tuple(dict.fromkeys(asked_for or settings.models))
    check_imports(settings, models, allow_import or ())
    settings = ask_theory(settings, models)
    for name in models:  # a wrong value is found here, not after a download
        search_grid(name, settings.models[name])
    check_tasks(suite, task or ())
    repetitions = read_repetitions(suite, repetition or ())
    check_seeds(seed, seeds)
    engine_spec = configure_engine(engine, {name: value for name, value in asked.items() if value is not None}, results_folder)
    request = Request(
        suite=suite,
        models=models,
        preset=config.stem if config else preset or _PRESET,
        settings=settings,
        results=results_folder,
        folder=_locate(suite, source, settings, offline),
        tasks=tuple(dict.fromkeys(task or ())),
        repetitions=repetitions or load_suite(suite).REPETITIONS,
        seed=seed,
        n_seeds=seeds,
        compute=compute,
        engine_spec=engine_spec,
        node_setup=NodeSetup(_absolute(source), offline, own_code),
        limit_seconds=math.inf if job_timeout is None else job_timeout,
        accepted=tuple(kind.value for kind in accept or ()),
        gpu=use_gpu(kernels, stacks_at_once, compute, is_remote),
    )
    loaded = benchmark.prepare(request)
    plan = benchmark.plan(request, loaded)
    seconds = estimate_seconds(request, plan, evaluation_seconds(request.specify(loaded), plan, seeds))
    print_plan(request, loaded, plan, seconds)
    print_unused(request, loaded, plan)
    if dry_run:
        return
    if not yes:
        confirm(seconds)
    with open_log(request.results) as log:
        log_event("run started", command=sys.argv[1:], version=__version__, packages=installed_packages())
        with display(progress) as report, _stop_on_interrupt() as stop:
            outcome = benchmark.run(request, loaded, plan, report, stop)
        log.kept = outcome.n_trained > 0 or outcome.n_left > 0
        log_event("run ended", n_trained=outcome.n_trained, n_failed=len(outcome.failures), n_left=outcome.n_left)
    print_warnings(log.warnings)
    print_outcome(request, outcome)
    if outcome.n_left:
        raise typer.Exit(130)
    if outcome.failures or outcome.unselected:
        raise typer.Exit(1)


def _with_options(
    settings: "RunSettings", folder: Path | None, accelerator: str | None, preprocessing: Preprocessing | None
) -> "RunSettings":
    """Return the settings of a config, with the values of options in the place of its own."""
    from snnbench.models.estimators.accelerators import accelerate

    if folder:
        # Code of the user's own lies beside the config; behind all others, so that nothing there poses as a library.
        sys.path.append(str(folder))
    if accelerator:
        settings = accelerate(settings, accelerator)
    return settings.model_copy(update={"preprocessing": preprocessing.value}) if preprocessing else settings


def _absolute(source: str | None) -> str | None:
    """Return a source as other machines can read it, whatever folder they work in."""
    return source if source is None or "://" in source else str(Path(source).expanduser().absolute())


def _locate(suite: str, source: str | None, settings: "RunSettings", offline: bool) -> Path | None:
    """Return where the data lies; this may mean a download."""
    from snnbench.suites import open_source

    say_so = partial(errors().print, soft_wrap=True)
    return open_source(suite, source, say_so, settings.data, offline)


def _compute(
    device: Device, precision: Precision, stacking: Stacking, gpus_per_job: float | None, is_remote: bool
) -> "Compute":
    """Return how networks are computed; on other machines what counts is what is asked of them, not what is found here."""
    from snnbench.records import Compute

    if gpus_per_job is not None and is_remote and device is not Device.auto and (gpus_per_job > 0) != (device is Device.cuda):
        must = "above 0 with --device cuda" if device is Device.cuda else "0 with --device cpu"
        raise ConfigError(f"--gpus-per-job must be {must}, found {gpus_per_job:g}. Leave one of them out.")
    on_gpu = bool(gpus_per_job) or device is Device.cuda if is_remote else choose_device(device) == "cuda"
    if precision is Precision.tf32 and not on_gpu:
        raise ConfigError("--precision tf32 needs a GPU; a CPU has no such products. Use --precision float32 or auto.")
    if precision is Precision.auto:
        precision = Precision.tf32 if on_gpu else Precision.float32
    if stacking is Stacking.auto:
        stacking = Stacking.across_tasks if on_gpu else Stacking.within_task
    return Compute("cuda" if on_gpu else "cpu", precision.value, stacking.value)  # type: ignore[arg-type]


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
