import numpy as np
import pytest
from sklearn import metrics as reference

from snnbench.metrics import METRICS, accuracy, auc, balanced_accuracy, macro_f1, negative_log_loss

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 4, 200)
LOGITS = RNG.normal(size=(200, 4)) + 1.5 * np.eye(4)[Y]
OUTPUTS = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
PREDICTED = OUTPUTS.argmax(axis=1)


def test_metrics_agree_with_scikit_learn():
    assert accuracy(Y, OUTPUTS) == reference.accuracy_score(Y, PREDICTED)
    assert balanced_accuracy(Y, OUTPUTS) == pytest.approx(reference.balanced_accuracy_score(Y, PREDICTED))
    assert macro_f1(Y, OUTPUTS) == pytest.approx(reference.f1_score(Y, PREDICTED, average="macro"))
    assert auc(Y, OUTPUTS) == pytest.approx(reference.roc_auc_score(Y, OUTPUTS, multi_class="ovr"))
    assert negative_log_loss(Y, OUTPUTS) == pytest.approx(-reference.log_loss(Y, OUTPUTS))


def test_accuracy_of_a_stack_is_that_of_each_member():
    stack = np.stack([OUTPUTS, OUTPUTS[:, ::-1]])
    assert accuracy(Y, stack).tolist() == [accuracy(Y, OUTPUTS), accuracy(Y, OUTPUTS[:, ::-1])]


def test_auc_of_two_classes_works_on_decision_values_too():
    y, decision = Y % 2, RNG.normal(size=200) + Y % 2
    assert auc(y, np.stack([-decision, decision], axis=1)) == pytest.approx(reference.roc_auc_score(y, decision))


def test_classes_absent_from_the_test_rows_do_not_count():
    rows = Y != 3
    assert auc(Y[rows], OUTPUTS[rows]) == pytest.approx(
        np.mean([reference.roc_auc_score(Y[rows] == label, OUTPUTS[rows, label]) for label in range(3)])
    )
    assert 0 < balanced_accuracy(Y[rows], OUTPUTS[rows]) <= 1
    assert np.isnan(auc(np.zeros(5, dtype=int), OUTPUTS[:5]))


def test_log_loss_needs_probabilities():
    assert np.isnan(negative_log_loss(Y, LOGITS))
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert negative_log_loss(np.array([0, 1]), certain) == pytest.approx(np.log(1e-15) / 2)


@pytest.mark.parametrize("metric", METRICS.values())
def test_higher_is_better(metric):
    perfect = np.eye(4)[Y] * 0.96 + 0.01
    assert metric(Y, perfect) > metric(Y, OUTPUTS) > metric(Y, OUTPUTS[::-1])


def test_auc_of_networks_that_are_sure_survives_float32():
    y = np.repeat([0, 1], 100)
    difference = np.where(y == 1, 30, 18) + RNG.uniform(-1, 1, 200)
    probabilities = (1 / (1 + np.exp([difference, -difference]))).T.astype(np.float32)
    assert len(np.unique(probabilities[:, 1])) < 10
    assert auc(y, probabilities) == 1.0
