"""The ways to train 24 SELU networks that part (a) compares: each as somebody who uses it would write it.

A peer is a function of a case that returns what trains all the networks once: the same epochs and batches of the same rows,
each network with its own learning rate, and the accuracy on the validation rows after every epoch. What is compiled is kept,
so that the first call of it takes longer than the others.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import torch
from rows import random_rows
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.layers.stacked import ALPHA, SCALE
from snnbench.records import Config, Dataset, Value
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import build_network, train_stack

N_STACK, N_FEATURES, N_CLASSES = 24, 32, 10
N_BATCHES = 10
LEARNING_RATES = np.geomspace(0.001, 0.03, N_STACK)


@dataclass(frozen=True)
class Case:
    """The shape of the networks, the rows of a batch, and the dropout rate."""

    width: int
    layers: int
    batch: int
    dropout: float

    @property
    def widths(self) -> list[int]:
        """Of the inputs and all layers."""
        return [N_FEATURES, *[self.width] * self.layers, N_CLASSES]

    @property
    def epochs(self) -> int:
        """How many passes over the rows: few of wide networks, which take long."""
        return max(1, 320 // self.width)

    @property
    def operations(self) -> float:
        """The floating-point operations of the matrix products in a step of all networks, with its share of the scoring."""
        sizes = [n_in * n_out for n_in, n_out in pairwise(self.widths)]
        return N_STACK * self.batch * 2 * (3 * sum(sizes) - sizes[0] + 0.25 * sum(sizes))  # no gradient of the inputs

    def rows(self) -> tuple[Dataset, Dataset]:
        """Return training and validation rows."""
        return random_rows(N_BATCHES * self.batch), random_rows(N_BATCHES * self.batch // 4)


def ours(case: Case, compiled: bool = True) -> Callable[[], None]:
    """Train the stack as a search does."""
    values: dict[str, Value] = {"n_units": case.width, "n_layers": case.layers, "form": "rectangular"}
    values["dropout_rate"] = case.dropout
    configs = [Config("snn", tuple({**values, "learning_rate": float(rate)}.items())) for rate in LEARNING_RATES]
    stack = stack_of_one_task("search", configs, TaskRows(*case.rows(), N_CLASSES), [0] * N_STACK, case.epochs)

    def train() -> None:
        network = build_network(load_class(NETWORKS["snn"]), stack)
        train_stack(network, stack, TrainingSettings(batch_size=case.batch), compiled=compiled)

    return train


def torch_step(case: Case) -> Callable[[], None]:
    """Train the stack as it is trained where the compiled step is not: batched matrix products of torch."""
    return ours(case, compiled=False)


def _plain_network(case: Case) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(case.widths[:-1]):
        layers += [nn.Linear(n_in, n_out), nn.SELU()] + [nn.AlphaDropout(case.dropout)] * (case.dropout > 0)
    return nn.Sequential(*layers, nn.Linear(case.width, N_CLASSES))


def loop(case: Case, is_compiled: bool = False) -> Callable[[], None]:
    """Train the networks one after another."""
    train, valid = case.rows()
    X, y, X_valid, y_valid = (torch.from_numpy(values) for values in (train.X, train.y, valid.X, valid.y))
    first = _plain_network(case)
    if is_compiled:
        torch.compiler.reset()  # it compiles no more than eight variants of a class's code, those of earlier cases among them
    call = torch.compile(first, dynamic=False) if is_compiled else first

    def train_all() -> None:
        for rate in LEARNING_RATES:
            for layer in first:
                if isinstance(layer, nn.Linear):
                    layer.reset_parameters()
            optimizer = torch.optim.SGD(first.parameters(), lr=float(rate))
            for _ in range(case.epochs):
                first.train()
                for rows in torch.randperm(len(y)).split(case.batch):
                    optimizer.zero_grad()
                    nn.functional.cross_entropy(call(X[rows]), y[rows]).backward()
                    optimizer.step()
                first.eval()
                with torch.no_grad():
                    (call(X_valid).argmax(dim=1) == y_valid).float().mean().item()

    return train_all


def compiled_loop(case: Case) -> Callable[[], None]:
    """As ``loop``, with the network compiled once for all."""
    return loop(case, is_compiled=True)


def torch_func(case: Case) -> Callable[[], None]:
    """Train all at once by ``torch.func``: vmap of the gradient of a functional call."""
    train, valid = case.rows()
    X, y, X_valid, y_valid = (torch.from_numpy(values) for values in (train.X, train.y, valid.X, valid.y))
    rates = torch.from_numpy(LEARNING_RATES).float()
    base = _plain_network(case)

    def loss(parameters: dict, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(base, parameters, (x,)), target)

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None), randomness="different")
    predict = torch.func.vmap(lambda parameters, x: torch.func.functional_call(base, parameters, (x,)), in_dims=(0, None))

    def train_all() -> None:
        parameters, _ = torch.func.stack_module_state([_plain_network(case) for _ in LEARNING_RATES])
        parameters = {name: values.detach() for name, values in parameters.items()}
        for _ in range(case.epochs):
            base.train()
            for rows in torch.randperm(len(y)).split(case.batch):
                found = gradient(parameters, X[rows], y[rows])
                for name, values in parameters.items():
                    values.sub_(found[name] * rates.view(-1, *[1] * (values.dim() - 1)))
            base.eval()
            with torch.no_grad():
                (predict(parameters, X_valid).argmax(dim=-1) == y_valid).float().mean(dim=1).tolist()

    return train_all


def jax_vmap(case: Case) -> Callable[[], None]:
    """Train all at once by JAX: ``jit(vmap(scan))`` over the batches of an epoch."""
    import jax
    import jax.numpy as jnp

    train, valid = case.rows()
    X, y, X_valid, y_valid = (jnp.asarray(values) for values in (train.X, train.y, valid.X, valid.y))
    keep, dropped = 1 - case.dropout, -SCALE * ALPHA
    a = (keep + dropped**2 * keep * (1 - keep)) ** -0.5
    b = -a * (1 - keep) * dropped

    def start(key):  # type: ignore[no-untyped-def]
        keys = jax.random.split(key, len(case.widths) - 1)
        shapes = zip(keys, pairwise(case.widths), strict=True)
        return [(jax.random.normal(one, (n, m)) / n**0.5, jnp.zeros(m)) for one, (n, m) in shapes]

    def outputs(parameters, x, key=None):  # type: ignore[no-untyped-def]
        for weight, bias in parameters[:-1]:
            x = jax.nn.selu(x @ weight + bias)
            if case.dropout and key is not None:
                key, of_layer = jax.random.split(key)
                x = a * jnp.where(jax.random.bernoulli(of_layer, keep, x.shape), x, dropped) + b
        weight, bias = parameters[-1]
        return x @ weight + bias

    def loss(parameters, x, target, key):  # type: ignore[no-untyped-def]
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs(parameters, x, key)), target[:, None], axis=1).mean()

    def epoch(parameters, key, rate):  # type: ignore[no-untyped-def]
        of_order, of_steps = jax.random.split(key)
        order = jax.random.permutation(of_order, len(y)).reshape(N_BATCHES, case.batch)

        def step(parameters, batch):  # type: ignore[no-untyped-def]
            rows, of_step = batch
            value, found = jax.value_and_grad(loss)(parameters, X[rows], y[rows], of_step)
            return jax.tree.map(lambda one, gradient: one - rate * gradient, parameters, found), value

        parameters, losses = jax.lax.scan(step, parameters, (order, jax.random.split(of_steps, N_BATCHES)))
        return parameters, losses.mean(), (outputs(parameters, X_valid).argmax(axis=1) == y_valid).mean()

    start_all = jax.jit(jax.vmap(start))
    train_epoch = jax.jit(jax.vmap(epoch, in_axes=(0, None, 0)), donate_argnums=0)  # one order of rows for all, as ours

    def train_all() -> None:
        parameters = start_all(jax.random.split(jax.random.key(0), N_STACK))
        for number in range(case.epochs):
            parameters, losses, scores = train_epoch(parameters, jax.random.key(number), jnp.asarray(LEARNING_RATES, X.dtype))
            np.asarray(losses), np.asarray(scores)

    return train_all


def baddbmm_speed(case: Case) -> float:
    """Return how many operations in a second torch reaches in the batched products of the hidden layers: the peak here."""
    x, weight, bias = (
        torch.randn(N_STACK, *shape) for shape in ((case.batch, case.width), (case.width, case.width), (1, case.width))
    )
    operations = 2 * N_STACK * case.batch * case.width**2
    n_times, fastest = max(1, int(2e8 / operations)), np.inf
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(n_times):
            torch.baddbmm(bias, x, weight)
        fastest = min(fastest, (time.perf_counter() - start) / n_times)
    return operations / fastest


PEERS: dict[str, Callable[[Case], Callable[[], None]]] = {
    "ours": ours,
    "torch step": torch_step,
    "loop": loop,
    "torch.compile": compiled_loop,
    "torch.func": torch_func,
    "JAX": jax_vmap,
}
"""What is compared, by the name in the table."""


def missing() -> dict[str, str]:
    """Return the peers that cannot be measured here, and why."""
    found = {}
    if find_spec("jax") is None:
        found["JAX"] = "jax is not installed: pip install 'snnbench[bench]'"
    if not any(shutil.which(name) for name in ("g++", "clang++", "cl")):
        found["torch.compile"] = "there is no C++ compiler"
    return found


@cache
def prepared(name: str, case: Case) -> Callable[[], None]:
    """Return a peer of this process, which keeps what it compiles."""
    return PEERS[name](case)
