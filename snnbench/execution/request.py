"""What a user asks of a run, and how the run ended."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from snnbench.config import RunSettings
from snnbench.execution.engines import EngineSpec, configure_engine
from snnbench.models.code import code_of
from snnbench.records import ON_CPU, Code, Compute, Result
from snnbench.suites.loading import LoadedSuite
from snnbench.training.context import ONE_BY_ONE, GpuUse, NodeSetup, RunSpec, specify_run

if TYPE_CHECKING:
    from snnbench.results.selection import SelectionGroup


@dataclass(frozen=True)
class Request:
    """What a user asks of ``snnbench run``, names resolved, settings validated; ``limit_seconds`` bounds one training.

    ``accepted`` names what of the code behind stored rows may differ: ``"code"`` (the user's own), ``"packages"``.
    """

    suite: str
    models: tuple[str, ...]
    preset: str
    settings: RunSettings
    results: Path
    folder: Path | None = None
    tasks: tuple[str, ...] = ()
    repetitions: tuple[int, ...] = ()
    seed: int = 0
    n_seeds: int = 1
    compute: Compute = ON_CPU
    engine_spec: EngineSpec = field(default_factory=partial(configure_engine, "local", {"workers": 1}))
    node_setup: NodeSetup = field(default_factory=NodeSetup)
    limit_seconds: float = math.inf
    accepted: tuple[str, ...] = ()
    gpu: GpuUse = ONE_BY_ONE

    @property
    def codes(self) -> dict[str, Code]:
        """The code at hand behind each model."""
        return {name: code_of(name, self.settings.models[name]) for name in self.models or self.settings.models}

    def specify(self, loaded: LoadedSuite) -> RunSpec:
        """Return what is trained on the tasks and splits that were loaded for it."""
        return specify_run(self.suite, loaded, self.settings, self.compute, self.seed, self.gpu)


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: what failed, which models have no score and why (``missing``: without a failure)."""

    n_trained: int
    failures: tuple[Result, ...]
    unselected: "Mapping[SelectionGroup, str]"
    n_left: int = 0
    refused: tuple[Result, ...] = ()
    missing: "Mapping[SelectionGroup, str]" = field(default_factory=dict)
