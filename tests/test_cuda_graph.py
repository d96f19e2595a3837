"""The bookkeeping of CUDA graphs, with a stand-in for the recorder: what is recorded is not run, and every call runs once."""

from contextlib import contextmanager, nullcontext

import pytest
import torch

from snnbench.training import cuda_graph as replay
from snnbench.training.loaders import MultiTaskLoader, SingleTaskLoader


class Recorder:
    """Records the actions called within it instead of running them, as a graph does."""

    def __init__(self):
        self.action, self.n_replays = None, 0

    def replay(self):  # noqa: D102
        self.n_replays += 1
        self.action()


@pytest.fixture
def log(monkeypatch):
    """Return the log of an action's effects; while a graph records, the effects are kept for its replays."""
    entries, recording = [], []

    @contextmanager
    def graph(recorder):
        recording.append(recorder)
        yield
        recording.pop()

    class Stream:
        def __init__(self, device=0):
            pass

        def wait_stream(self, other):
            pass

    replay._side_stream.cache_clear()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recorder)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())

    def action():
        if recording:
            recording[-1].action = lambda: entries.append("replayed")
        else:
            entries.append("run")

    return entries, action


def test_on_a_cpu_the_action_itself_is_called():
    action = lambda: None  # noqa: E731
    assert replay.replayed(action, torch.device("cpu")) is action


def test_every_call_has_its_effect_once(log):
    entries, action = log
    call = replay.replayed(action, torch.device("cuda"))
    for _ in range(10):
        call()
    assert entries == ["run"] * 3 + ["replayed"] * 7


def test_steps_whose_batches_are_cut_by_python_are_never_replayed():
    assert MultiTaskLoader.is_replayable
    assert not SingleTaskLoader.is_replayable


def test_two_actions_have_a_graph_each(log):
    entries, action = log
    one, other = (replay.replayed(action, torch.device("cuda")) for _ in range(2))
    for _ in range(5):
        one()
    other()
    assert entries == ["run"] * 3 + ["replayed"] * 2 + ["run"]
