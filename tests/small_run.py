"""A small run of networks and an estimator, given as a command, for the tests of engines."""

import sys
from pathlib import Path

import pandas as pd

SCORES = ["status", "valid_score", "test_score", "best_epoch", "train_loss", "valid_curve", "test_outputs"]
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


def command(folder: Path, results: str, *words: str) -> list[str]:
    """Return the command that runs it in a folder."""
    (folder / "small.toml").write_text(_CONFIG)
    program = [sys.executable, "-c", "from snnbench.cli import main; main()", "run", "core", "--config", "small.toml"]
    tasks = [word for task in _TASKS for word in ("--task", task)]
    return [*program, *tasks, "--results", results, "--progress", "plain", *words]


def scores(results: Path) -> pd.DataFrame:
    """Return the rows by their keys, each of which must stand there once."""
    rows = pd.read_parquet(results).sort_values("key").reset_index(drop=True)
    assert not rows["key"].duplicated().any()
    return rows
