import numpy as np
import pytest
from sklearn import metrics as reference

from snnbench.metrics import (
    METRICS,
    MULTILABEL_METRICS,
    accuracy,
    auc,
    balanced_accuracy,
    macro_f1,
    mean_auc,
    negative_log_loss,
    one_class_labels,
)

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


@pytest.mark.parametrize("metric", [metric for name, metric in METRICS.items() if name not in MULTILABEL_METRICS])
def test_higher_is_better(metric):
    perfect = np.eye(4)[Y] * 0.96 + 0.01
    assert metric(Y, perfect) > metric(Y, OUTPUTS) > metric(Y, OUTPUTS[::-1])


def test_auc_of_networks_that_are_sure_survives_float32():
    y = np.repeat([0, 1], 100)
    difference = np.where(y == 1, 30, 18) + RNG.uniform(-1, 1, 200)
    probabilities = (1 / (1 + np.exp([difference, -difference]))).T.astype(np.float32)
    assert len(np.unique(probabilities[:, 1])) < 10
    assert auc(y, probabilities) == 1.0


LABELS = np.where(RNG.random((200, 5)) < 0.3, np.nan, RNG.integers(0, 2, (200, 5))).astype(np.float32)
SCORES = (RNG.normal(size=(3, 200, 5)) + np.nan_to_num(LABELS)).round(1)


def test_auc_of_a_stack_is_that_of_each_member_by_scikit_learn():
    y, scores = Y % 2, np.stack([RNG.normal(size=(200, 2)).round(1) for _ in range(3)])
    expected = [reference.roc_auc_score(y, member[:, 1] - member[:, 0]) for member in scores]
    np.testing.assert_allclose(auc(y, scores), expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(auc(Y, np.stack([OUTPUTS, OUTPUTS[::-1]]))[0], auc(Y, OUTPUTS), rtol=0, atol=0)


def test_mean_auc_is_scikit_learns_over_the_measured_labels_with_ties():
    expected = []
    for member in SCORES:
        of_labels = []
        for label in range(5):
            measured = ~np.isnan(LABELS[:, label])
            of_labels.append(reference.roc_auc_score(LABELS[measured, label], member[measured, label]))
        expected.append(np.mean(of_labels))
    np.testing.assert_allclose(mean_auc(LABELS, SCORES), expected, rtol=0, atol=1e-15)
    assert mean_auc(LABELS, SCORES[1]) == mean_auc(LABELS, SCORES)[1]


def test_an_unmeasured_label_never_changes_the_mean_auc():
    changed = np.where(np.isnan(LABELS), [[[1e9]], [[np.nan]], [[-np.inf]]], SCORES)
    np.testing.assert_array_equal(mean_auc(LABELS, changed), mean_auc(LABELS, SCORES))
    broken = np.where(LABELS == 1, np.nan, SCORES)
    assert np.isnan(mean_auc(LABELS, broken)).all()


def test_a_label_of_one_class_is_left_out_of_the_mean_auc_and_named():
    y = LABELS.copy()
    y[y[:, 1] == 0, 1] = np.nan
    y[:, 3] = np.nan
    assert one_class_labels(LABELS) == []
    assert one_class_labels(y) == [1, 3]
    np.testing.assert_array_equal(mean_auc(y, SCORES), mean_auc(LABELS[:, [0, 2, 4]], SCORES[..., [0, 2, 4]]))
    assert np.isnan(mean_auc(y[:, [1, 3]], SCORES[..., [1, 3]])).tolist() == [True] * 3
