"""Stacks across tasks: every member is what it would be in a stack of its own task."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain import REFERENCES
from stacks import FORMS, configs

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.layers.padding import stack_size
from snnbench.records import Dataset, StackSize, TrainedMember
from snnbench.training.stack import Stack, TaskRows
from snnbench.training.stacked import build_network, train_stack

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


def size_of(config, sizes) -> StackSize:
    """Return the size of the stack of some tasks' networks: the largest, as batches are of the largest task."""
    found = [stack_size(config, n_features, n_outputs, n_train, 32) for n_features, n_outputs, n_train in sizes]
    return StackSize(*(max(getattr(size, name) for size in found) for name in ("n_features", "n_outputs", "n_batch")))


def stack_of(
    model, form="rectangular", dropout_rate=0.0, n_layers=3, n_units=16, multilabel=False, rates=None, n_epochs=6, **values
) -> Stack:
    """Return a stack of two members a task."""
    members = configs(model, rates or [0.05, 0.01] * len(SIZES), n_units, n_layers, form, dropout_rate, **values)
    task_of = [task for task in range(len(SIZES)) for _ in range(2)]
    return Stack(
        "search",
        members,
        [task_rows(*size, multilabel) for size in SIZES],
        task_of,
        seeds=[3 + task for task in task_of],
        n_epochs=n_epochs if isinstance(n_epochs, list) else [n_epochs] * len(members),
        size=size_of(members[0], SIZES),
    )


def members_of(stack: Stack, places: Sequence[int]) -> Stack:
    """Return a stack of some members, in another order perhaps."""
    names = ("configs", "task_of", "seeds", "n_epochs")
    return replace(stack, **{name: [getattr(stack, name)[place] for place in places] for name in names})


def across(model, stack, settings=SETTINGS, dtype=torch.float64, fused=True) -> list[TrainedMember]:
    network = build_network(load_class(NETWORKS[model]), stack, dtype=dtype)
    run = train_stack(network, stack, settings, fused)
    return [run.member(place) for place in range(len(stack))]


def within(model, stack, place, settings=SETTINGS, fused=True) -> TrainedMember:
    """Train a member of the stack alone, not padded."""
    alone = replace(stack.part(place, place + 1), size=None)
    network = build_network(load_class(NETWORKS[model]), alone, dtype=torch.float64)
    return train_stack(network, alone, settings, fused).member(0)


@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("dropout_rate", [0.0, 0.2])
def test_a_member_is_what_it_is_in_a_stack_of_its_own_task(model, form, dropout_rate):
    stack = stack_of(model, form, dropout_rate)
    for place, found in enumerate(across(model, stack)):
        alone = within(model, stack, place)
        np.testing.assert_allclose(found.train_loss, alone.train_loss, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(found.valid_curve, alone.valid_curve)
        assert (found.best_epoch, found.valid_score, found.diverged) == (alone.best_epoch, alone.valid_score, alone.diverged)


@pytest.mark.parametrize("model", REFERENCES)
@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_several_labels_and_penalties(model, l2):
    stack = stack_of(model, multilabel=True, l2=l2)
    for place, found in enumerate(across(model, stack)):
        alone = within(model, stack, place)
        np.testing.assert_allclose(found.train_loss, alone.train_loss, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.valid_curve, alone.valid_curve, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("model", "form"), FORMS)
def test_an_evaluation_ends_each_member_at_its_own_epoch(model, form):
    n_epochs = [1, 7, 3, 3, 2, 5, 7, 4]
    stack = replace(stack_of(model, form, 0.1, n_epochs=n_epochs), stage="evaluate")
    for place, found in enumerate(across(model, stack)):
        alone, rows = within(model, stack, place), stack.tasks[stack.task_of[place]]
        assert len(found.train_loss) == n_epochs[place]
        np.testing.assert_allclose(found.train_loss, alone.train_loss, rtol=0, atol=1e-9)
        assert found.test_score == alone.test_score
        assert found.test_outputs.shape == (len(rows.held_out.y), rows.n_outputs)
        np.testing.assert_allclose(found.test_outputs, alone.test_outputs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_momentum_waits_with_a_member_that_waits(momentum, fused):
    stack = stack_of("snn", "conic", l2=0.01)
    settings = TrainingSettings(batch_size=32, smoothing_window=2, momentum=momentum)
    for place, found in enumerate(across("snn", stack, settings, fused=fused)):
        alone = within("snn", stack, place, settings, fused)
        np.testing.assert_allclose(found.train_loss, alone.train_loss, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("dropout_rate", [0.0, 0.2])
@pytest.mark.parametrize("n_units", [16, 33, 256])
def test_a_members_bits_in_float32_do_not_depend_on_its_neighbours(model, form, dropout_rate, n_units):
    stack = stack_of(model, form, dropout_rate, n_units=n_units, n_epochs=3)
    together = across(model, stack, dtype=torch.float32)
    for chosen in ([0], [5, 2], [4, 5], [7, 6, 3, 1]):
        for place, found in zip(chosen, across(model, members_of(stack, chosen), dtype=torch.float32), strict=True):
            np.testing.assert_array_equal(found.train_loss, together[place].train_loss)
            np.testing.assert_array_equal(found.valid_curve, together[place].valid_curve)


def test_diverged_members_leave_the_stack_and_disturb_nobody():
    rates = [0.01, 1e9, 1e9, 0.05, 1e9, 1e9, 0.02, 1e9]
    stack = stack_of("msrainit", n_layers=8, rates=rates, n_epochs=20)
    for place, found in enumerate(across("msrainit", stack)):
        alone = within("msrainit", stack, place)
        assert found.diverged == alone.diverged == (rates[place] == 1e9)
        np.testing.assert_allclose(found.train_loss, alone.train_loss, rtol=1e-9)
        np.testing.assert_allclose(found.valid_curve, alone.valid_curve, rtol=0, atol=1e-12)
        assert found.best_epoch == alone.best_epoch
        assert len(found.train_loss) == (20 if rates[place] < 1 else found.best_epoch)


def test_a_part_of_a_stack_has_the_rows_of_its_own_tasks_alone():
    stack = stack_of("snn")
    part = stack.part(3, 6)
    assert [part.tasks[task] for task in part.task_of] == [stack.tasks[task] for task in stack.task_of[3:6]]
    assert (len(part), len(part.tasks)) == (3, 2)
    assert (part.learning_rates, part.seeds) == ([0.01, 0.05, 0.01], [4, 5, 5])
