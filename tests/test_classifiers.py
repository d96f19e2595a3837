"""The networks as scikit-learn classifiers."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from snnbench.classifiers import CLASSIFIERS, SNNClassifier
from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.records import Config, Dataset
from snnbench.suites import core
from snnbench.training.stack import Stack, TaskRows
from snnbench.training.stacked import initialise, train_stack

SMALL = {"n_units": 16, "n_epochs": 40, "learning_rate": 0.05, "random_state": 0}


@pytest.fixture
def iris() -> tuple[pd.DataFrame, pd.Series]:
    """Return four named features and three named classes."""
    dataset = core.load("iris", None)
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    return pd.DataFrame(dataset.X, columns=names), pd.Series(np.array(["setosa", "versicolor", "virginica"])[dataset.y])


@pytest.mark.slow
@parametrize_with_checks([classifier() for classifier in CLASSIFIERS.values()])
def test_scikit_learn_accepts_every_classifier(estimator, check):
    check(estimator)


def test_every_classifier_is_of_a_network():
    assert CLASSIFIERS.keys() <= NETWORKS.keys()
    assert all(classifier.network == name for name, classifier in CLASSIFIERS.items())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_parameters_are_the_hyperparameters_of_the_network(name):
    known = load_class(NETWORKS[name]).hyperparameters
    assert known.keys() <= CLASSIFIERS[name]().get_params().keys()
    defaults = getattr(load_class(NETWORKS[name]), "defaults", {})
    ours = {name: value for name, value in CLASSIFIERS[name]().get_params().items() if name in defaults}
    assert ours == defaults | ({"n_units": 64} if name == "highway" else {})


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_frames_and_names_of_classes_are_learned(name, iris):
    X, y = iris
    classifier = CLASSIFIERS[name](**SMALL).fit(X, y)
    assert classifier.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert classifier.feature_names_in_.tolist() == X.columns.tolist()
    assert classifier.score(X, y) > 0.9
    assert classifier.predict_proba(X).shape == (150, 3)
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    np.testing.assert_array_equal(clone(classifier).fit(X, y).predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_what_is_trained_is_what_the_trainer_trains(name):
    dataset = core.load("iris", None)
    classifier = CLASSIFIERS[name](**SMALL, standardise=False, batch_size=16).fit(dataset.X, dataset.y)
    known = load_class(NETWORKS[name]).hyperparameters
    values = tuple((name, value) for name, value in classifier.get_params().items() if name in known)
    config = Config(name, values)
    network = load_class(NETWORKS[name])([config], 4, 3)
    rows = Dataset(dataset.X.astype(np.float32), dataset.y)
    stack = Stack("evaluate", [config], [TaskRows(rows, rows, 3)], [0], [classifier.seed_], [40])
    run = train_stack(initialise(network, stack.seeds), stack, TrainingSettings(batch_size=16))
    np.testing.assert_array_equal(classifier.predict_proba(dataset.X).astype(np.float32), run.test_outputs[0])
    assert run.test_score[0] == classifier.score(dataset.X, dataset.y)


def test_a_row_has_the_same_probabilities_among_any_others(iris):
    X, y = iris
    classifier = SNNClassifier(**SMALL).fit(X, y)
    whole = classifier.predict_proba(X)
    assert (np.concatenate([classifier.predict_proba(X.iloc[[row]]) for row in range(150)]) == whole).all()
    assert (classifier.predict_proba(X.iloc[::-1]) == whole[::-1]).all()
    many = classifier.predict_proba(pd.concat([X] * 4))
    assert (many == np.tile(whole, (4, 1))).all()


def test_features_are_scaled_unless_asked_otherwise(iris):
    X, y = iris
    scaled = SNNClassifier(**SMALL).fit(X, y)
    far = SNNClassifier(**SMALL).fit(1000 + 100 * X, y)
    np.testing.assert_allclose(far.predict_proba(1000 + 100 * X), scaled.predict_proba(X), atol=1e-4)
    assert SNNClassifier(**SMALL, standardise=False).fit(X, y).scaler_ is None


def test_seeds_say_what_is_drawn(iris):
    X, y = iris
    first, second = (SNNClassifier(**SMALL | {"random_state": seed}).fit(X, y).predict_proba(X) for seed in (0, 1))
    assert (first != second).any()
    again = SNNClassifier(**SMALL | {"random_state": np.random.RandomState(0)}).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(again, first)


def test_a_pipeline_is_a_pipeline(iris):
    X, y = iris
    assert cross_val_score(make_pipeline(MinMaxScaler(), SNNClassifier(**SMALL)), X, y, cv=3).mean() > 0.85


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_units": 0}, "n_units of snn is 0. Input should be greater than or equal to 1"),
        ({"form": "round"}, "form of snn is 'round'"),
        ({"n_epochs": 0}, "n_epochs"),
        ({"learning_rate": 1e6}, "The training must stay finite, but with learning_rate=1e\\+06 it diverged"),
    ],
)
def test_wrong_parameters_are_named(wrong, message, iris):
    with pytest.raises(ValueError, match=message):
        SNNClassifier(**SMALL | wrong).fit(*iris)


def test_numbers_of_numpy_are_numbers(iris):
    values = {"n_units": np.int64(16), "n_epochs": np.int32(40), "learning_rate": np.float64(0.05)}
    X, y = iris
    expected = SNNClassifier(**SMALL).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(SNNClassifier(**SMALL | values).fit(X, y).predict_proba(X), expected)


def test_a_value_too_large_for_float32_is_named(iris):
    X, y = iris
    with pytest.raises(ValueError, match=r"Features must be at most 3.4e\+38 as float32, found 1e\+300"):
        SNNClassifier(**SMALL, standardise=False).fit(X.assign(wide=1e300), y)


def test_the_process_is_left_as_it_was_found(iris):
    X, y = iris
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.set_flush_denormal(False)
    try:
        classifier = SNNClassifier(**SMALL).fit(X, y)
        denormal = torch.full((1,), 1e-300, dtype=torch.float64) * 1e-10
        assert (torch.get_num_threads(), denormal.item() > 0) == (2, True)
        with_two = classifier.predict_proba(X)
    finally:
        torch.set_flush_denormal(True)
        torch.set_num_threads(before)
    np.testing.assert_array_equal(SNNClassifier(**SMALL).fit(X, y).predict_proba(X), with_two)


def test_a_fitted_network_holds_no_more_than_itself(iris):
    classifier = SNNClassifier(**SMALL).fit(*iris)
    n_weights = sum(parameter.numel() for parameter in classifier.network_.parameters())
    assert n_weights == 5 * 16 + 7 * 17 * 16 + 17 * 3
    assert len(pickle.dumps(classifier)) < 8 * n_weights + 30_000
