"""(g) What another engine than processes on this machine costs, and how many results a driver takes home."""

import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rounds import interleave, ratio
from runs import Where, run_whole

from snnbench.execution.engines import EngineSpec, configure_engine, load_engine
from snnbench.execution.engines.local import n_cores
from snnbench.records import Config, Job, Member, Result
from snnbench.results.store import write_results

TITLE = "(g) quick, snn, on Ray against processes of this machine; jobs that do nothing; bytes of a job"

N_ROUNDS, N_EMPTY, N_EPOCHS = 3, 3000, 100


def measure(where: Where) -> dict:
    """Return a row for whole runs, for empty jobs through each engine with and without storing, and the bytes that travel."""
    try:
        import ray
    except ImportError:
        return {"skipped": "needs the extra ray"}
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # workers load this module
    ray.init(num_cpus=n_cores(), log_to_driver=False, include_dashboard=False)
    crews = {"local": configure_engine("local", {}), "ray": configure_engine("ray", {})}
    walls: dict[str, list[dict[str, float]]] = {name: [] for name in crews}

    def whole(name: str) -> float:
        walls[name].append(run_whole(where, ("snn",), engine_spec=crews[name]))
        return walls[name][-1]["wall, s"]

    seconds = interleave({name: partial(whole, name) for name in crews}, N_ROUNDS)
    found = ratio(seconds["ray"], seconds["local"])
    rows: list[dict] = [
        {"what": f"wall seconds, ray over local, {len(where.tasks())} tasks", "value": found.pop("ratio"), **found}
    ]
    for name, engine_spec in crews.items():
        for what, planned, is_stored in (("", 1.0, False), (", chunked", 0.01, False), (", stored", 1.0, True)):
            rate = N_EMPTY / _seconds_of_empty(engine_spec, planned, is_stored)
            rows.append({"what": f"empty jobs{what}, {name}: results a second", "value": rate})
    one = walls["local"][-1]
    mean = one["training, s"] / one["jobs"]
    rows.append({"what": "mean seconds of a job of these runs", "value": mean})
    rows.append({"what": "workers that one driver feeds with them, storing included", "value": rows[-2]["value"] * mean})
    rows.append({"what": "bytes of a job of 3 members", "value": len(pickle.dumps(_empty("0", 1.0, n_members=3)))})
    rows.append({"what": f"bytes of the result of a search of {N_EPOCHS} epochs", "value": len(pickle.dumps(_result("0")))})
    ray.shutdown()
    return {"rows": rows}


def _seconds_of_empty(engine_spec: EngineSpec, planned_seconds: float, is_stored: bool) -> float:
    jobs = [_empty(str(number), planned_seconds) for number in range(N_EMPTY)]
    run_jobs = load_engine(engine_spec.name).run_jobs
    list(run_jobs(jobs[:10], _open, engine_spec))  # workers start
    with tempfile.TemporaryDirectory() as results:
        start = time.perf_counter()
        for job, outcome in run_jobs(jobs, _open, engine_spec):
            if is_stored and isinstance(outcome, list):
                write_results(Path(results), job, outcome)
        return time.perf_counter() - start


def _open(number: int) -> Callable[[Job], list[Result]]:
    return lambda job: [_result(member.key) for member in job.members]


def _empty(name: str, seconds: float, n_members: int = 1) -> Job:
    values = {"n_units": 256, "n_layers": 8, "form": "rectangular", "learning_rate": 0.01, "dropout_rate": 0.0}
    config = Config("snn", tuple(values.items()))
    members = [Member("iris", "repetition-1", config, 0, N_EPOCHS, f"{name}-{k}") for k in range(n_members)]
    return Job("search", "core", tuple(members), seconds)


def _result(key: str) -> Result:
    curve = tuple(1 / (1 + epoch) for epoch in range(N_EPOCHS))
    named = ("search", "core", "iris", "repetition-1", "snn", "{}", "digest", 0, N_EPOCHS, "ok")
    provenance = {"finished_at": "2026-01-01T00:00:00+00:00", "cpu": "a name as long as they are"}
    return Result(key, *named, train_loss=curve, valid_curve=curve, provenance=provenance)  # type: ignore[arg-type]
