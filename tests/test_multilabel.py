"""Labels of which some were not measured: the loss, its gradients, the penalty, and one estimator a label."""

import numpy as np
import pytest
import torch
from plain import plain_member, plain_weights, train_multilabel_plainly
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC
from stacks import CHAINS, FORMS, N_FEATURES, assert_equal_bits_by_autograd, batch_of, build, configs, orders, train_epoch

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models.layers.stacked import reset
from snnbench.records import Config, Dataset
from snnbench.training.estimators import fit_estimator
from snnbench.training.loaders import derive_seed
from snnbench.training.optimizer import by_autograd, layer_by_layer, make_optimizer, penalised, step
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack

N_LABELS = 4


def rows(n_samples: int, seed: int = 0, n_labels: int = N_LABELS, share_missing: float = 0.4) -> Dataset:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, N_FEATURES)).astype(np.float32)
    y = (X[:, :n_labels] + 0.3 * rng.normal(size=(n_samples, n_labels)) > 0).astype(np.float32)
    return Dataset(X, np.where(rng.random(y.shape) < share_missing, np.float32(np.nan), y))


def train(model, members, seeds, stage="search", n_epochs=4, train_rows=None, batch_size=32, **settings):
    data = train_rows or rows(101)
    network = build(model, members, N_FEATURES, data.y.shape[1])
    settings = TrainingSettings(batch_size=batch_size, **settings)
    n_labels = data.y.shape[1]
    task_rows = TaskRows(data, rows(60, seed=1, n_labels=n_labels), n_labels, "mean_auc")
    return train_stack(initialise(network, seeds), stack_of_one_task(stage, members, task_rows, seeds, n_epochs), settings)


@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("fused", [False, True])
def test_a_stack_of_one_equals_the_ordinary_network_in_float64(model, form, l2, fused):
    learning_rate, batch_size = 0.05, 20
    members = configs(model, [learning_rate], n_layers=3, form=form, l2=l2)
    stacked = build(model, members, N_FEATURES, N_LABELS)
    reset(stacked, [derive_seed(5, "network")])
    stacked.double()
    data = rows(100)
    plain = plain_member(stacked, 0, members[0], N_FEATURES, N_LABELS)
    X, y = torch.from_numpy(data.X).double(), torch.from_numpy(data.y).double()
    optimizer = make_optimizer(stacked, [learning_rate], [l2], fused=fused)
    batches, losses = [], []
    for order in orders(5, len(y), 8):
        batches += [(X[part], y[part]) for part in order[0].split(batch_size)]
        losses.append(train_epoch(stacked, optimizer, X, y, order, batch_size)[0])
    weights = np.reshape([(~labels.isnan()).sum() for _, labels in batches], (8, -1))
    expected = np.reshape(train_multilabel_plainly(plain, batches, learning_rate, l2), (8, -1))
    np.testing.assert_allclose(losses, np.average(expected, axis=1, weights=weights), rtol=0, atol=1e-12)
    for found, wanted in zip(stacked.parameters(), plain_weights(plain), strict=True):
        torch.testing.assert_close(found.detach()[0], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("model", "form"), CHAINS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n_units", "n_batch", "n_labels"), [(64, 32, 12), (33, 37, 5), (32, 1, 1)])
def test_layer_by_layer_has_the_bits_of_autograd(model, form, dtype, n_units, n_batch, n_labels):
    members = [config for rate in (0.0, 0.1, 0.2) for config in configs(model, [0.1], n_units, 3, form, rate)]
    network = build(model, members, N_FEATURES, n_labels).to(dtype)
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(3, n_batch, N_FEATURES, dtype=dtype, generator=generator)
    targets = torch.randint(0, 2, (3, n_batch, n_labels), generator=generator).to(dtype)
    targets[torch.rand(targets.shape, generator=generator) < 0.3] = torch.nan
    assert_equal_bits_by_autograd(network, batch_of(batch, targets))


@pytest.mark.parametrize("way", [by_autograd, layer_by_layer])
def test_an_unmeasured_label_changes_neither_loss_nor_gradient(way):
    """With one output cut off, the rest is as if it had never been there: even where its logit is infinite."""
    network = build("msrainit", configs("msrainit", [0.1]), N_FEATURES, N_LABELS)
    reset(network, [0])
    data = rows(40)
    X, y = torch.from_numpy(data.X).unsqueeze(0), torch.from_numpy(data.y).unsqueeze(0)
    y[..., 2] = torch.nan
    losses, gradients = way(network, batch_of(X, y))
    network[-1].bias.data[..., 2] = torch.inf
    other_losses, other_gradients = way(network, batch_of(X, y))
    assert losses.isfinite().all()
    assert torch.equal(losses, other_losses)
    for gradient, other in zip(gradients, other_gradients, strict=True):
        assert torch.equal(gradient, other)
    assert (gradients[-1][..., 2] == 0).all()
    assert (gradients[-1][..., 1] != 0).all()


@pytest.mark.parametrize("way", [by_autograd, layer_by_layer])
def test_a_batch_without_a_measured_label_has_no_gradient(way):
    network = build("snn", configs("snn", [0.1]), N_FEATURES, N_LABELS)
    reset(network, [0])
    losses, gradients = way(network, batch_of(torch.randn(1, 5, N_FEATURES), torch.full((1, 5, N_LABELS), torch.nan)))
    assert losses.tolist() == [0.0]
    assert all((gradient == 0).all() for gradient in gradients)


def test_rows_without_a_measured_label_change_nothing_but_the_statistics_of_batches():
    """In batches of one: a step on such a row moves no weight, and it does not count in the recorded loss."""
    data = rows(12, share_missing=0.0)
    data.y[5:8] = np.nan
    members = configs("snn", [0.1])
    stacked = build("snn", members, N_FEATURES, N_LABELS)
    found = []
    for order in (torch.arange(12), torch.tensor([*range(5), *range(8, 12)])):
        reset(stacked, [3])
        X, y = torch.from_numpy(data.X[order]), torch.from_numpy(data.y[order])
        loss = train_epoch(stacked, make_optimizer(stacked, [0.1]), X, y, torch.arange(len(y)).unsqueeze(0), 1)
        found.append((loss[0], [parameter.detach().clone() for parameter in stacked.parameters()]))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(one, other) for one, other in zip(found[0][1], found[1][1], strict=True))


