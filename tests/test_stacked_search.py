"""The stacked grid search against scikit-learn's own: the same bits, the same tables, the same errors."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold

from snnbench.classifiers import CLASSIFIERS, BatchNormClassifier, SNNClassifier, StackedSearchCV
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.suites import core

TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")
GRID = {"n_layers": [1, 2], "learning_rate": np.array([0.01, 0.03, 0.1]), "dropout_rate": [0.0, 0.1]}

pytestmark = pytest.mark.equal_bits


@pytest.fixture
def wine() -> tuple[pd.DataFrame, pd.Series]:
    dataset = core.load("wine", None)
    X = pd.DataFrame(dataset.X, columns=[f"feature {k}" for k in range(dataset.X.shape[1])])
    return X, pd.Series(np.array(["red", "rosé", "white"])[dataset.y])


def assert_equal_searches(found: GridSearchCV, expected: GridSearchCV) -> None:
    """Compare everything that scikit-learn says of a search, but how long it took."""
    assert found.cv_results_.keys() == expected.cv_results_.keys()
    for name in found.cv_results_.keys() - set(TIMES):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name], err_msg=name)
    for name in ("best_index_", "best_score_", "best_params_", "n_splits_", "multimetric_"):
        assert getattr(found, name) == getattr(expected, name), name


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_scores_have_the_bits_of_a_search_one_by_one(name, wine):
    X, y = wine
    alone = CLASSIFIERS[name](n_epochs=6, random_state=0)
    grid = {"n_units": [8, 16], "learning_rate": [0.01, 0.03, 0.1], "l2": [0.0, 0.01]}
    scores = ["accuracy", "neg_log_loss"]  # the latter differs wherever a bit of an output does
    wanted = {"scoring": scores, "refit": "neg_log_loss", "cv": 3}
    found = StackedSearchCV(alone, grid, **wanted).fit(X, y)
    expected = GridSearchCV(alone, grid, **wanted).fit(X, y)
    assert_equal_searches(found, expected)
    assert len(set(found.cv_results_["mean_test_neg_log_loss"])) == 12
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    assert found.score(X, y) == expected.score(X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_everything_else_is_that_of_grid_search(n_jobs, wine):
    X, y = wine
    alone = SNNClassifier(n_units=8, n_epochs=15, random_state=np.random.RandomState(3))
    folds = StratifiedKFold(4, shuffle=True, random_state=1)
    wanted = {"cv": folds, "return_train_score": True, "n_jobs": n_jobs}
    found, expected = StackedSearchCV(alone, GRID, **wanted).fit(X, y), GridSearchCV(alone, GRID, **wanted).fit(X, y)
    assert_equal_searches(found, expected)
    assert found.best_estimator_.get_params().keys() == expected.best_estimator_.get_params().keys()
    assert isinstance(found, GridSearchCV)
    assert found.classes_.tolist() == ["red", "rosé", "white"]
    assert found.feature_names_in_.tolist() == X.columns.tolist()
    assert found.n_features_in_ == 13
    assert found.refit_time_ > 0
    assert (found.cv_results_["mean_fit_time"] > 0).all()
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_a_name_stands_for_a_classifier_with_its_defaults(wine):
    X, y = wine
    grid = {"learning_rate": [0.01, 0.03], "n_epochs": [3], "random_state": [0, 1]}
    found = StackedSearchCV("snn", grid, cv=3).fit(X, y)
    assert_equal_searches(found, GridSearchCV(SNNClassifier(), grid, cv=3).fit(X, y))
    assert isinstance(found.best_estimator_, SNNClassifier)


def test_what_diverges_has_no_score_and_takes_nobody_along(wine):
    X, y = wine
    alone = SNNClassifier(n_units=8, n_layers=4, n_epochs=20, random_state=0)
    grid = {"learning_rate": [1e5, 0.01, 1e4, 0.03, 0.1], "batch_size": [32, 0]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = StackedSearchCV(alone, grid, cv=3).fit(X, y)
    (words,) = (str(warning.message) for warning in caught if warning.category is FitFailedWarning)
    assert "21 fits failed out of a total of 30" in words
    assert "learning_rate=100000 it diverged" in words
    assert "batch_size" in words
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = GridSearchCV(alone, grid, cv=3).fit(X, y)
    assert_equal_searches(found, expected)
    assert np.isnan(found.cv_results_["mean_test_score"]).sum() == 7
    with pytest.raises(ValueError, match="diverged"):
        StackedSearchCV(alone, {"learning_rate": [1e5]}, error_score="raise").fit(X, y)
    with pytest.raises(ValueError, match="All the 5 fits failed"):
        StackedSearchCV(alone, {"learning_rate": [1e5]}).fit(X, y)


def test_groups_several_grids_and_a_choice_of_ones_own(wine):
    X, y = wine
    groups = np.arange(len(y)) % 5
    grids = [{"n_layers": [1], "learning_rate": [0.01, 0.1]}, {"placement": ["after"], "learning_rate": [0.01]}]
    alone = BatchNormClassifier(n_units=8, n_epochs=5, random_state=0)
    wanted = {"cv": GroupKFold(5), "refit": lambda results: int(np.argmin(results["mean_test_score"]))}
    found = StackedSearchCV(alone, grids, **wanted).fit(X, y, groups=groups)
    expected = GridSearchCV(alone, grids, **wanted).fit(X, y, groups=groups)
    for name in found.cv_results_.keys() - set(TIMES):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name], err_msg=name)
    assert found.best_params_ == expected.best_params_
    assert not hasattr(found, "best_score_")


def test_without_refit_there_is_nothing_to_predict_with(wine):
    X, y = wine
    found = StackedSearchCV(SNNClassifier(n_epochs=2), {"learning_rate": [0.1]}, refit=False).fit(X, y)
    assert found.best_params_ == {"learning_rate": 0.1}
    assert not hasattr(found, "best_estimator_")


def test_what_cannot_be_stacked_is_said(wine):
    with pytest.raises(UnknownNameError, match=r"Unknown network 'sn'\. Did you mean 'snn'"):
        StackedSearchCV("sn", {}).fit(*wine)
    with pytest.raises(ConfigError, match="found GridSearchCV"):
        StackedSearchCV(GridSearchCV(SNNClassifier(), {}), {}).fit(*wine)


def test_networks_of_one_shape_are_one_stack(wine, monkeypatch):
    import snnbench.classifiers.folds as folds

    sizes = []
    train = folds.train_networks
    monkeypatch.setattr(folds, "train_networks", lambda configs, *rest: sizes.append(len(configs)) or train(configs, *rest))
    StackedSearchCV(SNNClassifier(n_units=8, n_epochs=1), GRID, cv=3, refit=False).fit(*wine)
    # Two depths, with and without dropout, three learning rates, on three folds.
    assert sizes == [3] * 12
