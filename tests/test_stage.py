"""What a stage makes of jobs whose process died."""

from collections.abc import Iterator

import pandas as pd

from snnbench.config import load_config
from snnbench.execution.engines import configure_engine, local
from snnbench.execution.stage import Progress, run_jobs
from snnbench.records import Compute, Config, Job, Member
from snnbench.suites import core
from snnbench.training.context import JobContext, RunSpec
from snnbench.training.jobs import run_job

TASKS = {task.name: task for task in core.tasks(None)[0]}
SETTINGS = load_config("core")
ENGINE_SPEC = configure_engine("local", {"workers": 1})


def member(depth: int) -> Member:
    config = Config("svm", (("C", float(depth)),))
    return Member("iris", "repetition-1", config, 0, 0, f"key-{depth}")


def dying(bad: set[str], calls: list[int]):
    """Return an engine in which a job with one of the bad members ends with its process."""

    def engine(jobs, open_worker, engine_spec, callbacks, on_gpu) -> Iterator:
        work = open_worker(0)
        for job in jobs:
            calls.append(len(job.members))
            callbacks.started(job)
            died = bad & {m.key for m in job.members}
            yield job, RuntimeError("the worker process died") if died else work(job)

    return engine


def test_a_member_that_kills_its_process_does_not_take_the_others_along(tmp_path, monkeypatch):
    calls: list[int] = []
    monkeypatch.setattr(local, "run_jobs", dying({"key-3"}, calls))
    seen: list[Progress] = []
    jobs = [Job("search", "core", tuple(map(member, range(1, 8))), 7.0), Job("search", "core", (member(9),), 1.0)]
    context = JobContext(RunSpec("core", TASKS, {}, SETTINGS), None)
    outcome = run_jobs("search", jobs, context, tmp_path, ENGINE_SPEC, seen.append, lambda: False)
    assert calls == [7, 1, 3, 4, 1, 2, 1, 1]
    assert [row.key for row in outcome.failures] == ["key-3"]
    assert outcome.n_trained == 8
    assert outcome.n_left == 0
    rows = pd.read_parquet(tmp_path).set_index("key")["status"]
    assert rows.drop("key-3").tolist() == ["ok"] * 7
    assert rows["key-3"] == "failed"
    last = seen[-1]
    assert last.n_done == last.n_jobs == 5
    assert last.in_flight == ()
    assert abs(last.planned_left) < 1e-9


def test_a_stopped_stage_leaves_the_halves_for_the_next_run(tmp_path, monkeypatch):
    calls: list[int] = []
    monkeypatch.setattr(local, "run_jobs", dying({"key-3"}, calls))
    context = JobContext(RunSpec("core", TASKS, {}, SETTINGS), None)
    jobs = [Job("search", "core", tuple(map(member, (3, 4))), 2.0)]
    outcome = run_jobs("search", jobs, context, tmp_path, ENGINE_SPEC, lambda progress: None, lambda: bool(calls))
    assert calls == [2]
    assert outcome.n_left == 2
    assert (outcome.n_trained, outcome.failures) == (0, ())
    assert run_job(Job("search", "core", (member(4),)), context)[0].status == "ok"


def test_on_gpus_networks_come_first_and_estimators_need_none(tmp_path, monkeypatch):
    calls: list[tuple[bool, list[str]]] = []

    def engine(jobs, open_worker, engine_spec, callbacks, on_gpu) -> Iterator:
        calls.append((on_gpu, [job.members[0].config.model for job in jobs]))
        for job in jobs:
            callbacks.started(job)
            yield job, RuntimeError("not trained here")

    monkeypatch.setattr(local, "run_jobs", engine)
    network = Member("iris", "repetition-1", Config("snn", (("learning_rate", 0.1),)), 0, 1, "key-network")
    jobs = [Job("search", "core", (m,), 1.0) for m in (member(1), network, member(2))]
    context = JobContext(RunSpec("core", TASKS, {}, SETTINGS, Compute("cuda", "tf32", "across-tasks")), None)
    run_jobs("search", jobs, context, tmp_path, ENGINE_SPEC, lambda progress: None, lambda: False)
    assert calls == [(True, ["snn"]), (False, ["svm", "svm"])]  # jobs of one member are not halved


def test_estimators_of_a_gpu_share_the_workers_of_the_networks_there(tmp_path, monkeypatch):
    """Not one for each core: each would start CUDA anew, and keep its memory."""
    calls: list[tuple[bool, list[str]]] = []

    def engine(jobs, open_worker, engine_spec, callbacks, on_gpu) -> Iterator:
        calls.append((on_gpu, [job.members[0].config.model for job in jobs]))
        for job in jobs:
            callbacks.started(job)
            yield job, RuntimeError("not trained here")

    monkeypatch.setattr(local, "run_jobs", engine)
    models = SETTINGS.models | {"svm": SETTINGS.models["svm"].model_copy(update={"accelerator": "cuml"})}
    settings = SETTINGS.model_copy(update={"models": models})
    forest = Member("iris", "repetition-1", Config("random_forest", ()), 0, 0, "key-forest")
    jobs = [Job("search", "core", (one,)) for one in (member(1), forest)]
    monkeypatch.setattr("snnbench.models.estimators.accelerators._check_usable", lambda accelerator: None)
    context = JobContext(RunSpec("core", TASKS, {}, settings), None)
    run_jobs("search", jobs, context, tmp_path, ENGINE_SPEC, lambda progress: None, lambda: False)
    assert calls == [(True, ["svm"]), (False, ["random_forest"])]
