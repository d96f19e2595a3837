"""Runs as real processes, and everything that can happen to them: nothing finished is lost, doubled or torn.

After each fault the same command is given again and must end with the scores of a run that nothing happened to, bit by bit.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil
import pytest
from small_run import PROGRAM, crash_run

from snnbench.results.store import read_results

CONFIG = """
[training]
n_epochs = 8
[models.snn.grid]
n_units = [8, 12, 16, 20, 24, 28]
n_layers = [1, 2, 3, 4, 5]
form = "rectangular"
learning_rate = 0.1
dropout_rate = 0.0
"""
TASKS = ("iris", "wine", "monks-1")
N_ROWS = len(TASKS) * (30 + 1)
SCORES = ["status", "valid_score", "test_score", "best_epoch", "train_loss", "valid_curve", "test_outputs"]

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def command(config: str = "many.toml", tasks: tuple[str, ...] = TASKS) -> list[str]:
    named = [word for task in tasks for word in ("--task", task)]
    named += [word for name in ("greedy", "jumpy") for word in ("--allow-import", name)]
    return [*PROGRAM, "run", "core", "--config", config, *named, "--workers", "2", "--progress", "none"]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([*words], cwd=folder, capture_output=True, text=True, timeout=300)


def scores(results: Path) -> dict[str, tuple]:
    """Return the bits of every row by its key; each key must stand there once."""
    rows = pd.read_parquet(results)
    assert not rows["key"].duplicated().any()
    values = {row["key"]: tuple(map(bits, row[SCORES])) for _, row in rows.iterrows()}
    return values


def bits(value: object) -> object:
    if isinstance(value, float):
        return value.hex()  # a NaN equals none
    return value.tobytes() if hasattr(value, "tobytes") else value


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory) -> dict[str, tuple]:
    """Return the scores of a run that nothing happens to."""
    folder = tmp_path_factory.mktemp("unharmed")
    (folder / "many.toml").write_text(CONFIG)
    assert run(folder, *command()).returncode == 0
    found = scores(folder / "results")
    assert len(found) == N_ROWS
    return found


@pytest.fixture
def place(tmp_path) -> Path:
    (tmp_path / "many.toml").write_text(CONFIG)
    return tmp_path


def stored(folder: Path) -> set[str]:
    """Return the keys of all rows that did not fail."""
    rows = read_results([folder / "results"])
    return set(rows.loc[rows["status"] != "failed", "key"])


def start(folder: Path, *words: str, **options: object) -> subprocess.Popen:
    return subprocess.Popen([*words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]


def wait_for(happened, process: subprocess.Popen) -> bool:
    """Wait until something has happened; False if the process ended first."""
    deadline = time.monotonic() + 120
    while not happened():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return True


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Return the processes that train: the children of the fork server."""
    try:
        children = psutil.Process(process.pid).children()
        return [worker for child in children for worker in child.children()]
    except psutil.NoSuchProcess:
        return []


def finish(folder: Path, unharmed: dict[str, tuple], before: set[str]) -> None:
    """Give the command again: what was stored stays, the rest comes, and every bit is as it should be."""
    assert before <= stored(folder)
    partial = scores(folder / "results") if before else {}
    # Where trainings had failed, another configuration may have been evaluated meanwhile; the newest evaluation counts.
    others = {key for key, values in partial.items() if values[0] == "failed" or key not in unharmed}
    had_failures = any(values[0] == "failed" for values in partial.values())
    assert not others or had_failures
    assert {key: values for key, values in partial.items() if key not in others}.items() <= unharmed.items()
    done = run(folder, *command())
    assert (done.returncode, done.stderr) == (0, "")
    assert before <= stored(folder)
    found = scores(folder / "results")
    assert unharmed.items() <= found.items()
    assert {values[0] for values in found.values()} == {"ok"}
    assert len(found) == N_ROWS or had_failures


