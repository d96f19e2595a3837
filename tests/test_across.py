"""Stacks across tasks: every member is what it would be in a stack of its own task."""

import numpy as np
import pytest
import torch
from plain import REFERENCES
from stacks import FORMS, configs

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.layers.padding import batch_class, padded_size
from snnbench.records import Dataset
from snnbench.training.loaders import TaskRows
from snnbench.training.stacked import train_across, train_stack

SIZES = [(7, 3, 100), (12, 2, 90), (9, 4, 97), (8, 3, 65)]
"""Features, classes and training rows of four tasks of one class; batches of 32 leave short ones, of a single row too."""

SETTINGS = TrainingSettings(batch_size=32, smoothing_window=2)


def task_rows(n_features: int, n_outputs: int, n_train: int, multilabel: bool = False, seed: int = 0) -> TaskRows:
    rng = np.random.default_rng([seed, n_features, n_train])

    def draw(n_samples: int) -> Dataset:
        X = rng.normal(size=(n_samples, n_features)).astype(np.float32)
        noisy = X[:, :n_outputs] + 0.5 * rng.normal(size=(n_samples, n_outputs))
        if not multilabel:
            return Dataset(X, noisy.argmax(axis=1))
        y = np.where(rng.random(noisy.shape) < 0.3, np.nan, noisy > 0).astype(np.float32)
        return Dataset(X, y)

    return TaskRows(draw(n_train), draw(n_train // 3), n_outputs, "mean_auc" if multilabel else "accuracy")


def stack_of(model, form, dropout_rate=0.0, n_layers=3, n_units=16, multilabel=False, **values):
    """Return the arguments of a stack of two members a task: configs, tasks, task_of, learning rates, seeds."""
    tasks = [task_rows(*size, multilabel) for size in SIZES]
    rates = [0.05, 0.01] * len(tasks)
    members = configs(model, rates, n_units, n_layers, form, dropout_rate, **values)
    task_of = [task for task in range(len(tasks)) for _ in range(2)]
    return members, tasks, task_of, rates, [3 + task for task in task_of]


def across(model, members, tasks, task_of, rates, seeds, n_epochs=6, stage="search", dtype=torch.float64, l2=(), **changes):
    sizes = {padded_size(members[place], *SIZES[task][:2]) for place, task in enumerate(task_of)}
    arguments = {"padded": max(sizes), "n_batch": batch_class(100, 32), "settings": SETTINGS, "l2": l2, **changes}
    epochs = n_epochs if isinstance(n_epochs, list) else [n_epochs] * len(members)
    return train_across(
        load_class(NETWORKS[model]), members, stage, tasks, task_of, learning_rates=rates, seeds=seeds, n_epochs=epochs,
        dtype=dtype, **arguments,
    )  # fmt: skip


def within(model, config, rows, rate, seed, n_epochs=6, stage="search", l2=()):
    network = load_class(NETWORKS[model])([config], rows.train.X.shape[1], rows.n_outputs)
    double = network.double()
    return train_stack(double, stage, rows.train, rows.held_out, [rate], [seed], n_epochs, SETTINGS, rows.metric, l2=l2)


@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("dropout_rate", [0.0, 0.2])
def test_a_member_is_what_it_is_in_a_stack_of_its_own_task(model, form, dropout_rate):
    members, tasks, task_of, rates, seeds = stack_of(model, form, dropout_rate)
    runs = across(model, members, tasks, task_of, rates, seeds)
    for place, run in enumerate(runs):
        alone = within(model, members[place], tasks[task_of[place]], rates[place], seeds[place])
        np.testing.assert_allclose(run.train_loss, alone.train_loss, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(run.valid_score, alone.valid_score)
        assert (run.best_epoch, run.best_score, run.diverged) == (alone.best_epoch, alone.best_score, alone.diverged)


@pytest.mark.parametrize("model", REFERENCES)
@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_several_labels_and_penalties(model, l2):
    members, tasks, task_of, rates, seeds = stack_of(model, "rectangular", multilabel=True, l2=l2)
    runs = across(model, members, tasks, task_of, rates, seeds, l2=[l2] * len(members))
    for place, run in enumerate(runs):
        alone = within(model, members[place], tasks[task_of[place]], rates[place], seeds[place], l2=[l2])
        np.testing.assert_allclose(run.train_loss, alone.train_loss, rtol=0, atol=1e-9)
        np.testing.assert_allclose(run.valid_score, alone.valid_score, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("model", "form"), FORMS)
def test_an_evaluation_ends_each_member_at_its_own_epoch(model, form):
    members, tasks, task_of, rates, seeds = stack_of(model, form, 0.1)
    n_epochs = [1, 7, 3, 3, 2, 5, 7, 4]
    runs = across(model, members, tasks, task_of, rates, seeds, n_epochs, "evaluate")
    for place, run in enumerate(runs):
        rows = tasks[task_of[place]]
        alone = within(model, members[place], rows, rates[place], seeds[place], n_epochs[place], "evaluate")
        np.testing.assert_allclose(run.train_loss, alone.train_loss, rtol=0, atol=1e-9)
        assert run.test_score == alone.test_score
        assert run.test_outputs.shape == (1, len(rows.held_out.y), rows.n_outputs)
        np.testing.assert_allclose(run.test_outputs, alone.test_outputs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_momentum_waits_with_a_member_that_waits(momentum, fused):
    members, tasks, task_of, rates, seeds = stack_of("snn", "conic")
    settings = TrainingSettings(batch_size=32, smoothing_window=2, momentum=momentum)
    runs = across("snn", members, tasks, task_of, rates, seeds, settings=settings, fused=fused, l2=[0.01] * len(members))
    for place, run in enumerate(runs):
        rows = tasks[task_of[place]]
        network = load_class(NETWORKS["snn"])([members[place]], rows.train.X.shape[1], rows.n_outputs).double()
        one = [rates[place]], [seeds[place]]
        alone = train_stack(network, "search", rows.train, rows.held_out, *one, 6, settings, l2=[0.01], fused=fused)
        np.testing.assert_allclose(run.train_loss, alone.train_loss, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("dropout_rate", [0.0, 0.2])
@pytest.mark.parametrize("n_units", [16, 33, 256])
def test_a_members_bits_in_float32_do_not_depend_on_its_neighbours(model, form, dropout_rate, n_units):
    members, tasks, task_of, rates, seeds = stack_of(model, form, dropout_rate, n_units=n_units)
    padded = max(padded_size(members[0], *size[:2]) for size in SIZES)
    arguments = {"dtype": torch.float32, "n_epochs": 3, "padded": padded}
    together = across(model, members, tasks, task_of, rates, seeds, **arguments)
    for chosen in ([0], [5, 2], [4, 5], [7, 6, 3, 1]):
        few = [[values[place] for place in chosen] for values in (members, task_of, rates, seeds)]
        runs = across(model, few[0], tasks, few[1], few[2], few[3], **arguments)
        for place, run in zip(chosen, runs, strict=True):
            np.testing.assert_array_equal(run.train_loss, together[place].train_loss)
            np.testing.assert_array_equal(run.valid_score, together[place].valid_score)


def test_diverged_members_leave_the_stack_and_disturb_nobody():
    members, tasks, task_of, _, seeds = stack_of("msrainit", "rectangular", n_layers=8)
    rates = [0.01, 1e9, 1e9, 0.05, 1e9, 1e9, 0.02, 1e9]
    runs = across("msrainit", members, tasks, task_of, rates, seeds, 20)
    for place, run in enumerate(runs):
        alone = within("msrainit", members[place], tasks[task_of[place]], rates[place], seeds[place], 20)
        assert run.diverged[0] == alone.diverged[0] == (rates[place] == 1e9)
        np.testing.assert_allclose(run.train_loss, alone.train_loss, rtol=1e-9)
        np.testing.assert_allclose(run.valid_score, alone.valid_score, rtol=0, atol=1e-12)
        assert run.best_epoch == alone.best_epoch
        assert len(run.train_loss) == (20 if rates[place] < 1 else run.best_epoch[0])
