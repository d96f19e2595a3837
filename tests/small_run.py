"""Runs as real processes: the program, a small run of networks and an estimator, and a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
from own_tables import write_customers

SCORES = ["status", "valid_score", "test_score", "best_epoch", "train_loss", "valid_curve", "test_outputs"]
PROGRAM = (sys.executable, "-c", "from snnbench.cli import main; main()")
_CRASHING = """
import os, signal, sys
n_left, moment = int(sys.argv.pop(1)), sys.argv.pop(1)
def watch(event, args):
    global n_left
    is_rename = event == "os.rename" and str(args[1]).endswith(".parquet")
    if n_left == 0 or (n_left == 1 and is_rename and moment == "before"):
        n_left = -1  # a kill is an event, too
        os.kill(os.getpid(), signal.SIGKILL)
    n_left -= is_rename
sys.addaudithook(watch)
from snnbench.cli import main; main()
"""
_TASKS = ("iris", "wine", "monks-1")
_CONFIG = """
[training]
n_epochs = 8
[models.snn.grid]
n_units = [8, 12, 16, 20]
n_layers = [1, 2, 3]
form = "rectangular"
learning_rate = [0.1, 0.01]
dropout_rate = [0.0, 0.05]
[models.svm]
estimator = "sklearn.svm.SVC"
[models.svm.grid]
C = [0.1, 1, 10]
gamma = [0.1, 1]
"""

_OWN_CONFIG = """
[training]
n_epochs = 8
[models.snn.grid]
n_units = 8
n_layers = [1, 2]
form = "rectangular"
learning_rate = 0.1
[models.hist]
estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
encoding = "native"
[models.hist.grid]
max_iter = 5
"""


def command(folder: Path, results: str, *words: str) -> list[str]:
    """Return the command that runs it in a folder."""
    (folder / "small.toml").write_text(_CONFIG)
    tasks = [word for task in _TASKS for word in ("--task", task)]
    run = ["run", "core", "--config", "small.toml", *tasks]
    return [*PROGRAM, *run, "--results", results, "--progress", "plain", *words]


def check_own_run(folder: Path, *engine: str) -> None:
    """Run a table of the user's on this machine and by an engine, a network and an estimator with native encoding.

    Both must store the same numbers, bits and flags. They run at the same time, so that both read the table and freeze it.
    """
    write_customers(folder, 120)
    (folder / "own.toml").write_text(_OWN_CONFIG)
    run = ["run", "customers.csv", "--target", "churned", "--drop", "joined", "--config", "own.toml", "--repetition", "1..2"]
    with ExitStack() as running:
        started = [
            running.enter_context(
                subprocess.Popen(
                    [*PROGRAM, *run, "--results", results, "--progress", "none", *words],
                    cwd=folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for results, words in {"local": ("--workers", "1"), "far": engine}.items()
        ]
        for process in started:
            _, err = process.communicate()
            assert process.returncode == 0, err
    local, found = scores(folder / "local" / "customers"), scores(folder / "far" / "customers")
    assert set(local["status"]) == {"ok"}
    assert set(found["encoding"]) == {"native", "one-hot"}
    columns = ["key", "task_flags", *SCORES]
    pd.testing.assert_frame_equal(found[columns], local[columns])


def crash_run(command: Sequence[str], folder: Path, n_renames: int, moment: str) -> None:
    """Run a command of ``PROGRAM`` that kills itself just before, or just after, a file of results gets its name.

    Python tells its audit hooks of every rename before it happens; what comes next is told after it.

    Args:
        command: What ``command`` returns.
        folder: Where it runs.
        n_renames: Which file, from 1.
        moment: "before" or "after".
    """
    words = [sys.executable, "-c", _CRASHING, str(n_renames), moment, *command[len(PROGRAM) :]]
    done = subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert done.returncode == -signal.SIGKILL


def n_rows(results: Path) -> int:
    """Return the number of stored rows, each of which must stand there once."""
    return len(scores(results)) if any(results.rglob("[!.]*.parquet")) else 0


def jobs(results: Path) -> dict[str, int]:
    """Return the keys of the jobs that the logs of a folder's runs say were stored, with their numbers of rows."""
    lines = (json.loads(line) for log in (results / "_logs").glob("*.jsonl") for line in log.read_text().splitlines())
    return {line["key"]: sum(line["statuses"].values()) for line in lines if line["event"] == "job stored"}


def kill_run(command: Sequence[str], results: Path, n_files: int) -> bool:
    """Start a run and kill it once so many files of results are there; False if it ended first."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=results.parent)
    deadline = time.monotonic() + 60
    while len(list(results.rglob("*.parquet"))) < n_files and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.002)
    was_running = process.poll() is None
    if was_running:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return was_running


def scores(results: Path) -> pd.DataFrame:
    """Return the rows by their keys, each of which must stand there once."""
    rows = pd.read_parquet(results).sort_values("key").reset_index(drop=True)
    assert not rows["key"].duplicated().any()
    return rows
