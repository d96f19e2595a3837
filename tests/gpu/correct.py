"""Whether a GPU computes what a CPU does, and the same when it is asked again; every check fails by an AssertionError."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from setting import MODELS, Cases, Setting, configs_of, fused, rows_of

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.layers.padding import stack_size
from snnbench.models.layers.precision import precision
from snnbench.records import Config, TrainedMember
from snnbench.training import stacked
from snnbench.training.at_once import train_at_once
from snnbench.training.cuda_graph import replayed
from snnbench.training.networks import is_out_of_memory
from snnbench.training.stack import Stack

SETTINGS = TrainingSettings(batch_size=32, smoothing_window=2)
N_EPOCHS = 6


def cases(setting: Setting) -> Cases:
    """Yield the cases, those that tell most first."""
    for model in MODELS:
        forms = ("rectangular",) if model == "highway" else ("rectangular", "conic")
        for form in forms:
            for dropout in (0.0, 0.2):
                how = model, form, dropout
                yield f"float64 {model} {form} {dropout}", lambda how=how: against_the_cpu(setting, *how)
    for model in MODELS:
        yield f"replay {model}", lambda model=model: replay_against_eager(setting, model)
    yield "several stacks at once", lambda: at_once(setting)
    for when in (2, 4):
        yield f"out of memory, call {when}", lambda when=when: out_of_memory(setting, when)
    yield "divergence and selection", lambda: divergence(setting)
    yield "unequal epochs", lambda: unequal_epochs(setting)
    for how in ({"multilabel": True}, {"l2": 0.02}, {"momentum": 0.9}):
        yield f"snn {how}", lambda how=how: against_the_cpu(setting, "snn", "rectangular", 0.2, **how)
    for name in ("float32", "tf32", "bfloat16"):
        yield f"one step in {name}", lambda name=name: one_step(setting, name)
    yield "pytest -m gpu", lambda: marked_tests()


def train(
    device: str, configs: list[Config], dtype=torch.float64, multilabel=False, l2=0.0, momentum=0.0, fuses=False, **changed
) -> list[TrainedMember]:
    """Train members on two tasks, with initial weights drawn on the CPU."""
    tasks = [rows_of(100, 7, 3, 0, multilabel), rows_of(90, 7, 3, 1, multilabel)]
    task_of = [member % 2 for member in range(len(configs))]
    settings = SETTINGS.model_copy(update={"momentum": momentum})
    configs = [Config(one.model, (*one.values, ("l2", l2))) for one in configs] if l2 else configs
    arguments = {"n_epochs": [N_EPOCHS] * len(configs), "stage": "search", **changed}
    size = stack_size(configs[0], 7, 3, 100, 32)
    stack = Stack(configs=configs, tasks=tasks, task_of=task_of, seeds=task_of, size=size, **arguments)
    # The generators of devices differ: weights are drawn on the CPU for both.
    network = stacked.build_network(load_class(NETWORKS[configs[0].model]), stack, "cpu", dtype).to(device)
    network = fused(network) if fuses else network
    run = stacked.train_stack(network, stack, settings)
    return [run.member(place) for place in range(len(stack))]


def against_the_cpu(setting: Setting, model: str, form: str, dropout: float, fuses: bool = False, **how) -> dict:
    """Compare every loss of a training in float64, perhaps by fused kernels, with one by plain kernels on a CPU."""
    configs, how["n_epochs"] = configs_of(model, 4, 16, 4, dropout, form), [setting.scaled(N_EPOCHS, 2)] * 4
    wanted, how["fuses"] = train("cpu", configs, **how), fuses
    pairs = list(zip(train(setting.device, configs, **how), wanted, strict=True))
    apart = max(float(np.abs(found.train_loss - wanted.train_loss).max()) for found, wanted in pairs)
    assert apart < 1e-9, f"losses are {apart} apart"
    again = train(setting.device, configs, **how)
    assert all(np.array_equal(one.train_loss, other.train_loss) for one, (other, _) in zip(again, pairs, strict=True))
    return {"apart": apart, "equal_bits_again": True}


def replay_against_eager(setting: Setting, model: str) -> dict:
    """Train with and without recordings: bits must agree."""
    configs = configs_of(model, 4, 16, 4, 0.2)
    recorded = train(setting.device, configs, torch.float32)
    try:
        stacked.replayed = lambda action, device, pool: action
        eager = train(setting.device, configs, torch.float32)
    finally:
        stacked.replayed = replayed
    assert all(np.array_equal(a.train_loss, b.train_loss) for a, b in zip(recorded, eager, strict=True))
    return {"equal_bits": True}


def at_once(setting: Setting) -> dict:
    """Train stacks at once, each recorded while others run: bits must be those of one after another."""
    names = ("snn", "batchnorm", "resnet", "layernorm")

    def one(place: int) -> list[TrainedMember]:
        return train(
            setting.device, configs_of(names[place % 4], 4, 16, 4, 0.2), torch.float32, n_epochs=[setting.scaled(12, 2)] * 4
        )

    n_stacks = setting.scaled(8, 4)
    with precision(setting.precision):
        wanted = [one(place) for place in range(n_stacks)]
        found = train_at_once([1] * n_stacks, n_stacks, 4, one, setting.device)
    for members, others in zip(found, wanted, strict=True):
        if isinstance(members, Exception):
            raise members
        assert all(np.array_equal(a.train_loss, b.train_loss) for a, b in zip(members, others, strict=True))
    return {"equal_bits": True}


def out_of_memory(setting: Setting, when: int) -> dict:
    """Let the memory run out in a warm-up (call 2) or in a recording (call 4), and train afterwards in the same process."""
    n_calls = 0

    def greedy() -> None:
        nonlocal n_calls
        n_calls += 1
        torch.zeros(8, device=setting.device).add_(1)
        if n_calls == when:
            torch.empty(2**50, dtype=torch.float64, device=setting.device)

    call, failed = replayed(greedy, torch.device(setting.device)), None
    for _ in range(when):
        try:
            call()
        except (RuntimeError, MemoryError) as error:
            failed = error
    assert failed is not None, "the memory did not run out"
    assert is_out_of_memory(failed), f"not taken for memory that ran out: {failed}"
    del call, failed
    if setting.device == "cuda":
        assert not torch.cuda.is_current_stream_capturing(), "the stream is still being recorded"
        torch.cuda.empty_cache()
    runs = train(setting.device, configs_of("snn", 4, 16, 4, 0.2), torch.float32)
    assert all(np.isfinite(run.train_loss).all() for run in runs)
    return {"trains_afterwards": True}


def divergence(setting: Setting) -> dict:
    """Let half of a stack diverge: the others are selected, recorded again, and end as on the CPU."""
    configs = configs_of("msrainit", 6, 16, 8, 0.0)
    lost = [Config(one.model, tuple({**dict(one.values), "learning_rate": 1e9}.items())) for one in configs[:3]]
    found, wanted = (train(device, [*lost, *configs[3:]], n_epochs=[15] * 6) for device in (setting.device, "cpu"))
    assert [run.diverged for run in found] == [True] * 3 + [False] * 3
    apart = max(float(np.abs(a.train_loss - b.train_loss).max()) for a, b in zip(found[3:], wanted[3:], strict=True))
    assert apart < 1e-9, f"losses are {apart} apart"
    return {"apart": apart}


def unequal_epochs(setting: Setting) -> dict:
    """Evaluate members that end at epochs of their own."""
    configs, epochs = configs_of("snn", 4, 16, 4, 0.2), [1, 7, 3, 12]
    found, wanted = (train(d, configs, stage="evaluate", n_epochs=epochs) for d in (setting.device, "cpu"))
    apart = max(float(np.abs(a.test_outputs - b.test_outputs).max()) for a, b in zip(found, wanted, strict=True))
    assert apart < 1e-9, f"outputs are {apart} apart"
    return {"apart": apart}


def one_step(setting: Setting, name: str) -> dict:
    """Return how far the losses after one epoch are from those in float64."""
    configs = configs_of("snn", 4, setting.scaled(256, 16), 4, 0.0)
    exact = train("cpu", configs, n_epochs=[1] * 4)
    with precision(name):
        found = train(setting.device, configs, torch.float32, n_epochs=[1] * 4)
    apart = max(abs(float(a.train_loss[0] / b.train_loss[0]) - 1) for a, b in zip(found, exact, strict=True))
    assert apart < {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 1e-1}[name], f"losses are {apart} apart, relatively"
    return {"relative": apart}


def marked_tests() -> dict:
    """Run the tests that are marked as needing a GPU."""
    if find_spec("pytest") is None:
        return {"said": "pytest is not installed"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "gpu",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).parents[1] / "test_gpu.py"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-1000:]
    return {"said": done.stdout.strip().splitlines()[-1]}
