"""Four ways to train the same networks: one by one, one by one and replayed, a stack a task, stacks across tasks."""

import torch
from setting import Cases, Setting, configs_of, rows_of, seconds_of, step_of, wait
from torch import nn

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.layers.precision import precision
from snnbench.training.cuda_graph import replayed
from snnbench.training.stack import stack_of_one_task
from snnbench.training.stacked import build_network, train_stack

FULL_UNITS = 264 * 256
"""Members times width of a stack that fills a chip of 132 processors twice."""

SHAPES = ((256, 4), (256, 16), (1024, 8))
N_TRAIN, N_FEATURES, N_OUTPUTS = 1280, 16, 3


def cases(setting: Setting) -> Cases:
    """Yield a case a shape and way: microseconds of one network's step."""
    for n_units, n_layers in ((8, 2),) if setting.tiny else SHAPES:
        shape = n_units, n_layers
        for graphs in (False, True):
            name = "naive, replayed" if graphs else "naive"
            yield f"{name} {n_units} x {n_layers}", lambda s=shape, g=graphs: naive(setting, *s, g)
        for n_stack in (6, setting.scaled(FULL_UNITS // n_units, 12)):
            yield f"within {n_units} x {n_layers}, {n_stack}", lambda s=shape, n=n_stack: within(setting, *s, n)
            yield f"across {n_units} x {n_layers}, {n_stack}", lambda s=shape, n=n_stack: across(setting, *s, n)


def naive(setting: Setting, n_units: int, n_layers: int, graphs: bool) -> dict:
    """Train one ``nn.Sequential`` with torch's SGD."""
    rows, layers = rows_of(128, N_FEATURES, N_OUTPUTS), []
    for n_in in (N_FEATURES, *[n_units] * (n_layers - 1)):
        layers += [nn.Linear(n_in, n_units), nn.SELU(inplace=True)]
    network = nn.Sequential(*layers, nn.Linear(n_units, N_OUTPUTS)).to(setting.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    X, y = (torch.from_numpy(values).to(setting.device) for values in (rows.train.X, rows.train.y))

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(network(X), y).backward()
        optimizer.step()

    with precision(setting.precision):
        action = replayed(step, torch.device(setting.device)) if graphs else step
        return {"us_a_member": 1e6 * seconds_of(action, setting.device, setting.scaled(50, 3))}


def within(setting: Setting, n_units: int, n_layers: int, n_stack: int) -> dict:
    """Train a stack of one task: the difference between a longer training and a shorter one, which both set up."""
    rows, configs = (
        rows_of(setting.scaled(N_TRAIN, 128), N_FEATURES, N_OUTPUTS),
        configs_of("snn", n_stack, n_units, n_layers, 0.05),
    )

    def train(n_epochs: int) -> float:
        stack = stack_of_one_task("search", configs, rows, [0] * n_stack, n_epochs)
        network = build_network(load_class(NETWORKS["snn"]), stack, setting.device)
        found = train_stack(network, stack, TrainingSettings())
        wait(setting.device)
        return found.seconds

    with precision(setting.precision):
        train(setting.scaled(4, 1))
        short, long = train(setting.scaled(5, 1)), train(setting.scaled(25, 3))
    n_steps = setting.scaled(20, 2) * -(-len(rows.train.y) // 128)
    return {"us_a_member": 1e6 * (long - short) / n_steps / n_stack}


def across(setting: Setting, n_units: int, n_layers: int, n_stack: int) -> dict:
    """Take replayed steps of a stack as a job across tasks does."""
    rows, configs = (
        rows_of(setting.scaled(N_TRAIN, 128), N_FEATURES, N_OUTPUTS),
        configs_of("snn", n_stack, n_units, n_layers, 0.05),
    )
    with precision(setting.precision):
        seconds = seconds_of(step_of(setting, configs, rows), setting.device, setting.scaled(20, 3))
    return {"us_a_member": 1e6 * seconds / n_stack}