def test_a_run_killed_again_and_again_loses_nothing(place, unharmed):
    """Send kill -9 to the parent at random moments of the training, from 3 starts."""
    rng, n_kills = random.Random(0), 0
    for _ in range(3):
        before = stored(place)
        process = start(place, *command())
        if wait_for(lambda before=before: len(stored(place)) > len(before), process):
            time.sleep(rng.random() * 0.02)
            os.kill(process.pid, signal.SIGKILL)
            n_kills += 1
        process.communicate()
        assert before <= stored(place)
        assert scores(place / "results").items() <= unharmed.items()
    print(f"{n_kills} kills of the parent survived, {len(stored(place))} of {N_ROWS} files stored meanwhile")
    assert n_kills >= 2
    finish(place, unharmed, stored(place))


def test_a_run_that_dies_around_a_rename_has_stored_what_has_its_name(place, unharmed):
    """At the first file, in the middle of the search, and between its end and the last evaluation."""
    n_stored = 0
    for n_renames, moment in ((1, "before"), (1, "after"), (44, "after"), (47, "before")):
        crash_run(command(), place, n_renames, moment)
        n_stored += n_renames - (moment == "before")
        assert len(stored(place)) == n_stored
        assert not n_stored or scores(place / "results").items() <= unharmed.items()
    assert n_stored == N_ROWS - 2  # one of three evaluations
    finish(place, unharmed, stored(place))


def test_workers_killed_at_random_moments_cost_nothing(place, unharmed):
    """Send kill -9 to a worker again and again, while the run goes on: twelve times."""
    rng, n_kills, n_starts = random.Random(1), 0, 0
    while n_kills < 12:
        shutil.rmtree(place / "results", ignore_errors=True)
        process = start(place, *command())
        n_starts += 1
        while wait_for(lambda process=process: workers_of(process) and stored(place), process) and n_kills < 12:
            try:
                victim = rng.choice(workers_of(process))
                victim.kill()
                n_kills += 1
            except (IndexError, psutil.NoSuchProcess):
                continue
            time.sleep(rng.random() * 0.2)
        process.communicate()
        assert process.returncode in (0, 1)  # a job whose worker was killed twice has failed, and is tried again
        before = stored(place)
        finish(place, unharmed, before)
    print(f"{n_kills} kills of workers survived by {n_starts} runs")


GREEDY = """
import os, resource, signal
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Greedy(ClassifierMixin, BaseEstimator):
    def __init__(self, size=1):
        self.size = size

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.size > 1 and "MEMORY" in os.environ:
            limit = int(os.environ["MEMORY"])
            if limit == 0:
                os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does when memory is out
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
            try:
                np.ones(2**40, dtype=np.uint8)
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])
"""


