"""A GPU that computes nothing: torch's meta tensors, which have a device of their own and no numbers.

Fake tensors that claim to be on CUDA would do as well, but a build of torch without CUDA cannot slice them.

What is recorded as a CUDA graph must neither mix devices nor wait for the device. Both are errors on a GPU alone, so they are
looked for here: every tensor that a kernel gets must be on the GPU, and no kernel may bring a number back.
"""

from collections.abc import Callable

import pytest
import torch
from plain import REFERENCES
from stacks import FORMS, configs, rows
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from snnbench.models import NETWORKS, load_class
from snnbench.models.layers.padding import build_padded
from snnbench.models.layers.precision import precision
from snnbench.records import StackSize
from snnbench.training.loaders import MultiTaskLoader, SingleTaskLoader
from snnbench.training.optimizer import make_optimizer, step
from snnbench.training.stack import Stack, TaskRows, stack_of_one_task

DEVICE = torch.device("meta")
SYNCHRONISING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique", "is_nonzero")


class Recorded(TorchDispatchMode):
    """Refuses what a recording would: kernels with tensors from elsewhere, and those that wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().partition("::")[2].partition(".")[0].lstrip("_")
        assert not any(name.startswith(word.lstrip("_")) for word in SYNCHRONISING), f"{name} waits for the device"
        found = func(*args, **kwargs or {})
        for value in tree_leaves([args, kwargs or {}, found]):
            assert not isinstance(value, torch.Tensor) or value.device == DEVICE, f"{name} has a tensor on {value.device}"
        return found


def recorded(action: Callable[[], object]) -> None:
    """Run an action twice as a warm-up does, since what is made once is made then, and once as a recording."""
    action()
    action()
    with Recorded():
        action()


def simulated(model: str, form: str, dropout: float, across: bool, multilabel: bool = False):
    """Return a network and its rows, whose tensors claim to be on a GPU."""
    members = configs(model, [0.1, 0.01, 0.1, 0.01], n_layers=4, form=form)
    members = [type(one)(model, (*one.values, ("dropout_rate", dropout * (place % 2)))) for place, one in enumerate(members)]
    task_of, seeds = ([0, 0, 1, 1], [3, 3, 4, 4]) if across else ([0] * 4, [3] * 4)
    tasks = []
    for n_rows, seed in ((70, 0), (55, 2)):
        train, held_out = rows(n_rows, seed=seed), rows(30, seed=seed + 1)
        if multilabel:
            train, held_out = (type(one)(one.X, (one.X[:, :3] > 0).astype("float32")) for one in (train, held_out))
        tasks.append(TaskRows(train, held_out, 3, "mean_auc" if multilabel else "accuracy"))
    size = (8, 4) if across else (7, 3)
    network = build_padded(load_class(NETWORKS[model]), members, [(7, 3)] * 4, size, seeds, torch.device("cpu"))
    network = network.to(DEVICE)
    if across:
        stack = Stack("search", members, tasks, task_of, seeds, [1] * 4)
        feed = MultiTaskLoader(stack, StackSize(*size, 32), DEVICE, torch.float32)
    else:
        stack = stack_of_one_task("search", members, tasks[0], seeds, 1)
        feed = SingleTaskLoader(stack, 32, DEVICE, torch.float32)
    for layer in network.modules():
        if hasattr(layer, "clock"):
            layer.clock = feed.clock
    return network, feed, [float(one["learning_rate"]) for one in members]


def learn(network, feed, rates, momentum=0.0, l2=()) -> list[Callable[[], object]]:
    """Return what a trainer records: the orders of rows, a step of each shape, a scoring."""
    optimizer = make_optimizer(network, rates, l2, momentum)

    def take(batch) -> None:
        network.train()
        for layer in network.modules():
            if hasattr(layer, "row_share"):
                layer.row_share = None if batch.row_share is None else batch.row_share.unsqueeze(-1)
        step(network, optimizer, batch)

    def score() -> None:
        network.eval()
        feed.score(network) if feed.on_device else feed.outputs(network)

    return [feed.shuffle, *(lambda batch=batch: take(batch()) for n, batch in feed.batches() if n), score]


@pytest.mark.parametrize(("model", "form"), FORMS)
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_what_is_recorded_stays_on_the_gpu_and_never_waits(model, form, across, dropout):
    network, feed, rates = simulated(model, form, dropout, across)
    actions = learn(network, feed, rates)
    assert len(actions) == (3 if across else 4)
    for action in actions:
        recorded(action)


@pytest.mark.parametrize("model", REFERENCES)
@pytest.mark.parametrize("how", ["several labels", "penalty and momentum", "bfloat16"])
def test_other_ways_of_training_stay_there_too(model, how):
    with precision("bfloat16" if how == "bfloat16" else "float32"):
        network, feed, rates = simulated(model, FORMS[0][1], 0.2, True, multilabel=how == "several labels")
        changed = {"momentum": 0.9, "l2": [0.01] * 4} if how == "penalty and momentum" else {}
        for action in learn(network, feed, rates, **changed):
            recorded(action)


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        (lambda x: x + torch.tensor(2.0), "tensor on cpu"),
        (lambda x: x * torch.ones(x.shape[-1]), "cpu"),
        (lambda x: x / x.sum().item(), "item"),
    ],
    ids=["a CPU scalar", "a CPU vector", "item"],
)
def test_planted_errors_are_caught(planted, message):
    network, feed, rates = simulated("snn", "rectangular", 0.2, True)
    _, take, _ = learn(network, feed, rates)
    first, original = network[0], network[0].forward
    recorded(take)
    first.forward = lambda x: planted(original(x))
    with pytest.raises((AssertionError, RuntimeError), match=message), Recorded():
        take()
