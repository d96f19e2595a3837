"""Where jobs run: one module an engine, with the names of ``Engine``."""

from snnbench.execution.engines.engine import (
    ENGINES,
    NO_CALLBACKS,
    ONE_THREAD,
    Engine,
    EngineCallbacks,
    EngineSpec,
    Finished,
    FinishedJobs,
    JobOutcome,
    OpenWorker,
    RunJob,
    configure_engine,
    load_engine,
)

__all__ = [
    "ENGINES",
    "NO_CALLBACKS",
    "ONE_THREAD",
    "Engine",
    "EngineCallbacks",
    "EngineSpec",
    "Finished",
    "FinishedJobs",
    "JobOutcome",
    "OpenWorker",
    "RunJob",
    "configure_engine",
    "load_engine",
]