@pytest.mark.parametrize(
    ("limit", "reason"), [("0", "the worker process died: killed, or out of memory"), (str(2**34), "Unable")]
)
def test_a_worker_without_memory_fails_its_own_job_alone(tmp_path, limit, reason):
    (tmp_path / "greedy.py").write_text(GREEDY)
    (tmp_path / "many.toml").write_text(
        '[models.greedy]\nestimator = "greedy.Greedy"\ngrid = { size = [1, 2] }\n'
        '[models.svm]\nestimator = "sklearn.svm.SVC"\ngrid = { C = [1.0, 10.0] }\n'
    )
    words = command(tasks=("iris", "wine"))
    harmed = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"MEMORY": limit}, timeout=300
    )
    assert harmed.returncode == 1
    assert reason in harmed.stderr
    rows = pd.read_parquet(tmp_path / "results")
    assert set(rows.loc[rows["status"] == "failed", "model"]) == {"greedy"}
    assert (rows.query("model == 'svm'")["status"] == "ok").all()
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    rows = pd.read_parquet(tmp_path / "results")
    assert len(rows) == rows["key"].nunique() >= 2 * (2 + 2) + 4  # the selection may have changed, and been evaluated anew
    assert (rows["status"] == "ok").all()


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a small disk at ``folder``, where that is allowed."""
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True).returncode
    ):
        pytest.skip("a disk may not be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_loses_nothing(place, unharmed):
    with disk(place / "results", "size=100k"):
        full = run(place, *command())
        assert full.returncode == 2
        assert re.fullmatch(r"Error: The results folder must be writable, but writing to .*No space left .*\n", full.stderr)
        before = stored(place)
        assert 0 < len(before) < N_ROWS
        again = run(place, *command())
        assert again.returncode == 2
        subprocess.run(["mount", "-o", "remount,size=8m", str(place / "results")], check=True)
        finish(place, unharmed, before)


def test_a_results_folder_that_cannot_be_written_is_read_and_kept(place, unharmed):
    with disk(place / "results", "size=8m"):
        assert run(place, *command(tasks=("iris", "wine"))).returncode == 0
        before = stored(place)
        subprocess.run(["mount", "-o", "remount,ro", str(place / "results")], check=True)
        refused = run(place, *command())
        assert refused.returncode == 2
        assert refused.stderr.startswith("Error: The results folder must be writable, but writing to results")
        assert "Read-only file system" in refused.stderr
        compared = run(place, *PROGRAM, "compare", "results", "--details")
        assert "1 model" in compared.stdout + compared.stderr
        assert stored(place) == before
        subprocess.run(["mount", "-o", "remount,rw", str(place / "results")], check=True)
        finish(place, unharmed, before)


@pytest.mark.parametrize("n_presses", [1, 2])
def test_ctrl_c_once_finishes_what_is_in_flight_and_twice_stops_now(place, unharmed, n_presses):
    process = start(place, *command(), start_new_session=True)
    assert wait_for(lambda: stored(place), process)
    os.killpg(process.pid, signal.SIGINT)
    if n_presses == 2:
        time.sleep(0.01)
        pressed = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.count("stored")) == (130, 1)  # the plan's "stored already" alone
    assert err.startswith("Finishing the jobs in flight; press Ctrl-C again to stop now.\n")
    assert "Traceback" not in err
    if n_presses == 1:
        assert re.search(r"Stopped with \d+ jobs? of this stage left\. The same command continues from here\.\n$", err)
    else:
        assert time.monotonic() - pressed < 10
    finish(place, unharmed, stored(place))


def test_two_runs_in_one_folder_share_the_work(place, unharmed):
    processes = [start(place, *command()) for _ in range(2)]
    answers = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert scores(place / "results") == unharmed
    finish(place, unharmed, stored(place))


def test_two_different_runs_in_one_folder_do_not_disturb_each_other(place, unharmed):
    """They have members of one stack in common, and are killed and resumed."""
    (place / "few.toml").write_text(CONFIG.replace("[1, 2, 3, 4, 5]", "[2, 4]"))
    one, two = start(place, *command()), start(place, *command(config="few.toml"))
    assert wait_for(lambda: len(stored(place)) > 5, one)
    one.kill()
    assert two.wait(300) == 0
    one.communicate(), two.communicate()
    assert not pd.read_parquet(place / "results")["key"].duplicated().any()
    done = run(place, *command())
    assert (done.returncode, done.stderr) == (0, "")
    found = scores(place / "results")
    assert unharmed.items() <= found.items()
    assert len(found) == N_ROWS + len(TASKS)  # the few have selections of their own


JUMPY = """
import random
from datetime import UTC, datetime, timedelta

import snnbench.training.jobs
from snnbench.models.networks.snn import SNN


class JumpyClock(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 6, 1, tzinfo=tz) + timedelta(days=random.uniform(-4000, 4000))


snnbench.training.jobs.datetime = JumpyClock


class Jumpy(SNN):
    pass
"""


def test_a_clock_that_jumps_changes_nothing_but_dates(place, unharmed):
    (place / "jumpy.py").write_text(JUMPY)
    (place / "many.toml").write_text(
        CONFIG.replace("[models.snn.grid]", '[models.snn]\nnetwork = "jumpy.Jumpy"\n[models.snn.grid]')
    )
    process = start(place, *command())
    assert wait_for(lambda: len(stored(place)) > 10, process)
    process.kill()
    process.communicate()
    before = stored(place)
    done = run(place, *command())
    assert (done.returncode, done.stderr) == (0, "")
    assert before <= stored(place)
    rows = pd.read_parquet(place / "results")
    assert rows["finished_at"].max() > "2027"
    assert rows["finished_at"].nunique() > 30  # each job is later than those before it, whatever its clock said
    assert sorted(scores(place / "results").values()) == sorted(unharmed.values())
