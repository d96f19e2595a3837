"""The rows of jobs: what a process keeps of those it read before."""

from types import SimpleNamespace

import numpy as np
import pytest

from snnbench.records import Dataset, Split
from snnbench.training import job_rows as module
from snnbench.training.job_rows import job_rows

N_ROWS, N_FEATURES = 100, 1000


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Return the tasks that are read, of a suite whose tasks have 0.3 MB of training and validation rows."""
    tasks: list[str] = []
    everything = np.arange(N_ROWS)
    split = Split("once", everything[:50], everything[50:75], everything[75:])

    def load(task, folder):
        tasks.append(task)
        return Dataset(np.zeros((N_ROWS, N_FEATURES), np.float32), np.zeros(N_ROWS, np.int64))

    suite = SimpleNamespace(load=load, splits=lambda task, folder: [split], STANDARDISE=False)
    monkeypatch.setattr(module, "load_suite", lambda name, folder: suite)
    monkeypatch.setattr(module, "_kept", type(module._kept)())
    monkeypatch.setattr(module, "KEPT_BYTES", 1_000_000)
    return tasks


def test_rows_are_read_again_only_if_those_read_since_take_more_than_is_kept(read):
    for task in "aabcabcd":
        job_rows("search", "large", task, "once", None)
    assert read == ["a", "b", "c", "d"]
    job_rows("search", "large", "b", "once", None)
    assert read == ["a", "b", "c", "d"]
    job_rows("search", "large", "a", "once", None)
    assert read == ["a", "b", "c", "d", "a"]


def test_the_rows_that_were_read_last_are_kept_whatever_their_size(read, monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 1000)
    for task in "aabba":
        job_rows("search", "large", task, "once", None)
    assert read == ["a", "b", "a"]
