"""The scikit-learn runner: the same stages on the same rows as the networks."""

import inspect
import time

import numpy as np
from sklearn.base import BaseEstimator

from snnbench.metrics import METRICS
from snnbench.records import Config, Dataset, Stage, TrainingRun


def fit_estimator(
    estimator: type[BaseEstimator],
    config: Config,
    seed: int,
    stage: Stage,
    train: Dataset,
    held_out: Dataset,
    n_outputs: int,
    metric: str = "accuracy",
) -> TrainingRun:
    """Fit one estimator on the training rows and score it on the held-out rows.

    Args:
        estimator: The class; built with the config's values and, where it takes one, ``random_state=seed``.
        config: Its hyperparameters.
        seed: Of the member.
        stage: ``"search"`` (the held-out rows validate) or ``"evaluate"`` (they test).
        train: Rows to fit.
        held_out: Rows to score.
        n_outputs: Number of classes of the task; the training rows may lack some.
        metric: Name of the score.
    """
    start = time.perf_counter()
    seeded = {"random_state": seed} if "random_state" in inspect.signature(estimator).parameters else {}
    model = estimator(**dict(config.values), **seeded)
    if len(classes := np.unique(train.y)) == 1:
        predicted = np.full(len(held_out.y), classes[0])  # an SVM refuses a single class, of which there is nothing to learn
    else:
        predicted = model.fit(train.X, train.y).predict(held_out.X)
    score = np.atleast_1d(METRICS[metric](held_out.y, np.eye(n_outputs)[predicted]))
    missing = np.full(1, np.nan)
    return TrainingRun(
        train_loss=np.empty((0, 1)),
        valid_score=np.empty((0, 1)),
        best_epoch=np.zeros(1, dtype=int),
        best_score=score if stage == "search" else missing,
        test_score=score if stage == "evaluate" else missing,
        diverged=np.zeros(1, dtype=bool),
        seconds=time.perf_counter() - start,
    )
