"""The paper's grid on a few tasks through the product itself: wall, planned seconds and scores; some of it again on a CPU."""

import tempfile
import time
from pathlib import Path

import pandas as pd
from setting import MODELS, Cases, Setting

from snnbench import benchmark
from snnbench.config import RunSettings, load_config
from snnbench.execution.engines import configure_engine
from snnbench.execution.request import Request
from snnbench.records import Compute
from snnbench.suites import open_source

TASKS = ("abalone", "bank", "car", "contrac", "image-segmentation", "led-display", "ozone", "semeion", "waveform", "yeast")
LARGE = "adult"
CHECKED = ("car", "yeast")


def cases(setting: Setting) -> Cases:
    """Yield a case a network on the tasks, then the large task, then what a CPU says."""
    suite = "uci" if setting.data else "core"
    tasks, large = (TASKS, LARGE) if setting.data else (("iris", "wine"), "iris")
    tasks, checked = tasks[: setting.scaled(len(tasks), 1)], CHECKED if setting.data else ("iris",)
    checked = tuple(task for task in checked if task in tasks) or tasks[:1]
    settings = one_shape(setting, load_config(suite, "paper"))
    found: dict[str, pd.DataFrame] = {}
    for model in MODELS:
        yield f"{model}, {len(tasks)} tasks", lambda model=model: run(setting, settings, suite, (model,), tasks, found)
    yield f"snn on {large}", lambda: run(setting, settings, suite, ("snn",), (large,), {})
    yield "snn again on a CPU", lambda: again_on_a_cpu(setting, settings, suite, checked, found)


def one_shape(setting: Setting, settings: RunSettings) -> RunSettings:
    """Return the paper's rates on one shape a network, so that a few tasks fill whole stacks."""
    models = {}
    for name in MODELS:
        grid = dict(settings.models[name].grid)
        for key, value, tiny in (
            ("n_units", 256, 8),
            ("n_layers", 4, 2),
            ("n_blocks", 2, 1),
            ("form", "rectangular", "rectangular"),
        ):
            if key in grid:
                grid[key] = setting.scaled(value, tiny) if isinstance(value, int) else value
        models[name] = settings.models[name].model_copy(update={"grid": grid})
    training = settings.training.model_copy(update={"n_epochs": setting.scaled(30, 2)})
    return settings.model_copy(update={"models": models, "training": training})


def run(
    setting: Setting, settings: RunSettings, suite: str, models, tasks, found: dict, compute: Compute | None = None
) -> dict:
    """Search, select and evaluate as ``snnbench run`` does."""
    compute = compute or Compute(setting.device, setting.precision, "across-tasks")
    folder = open_source(suite, setting.data) if setting.data else None
    with tempfile.TemporaryDirectory() as results:
        request = Request(
            suite=suite, models=tuple(models), preset="paper", settings=settings, results=Path(results), folder=folder,
            tasks=tuple(tasks), compute=compute, engine_spec=configure_engine("local", {"workers": 1}),
        )  # fmt: skip
        loaded = benchmark.prepare(request)
        plan = benchmark.plan(request, loaded)
        start = time.perf_counter()
        outcome = benchmark.run(request, loaded, plan)
        wall, rows = time.perf_counter() - start, pd.read_parquet(results)
    found[models[0]] = rows
    assert not outcome.failures, f"{len(outcome.failures)} failed: {outcome.failures[0].error}"
    scores = rows[rows["stage"] == "evaluate"].groupby("task", observed=True)["test_score"].mean()
    return {
        "wall_s": wall, "planned_s": plan.seconds, "n_jobs": len(plan.jobs), "n_trained": outcome.n_trained,
        "training_s": float(rows["seconds"].sum()), "scores": {str(k): float(v) for k, v in scores.items()},
    }  # fmt: skip


def again_on_a_cpu(setting: Setting, settings: RunSettings, suite: str, tasks, found: dict) -> dict:
    """Train some members of snn on a CPU and compare validation scores, which agree but for rounding and initial weights."""
    assert "snn" in found, "snn was not trained on the device"
    on_device, on_cpu = found["snn"], {}
    run(setting, settings, suite, ("snn",), tasks, on_cpu, Compute("cpu", "float32", "across-tasks"))
    both = [
        rows[(rows["stage"] == "search") & rows["task"].isin(tasks)].groupby("task", observed=True)["valid_score"].max()
        for rows in (on_device, on_cpu["snn"])
    ]
    apart = float((both[0] - both[1]).abs().max())
    assert apart < 0.1, f"best validation scores are {apart} apart"
    return {"best_scores_apart": apart}
