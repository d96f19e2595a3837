"""Estimators that stop by validation rows: how each package is handed them, and how it repeats what it found.

A table's ``early_stopping = 50`` ends a fit after so many rounds (trees of boosting, epochs of a network) without a better
validation loss, and keeps the best round. The search does so with the validation rows; its rounds are stored as the
``best_epoch`` of the row. The evaluation fits the selected configuration again, from the same seed and on the training rows
only, for just so many rounds: it is the very model of the search, and no validation row is needed for it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from snnbench.config import ModelSettings
from snnbench.errors import ConfigError
from snnbench.records import Dataset, Task

FitStopping = Callable[[Any, Dataset, Dataset, int], int]
"""(model, training rows, validation rows, patience) → rounds that are kept; the model is fitted."""
FitRounds = Callable[[Any, Dataset, int], None]
"""(model, training rows, rounds): the model is fitted."""


@dataclass(frozen=True)
class Stopping:
    """How a class is fitted with validation rows, and how it is fitted again for the rounds that were best on them."""

    fit: FitStopping
    fit_rounds: FitRounds


def check_stopping(settings: ModelSettings) -> None:
    """Check that a model that is to stop early can.

    Raises:
        ConfigError: If it is of a class that we do not know how to hand validation rows.
    """
    if settings.early_stopping and settings.estimator not in STOPPING:
        raise ConfigError(
            f"early_stopping must be left out of the table of {settings.estimator}; validation rows can be handed to "
            f"{', '.join(STOPPING)}."
        )


def check_stopping_on(settings: ModelSettings, task: Task) -> None:
    """Check that a model that is to stop early can do so on a task.

    Raises:
        ConfigError: If the task has several labels, each of which would stop elsewhere.
    """
    if settings.early_stopping and task.kind == "multilabel":
        raise ConfigError(
            f"early_stopping needs one target a row, found several labels in {task.name}. Leave it out and give the number of "
            "rounds."
        )


def fit_stopping(settings: ModelSettings, model: Any, train: Dataset, valid: Dataset) -> int:
    """Fit a model whose table says ``early_stopping`` and return the rounds that were best on the validation rows.

    Both have classes 0, 1, …, all of them among the training rows.

    Raises:
        ValueError: If there is no validation row.
    """
    if len(valid.y) == 0:
        raise ValueError("Early stopping needs a validation row of a class that was trained, found none.")
    return STOPPING[str(settings.estimator)].fit(model, train, valid, settings.early_stopping or 0)


def fit_rounds(settings: ModelSettings, model: Any, train: Dataset, n_rounds: int) -> None:
    """Fit a model for the rounds that a search found."""
    STOPPING[str(settings.estimator)].fit_rounds(model, train, n_rounds)


def _stop_lightgbm(model: Any, train: Dataset, valid: Dataset, patience: int) -> int:
    from lightgbm import early_stopping

    model.fit(train.X, train.y, eval_X=valid.X, eval_y=valid.y, callbacks=[early_stopping(patience, verbose=False)])
    return int(model.best_iteration_)


def _stop_xgboost(model: Any, train: Dataset, valid: Dataset, patience: int) -> int:
    model.set_params(early_stopping_rounds=patience)
    model.fit(train.X, train.y, eval_set=[(valid.X, valid.y)], verbose=False)
    return int(model.best_iteration) + 1


def _stop_catboost(model: Any, train: Dataset, valid: Dataset, patience: int) -> int:
    model.fit(train.X, train.y, eval_set=(valid.X, valid.y), early_stopping_rounds=patience, use_best_model=True)
    return int(model.tree_count_)


def _fit_catboost(model: Any, train: Dataset, n_rounds: int) -> None:
    # How it combines levels depends on the number of trees it is to have, so that it must begin as it did in the search.
    model.fit(train.X, train.y)
    model.shrink(n_rounds)


def _fit_trees(model: Any, train: Dataset, n_rounds: int) -> None:
    model.set_params(n_estimators=n_rounds).fit(train.X, train.y)


def _stop_realmlp(model: Any, train: Dataset, valid: Dataset, patience: int) -> int:
    model.set_params(
        use_early_stopping=True, early_stopping_additive_patience=patience, early_stopping_multiplicative_patience=1
    )
    model.fit(train.X, train.y, X_val=valid.X, y_val=valid.y)
    (epoch,) = model.fit_params_["stop_epoch"].values()
    return int(epoch)


def _fit_realmlp(model: Any, train: Dataset, n_rounds: int) -> None:
    # Its rates follow all of the epochs, so that it must stop within them; without indices it would shuffle the rows.
    model.set_params(stop_epoch=n_rounds).fit(train.X, train.y, val_idxs=np.empty(0, np.int64))


def _stop_tabm(model: Any, train: Dataset, valid: Dataset, patience: int) -> int:
    with _tabm_losses() as losses:
        model.set_params(patience=patience).fit(train.X, train.y, X_val=valid.X, y_val=valid.y)
    return int(np.nanargmin(losses)) + 1


def _fit_tabm(model: Any, train: Dataset, n_rounds: int) -> None:
    # It refuses to train without validation rows and keeps the best epoch: here every one is better than those before it.
    with _tabm_losses(falls=True):
        model.set_params(n_epochs=n_rounds).fit(train.X, train.y, X_val=train.X[:1], y_val=train.y[:1])


@contextmanager
def _tabm_losses(falls: bool = False) -> Iterator[list[float]]:
    """Yield the validation losses of TabM, an epoch each: pytabkit tells its best epoch to nobody.

    Args:
        falls: Whether it is told a loss that falls from epoch to epoch, so that it keeps the last one.
    """
    import torch
    from pytabkit.models.alg_interfaces import tabm_interface

    losses: list[float] = []
    compute = tabm_interface.Metrics.apply

    def apply(y_pred: Any, y: Any, metric_name: str) -> Any:
        if y_pred.requires_grad:  # the loss of a batch
            return compute(y_pred, y, metric_name)
        loss = torch.tensor(-float(len(losses))) if falls else compute(y_pred, y, metric_name)
        losses.append(loss.item())
        return loss

    with patch.object(tabm_interface.Metrics, "apply", apply):
        yield losses


STOPPING: Mapping[str, Stopping] = {
    "catboost.CatBoostClassifier": Stopping(_stop_catboost, _fit_catboost),
    "lightgbm.LGBMClassifier": Stopping(_stop_lightgbm, _fit_trees),
    "pytabkit.RealMLP_TD_Classifier": Stopping(_stop_realmlp, _fit_realmlp),
    "pytabkit.TabM_D_Classifier": Stopping(_stop_tabm, _fit_tabm),
    "xgboost.XGBClassifier": Stopping(_stop_xgboost, _fit_trees),
}
"""By import path."""
