"""The scikit-learn runner: the same stages on the same rows as the networks."""

from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator

from snnbench.config import ModelSettings
from snnbench.metrics import METRICS
from snnbench.models import implementation
from snnbench.models.estimators.building import build_estimator
from snnbench.models.estimators.native import take_native
from snnbench.models.estimators.packages import without_chatter
from snnbench.models.estimators.stopping import fit_rounds, fit_stopping
from snnbench.records import Config, Dataset
from snnbench.training.stack import Scored, TaskRows


def fit_estimator(
    settings: ModelSettings,
    config: Config,
    seed: int,
    rows: TaskRows,
    grown: BaseEstimator | None = None,
    n_rounds: int | None = None,
) -> Scored:
    """Fit one estimator on the training rows and score its outputs of the held-out rows.

    Of a multilabel task, one for each label on the rows where it was measured.

    Args:
        settings: Its class and fixed arguments.
        config: Its searched hyperparameters.
        seed: Of the member; given to the estimator and to all of its parts that take one.
        rows: Of the task; the training rows may lack some of its classes.
        grown: An ensemble of the wanted size that keeps what it has learned, to be fitted instead of a new one; not if the task
            is multilabel.
        n_rounds: Of an estimator that stops early, those that a search found; None in a search, where the held-out rows, then
            those of validation, stop it.
    """
    train, X_held_out, n_outputs = rows.train, rows.held_out.X, rows.n_outputs
    if train.y.ndim == 1:
        model = build_estimator(settings, config, seed) if grown is None else grown
        if train.columns:
            model, rows = _as_they_are(model, implementation(config.model, settings), rows)
        if settings.early_stopping:
            return _fit_and_stop(settings, model, rows, n_rounds)
        outputs = _fit(model, rows.train.X, train.y, rows.held_out.X, n_outputs)
    else:
        outputs = np.stack([_fit_label(settings, config, seed, train, X_held_out, label) for label in range(n_outputs)], axis=1)
    return _score(rows, outputs)


def _score(rows: TaskRows, outputs: np.ndarray, n_rounds: int = 0) -> Scored:
    # The score is that of the outputs as they are stored, so that it can be computed from them again.
    return Scored(float(METRICS[rows.metric](rows.held_out.y, outputs.astype(np.float32))), outputs, n_rounds)


def _as_they_are(model: BaseEstimator, path: str, rows: TaskRows) -> tuple[BaseEstimator, TaskRows]:
    """Return an estimator that is told of levels, and its rows with levels and gaps as they are."""
    model, train, held_out = take_native(model, path, rows.train, rows.held_out)
    return model, replace(rows, train=train, held_out=held_out)


def _fit(model: BaseEstimator, X: np.ndarray, y: np.ndarray, X_held_out: np.ndarray, n_outputs: int) -> np.ndarray:
    """Return the (n_held_out, n_outputs) outputs of a classifier."""
    if len(classes := np.unique(y)) == 1:
        return _always(classes[0], len(X_held_out), n_outputs)
    with without_chatter(model):
        predicted = np.ravel(model.fit(X, y).predict(X_held_out))  # CatBoost's have a column
        return _outputs(model, X_held_out, predicted, n_outputs)


def _always(label: int, n_rows: int, n_outputs: int) -> np.ndarray:
    """Return outputs for a single class: many classifiers refuse one, of which there is nothing to learn."""
    return np.eye(n_outputs)[np.full(n_rows, label)]


def _fit_and_stop(settings: ModelSettings, model: BaseEstimator, rows: TaskRows, n_rounds: int | None) -> Scored:
    """Fit a classifier that stops early: by the held-out rows, or after the rounds that a search found."""
    classes, y = np.unique(rows.train.y, return_inverse=True)  # without gaps, as XGBoost wants them
    held_out = rows.held_out
    if len(classes) == 1:
        return _score(rows, _always(classes[0], len(held_out.y), rows.n_outputs), n_rounds=1)
    with without_chatter(model):
        if n_rounds is None:
            trained = np.isin(held_out.y, classes)
            valid = Dataset(held_out.X[trained], np.searchsorted(classes, held_out.y[trained]))
            n_rounds = fit_stopping(settings, model, Dataset(rows.train.X, y), valid)
        else:
            fit_rounds(settings, model, Dataset(rows.train.X, y), n_rounds)
        outputs = np.zeros((len(held_out.y), rows.n_outputs))
        outputs[:, classes] = _outputs(model, held_out.X, np.ravel(model.predict(held_out.X)), len(classes))
    return _score(rows, outputs, n_rounds)


def _fit_label(
    settings: ModelSettings, config: Config, seed: int, train: Dataset, X_held_out: np.ndarray, label: int
) -> np.ndarray:
    """Return (n_held_out,) probabilities or decision values of a label; 0.5 for one that was never measured."""
    measured = ~np.isnan(train.y[:, label])
    if not measured.any():
        return np.full(len(X_held_out), 0.5)
    y = train.y[measured, label].astype(np.int64)
    return _fit(build_estimator(settings, config, seed), train.X[measured], y, X_held_out, 2)[:, 1]


def _outputs(model: BaseEstimator, X: np.ndarray, predicted: np.ndarray, n_outputs: int) -> np.ndarray:
    """Return (n_samples, n_outputs) probabilities, else decision values, else votes for the predicted class.

    A class without training rows gets probability 0, or a decision value below all others.
    """
    # scikit-learn's SVC has predict_proba only where its probability is True, cuML's has it always and refuses.
    if hasattr(model, "predict_proba") and getattr(model, "probability", True) is not False:
        known, absent = model.predict_proba(X), 0.0
    elif hasattr(model, "decision_function"):
        known = model.decision_function(X)
        known = np.stack([-known, known], axis=1) if known.ndim == 1 else known
        absent = known.min() - 1
    else:
        return np.eye(n_outputs)[predicted]
    if known.shape[1] != len(model.classes_):  # one-against-one decision values are no scores of classes
        return np.eye(n_outputs)[predicted]
    outputs = np.full((len(X), n_outputs), absent)
    outputs[:, model.classes_] = known
    # One-against-rest decision values of an SVM may disagree with its prediction, and so may rounded probabilities.
    rows = np.flatnonzero(outputs.astype(np.float32).argmax(axis=1) != predicted)
    highest = outputs[rows].max(axis=1)
    outputs[rows, predicted[rows]] = highest + 1e-5 * (1 + np.abs(highest))
    return outputs