@pytest.mark.equal_bits
@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize(("n_units", "batch_size", "n_labels"), [(16, 32, 4), (33, 37, 5), (33, 100, 1)])
def test_a_member_alone_and_among_others_has_equal_bits(model, form, n_units, batch_size, n_labels):
    changing = [(rate, dropout, l2) for rate in (0.01, 0.1) for dropout in (0.0, 0.2) for l2 in (0.0, 1e-3, 1e-2)]
    members = [configs(model, [rate], n_units, 3, form, dropout, l2=l2)[0] for rate, dropout, l2 in changing]
    seeds = [3] * 6 + list(range(6))
    data = rows(101, n_labels=n_labels)
    together = train(model, members, seeds, train_rows=data, batch_size=batch_size)
    assert not together.diverged.any()
    for member in (0, 1, 4, 7, 11):
        alone = train(model, members[member : member + 1], seeds[member : member + 1], train_rows=data, batch_size=batch_size)
        np.testing.assert_array_equal(alone.train_loss[:, 0], together.train_loss[:, member])
        np.testing.assert_array_equal(alone.valid_score[:, 0], together.valid_score[:, member])


@pytest.mark.parametrize("fused", [False, True])
def test_a_penalty_shrinks_the_weights_and_nothing_else(fused):
    members = configs("batchnorm", [0.1], l2=0.5)
    network = build("batchnorm", members, N_FEATURES, N_LABELS)
    names = [name for name, parameter in network.named_parameters() if id(parameter) in penalised(network)]
    assert names == ["0.weight", "4.weight", "8.weight"]
    assert make_optimizer(network, [0.1], [0.0]).l2 is None
    reset(network, [0])
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    X, y = torch.randn(6, N_FEATURES), torch.full((6, N_LABELS), torch.nan)
    train_epoch(network, make_optimizer(network, [0.1], [0.5], fused=fused), X, y, torch.arange(6).unsqueeze(0), 6)
    for name, parameter in network.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.5) if name in names else before[name]
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("model", ["snn", "weightnorm"])
def test_a_strong_penalty_leaves_small_weights(model):
    norms = []
    for l2 in (0.0, 0.1):
        members = configs(model, [0.1], l2=l2)
        network = initialise(build(model, members, N_FEATURES, N_LABELS), [0])
        task_rows = TaskRows(rows(101), rows(60, 1), N_LABELS, "mean_auc")
        train_stack(network, stack_of_one_task("search", members, task_rows, [0], 40), TrainingSettings())
        with torch.no_grad():
            norms.append(network(torch.from_numpy(rows(60, 1).X).unsqueeze(0)).square().mean())
    assert norms[1] < 0.3 * norms[0]


