"""(i) The store: folders of 1,000, 10,000 and 40,000 jobs, written as a run writes them, and what reads them.

A job takes about 10 ms to make and to store: 10 to 15 minutes for all. ``--jobs 1000`` takes a minute, as do the commands.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from runs import Where

from snnbench.config import expand_grid, load_config
from snnbench.records import ON_CPU, Config, Job, Member, Result, digest
from snnbench.results.provenance import describe_environment
from snnbench.results.store import write_results
from snnbench.suites import load_suite

TITLE = "(i) the store: seconds and peak memory of write, compare, plan, ls by the number of jobs; latency of every command"

N_EPOCHS, N_MEMBERS, EVALUATION = 100, 3, 45
COMMANDS = (
    "--help",
    "compare results",
    "compare --published nobody",
    "compare --published snn2017",
    "run core --model nobody",
    "run nowhere",
    "results ls results",
    "results ls results --rows",
    "results show results --key nobody",
    "results prune results",
    "check results --record expected.json",
    "figure cd results --output cd.svg",
    "report results --output page.html",
    "models list",
    "data list core",
    "run core --model svm --dry-run --results results",
)
"""Commands on a small folder, the demo's: what each takes from its start to its end."""


def measure(where: Where) -> dict:
    """Return a row for each operation on each size of folder, and for each command on a small one."""
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as place:
        for n_jobs in where.n_jobs:
            folder = Path(place, str(n_jobs))
            rows += [{"jobs": n_jobs, **row} for row in _measure_size(folder, n_jobs, where.source)]
        rows += [{"jobs": "a dozen rows", **row} for row in _measure_commands(Path(place))]
    return {"rows": rows}


def _measure_size(folder: Path, n_jobs: int, source: str | None) -> Iterator[dict]:
    seconds, cpu = write_folder(folder / "results", n_jobs)
    first, last = (1000 * np.median(part) for part in (seconds[: n_jobs // 10], seconds[-n_jobs // 10 :]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    yield {"what": "write all", "wall, s": sum(seconds), "CPU, s": cpu, "peak, GB": peak}
    yield {"what": "write one, ms: the first tenth", "wall, s": first}
    yield {"what": "write one, ms: the last tenth", "wall, s": last}
    files = list((folder / "results").rglob("*.parquet"))
    yield {"what": f"{len(files):,} files, MB", "wall, s": sum(file.stat().st_size for file in files) / 1e6}
    programs = {
        "compare": _program("compare", "results"),
        "results ls": _program("results", "ls", "results"),
        "pandas.read_parquet of two columns": [
            sys.executable, "-c", "import pandas; pandas.read_parquet('results', columns=['key', 'valid_score'])"
        ],
    }  # fmt: skip
    if source:
        where = ["--source", str(Path(source).absolute()), "--results", "results", "--dry-run"]
        for what, models in (("one model", ["--model", "snn"]), ("all models", [])):
            programs[f"run uci --preset paper --dry-run, {what}"] = _program("run", "uci", "--preset", "paper", *models, *where)
    for what, words in programs.items():
        yield {"what": what, **_run(words, folder)}


def _measure_commands(folder: Path) -> Iterator[dict]:
    train = ["run", "core", "--task", "iris", "--task", "wine", "--model", "svm", "--model", "random_forest"]
    _run(_program(*train, "--results", "results", "--progress", "none"), folder)
    for line in COMMANDS:
        yield {"what": line, **min((_run(_program(*line.split()), folder) for _ in range(2)), key=lambda run: run["CPU, s"])}


def _program(*words: str) -> list[str]:
    return [sys.executable, "-c", "from snnbench.cli import main; main()", *words]


def _run(words: list[str], folder: Path) -> dict[str, float]:
    """Run a command; return its seconds and its peak memory."""
    report = folder / "usage.json"
    watch = (
        "import json, resource, subprocess, sys; subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, "
        "stderr=subprocess.DEVNULL); used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "open(sys.argv[1], 'w').write(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6]))"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-S", "-c", watch, str(report), *words], cwd=folder, check=True)
    wall = time.perf_counter() - start
    cpu, peak = json.loads(report.read_text())
    return {"wall, s": wall, "CPU, s": cpu, "peak, GB": peak}


def write_folder(results: Path, n_jobs: int) -> tuple[list[float], float]:
    """Write so many jobs of the paper's UCI grid, of three members each; return the seconds of each, and all CPU seconds.

    Curves and scores are random; the rest is as a run stores it. Every ``EVALUATION``-th job is an evaluation.
    """
    settings = load_config("uci", "paper")
    catalogue = load_suite("uci").catalogue()
    grids = {name: expand_grid(name, model) for name, model in settings.models.items() if not model.estimator}
    stacks = [grid[start : start + N_MEMBERS] for grid in grids.values() for start in range(0, len(grid), N_MEMBERS)]
    environment = describe_environment(ON_CPU) | {"preset": "paper", "settings_digest": settings.digest}
    rng = np.random.default_rng(0)
    places = list(product(stacks, catalogue.index))
    seconds, cpu = [], 0.0
    for number in range(n_jobs):
        configs, task = places[number * 7919 % len(places)]  # a prime: all of them once, in no order
        split = "repetition-1"
        evaluates = number % EVALUATION == EVALUATION - 1
        stage = "evaluate" if evaluates else "search"
        rows = []
        for config in configs[:1] if evaluates else configs:
            about = {**environment, "grid": settings.grid_digest(config.model), **_about(task, catalogue, number)}
            rows.append(_result(config, stage, task, split, rng, about))
        members = tuple(Member(task, split, config, 0, N_EPOCHS, row.key) for config, row in zip(configs, rows, strict=False))
        job = Job(stage, "uci", members)  # type: ignore[arg-type]
        start, began = time.perf_counter(), time.process_time()
        write_results(results, job, rows)
        seconds.append(time.perf_counter() - start)
        cpu += time.process_time() - began
    return seconds, cpu


def _about(task: str, catalogue: pd.DataFrame, number: int) -> dict:
    time_ = f"2026-01-{1 + number // 86400:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}+00:00"
    return {
        "code_digest": "", "code_versions": "torch 2.13.0", "search_seed": 0, "protocol_version": 3,
        "preprocessing": "as-published", "metric": "accuracy", "task_n_samples": int(catalogue.at[task, "n_samples"]),
        "task_n_outputs": int(catalogue.at[task, "n_classes"]), "task_sha256": digest(task, 64),
        "task_source": "data.tar.gz", "task_flags": "", "n_stack": N_MEMBERS, "accelerator": "", "finished_at": time_,
    }  # fmt: skip


def _result(config: Config, stage: str, task: str, split: str, rng: np.random.Generator, about: dict) -> Result:
    curve = rng.random(N_EPOCHS)
    key = digest([stage, task, split, config.key])
    named = (key, stage, "uci", task, split, config.model, config.to_json(), config.key, 0, N_EPOCHS, "ok")
    loss, scores = tuple(curve.tolist()), tuple((np.round(curve * 300) / 300).tolist())
    final = {"test_score": scores[0], "test_targets": (0, 1) * 50, "test_outputs": loss * 2} if stage == "evaluate" else {}
    return Result(
        *named,  # type: ignore[arg-type]
        valid_score=scores[0], best_epoch=50, seconds=1.5, train_loss=loss,
        valid_curve=() if final else scores, provenance=about, **final,
    )  # fmt: skip
