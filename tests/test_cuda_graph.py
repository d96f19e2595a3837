"""The bookkeeping of CUDA graphs, with a stand-in for the recorder: what is recorded is not run, and every call runs once."""

from contextlib import contextmanager, nullcontext

import pytest
import torch
from stacks import rows

from snnbench.records import Config, StackSize
from snnbench.training import cuda_graph as replay
from snnbench.training.loaders import MultiTaskLoader, SingleTaskLoader
from snnbench.training.stack import TaskRows, stack_of_one_task


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
    def graph(recorder, pool=None, capture_error_mode="global"):
        recording.append(recorder)
        yield
        recording.pop()

    class Stream:
        cuda_stream = 0

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


@pytest.mark.parametrize("across", [False, True])
def test_an_epoch_lives_in_tensors_that_stay_where_they_are(across):
    """A recording knows addresses alone: what moves away or is cut by Python would be the first epoch's for ever."""
    data, cpu = TaskRows(rows(70), rows(30, seed=1), 3), torch.device("cpu")
    stack = stack_of_one_task("search", [Config("snn", ())] * 2, data, [5, 6], 2)
    if across:
        feed = MultiTaskLoader(stack, StackSize(8, 4, 32), cpu, torch.float32)
    else:
        feed = SingleTaskLoader(stack, 32, cpu, torch.float32)
    state = [value for value in vars(feed).values() if isinstance(value, torch.Tensor)]
    places = [value.data_ptr() for value in state]
    seen = []
    for epoch in (1, 2):
        feed.start_epoch(epoch)
        feed.shuffle()
        batches = [batch() for n, batch in feed.batches() for _ in range(n)]
        shares = [1 if batch.row_share is None else (batch.row_share > 0).unsqueeze(-1) for batch in batches]
        seen.append(sum((batch.X * share).double().sum(dim=1) for batch, share in zip(batches, shares, strict=True)))
        assert [len(batch.targets[0]) for batch in batches] == ([32, 32, 32] if across else [32, 32, 6])
        expected = torch.tensor(data.train.X).double().sum(dim=0)
        torch.testing.assert_close(seen[-1][:, :7], expected.expand(2, -1))  # every row once
        assert [value.data_ptr() for value in vars(feed).values() if isinstance(value, torch.Tensor)] == places


def test_two_actions_have_a_graph_each(log):
    entries, action = log
    one, other = (replay.replayed(action, torch.device("cuda")) for _ in range(2))
    for _ in range(5):
        one()
    other()
    assert entries == ["run"] * 3 + ["replayed"] * 2 + ["run"]
