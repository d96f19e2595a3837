"""Where jobs run: one module an engine, with the names of ``Engine``.

An engine knows nothing of training. It is given jobs, which are names and numbers, and a function that prepares a process
and returns what runs a job there; it yields finished jobs, in whatever order they finish. An outcome is the list that
``run_job`` returned, or the exception that kept it from returning.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from snnbench.errors import ConfigError, UnknownNameError
from snnbench.records import Job, Result, Value

ENGINES = {
    "local": "snnbench.execution.engines.local",
    "ray": "snnbench.execution.engines.ray",
    "slurm": "snnbench.execution.engines.slurm",
}

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""What the environment of a worker must say before it loads the numerical libraries."""

RunJob = Callable[[Job], list[Result]]
OpenWorker = Callable[[int], RunJob]
"""Called once in every process that works, with its number on its machine; must be picklable."""
JobOutcome = list[Result] | Exception
Finished = tuple[Job, JobOutcome]
FinishedJobs = Generator[Finished, None, None]


@dataclass(frozen=True)
class EngineSpec:
    """An engine with its options, and how many jobs it runs at once (on GPUs: ``n_gpu_workers``).

    ``folder`` is where it keeps what its workers need.
    """

    name: str
    options: Any
    n_workers: int
    n_gpu_workers: int = 1
    folder: Path = Path()

    @property
    def is_remote(self) -> bool:
        """Whether its workers may be on other machines."""
        return load_engine(self.name).REMOTE


@dataclass(frozen=True)
class EngineCallbacks:
    """What an engine calls while it runs.

    ``started`` is called when a job is given to a worker, ``on_workers_changed`` with the numbers of nodes and workers where
    these are not known beforehand. Once ``stop`` returns true no other job is started and those that run are finished.
    """

    started: Callable[[Job], None] = lambda job: None
    on_workers_changed: Callable[[int, int], None] = lambda n_nodes, n_workers: None
    stop: Callable[[], bool] = lambda: False


NO_CALLBACKS = EngineCallbacks()


class Engine(Protocol):
    """What an engine's module offers.

    ``REMOTE``: whether its workers may be on other machines, so that they look for code and data themselves; ``Options``: a
    frozen dataclass of its options, named as on the command line.
    """

    SUMMARY: str
    REMOTE: bool
    Options: type

    def engine_spec(self, options: Any, results: Path) -> EngineSpec:
        """Check that the engine can be used as the options say, and count its workers.

        Raises:
            SnnbenchError: If it cannot.
        """
        ...

    def recover_jobs(self, jobs: Sequence[Job], engine_spec: EngineSpec) -> Sequence[Job]:
        """Return the same trainings in those jobs that an earlier run has begun already."""
        ...

    def run_jobs(
        self,
        jobs: Sequence[Job],
        open_worker: OpenWorker,
        engine_spec: EngineSpec,
        callbacks: EngineCallbacks = ...,
        on_gpu: bool = False,
    ) -> FinishedJobs:
        """Run jobs, in about the order given, and yield each as it finishes.

        A job whose process or machine dies is run again, and ends with an exception if it dies again and again; it takes no
        other job with it.

        Raises:
            SnnbenchError: If no worker can work: without code or data, say.
        """
        ...


def load_engine(name: str) -> Engine:
    """Import an engine's module.

    Raises:
        UnknownNameError: If there is no such engine.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    return cast(Engine, import_module(ENGINES[name]))


def configure_engine(name: str, options: Mapping[str, Value], results: Path = Path()) -> EngineSpec:
    """Check an engine's options and count its workers.

    Args:
        name: Of the engine.
        options: As the user named them.
        results: The results folder, where an engine may keep what its workers need.

    Raises:
        UnknownNameError: If there is no such engine.
        ConfigError: If an option is another engine's.
        SnnbenchError: If the engine cannot be used.
    """
    engine = load_engine(name)
    known = [field.name for field in fields(engine.Options)]
    for option in options:
        if option not in known:
            engines = [other for other in ENGINES if option in (field.name for field in fields(load_engine(other).Options))]
            raise ConfigError(
                f"--{option.replace('_', '-')} must stand with --engine {' or '.join(engines)}, found --engine {name}, "
                f"which takes {', '.join('--' + one.replace('_', '-') for one in known)}. Leave it out."
            )
    return engine.engine_spec(engine.Options(**options), results)
