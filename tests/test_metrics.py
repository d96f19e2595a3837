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


def _cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return targets and float64 probabilities, rows in which ties, zeros and ones are likely."""
    rng = np.random.default_rng(1)
    cases = {}
    for n_classes in (2, 3, 7):
        y = rng.integers(0, n_classes, 120)
        votes = rng.multinomial(10, np.full(n_classes, 1 / n_classes), 120) + 3 * np.eye(n_classes)[y]
        odds = rng.normal(size=(120, n_classes)) * 8 + 12 * np.eye(n_classes)[y]
        neighbours = rng.integers(0, n_classes, (120, 5))
        nearest = np.mean([np.eye(n_classes)[column] for column in neighbours.T], axis=0)
        cases |= {
            f"votes-{n_classes}": (y, votes / votes.sum(axis=1, keepdims=True)),
            f"zeros-and-ones-{n_classes}": (y, np.eye(n_classes)[np.where(rng.random(120) < 0.7, y, 0)]),
            f"constant-{n_classes}": (y, np.full((120, n_classes), 1 / n_classes)),
            f"neighbours-{n_classes}": (y, nearest),
            f"never-predicted-{n_classes}": (
                y,
                np.eye(n_classes)[np.minimum(y, n_classes - 2)] * 0.75 + 0.25 * np.eye(n_classes)[0],
            ),
            f"sure-{n_classes}": (y, np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)),
        }
    return cases


CASES = _cases()


def sklearn_auc(y, outputs):
    if outputs.shape[1] == 2:
        return reference.roc_auc_score(y, outputs[:, 1])
    return np.mean([reference.roc_auc_score(y == label, outputs[:, label]) for label in np.unique(y)])


@pytest.mark.parametrize("case", CASES)
def test_every_metric_is_scikit_learns_in_float64_and_in_float32(case):
    y, outputs = CASES[case]
    labels = np.eye(outputs.shape[1])[y]
    for stored in (outputs, outputs.astype(np.float32)):
        predicted = stored.argmax(axis=1)
        assert accuracy(y, stored) == reference.accuracy_score(y, predicted)
        assert balanced_accuracy(y, stored) == pytest.approx(np.mean(reference.recall_score(y, predicted, average=None)))
        assert macro_f1(y, stored) == pytest.approx(reference.f1_score(y, predicted, average="macro", zero_division=0))
        assert auc(y, stored) == pytest.approx(sklearn_auc(y, outputs), abs=1e-12)
        assert auc(y, np.stack([stored, stored]))[1] == auc(y, stored)
        clipped = np.clip(outputs, 1e-15, 1)
        of_classes = [-np.log(clipped[y == label, label]).sum() for label in np.unique(y)]
        assert negative_log_loss(y, stored) == pytest.approx(-sum(of_classes) / len(y), abs=1e-6)
        expected = reference.roc_auc_score(labels, stored, average="macro")
        assert mean_auc(labels, stored) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_no_metric_depends_on_the_order_of_rows_or_the_names_of_classes(case):
    y, outputs = CASES[case]
    rng = np.random.default_rng(2)
    names, rows = rng.permutation(outputs.shape[1]), rng.permutation(len(y))
    for dtype in (np.float64, np.float32):
        stored = outputs.astype(dtype)
        renamed = np.argsort(names)[y], stored[:, names]
        tied = (np.sort(stored, axis=1)[:, -1] == np.sort(stored, axis=1)[:, -2]).any()
        for name, metric in METRICS.items():
            if name in MULTILABEL_METRICS:
                continue
            value = metric(y, stored)
            assert metric(y[rows], stored[rows]) == pytest.approx(value, abs=1e-12), name
            # Of equally probable classes the first is predicted, so that their order counts.
            if not tied or name in ("auc", "negative_log_loss"):
                assert metric(*renamed) == pytest.approx(value, abs=1e-12), name
        labels = np.eye(outputs.shape[1])[y]
        assert mean_auc(labels[rows][:, names], stored[rows][:, names]) == pytest.approx(mean_auc(labels, stored), abs=1e-12)


@pytest.mark.parametrize("transform", [lambda p: 5 * p - 3, lambda p: p**3, lambda p: np.expm1(p)])
@pytest.mark.parametrize("case", CASES)
def test_no_area_depends_on_a_monotone_transform_of_scores(case, transform):
    y, outputs = CASES[case]
    if outputs.shape[1] == 2:
        decision = outputs[:, 1] - outputs[:, 0]
        outputs = np.stack([-decision, decision], axis=1)
    else:
        outputs = outputs * 2  # no probabilities
    assert auc(y, transform(outputs)) == pytest.approx(auc(y, outputs), abs=1e-12)
    labels = np.eye(outputs.shape[1])[y]
    assert mean_auc(labels, transform(outputs)) == pytest.approx(mean_auc(labels, outputs), abs=1e-12)


def test_auc_of_equal_probabilities_stored_in_float32():
    y = np.array([0, 0, 1, 1, 2, 2])
    P = np.array([[0.6, 0.2, 0.2], [0, 0.4, 0.6], [0, 1, 0], [0.2, 0.8, 0], [0, 0.2, 0.8], [0, 0.6, 0.4]], dtype=np.float32)
    assert auc(y, P) == pytest.approx(0.8541666666666666, abs=1e-12)
    assert auc(y, P) == pytest.approx(reference.roc_auc_score(y, P.astype(float), multi_class="ovr"), abs=1e-6)


def test_a_class_that_is_never_predicted_has_half_the_area():
    y = np.array([0, 0, 1, 1, 2, 2])
    P = np.array([[1, 0, 0], [1, 0, 0], [0.1, 0.9, 0], [0.7, 0.3, 0], [0.8, 0.2, 0], [0.9, 0.1, 0]], dtype=np.float32)
    of_classes = [reference.roc_auc_score(y == label, P[:, label]) for label in range(3)]
    assert of_classes[2] == 0.5
    assert auc(y, P) == pytest.approx(np.mean(of_classes), abs=1e-12)


def test_multiclass_auc_of_networks_that_are_sure_survives_float32():
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1, 2], 60)
    logits = rng.normal(size=(180, 3)) * 3 + 20 * np.eye(3)[rng.integers(0, 3, 180)] + 4 * np.eye(3)[y]
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    stored = exact.astype(np.float32)
    assert (stored == 1).sum() > 20
    assert abs(sklearn_auc(y, stored) - sklearn_auc(y, exact)) > 1e-4
    assert auc(y, stored) == pytest.approx(sklearn_auc(y, exact), abs=1e-12)
