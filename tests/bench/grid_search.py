"""(c) A grid of networks against ``GridSearchCV(MLPClassifier, n_jobs=-1)``: same grid, rows, hold-out, batches and epochs.

Once as a run of the benchmark, and once as a ``StackedSearchCV(n_jobs=-1)``, which scores each network once, as
``GridSearchCV`` does.
"""

import time
import warnings
from functools import partial

import numpy as np
from rounds import interleave, ratio
from runs import Where, run_whole
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.neural_network import MLPClassifier

from snnbench.classifiers import MSRAInitClassifier, StackedSearchCV
from snnbench.config import ModelSettings, RunSettings, TrainingSettings
from snnbench.training.job_rows import job_rows

TITLE = (
    "(c) 24 ReLU networks of width 64: GridSearchCV(MLPClassifier, n_jobs=-1) against snnbench and StackedSearchCV, end to end"
)

N_EPOCHS, BATCH_SIZE, WIDTH = 50, 128, 64
DEPTHS, RATES = [2, 3, 4, 8], [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
TASKS = ("wine", "optical-digits", "waveform")


def measure(n_rounds: int = 3) -> dict:
    """Return a row for each task."""
    rows = []
    for task in TASKS:
        sides = {
            "grid search": partial(search_grid, task),
            "snnbench": partial(run_snnbench, task),
            "stacked search": partial(search_stacks, task),
        }
        seconds = interleave(sides, n_rounds)
        walls = {f"{name}, s": sorted(times)[n_rounds // 2] for name, times in seconds.items()}
        train, _ = job_rows("search", "core", task, "repetition-1", None)
        ratios = ratio(seconds["grid search"], seconds["snnbench"])
        of_stacks = {
            f"stacked: {name}": value for name, value in ratio(seconds["grid search"], seconds["stacked search"]).items()
        }
        rows.append({"task": task, "rows": len(train.y), **walls, **ratios, **of_stacks})
    return {"rows": rows}


def search_grid(task: str) -> float:
    """Fit scikit-learn's networks without early stopping and return the wall seconds; its workers stay warm."""
    X, y, fold = _rows(task)
    network = MLPClassifier(
        solver="sgd", momentum=0, nesterovs_momentum=False, alpha=0, batch_size=min(BATCH_SIZE, int((fold < 0).sum())),
        max_iter=N_EPOCHS, n_iter_no_change=N_EPOCHS + 1, tol=0, random_state=0,
    )  # fmt: skip
    grid = {"hidden_layer_sizes": [(WIDTH,) * depth for depth in DEPTHS], "learning_rate_init": RATES}
    search = GridSearchCV(network, grid, cv=PredefinedSplit(fold), n_jobs=-1, refit=False, error_score=np.nan)
    return _time_fit(search, X, y)


def search_stacks(task: str) -> float:
    """Fit the same grid as stacks and return the wall seconds; its workers stay warm, too."""
    X, y, fold = _rows(task)
    network = MSRAInitClassifier(
        n_units=WIDTH, batch_size=BATCH_SIZE, n_epochs=N_EPOCHS, standardise=False, random_state=0
    )  # fmt: skip
    grid = {"n_layers": DEPTHS, "learning_rate": RATES}
    return _time_fit(StackedSearchCV(network, grid, cv=PredefinedSplit(fold), n_jobs=-1, refit=False), X, y)


def _rows(task: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the training and validation rows one under the other, and -1 or 0 for each."""
    train, valid = job_rows("search", "core", task, "repetition-1", None)
    fold = np.repeat([-1, 0], [len(train.y), len(valid.y)])
    return np.concatenate([train.X, valid.X]), np.concatenate([train.y, valid.y]), fold


def _time_fit(search: GridSearchCV, X: np.ndarray, y: np.ndarray) -> float:
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for category in (UserWarning, FitFailedWarning):  # a diverged member has no score
            warnings.simplefilter("ignore", category)
        search.fit(X, y)
    return time.perf_counter() - start


def run_snnbench(task: str) -> float:
    """Train the same grid, score every epoch, store all, evaluate the best; return the wall seconds, workers' start too."""
    grid = ModelSettings(grid={"n_units": WIDTH, "n_layers": DEPTHS, "form": "rectangular", "learning_rate": RATES})
    settings = RunSettings(training=TrainingSettings(n_epochs=N_EPOCHS, batch_size=BATCH_SIZE), models={"msrainit": grid})
    return run_whole(Where(), ("msrainit",), (task,), settings)["wall, s"]
