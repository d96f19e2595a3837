"""The engine ray against real clusters: nodes that are processes of their own on this machine."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from small_run import PROGRAM, SCORES, check_own_run, command, kill_run, n_rows, scores
from workers import echo, job, misbehave, refuse, said_of

from snnbench.errors import ConfigError, SnnbenchError
from snnbench.execution.engines import EngineCallbacks, EngineSpec, configure_engine

ray = pytest.importorskip("ray", reason="needs the extra ray")

from snnbench.execution.engines import ray as engine  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    # Ray leaves files and sockets for the interpreter to close.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray", "ignore::DeprecationWarning:ray"),
]

_STORE_BYTES = 100 * 2**20


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """Start a cluster with a head of one CPU; tests add nodes."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))  # of the nodes: the jobs of tests
        patch.setenv("RAY_AUTH_MODE", "disabled")  # whatever the user's own clusters do
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": _STORE_BYTES})
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@contextmanager
def second_node(cluster) -> Iterator:
    node = cluster.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.list_all_nodes():
        cluster.remove_node(node)


@pytest.fixture
def engine_spec(cluster) -> EngineSpec:
    return configure_engine("ray", {"address": cluster.address})


def test_all_jobs_come_back_from_other_processes(engine_spec):
    started, on_workers_changed = [], []
    jobs = [job(str(k), 0.4) for k in range(7)]
    found = list(
        engine.run_jobs(
            jobs, echo, engine_spec, EngineCallbacks(started.append, lambda *counts: on_workers_changed.append(counts))
        )
    )
    assert sorted(said_of(outcome)["task"] for _, outcome in found) == [str(k) for k in range(7)]
    assert all(said_of(outcome)["task"] == job.members[0].task for job, outcome in found)
    assert os.getpid() not in {said_of(outcome)["process"] for _, outcome in found}
    assert started == jobs
    assert on_workers_changed[0] == (1, 1)
    assert list(engine.run_jobs([], echo, engine_spec)) == []


def test_a_dying_worker_costs_its_own_job_alone(engine_spec, tmp_path):
    names = ["a", "die", "raise", "b", "die once", "c"]
    open_worker = partial(misbehave, folder=tmp_path)
    found = {
        job.members[0].task: outcome
        for job, outcome in engine.run_jobs([job(name, 0.3) for name in names], open_worker, engine_spec)
    }
    assert set(found) == set(names)
    assert all(said_of(found[name])["task"] == name for name in ("a", "b", "c", "die once"))
    assert isinstance(found["raise"], ValueError)
    assert "the worker died 3 times" in str(found["die"])
    assert (tmp_path / "die").read_text().count("called") == 3


def test_a_stopped_engine_cancels_what_waits_and_finishes_what_runs(engine_spec, tmp_path):
    finished = []
    callbacks = EngineCallbacks(stop=lambda: len(finished) >= 3)
    jobs = [job(str(k), 1.0) for k in range(50)]
    for done, _ in engine.run_jobs(jobs, partial(misbehave, folder=tmp_path), engine_spec, callbacks):
        finished.append(done)
    assert 3 <= len(finished) <= 4
    assert len(list(tmp_path.iterdir())) == len(finished)


def test_a_node_that_cannot_work_is_one_clear_error(engine_spec):
    with pytest.raises(SnnbenchError, match=r"^Node 0 has no data\.$"):
        list(engine.run_jobs([job(str(k), 1.0) for k in range(50)], refuse, engine_spec))


def test_no_more_jobs_are_in_flight_than_wanted(cluster):
    engine_spec = configure_engine("ray", {"address": cluster.address, "max_in_flight": 1})
    started, most = [], 0
    for n_done, _ in enumerate(
        engine.run_jobs([job(str(k), 1.0) for k in range(5)], echo, engine_spec, EngineCallbacks(started.append))
    ):
        most = max(most, len(started) - n_done)
    assert most == 1


def test_the_work_of_a_lost_node_is_done_elsewhere(cluster, engine_spec, tmp_path):
    with second_node(cluster) as node:
        on_workers_changed, finished = [], []
        callbacks = EngineCallbacks(on_workers_changed=lambda *counts: on_workers_changed.append(counts))
        jobs = [job(str(k), 1.0) for k in range(30)]
        for done, outcome in engine.run_jobs(jobs, partial(misbehave, folder=tmp_path), engine_spec, callbacks):
            finished.append((done.members[0].task, said_of(outcome)["task"]))
            if len(finished) == 6:
                node.kill_all_processes(check_alive=False, allow_graceful=False)
        assert sorted(finished) == sorted((str(k), str(k)) for k in range(30))
        assert on_workers_changed[0] == (2, 2)


def test_more_than_the_cluster_has_is_refused(cluster):
    for options, found in (({"cpus_per_job": 64}, "64 CPUs"), ({"gpus_per_job": 0.5}, "1 CPUs and 0.5 GPUs")):
        with pytest.raises(ConfigError, match=f"must have a node with {found} for a job, found .*'CPU': "):
            configure_engine("ray", {"address": cluster.address, **options})


def test_a_cluster_that_asks_for_a_token_is_given_it(tmp_path):
    """Start a cluster as its users do; with a token at home, Ray wants to see it."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
    environment = {**os.environ, "HOME": str(tmp_path), "SNNBENCH_CACHE": str(tmp_path / "cache")}
    environment.pop("RAY_AUTH_MODE", None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = [f"--port={port}", "--num-cpus=1", "--include-dashboard=false", "--disable-usage-stats", "--block"]
    command_of_ray = [str(Path(sys.executable).parent / "ray"), "start", "--head", *start]
    head = subprocess.Popen(command_of_ray, env=environment, start_new_session=True, stdout=subprocess.PIPE, text=True)
    try:
        assert any("Ray runtime started" in line for line in head.stdout)
        run = ["run", "core", "--model", "snn", "--task", "iris", "--results", "token", "--progress", "none"]
        on_ray = [*PROGRAM, *run, "--engine", "ray", "--address", f"127.0.0.1:{port}"]
        done = subprocess.run(on_ray, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        os.killpg(head.pid, signal.SIGKILL)
        head.communicate()


def test_a_run_on_two_nodes_equals_the_local_run_though_its_driver_is_killed(cluster, tmp_path):
    done = subprocess.run(command(tmp_path, "local", "--workers", "2"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    on_ray = command(tmp_path, "ray", "--engine", "ray", "--address", cluster.address)
    with second_node(cluster):
        assert kill_run(on_ray, tmp_path / "ray", n_files=1)
        n_stored = n_rows(tmp_path / "ray")
        done = subprocess.run(on_ray, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    local, found = scores(tmp_path / "local" / "core"), scores(tmp_path / "ray" / "core")
    assert 0 < n_stored < n_rows(tmp_path / "ray")
    assert set(local["status"]) == {"ok"}
    pd.testing.assert_frame_equal(found[["key", *SCORES]], local[["key", *SCORES]])
    assert "2 nodes" in done.stderr
    assert "jobs/min" in done.stderr


def test_a_table_of_the_users_has_the_numbers_of_the_local_run(cluster, tmp_path):
    check_own_run(tmp_path, "--engine", "ray", "--address", cluster.address)