def test_probabilities_are_stored_and_the_score_is_scikit_learns():
    test = rows(60, seed=1)
    run = train("snn", configs("snn", [0.1]), [0], stage="evaluate", n_epochs=30)
    (outputs,) = run.test_outputs
    assert outputs.shape == (60, N_LABELS)
    assert ((outputs > 0) & (outputs < 1)).all()
    areas = []
    for label, scores in enumerate(outputs.T):
        measured = ~np.isnan(test.y[:, label])
        areas.append(roc_auc_score(test.y[measured, label], scores[measured]))
    assert run.test_score[0] == pytest.approx(np.mean(areas), abs=1e-12)
    assert run.test_score[0] > 0.85


def test_class_indices_still_choose_the_softmax():
    network = build("snn", configs("snn", [0.1]), N_FEATURES, 3)
    reset(network, [0])
    X, targets = torch.randn(1, 6, N_FEATURES), torch.tensor([[0, 1, 2, 0, 1, 2]])
    expected = torch.nn.functional.cross_entropy(network(X)[0], targets[0])
    assert step(network, make_optimizer(network, [0.1]), batch_of(X, targets)).item() == pytest.approx(
        expected.item(), rel=1e-6
    )


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5, np.inf])
def test_a_label_that_is_no_label_is_refused(value):
    y = np.array([[0, 1], [np.nan, value]], dtype=np.float32)
    with pytest.raises(ValueError, match=rf"Labels must be 0, 1 or NaN \(not measured\), found {value} in row 1, label 1"):
        Dataset(np.zeros((2, 3), dtype=np.float32), y)


ESTIMATORS = {
    "sklearn.ensemble.RandomForestClassifier": lambda: RandomForestClassifier(n_estimators=20, random_state=7),
    "sklearn.svm.SVC": lambda: SVC(random_state=7),
}


@pytest.mark.parametrize("path", ESTIMATORS)
def test_an_estimator_of_several_labels_is_a_plain_loop_over_them(path):
    train_rows, test = rows(120), rows(60, seed=1)
    values = (("n_estimators", 20),) if "Forest" in path else ()
    settings = ModelSettings(estimator=path, grid={})
    run = fit_estimator(settings, Config("m", values), 7, TaskRows(train_rows, test, N_LABELS, "mean_auc"))
    areas = []
    for label in range(N_LABELS):
        known, measured = ~np.isnan(train_rows.y[:, label]), ~np.isnan(test.y[:, label])
        model = ESTIMATORS[path]().fit(train_rows.X[known], train_rows.y[known, label].astype(int))
        scores = model.predict_proba(test.X)[:, 1] if "Forest" in path else model.decision_function(test.X)
        np.testing.assert_array_equal(run.outputs[:, label], scores)
        areas.append(roc_auc_score(test.y[measured, label], scores[measured]))
    assert run.score == pytest.approx(np.mean(areas), abs=1e-12)


def test_an_estimator_without_anything_to_learn_of_a_label_says_so_by_a_constant():
    train_rows = rows(50)
    train_rows.y[:, 0], train_rows.y[:, 1] = np.nan, np.where(np.isnan(train_rows.y[:, 1]), np.nan, 1)
    settings = ModelSettings(estimator="sklearn.tree.DecisionTreeClassifier", grid={})
    run = fit_estimator(settings, Config("m", ()), 0, TaskRows(train_rows, rows(30, 1), N_LABELS, "mean_auc"))
    assert set(run.outputs[:, 0]) == {0.5}
    assert set(run.outputs[:, 1]) == {1.0}
    assert 0.5 < run.score < 1
