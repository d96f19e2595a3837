"""The engine slurm against a real Slurm: a controller and two node daemons on this machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pandas as pd
import pytest
from slurm_cluster import SlurmCluster, slurm_cluster, why_not
from small_run import SCORES, check_own_run, command, scores
from workers import echo, job, misbehave, refuse, said_of

from snnbench.errors import ConfigError, SnnbenchError
from snnbench.execution.engines import EngineCallbacks, EngineSpec, configure_engine

pytest.importorskip("submitit", reason="needs the extra slurm")

from snnbench.execution.engines import slurm as engine

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[SlurmCluster]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.conf))
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))  # of the array tasks: the jobs of tests
        yield cluster


@pytest.fixture
def engine_spec(cluster, tmp_path, monkeypatch) -> EngineSpec:
    """Return an engine whose array tasks take a single job each."""
    monkeypatch.setattr(engine, "_MIN_SECONDS", 1.0)
    monkeypatch.setattr(engine, "_GRACE_SECONDS", 1.0)
    return configure_engine("slurm", {}, tmp_path)


def run(
    names: list[str], open_worker, engine_spec: EngineSpec, callbacks: EngineCallbacks | None = None, seconds: float = 1.0
) -> dict:
    jobs = [job(name, seconds) for name in names]
    return {
        done.members[0].task: outcome
        for done, outcome in engine.run_jobs(jobs, open_worker, engine_spec, callbacks or EngineCallbacks())
    }


def test_all_jobs_are_run_by_array_tasks_on_both_nodes(engine_spec):
    started, on_workers_changed = [], []
    names = [str(k) for k in range(6)]
    found = run(
        names,
        echo,
        engine_spec,
        EngineCallbacks(started.append, lambda *counts: on_workers_changed.append(counts)),
        seconds=0.5,
    )
    said = {name: said_of(outcome) for name, outcome in found.items()}
    assert {name: one["task"] for name, one in said.items()} == {name: name for name in names}
    assert {one["threads"] for one in said.values()} == {"1"}
    assert len({one["process"] for one in said.values()}) == 3  # two jobs an array task
    assert [one.members[0].task for one in started] == names
    assert {one["node"] for one in said.values()} == {"n1", "n2"}
    assert max(on_workers_changed) >= (1, 1)
    assert not list(engine_spec.folder.glob("[!.]*"))
    assert list(engine.run_jobs([], echo, engine_spec)) == []


def test_a_job_that_dies_or_raises_takes_no_other_with_it(engine_spec, tmp_path):
    names = ["a", "die", "raise", "b", "die once", "c"]
    (tmp_path / "calls").mkdir()
    found = run(names, partial(misbehave, folder=tmp_path / "calls"), engine_spec, seconds=0.34)
    assert set(found) == set(names)
    assert all(said_of(found[name])["task"] == name for name in ("a", "b", "c", "die once"))
    assert str(found["raise"]) == "ValueError: as told"
    assert "the worker died 3 times: Slurm state FAILED on n" in str(found["die"])
    assert (tmp_path / "calls" / "die").read_text().count("called") == 3
    assert (tmp_path / "calls" / "a").read_text().count("called") == 1


def test_a_node_that_cannot_work_is_one_clear_error(engine_spec):
    with pytest.raises(SnnbenchError, match=r"^Node 0 has no data\.$"):
        run([str(k) for k in range(8)], refuse, engine_spec)
    wait_for(lambda: not queued())


def queued() -> list[str]:
    return subprocess.run(["squeue", "--me", "--noheader"], capture_output=True, text=True, check=True).stdout.splitlines()


def state_of(slurm_id: str) -> str:
    asked = ["squeue", "--noheader", f"--jobs={slurm_id}", "--format=%T"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_a_stopped_engine_cancels_what_is_queued_and_ends_what_runs(engine_spec, tmp_path):
    finished: list[str] = []
    (tmp_path / "calls").mkdir()
    jobs = [job(str(k), 0.01) for k in range(1000)]
    callbacks = EngineCallbacks(stop=lambda: bool(finished))
    for done, _ in engine.run_jobs(jobs, partial(misbehave, folder=tmp_path / "calls"), engine_spec, callbacks):
        finished.append(done.members[0].task)
    assert 2 <= len(finished) < 300
    assert len(list((tmp_path / "calls").iterdir())) == len(finished)
    wait_for(lambda: not queued())


@pytest.mark.parametrize("why", ["requeued", "preempted"])
def test_an_array_task_that_is_requeued_leaves_out_what_it_has_done(engine_spec, tmp_path, monkeypatch, why):
    monkeypatch.setattr(engine, "_MIN_SECONDS", 100.0)  # one array task
    (tmp_path / "calls").mkdir()
    names, interrupted, found = [str(k) for k in range(60)], False, []
    jobs = [job(name, 1.0) for name in names]
    for done, outcome in engine.run_jobs(jobs, partial(misbehave, folder=tmp_path / "calls"), engine_spec):
        found.append((done.members[0].task, said_of(outcome)["task"]))
        if not interrupted:
            interrupted = True
            (line,) = queued()
            slurm_id, node = line.split()[0], line.split()[-1]
            urgent = ["sbatch", "--partition=urgent", f"--nodelist={node}", "--output=/dev/null", "--wrap=sleep 1"]
            subprocess.run(["scontrol", "requeue", slurm_id] if why == "requeued" else urgent, check=True)
            wait_for(lambda slurm_id=slurm_id: state_of(slurm_id) == "PENDING")
    assert sorted(found) == sorted((name, name) for name in names)
    n_calls = [(tmp_path / "calls" / name).read_text().count("called") for name in names]
    assert n_calls.count(1) >= len(names) - 1  # but for the job at hand


def test_wrong_options_are_refused(cluster, tmp_path):
    with pytest.raises(ConfigError, match="--partition must be one of main, urgent, found nobodys"):
        configure_engine("slurm", {"partition": "nobodys"}, tmp_path)
    with pytest.raises(ConfigError, match=r"--gpus-per-job must be whole on Slurm, found 0\.5"):
        configure_engine("slurm", {"gpus_per_job": 0.5}, tmp_path)


def test_jobs_that_slurm_refuses_or_will_never_start_are_one_clear_error(cluster, tmp_path):
    engine_spec = configure_engine("slurm", {"time": 61}, tmp_path)
    with pytest.raises(SnnbenchError, match=r"but never will: Partition(Config|TimeLimit)"):
        list(engine.run_jobs([job("a")], echo, engine_spec))
    too_large = replace(job("a"), memory_bytes=10**13)
    with pytest.raises(SnnbenchError, match=r"Slurm must accept the jobs, but sbatch failed: .* is not available"):
        list(engine.run_jobs([too_large], echo, configure_engine("slurm", {}, tmp_path)))
    wait_for(lambda: not queued())


def test_a_second_front_end_is_sent_away(engine_spec):
    first = engine.run_jobs([job("a", 1.0), job("b", 1.0)], echo, engine_spec)
    next(first)
    with pytest.raises(SnnbenchError, match="Only one run at a time may use the Slurm jobs of"):
        list(engine.run_jobs([job("c", 1.0)], echo, engine_spec))
    assert len(list(first)) == 1


def test_a_run_equals_the_local_run_and_goes_on_without_its_front_end(cluster, tmp_path):
    done = subprocess.run(command(tmp_path, "local", "--workers", "2"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    on_slurm = command(tmp_path, "slurm", "--engine", "slurm", "--partition", "main", "--time", "10")
    front_end = subprocess.Popen(on_slurm, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: list((tmp_path / "slurm" / "_slurm").glob("array-task-*/opened")))
    os.kill(front_end.pid, signal.SIGKILL)
    front_end.wait()
    wait_for(lambda: not queued())  # the array task ends by itself
    time.sleep(1.5)  # rows of one second are told apart by milliseconds added to it
    back_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    done = subprocess.run(on_slurm, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    local, found = scores(tmp_path / "local" / "core"), scores(tmp_path / "slurm" / "core")
    assert set(local["status"]) == {"ok"}
    pd.testing.assert_frame_equal(found[["key", *SCORES]], local[["key", *SCORES]])
    searched = found[found["stage"] == "search"]
    assert (searched["finished_at"] <= back_at).all()
    assert not list((tmp_path / "slurm" / "_slurm").glob("[!.]*"))


def test_a_table_of_the_users_has_the_numbers_of_the_local_run(cluster, tmp_path):
    check_own_run(tmp_path, "--engine", "slurm", "--partition", "main", "--time", "10")


def wait_for(happened) -> None:
    deadline = time.monotonic() + 180
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
