"""What every estimator at hand must do: another seed is another number, wherever the estimator keeps its seed."""

import inspect
import warnings
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils import all_estimators

from snnbench.config import ModelSettings, load_config, presets
from snnbench.models.estimators.building import SEEDS, build_estimator
from snnbench.records import Config, Dataset
from snnbench.suites import SUITES
from snnbench.training.estimators import fit_estimator
from snnbench.training.stack import TaskRows

RNG = np.random.default_rng(0)
ROWS = Dataset(RNG.normal(size=(120, 5)).astype(np.float32), RNG.integers(0, 2, 120))
SAMPLING = {
    "xgboost.XGBClassifier": {"n_estimators": 5, "subsample": 0.5, "n_jobs": 1},
    "lightgbm.LGBMClassifier": {"n_estimators": 5, "subsample": 0.5, "subsample_freq": 1, "n_jobs": 1, "verbose": -1},
    "catboost.CatBoostClassifier": {"iterations": 5, "verbose": False, "thread_count": 1, "allow_writing_files": False},
    "sklearn.ensemble.RandomForestClassifier": {"n_estimators": 5},
    f"{__name__}.Hidden": {"scale": 2.0},
    f"{__name__}.Wrapped": {},
}
"""Estimators whose numbers must follow the seed, by import path, and arguments with which they draw at random."""
CLASSIFIERS = {f"{found.__module__}.{found.__qualname__}": found for _, found in all_estimators(type_filter="classifier")}
TREE = {"class": "sklearn.tree.DecisionTreeClassifier"}
PARTS = {"base_estimator": TREE, "estimator": TREE, "estimators": [["tree", TREE]]}
"""What classifiers that are made of others must be given."""


class Hidden(ClassifierMixin, BaseEstimator):
    """A classifier whose signature says nothing: all that it takes stands in ``get_params``, as in XGBoost's."""

    takes: ClassVar = {"scale": 1.0, "random_state": None}

    def __init__(self, **values):
        self.values = {**self.takes, **values}

    def get_params(self, deep=True):
        """Return all that it takes."""
        return dict(self.values)

    def set_params(self, **values):
        """Set what it takes."""
        self.values |= values
        return self

    def fit(self, X, y):
        """Learn the classes."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        """Return a row of numbers for each row."""
        draws = np.random.default_rng(self.values["random_state"]).random((len(X), len(self.classes_)))
        return draws ** self.values["scale"]

    def predict(self, X):
        """Return the likeliest class."""
        return self.predict_proba(X).argmax(axis=1)


class Wrapped(ClassifierMixin, BaseEstimator):
    """A classifier that makes its own part, which no config describes."""

    def __init__(self, part=None):
        self.part = RandomForestClassifier(n_estimators=3) if part is None else part

    def fit(self, X, y):
        """Learn the classes."""
        self.part.fit(X, y)
        self.classes_ = self.part.classes_
        return self

    def predict_proba(self, X):
        """Return a row of numbers for each row."""
        return self.part.predict_proba(X)

    def predict(self, X):
        """Return the likeliest class."""
        return self.part.predict(X)


def table(path: str, arguments: dict | None = None) -> ModelSettings:
    return ModelSettings(estimator=path, arguments=arguments or {}, grid={})


def seeds_of(settings: ModelSettings, name: str = "m") -> dict[str, int | None]:
    found = build_estimator(settings, Config(name, ()), seed=5).get_params()
    return {key: value for key, value in found.items() if key.rpartition("__")[2] in SEEDS}


@pytest.mark.parametrize("path", SAMPLING)
def test_four_seeds_are_four_outputs_and_one_seed_is_one(path):
    if path.partition(".")[0] in ("xgboost", "lightgbm", "catboost"):
        with warnings.catch_warnings():  # of their own imports
            warnings.simplefilter("ignore")
            pytest.importorskip(path.partition(".")[0])
    settings = table(path, SAMPLING[path])

    def outputs(seed: int) -> bytes:
        with warnings.catch_warnings():  # LightGBM is fitted without names of features and asked with some
            warnings.simplefilter("ignore")
            return fit_estimator(settings, Config("m", ()), seed, TaskRows(ROWS, ROWS, 2)).outputs.tobytes()

    assert len({outputs(seed) for seed in range(4)}) == 4
    assert outputs(3) == outputs(3)


@pytest.mark.filterwarnings("ignore:Class .* is deprecated:FutureWarning")
@pytest.mark.parametrize("path", CLASSIFIERS)
def test_every_part_of_every_classifier_of_scikit_learn_has_the_seed(path):
    parameters = inspect.signature(CLASSIFIERS[path]).parameters
    found = seeds_of(table(path, {name: part for name, part in PARTS.items() if name in parameters}))
    assert set(found.values()) <= {5}, found
    assert ("random_state" in parameters) == ("random_state" in found)
    assert not parameters.keys() & PARTS.keys() or any(name.endswith("__random_state") for name in found)


@pytest.mark.filterwarnings("default")  # packages warn while they are imported
@pytest.mark.parametrize(("suite", "preset"), [(suite, preset) for suite in SUITES for preset in presets(suite)])
def test_no_part_of_a_preset_is_without_a_seed(suite, preset):
    for name, settings in load_config(suite, preset).models.items():
        if settings.estimator and find_spec(settings.estimator.partition(".")[0]):
            assert set(seeds_of(settings, name).values()) <= {5}


def test_a_seed_of_ones_own_is_kept_at_every_depth():
    steps = [
        ["scale", {"class": "sklearn.preprocessing.QuantileTransformer", "random_state": 1}],
        ["forest", {"class": "sklearn.ensemble.RandomForestClassifier"}],
    ]
    pipeline = table("sklearn.pipeline.Pipeline", {"steps": steps})
    found = build_estimator(pipeline, Config("m", ()), seed=5).get_params()
    assert (found["scale__random_state"], found["forest__random_state"]) == (1, 5)
    given = build_estimator(pipeline, Config("m", (("forest__random_state", 2),)), seed=5).get_params()
    assert (given["scale__random_state"], given["forest__random_state"]) == (1, 2)
    assert build_estimator(table(f"{__name__}.Hidden", {"random_state": 3}), Config("m", ()), 5).values["random_state"] == 3
    assert build_estimator(table(f"{__name__}.Wrapped"), Config("m", ()), 5).part.random_state == 5
