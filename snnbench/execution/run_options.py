"""From what a Python user asks for to a validated request."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

import torch

from snnbench.config import RunSettings, load_config
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.execution.engines import configure_engine
from snnbench.execution.request import Request
from snnbench.models.estimators.accelerators import accelerate
from snnbench.models.import_policy import check_imports
from snnbench.records import ON_CPU, Compute
from snnbench.seeds import check_seeds
from snnbench.suites import load_suite, open_source
from snnbench.suites.loading import check_repetitions, check_tasks
from snnbench.training.context import NodeSetup

Names = str | Sequence[str] | None
"""One name, several, or None for all."""


class RunOptions(TypedDict, total=False):
    """What may be said of a run beside its suite, models, tasks, preset and results; as the options of ``snnbench run``.

    ``config``: a TOML file instead of a preset. ``source``: folder, archive or URL of the data. ``offline``: never use the
    network. ``repetitions``: hold-outs or folds, from 1. ``seed``: of weights, orders and dropout. ``n_seeds``: final trainings
    of each selected configuration. ``accelerator``: ``"sklearnex"`` or ``"cuml"``. ``allow_import``: packages of one's own that
    a config may import. ``device``: ``"auto"``, ``"cpu"`` or ``"cuda"``. ``workers``: processes, by default one a core.
    ``limit_seconds``: of one training.
    """

    config: str | Path
    source: str | Path
    offline: bool
    repetitions: Sequence[int]
    seed: int
    n_seeds: int
    accelerator: str
    allow_import: Sequence[str]
    device: Literal["auto", "cpu", "cuda"]
    workers: int
    limit_seconds: float


def build_request(suite: str, models: Names, tasks: Names, preset: str, results: str | Path, options: RunOptions) -> Request:
    """Check names and values and find the data, which may mean a download.

    Raises:
        UnknownNameError: If a suite, model, task, preset or option does not exist.
        ConfigError: If an option has a wrong value, or the config has.
        DataError: If the data cannot be had.
    """
    for name in options:
        if name not in RunOptions.__annotations__:
            raise UnknownNameError("option of a run", name, RunOptions.__annotations__)
    module, config = load_suite(suite), Path(options["config"]) if "config" in options else None
    settings = _load_settings(suite, preset, config, options)
    chosen = _as_names(models) or tuple(settings.models)
    for name in chosen:
        if name not in settings.models:
            raise UnknownNameError(f"model of {config or f'preset {preset}'}", name, settings.models)
    check_tasks(suite, _as_names(tasks))
    check_imports(settings, chosen, options.get("allow_import", ()))
    source, offline = str(options["source"]) if "source" in options else None, options.get("offline", False)
    workers = {"workers": options["workers"]} if "workers" in options else {}
    return Request(
        suite=suite,
        models=chosen,
        preset=config.stem if config else preset,
        settings=settings,
        results=Path(results),
        folder=open_source(suite, source, print, settings.data, offline),
        tasks=_as_names(tasks),
        repetitions=_check_numbers(suite, options) or module.REPETITIONS,
        seed=options.get("seed", 0),
        n_seeds=options.get("n_seeds", 1),
        compute=_choose_compute(options.get("device", "auto")),
        engine_spec=configure_engine("local", workers, Path(results)),
        node_setup=NodeSetup(source, offline, config.absolute().parent if config else None),
        limit_seconds=options.get("limit_seconds", math.inf),
    )


def _as_names(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys(names or ()))


def _load_settings(suite: str, preset: str, config: Path | None, options: RunOptions) -> RunSettings:
    if config:
        # A network of the user's own lies beside the config; behind all others, so that nothing there poses as a library.
        sys.path.append(str(config.absolute().parent))
    settings = load_config(suite, preset, config)
    return accelerate(settings, options["accelerator"]) if "accelerator" in options else settings


def _check_numbers(suite: str, options: RunOptions) -> tuple[int, ...]:
    """Check seeds, workers, limit and repetitions; return the repetitions."""
    seed, n_seeds = options.get("seed", 0), options.get("n_seeds", 1)
    check_seeds(seed, n_seeds)
    for name in ("workers", "limit_seconds"):
        if (value := options.get(name, 1)) < 1:  # type: ignore[operator]
            raise ConfigError(f"{name} must be at least 1, found {value}. Leave it out for the default.")
    repetitions = tuple(dict.fromkeys(options.get("repetitions", ())))
    check_repetitions(suite, repetitions, "repetitions")
    return repetitions


def _choose_compute(device: str) -> Compute:
    if device not in ("auto", "cpu", "cuda"):
        raise UnknownNameError("device", device, ("auto", "cpu", "cuda"))
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ConfigError("device='cuda' needs a GPU that torch can use, found none. Use 'cpu' or 'auto'.")
    return Compute("cuda", "tf32", "across-tasks") if has_gpu and device != "cpu" else ON_CPU
