"""Versions and the card; its ceilings; what a launch costs; one job from its names to its rows."""

import importlib.metadata
import platform

import torch
from setting import Cases, Setting, configs_of, rows_of, seconds_of

from snnbench.config import ModelSettings, TrainingSettings
from snnbench.models.layers.precision import precision, product
from snnbench.records import Compute
from snnbench.training.cuda_graph import replayed
from snnbench.training.networks import train_networks
from snnbench.training.stack import stack_of_one_task

PACKAGES = ("torch", "numpy", "pandas", "scikit-learn", "pydantic")


def cases(setting: Setting) -> Cases:
    """Yield the cases."""
    yield "versions", lambda: versions(setting)
    yield "copy", lambda: copy(setting)
    for name in ("float32", "tf32", "bfloat16"):
        for n_stack in (3, 6, 66):
            yield f"bmm {name} {n_stack}", lambda name=name, n_stack=n_stack: bmm(setting, name, n_stack)
    for n_stack in (6, 66):
        yield f"bfloat16 without whole casts {n_stack}", lambda n_stack=n_stack: halves(setting, n_stack)
    yield "launch", lambda: launch(setting)
    yield "job", lambda: job(setting)


def versions(setting: Setting) -> dict:
    """Return the packages and the card."""
    found: dict = {name: importlib.metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}
    if setting.device == "cuda":
        card = torch.cuda.get_device_properties(0)
        found |= {"cuda": torch.version.cuda, "memory_gb": card.total_memory / 1e9, "processors": card.multi_processor_count}
    return found


def copy(setting: Setting) -> dict:
    """Return the rate of a large copy, reads and writes counted."""
    source = torch.randn(setting.scaled(2**28, 2**16), device=setting.device)
    target = torch.empty_like(source)
    return {"gb_per_s": 8 * len(source) / seconds_of(lambda: target.copy_(source), setting.device) / 1e9}


def bmm(setting: Setting, name: str, n_stack: int) -> dict:
    """Return the rate of the products of a hidden layer, batch 128."""
    found = {}
    for n_units in (setting.scaled(256, 8), setting.scaled(1024, 16)):
        a = torch.randn(n_stack, 128, n_units, device=setting.device)
        b = torch.randn(n_stack, n_units, n_units, device=setting.device)
        with precision(name):
            seconds = seconds_of(lambda a=a, b=b: product(a, b), setting.device)
        found[f"tflops, width {n_units}"] = 2 * a.numel() * n_units / seconds / 1e12
    return found


def halves(setting: Setting, n_stack: int) -> dict:
    """Return the rate of products whose factors are bfloat16 already, both of them or the weights alone."""
    n_units, found = setting.scaled(1024, 16), {}
    a = torch.randn(n_stack, 128, n_units, device=setting.device)
    b = torch.randn(n_stack, n_units, n_units, device=setting.device).bfloat16()
    in_float = {"out_dtype": torch.float32} if setting.device == "cuda" else {}  # torch knows it on a GPU alone
    for name, given in (("weights", a), ("both", a.bfloat16())):
        seconds = seconds_of(lambda given=given: torch.bmm(given.bfloat16(), b, **in_float), setting.device)
        found[f"tflops, {name} kept"] = 2 * a.numel() * n_units / seconds / 1e12
    return found


def launch(setting: Setting) -> dict:
    """Return the microseconds of a tiny kernel that waits for the one before: launched one by one, and replayed."""
    x, n = torch.zeros(32, device=setting.device), setting.scaled(500, 20)

    def chain() -> None:
        for _ in range(n):
            x.add_(1)

    eager = seconds_of(chain, setting.device, 5) / n
    again = seconds_of(replayed(chain, torch.device(setting.device)), setting.device, 5) / n
    return {"eager_us": 1e6 * eager, "replayed_us": 1e6 * again}


def job(setting: Setting) -> dict:
    """Train one stack of snn from start to end."""
    rows = rows_of(setting.scaled(1000, 60), 16, 3)
    stack = stack_of_one_task("search", configs_of("snn", 6, setting.scaled(256, 8), 4, 0.05), rows, [0] * 6, 4)
    compute = Compute(setting.device, setting.precision, "across-tasks")
    found = train_networks(stack, ModelSettings(grid={}), TrainingSettings(n_epochs=4), compute)
    return {"best_scores": [trained.valid_score for trained in found]}
