"""A time limit for one training: what is too slow is an outcome, and takes nothing and nobody else along."""

import math
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from small_run import PROGRAM

from snnbench.config import load_config
from snnbench.errors import SnnbenchError
from snnbench.records import Config, Job, Member
from snnbench.suites import core
from snnbench.training.context import JobContext, RunSpec
from snnbench.training.jobs import run_job
from snnbench.training.limited import within_limit
from snnbench.training.worker import open_worker

TASKS = {task.name: task for task in core.tasks(None)[0]}

SLOW = """
import ctypes
import os

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Slow(ClassifierMixin, BaseEstimator):
    \"\"\"Sleeps in compiled code that holds the interpreter, deaf to signals and threads; it tells its process first.\"\"\"

    def __init__(self, seconds=0, dies=False):
        self.seconds, self.dies = seconds, dies

    def fit(self, X, y):
        with open(os.environ["SLOW_CALLS"], "a") as calls:
            calls.write(f"{os.getpid()}\\n")
        if self.dies:
            os.kill(os.getpid(), 9)
        if self.seconds:
            ctypes.PyDLL(None).sleep(self.seconds)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])
"""
CONFIG = """
[models.slow]
estimator = "slow.Slow"
grid = { seconds = [0, 1000, 1] }
[models.stuck]
estimator = "slow.Slow"
grid = { seconds = 1000 }
[models.svm]
estimator = "sklearn.svm.SVC"
grid = { C = [1.0, 10.0] }
"""


@pytest.fixture
def slow(tmp_path, monkeypatch) -> Path:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "slow.toml").write_text(CONFIG)
    monkeypatch.setenv("SLOW_CALLS", str(tmp_path / "calls"))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess:
    command = [*PROGRAM, "run", "core", "--config", "slow.toml", "--allow-import", "slow", "--task", "iris"]
    command += ["--progress", "none", "--results", "r", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def member(model: str, number: int, n_epochs: int = 0, **values) -> Member:
    return Member("iris", "repetition-1", Config(model, tuple(values.items())), 0, n_epochs, f"{model}-{number}")


def test_a_slow_estimator_is_ended_and_stored_and_the_rest_goes_on(slow):
    first = run(slow, "--job-timeout", "8")
    assert first.returncode == 0, first.stderr
    late = "not done after 8 s, the time limit"
    assert f"No fit: 1 training of slow on iris: {late}" in first.stderr
    assert f"No score: stuck on iris: its one configuration ran out of time ({late})" in first.stderr
    rows = pd.read_parquet(slow / "r")
    found = {(row.stage, row.model, row.config): row.status for row in rows.itertuples()}
    assert found.pop(("search", "slow", '{"seconds": 1000}')) == "timeout"
    assert found.pop(("search", "stuck", '{"seconds": 1000}')) == "timeout"
    assert set(found.values()) == {"ok"}
    assert len(found) == 2 + 2 + 2
    assert set(rows.loc[rows["status"] == "timeout", "limit_seconds"]) == {8.0}
    assert not any(is_alive(int(pid)) for pid in (slow / "calls").read_text().split())
    n_calls = len((slow / "calls").read_text().split())
    again = run(slow, "--job-timeout", "8")
    assert "0 trainings were left to do" in again.stdout
    assert "ran out of time" in again.stderr
    assert len((slow / "calls").read_text().split()) == n_calls
    larger = run(slow, "--job-timeout", "9", "--model", "stuck")
    assert larger.returncode == 0
    assert "1 training stored" in larger.stdout
    rows = pd.read_parquet(slow / "r").query("model == 'stuck'")
    assert rows[["status", "limit_seconds"]].to_numpy().tolist() == [["timeout", 9.0]]
    assert "stored already" in (plan := run(slow, "--dry-run", "--model", "stuck").stdout)
    assert "1 in the search, 0 of them stored already" in plan  # without a limit it would be trained


def test_a_limit_changes_no_number_of_those_that_finish():
    context = JobContext(RunSpec("core", TASKS, {}, load_config("core")), None)
    common = {"n_units": 16, "n_layers": 2, "form": "rectangular", "dropout_rate": 0.05}
    networks = [member("snn", i, 5, learning_rate=rate, **common) for i, rate in enumerate((0.1, 0.01))]
    forests = [member("random_forest", i, n_estimators=n, max_features="sqrt") for i, n in enumerate((50, 10, 20))]
    limited = open_worker(0, replace(context, limit_seconds=300))
    free = open_worker(0, context)
    for members in (networks, forests):
        job = Job("search", "core", tuple(members))
        pairs = list(zip(limited(job), free(job), strict=True))
        assert [one.key for one, _ in pairs] == [m.key for m in members]
        for one, other in pairs:
            assert one.status == "ok"
            assert (one.valid_score, one.best_epoch, one.train_loss) == (other.valid_score, other.best_epoch, other.train_loss)


def wait_for_the_slow(job: Job, context: JobContext):
    """Train, but let a stack with the member 3 wait for ever and every other for a second a member."""
    time.sleep(100 if any(m.key == "snn-3" for m in job.members) else len(job.members))
    return run_job(job, context)


def open_slow_stack():
    context = JobContext(RunSpec("core", TASKS, {}, load_config("core")), None)
    return lambda job: wait_for_the_slow(job, context), context


def test_a_stack_that_runs_out_is_trained_member_by_member():
    common = {"n_units": 16, "n_layers": 2, "form": "rectangular", "dropout_rate": 0.0}
    members = [member("snn", i, 2, learning_rate=0.1 / i, **common) for i in (1, 2, 3)]
    rows = within_limit(open_slow_stack, 6.0)(Job("search", "core", tuple(members)))
    assert [(row.key, row.status) for row in rows] == [("snn-1", "ok"), ("snn-2", "ok"), ("snn-3", "timeout")]
    assert rows[2].seconds == 6.0
    assert math.isnan(rows[2].valid_score)


def refuse():
    raise SnnbenchError("This machine has no data.")


def test_an_assistant_that_cannot_work_says_so():
    with pytest.raises(SnnbenchError, match=r"^This machine has no data\.$"):
        within_limit(refuse, 10.0)


def test_a_training_that_kills_its_process_fails_alone_under_a_limit(slow):
    (slow / "slow.toml").write_text(CONFIG.replace("seconds = [0, 1000, 1]", "dies = [false, true]").replace("= 1000", "= 0"))
    ended = run(slow, "--job-timeout", "60")
    assert ended.returncode == 1
    assert "the worker process died" in ended.stderr
    statuses = pd.read_parquet(slow / "r").groupby(["model", "status"]).size().to_dict()
    assert statuses == {("slow", "failed"): 1, ("slow", "ok"): 2, ("stuck", "ok"): 2, ("svm", "ok"): 3}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_run_takes_its_assistants_along(slow):
    command = [*PROGRAM, "run", "core", "--config", "slow.toml", "--allow-import", "slow", "--task", "iris", "--model", "stuck"]
    process = subprocess.Popen(
        [*command, "--results", "r", "--job-timeout", "90"], cwd=slow, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (slow / "calls").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    (pid,) = map(int, (slow / "calls").read_text().split())
    assert is_alive(pid)
    os.kill(process.pid, 9)
    process.wait()
    deadline = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(pid)
