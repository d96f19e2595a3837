"""Suites of arrays: what follows from one function a task."""

import numpy as np
import pytest

from snnbench.errors import DataError, UnknownNameError
from snnbench.suites.arrays import array_suite


def ring() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(1001, 2))
    return X, (np.hypot(*X.T) > 1).astype(int)


def thirds() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(60).reshape(30, 2), np.arange(30) % 3


def test_catalogue_tasks_and_splits_follow_from_the_arrays():
    catalogue, tasks, load, splits = array_suite("shapes", {"ring": ring, "thirds": thirds})
    table = catalogue()
    assert table.index.tolist() == ["ring", "thirds"]
    assert table.loc["ring"].tolist() == [1001, 2, 2, 250, "large", 4]
    assert table.loc["thirds"].tolist() == [30, 2, 3, 7, "small", 4]
    found, missing = tasks(None)
    assert missing == {}
    assert [(task.suite, task.name, task.kind, task.n_outputs) for task in found] == [
        ("shapes", "ring", "binary", 2),
        ("shapes", "thirds", "multiclass", 3),
    ]
    assert [len(split.test) for split in splits("thirds", None)] == [7] * 4
    data = load("thirds", None)
    data.X[:] = -1
    np.testing.assert_array_equal(load("thirds", None).X, thirds()[0])
    table["n_samples"] = 0
    assert catalogue().loc["ring", "n_samples"] == 1001
    with pytest.raises(UnknownNameError, match=r"task of suite 'shapes' 'rings'\. Did you mean 'ring'"):
        load("rings", None)


def test_the_rows_of_a_task_do_not_depend_on_the_others():
    alone, among = array_suite("shapes", {"ring": ring}), array_suite("shapes", {"thirds": thirds, "ring": ring})
    for one, other in zip(alone.splits("ring", None), among.splits("ring", None), strict=True):
        np.testing.assert_array_equal(one.test, other.test)
    other_name = array_suite("others", {"ring": ring})
    assert not np.array_equal(other_name.splits("ring", None)[0].test, alone.splits("ring", None)[0].test)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.zeros(4), [0, 1, 0, 1]),
        (np.zeros((4, 2)), [0, 1, 0]),
        (np.zeros((4, 2)), [0, 2, 0, 2]),
        (np.zeros((4, 2)), [1, 2, 1, 2]),
        (np.zeros((4, 2)), [0, 0, 0, 0]),
    ],
    ids=["no features", "another length", "a gap between classes", "counted from 1", "one class"],
)
def test_arrays_that_are_no_task_are_refused(X, y):
    with pytest.raises(DataError, match=r"Task 'odd' of shapes must be X .* found shapes"):
        array_suite("shapes", {"odd": lambda: (X, np.array(y))}).load("odd", None)
