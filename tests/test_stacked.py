import math
from itertools import product

import numpy as np
import pytest
import torch
from plain import REFERENCES, plain_member, plain_statistics, plain_weights, train_plainly
from stacks import (
    CHAINS,
    FORMS,
    N_CLASSES,
    N_FEATURES,
    assert_equal_bits_by_autograd,
    batch_of,
    build,
    configs,
    orders,
    rows,
    train,
    train_epoch,
)
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models.layers.stacked import reset
from snnbench.training.loaders import derive_seed
from snnbench.training.optimizer import is_chain, make_optimizer, step
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack


@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("n_layers", [1, 2, 8])
@pytest.mark.parametrize("fused", [False, True])
def test_a_stack_of_one_equals_the_ordinary_network_in_float64(model, form, n_layers, fused):
    # Deep normalised networks are chaotic at larger rates, the ordinary ones too: rounding grows to 0.1 within 50 steps.
    learning_rate, batch_size, n_steps = 0.05 if n_layers < 8 else 0.01, 20, 50
    members = configs(model, [learning_rate], n_layers=n_layers, form=form)
    stacked = build(model, members)
    reset(stacked, [derive_seed(5, "network")])
    stacked.double()
    data = rows(100)
    plain = plain_member(stacked, 0, members[0], N_FEATURES, N_CLASSES)
    X, y = torch.from_numpy(data.X).double(), torch.from_numpy(data.y)
    batches, losses = [], []
    optimizer = make_optimizer(stacked, [learning_rate], fused=fused)
    torch.testing.assert_close(stacked(X.unsqueeze(0))[0], plain(X), rtol=0, atol=1e-12)
    for order in orders(5, len(y), n_steps * batch_size // len(y)):
        batches += [(X[part], y[part]) for part in order[0].split(batch_size)]
        losses.append(train_epoch(stacked, optimizer, X, y, order, batch_size)[0])
    expected = train_plainly(plain, batches, learning_rate)
    assert len(batches) == n_steps
    np.testing.assert_allclose(losses, np.reshape(expected, (-1, len(y) // batch_size)).mean(axis=1), rtol=0, atol=1e-12)
    for found, wanted in zip(stacked.parameters(), plain_weights(plain), strict=True):
        torch.testing.assert_close(found.detach()[0], wanted, rtol=0, atol=1e-12)
    for found, wanted in zip(stacked.buffers(), plain_statistics(plain), strict=True):
        torch.testing.assert_close(found[0], wanted, rtol=0, atol=1e-12)
    with torch.no_grad():
        outputs, expected_outputs = stacked.eval()(X.unsqueeze(0))[0], plain.eval()(X)
    torch.testing.assert_close(outputs, expected_outputs, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n_units", "n_layers", "batch_size"), [(16, 2, 128), (64, 2, 32), (64, 8, 128), (256, 2, 32)])
def test_every_member_is_the_network_of_nn_sequential(n_units, n_layers, batch_size, dtype):
    """A library may take another kernel for one matrix than for a batch, and at a rate of 1 rounding grows a hundredfold."""
    tolerances = {0.01: 1e-6, 0.1: 1e-6, 1.0: 1e-4} if dtype == torch.float32 else dict.fromkeys((0.01, 0.1, 1.0), 1e-12)
    learning_rates = [0.01, 0.1, 1.0] * 2
    members = configs("msrainit", learning_rates, n_units=n_units, n_layers=n_layers)
    stacked = build("msrainit", members, 32, 10)
    reset(stacked, range(6))
    stacked.to(dtype)
    plain = [plain_member(stacked, member, members[member], 32, 10) for member in range(6)]
    data = rows(50 * batch_size, 32, 10)
    X, y = torch.from_numpy(data.X).to(dtype), torch.from_numpy(data.y)
    order = torch.arange(len(y)).unsqueeze(0)
    train_epoch(stacked, make_optimizer(stacked, learning_rates, fused=False), X, y, order, batch_size)
    batches = list(zip(X.split(batch_size), y.split(batch_size), strict=True))
    n_finite = 0
    for member, network in enumerate(plain):
        losses = train_plainly(network, batches, learning_rates[member])
        if np.isfinite(losses).all():
            n_finite += 1
            for found, wanted in zip(stacked.parameters(), plain_weights(network), strict=True):
                tolerance = tolerances[learning_rates[member]]
                torch.testing.assert_close(found.detach()[member], wanted, rtol=0, atol=tolerance)
    assert n_finite >= 4


@pytest.mark.equal_bits
@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("dropout_rate", [0.0, 0.2])
@pytest.mark.parametrize(("n_units", "batch_size"), [(1, 100), (16, 32), (33, 37), (256, 100)])
def test_a_member_alone_and_among_24_has_equal_bits(model, form, dropout_rate, n_units, batch_size):
    learning_rates = [0.01, 0.1, 1.0] * 8
    seeds = [3] * 12 + list(range(12))
    members = configs(model, learning_rates, n_units, 3, form, dropout_rate)
    together = train(model, members, seeds, n_epochs=3, batch_size=batch_size)
    for member in (0, 1, 13, 23):
        alone = train(model, members[member : member + 1], seeds[member : member + 1], n_epochs=3, batch_size=batch_size)
        np.testing.assert_array_equal(alone.train_loss[:, 0], together.train_loss[: len(alone.train_loss), member])
        np.testing.assert_array_equal(alone.valid_score[:, 0], together.valid_score[: len(alone.valid_score), member])


@pytest.mark.equal_bits
@pytest.mark.parametrize(("model", "form"), FORMS)
def test_a_members_bits_depend_neither_on_the_order_nor_on_the_rates_of_its_neighbours(model, form):
    changing = list(product((0.01, 0.1), (0.0, 0.2, 0.5)))
    members = [configs(model, [rate], 33, 4, form, dropout_rate)[0] for rate, dropout_rate in changing]
    seeds = [1, 1, 1, 2, 3, 2]
    together = train(model, members, seeds, batch_size=37)
    order = [4, 0, 5, 2, 3, 1]
    permuted = train(model, [members[member] for member in order], [seeds[member] for member in order], batch_size=37)
    np.testing.assert_array_equal(permuted.train_loss, together.train_loss[:, order])
    np.testing.assert_array_equal(permuted.valid_score, together.valid_score[:, order])
    for member in range(6):
        alone = train(model, members[member : member + 1], seeds[member : member + 1], batch_size=37)
        np.testing.assert_array_equal(alone.train_loss[:, 0], together.train_loss[:, member])


@pytest.mark.parametrize(("model", "form"), FORMS)
def test_evaluation_does_not_depend_on_the_rows_scored_together(model, form):
    members = configs(model, [0.1], form=form)
    network = initialise(build(model, members), [0])
    stack = stack_of_one_task("search", members, TaskRows(rows(100), rows(30), N_CLASSES), [0], 3)
    train_stack(network, stack, TrainingSettings(batch_size=32))
    network.double().eval()
    before = [values.clone() for values in network.state_dict().values()]
    X = torch.from_numpy(rows(50, seed=3).X).double().unsqueeze(0)
    with torch.inference_mode():
        whole, chunks = network(X), torch.cat([network(part) for part in X.split(7, dim=1)], dim=1)
    torch.testing.assert_close(chunks, whole, rtol=0, atol=1e-12)
    assert all(torch.equal(old, new) for old, new in zip(before, network.state_dict().values(), strict=True))


@pytest.mark.parametrize(("model", "form"), CHAINS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n_units", "n_batch", "n_classes"), [(64, 32, 10), (32, 128, 2), (33, 37, 100)])
def test_layer_by_layer_has_the_bits_of_autograd(model, form, dtype, n_units, n_batch, n_classes):
    members = [config for rate in (0.0, 0.1, 0.2) for config in configs(model, [0.1], n_units, 3, form, rate)]
    network = build(model, members, N_FEATURES, n_classes).to(dtype)
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(3, n_batch, N_FEATURES, dtype=dtype, generator=generator)
    targets = torch.randint(0, n_classes, (3, n_batch), generator=generator)
    assert_equal_bits_by_autograd(network, batch_of(batch, targets))


def test_the_networks_of_the_paper_are_trained_layer_by_layer():
    assert {"batchnorm", "highway", "layernorm", "msrainit", "resnet", "snn", "weightnorm"} <= {model for model, _ in CHAINS}


def test_a_network_with_an_unknown_layer_is_differentiated_by_autograd():
    network = nn.Sequential(*build("snn", configs("snn", [0.1])), nn.Tanh())
    reset(network, [0])
    batch, targets = torch.randn(1, 4, N_FEATURES), torch.tensor([[0, 1, 2, 0]])
    assert not is_chain(network)
    before = [values.detach().clone() for values in network.parameters()]
    losses = step(network, make_optimizer(network, [0.1]), batch_of(batch, targets))
    assert losses.isfinite().all()
    assert all(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


@pytest.mark.equal_bits
def test_a_diverged_member_is_recorded_and_disturbs_nobody():
    learning_rates = [0.01, 1e6, 0.1]
    members = configs("msrainit", learning_rates, n_layers=8)
    run = train("msrainit", members, [1, 2, 3], n_epochs=12)
    assert run.diverged.tolist() == [False, True, False]
    assert math.isnan(run.best_score[1])
    assert np.isnan(run.valid_score[:, 1]).all()
    for member in (0, 2):
        alone = train("msrainit", members[member : member + 1], [member + 1], n_epochs=12)
        np.testing.assert_array_equal(alone.valid_score[:, 0], run.valid_score[:, member])
        assert alone.best_epoch[0] == run.best_epoch[member]


def test_a_stack_whose_members_all_diverged_ends_early():
    run = train("msrainit", configs("msrainit", [1e9, 1e9], n_layers=8), [1, 2], n_epochs=50)
    assert run.diverged.all()
    assert len(run.train_loss) < 50
    assert np.isnan(run.best_score).all()


def test_an_evaluation_repeats_the_search_to_its_stopping_epoch():
    members = configs("snn", [0.1], dropout_rate=0.05)
    search = train("snn", members, [4], n_epochs=20)
    epoch = int(search.best_epoch[0])
    network = initialise(build("snn", members), [4])
    test = rows(40, seed=2)
    stack = stack_of_one_task("evaluate", members, TaskRows(rows(100), test, N_CLASSES), [4], epoch)
    evaluation = train_stack(network, stack, TrainingSettings(batch_size=32))
    np.testing.assert_array_equal(evaluation.train_loss, search.train_loss[:epoch])
    with torch.no_grad():
        predicted = network.eval()(torch.from_numpy(test.X).unsqueeze(0))[0].argmax(dim=1).numpy()
    assert evaluation.test_score[0] == (predicted == test.y).mean()
    assert evaluation.valid_score.shape == (0, 1)
    assert math.isnan(evaluation.best_score[0])


@pytest.mark.parametrize("model", REFERENCES)
def test_networks_learn(model):
    # The largest of three features decides, with noise: guessing gives a third.
    run = train(model, configs(model, [0.1], n_units=32), [0], n_epochs=30, train_rows=rows(600))
    assert run.best_score[0] > 0.65
    assert run.train_loss[-1, 0] < 0.8 * run.train_loss[0, 0]


def test_the_last_short_batch_is_a_step_of_its_own():
    """101 rows in batches of 100: the row left over moves the weights by its own gradient, and counts once in the loss."""
    members = configs("msrainit", [0.1])
    data = rows(101)
    stacked = build("msrainit", members)
    reset(stacked, [0])
    plain = plain_member(stacked, 0, members[0], N_FEATURES, N_CLASSES)
    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    loss = train_epoch(stacked, make_optimizer(stacked, [0.1]), X, y, torch.arange(101).unsqueeze(0), 100)
    losses = train_plainly(plain, [(X[:100], y[:100]), (X[100:], y[100:])], 0.1)
    assert loss[0] == pytest.approx((100 * losses[0] + losses[1]) / 101, rel=1e-6)
    for found, wanted in zip(stacked.parameters(), plain_weights(plain), strict=True):
        torch.testing.assert_close(found.detach()[0], wanted, rtol=0, atol=1e-6)
