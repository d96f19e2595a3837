"""Whether an estimator's error is its last word on its rows, or may not come another time."""

from collections.abc import Iterator

import numpy as np

from snnbench.config import ModelSettings
from snnbench.models.estimators.building import build_estimator
from snnbench.models.estimators.packages import without_chatter
from snnbench.records import Config
from snnbench.training.stack import TaskRows

_PACKAGES = ("_catboost", "lightgbm", "xgboost")
"""Packages with an error of their own for everything: rows, values of a config, what the machine lacks."""

_OF_MACHINE = ("alloc", "memory")

_N_ROWS = 64
"""Made rows of each class: more than leaves want."""
_ROUNDS, _FEW = ("iterations", "n_estimators", "num_boost_round", "num_trees"), 2
"""What boosting packages call their rounds, and how many tell whether rows can be fitted."""


def is_infeasible(error: Exception, settings: ModelSettings, config: Config, rows: TaskRows) -> bool:
    """Say whether an estimator refuses a configuration on these rows, so that another attempt would end the same way.

    Boosting packages say everything by one error. It is about the rows if others of the same shape can be fitted by the same
    configuration; if not, the config is wrong or the machine lacks something.

    Args:
        error: What it raised.
        settings: Its class and fixed arguments.
        config: Its searched hyperparameters.
        rows: What it was fitted to.
    """
    if type(error).__module__.partition(".")[0] not in _PACKAGES:
        return is_last_word(error)
    words = str(error).partition("\n")[0].lower()  # a stack trace may follow
    return not any(word in words for word in _OF_MACHINE) and _fits_made_rows(settings, config, rows)


def is_last_word(error: BaseException) -> bool:
    """Say whether an error of scikit-learn, or of a class written as it asks, is an estimator's last word on its rows.

    A ``ValueError`` is (``LinAlgError`` is one), and so is an ``ArithmeticError``: nine neighbours of six rows, a covariance
    matrix that is not full rank. It is not if it came from a want of memory or from a file. Nor is a ``TypeError``, which
    scikit-learn's ``InvalidParameterError`` is, too: then the config is wrong, whatever the rows.
    """
    if not isinstance(error, ValueError | ArithmeticError) or isinstance(error, TypeError):
        return False
    # A search or an ensemble of scikit-learn's tells the errors of its parts in words only.
    told = any(name in str(error) for name in ("MemoryError", "OSError"))
    return not told and not any(isinstance(one, MemoryError | OSError) for one in _origins(error))


def _origins(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _fits_made_rows(settings: ModelSettings, config: Config, rows: TaskRows) -> bool:
    """Say whether a configuration can be fitted to noise with as many features and classes."""
    y = np.arange(_N_ROWS * rows.n_outputs) % rows.n_outputs
    X = np.random.default_rng(0).normal(size=(len(y), rows.n_features)).astype(np.float32)
    model = build_estimator(settings, config, seed=0)
    said = {name: value for name, value in model.get_params().items() if name in _ROUNDS and value is not None}
    few = {name: min(value, _FEW) for name, value in said.items() if isinstance(value, int)}  # what is wrong stays wrong
    model.set_params(**(few if said else {"n_estimators": _FEW}))
    try:
        with without_chatter(model):
            model.fit(X, y)
    except Exception:
        return False
    return True
