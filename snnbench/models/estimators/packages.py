"""Estimators of other packages: what they are told unless a config says otherwise, and what they need not say.

Processes share a machine's cores, so that each fit gets one thread; many of these packages would take all of them, and their
sums, hence their numbers, may depend on how many there are.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

ARGUMENTS: Mapping[str, Mapping[tuple[str, ...], Any]] = {
    "catboost.CatBoostClassifier": {
        ("thread_count",): 1,
        ("allow_writing_files",): False,
        ("verbose", "logging_level", "silent", "verbose_eval"): False,
        # Its own choice depends on whether there are validation rows, so that a fit without them would be another.
        ("learning_rate", "eta"): 0.1,
        ("counter_calc_method",): "SkipTest",  # validation rows are no part of how often a level is seen
    },
    "lightgbm.LGBMClassifier": {("n_jobs", "num_threads", "nthread"): 1, ("verbosity", "verbose"): -1},
    "pytabkit.RealMLP_TD_Classifier": {("n_threads",): 1, ("device",): "cpu"},
    "pytabkit.TabM_D_Classifier": {("n_threads",): 1, ("device",): "cpu"},
    "xgboost.XGBClassifier": {("n_jobs", "nthread"): 1},
}
"""By import path: the names that an argument has, the first of them ours, and its value if a config gives none of them."""

_CHATTER = (
    "X does not have valid feature names, but LGBMClassifier was fitted with feature names",
    "`torch.jit.script` is deprecated",
    r"The \d+-th feature has just two bin edges",
)
"""Warnings about how an estimator is called or written, and of TabM about every feature of two values."""

_TALKATIVE = r"(pytorch_lightning|lightning_fabric|lightning)\."
"""Modules whose warnings are about themselves."""


def with_arguments(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a class with those that it is told unless a config says otherwise."""
    own = {names[0]: value for names, value in ARGUMENTS.get(path, {}).items() if given.keys().isdisjoint(names)}
    return {**own, **given}


@contextmanager
def without_chatter(model: object) -> Iterator[None]:
    """Leave out what packages say of themselves at every fit and every prediction; warnings about the fit stay."""
    with warnings.catch_warnings():
        for message in _CHATTER:
            warnings.filterwarnings("ignore", message)
        if type(model).__module__.partition(".")[0] != "pytabkit":
            yield
            return
        warnings.filterwarnings("ignore", module=_TALKATIVE)
        for name in ("pytorch_lightning", "lightning_fabric", "lightning"):
            logging.getLogger(name).setLevel(logging.ERROR)
        with redirect_stdout(io.StringIO()):
            yield
