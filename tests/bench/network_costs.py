"""Measures stacks of all networks on this machine and fits the constants of ``snnbench.models.cost.network_cost`` to them.

Run it with ``make bench-costs`` after a change of the trainer, on a quiet machine, and paste what it prints.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from snnbench.config import TrainingSettings
from snnbench.models import NETWORKS, load_class
from snnbench.models.cost.network_cost import compiled_counts, counts, is_compiled, network_totals
from snnbench.records import Config, Dataset, Value
from snnbench.training.process import prepare_process
from snnbench.training.stack import TaskRows, stack_of_one_task
from snnbench.training.stacked import initialise, train_stack

N_STEPS = {False: 24, True: 480}
"""Measured steps of a case, at least: by torch, and by the compiled step, which is faster."""


def random_case(rng: np.random.Generator, model: str, compiled: bool) -> dict:
    """Draw the shape of a stack like those of the presets, wider and narrower ones too, for the compiled step or for torch."""
    values: dict[str, Value] = {"learning_rate": 0.01}
    depth = int(rng.choice([2, 4, 8]))
    values["n_blocks" if model == "resnet" else "n_layers"] = depth
    if model != "highway":
        values["n_units"] = int(rng.choice([16, 64, 64, 64, 256]))
        values["form"] = "rectangular"
    if model in ("snn", "msrainit", "highway") and rng.random() < 0.5:
        values["dropout_rate"] = 0.1
    return {
        "model": model,
        "compiled": compiled,
        "values": values,
        "n_stack": int(rng.choice([1, 3, 3, 6, 24])),
        "n_features": int(rng.choice([4, 10, 30, 100])),
        "n_outputs": int(rng.choice([2, 3, 10])),
        "n_train": int(rng.choice([80, 150, 500, 1500, 4000])),
        "batch_size": int(rng.choice([32, 128, 128, 128])),
    }


def seconds_per_epoch(case: dict) -> float:
    """Train a case and return the processor seconds of an epoch: of several epochs, less those of a training of one."""
    config = Config(case["model"], tuple(case["values"].items()))
    n_stack, training = case["n_stack"], TrainingSettings(batch_size=case["batch_size"])
    rng = np.random.default_rng(0)

    def rows(n_rows: int) -> Dataset:
        X = rng.normal(size=(n_rows, case["n_features"])).astype(np.float32)
        return Dataset(X, rng.integers(0, case["n_outputs"], n_rows))

    train, valid = rows(case["n_train"]), rows(max(2, case["n_train"] // 4))
    network = load_class(NETWORKS[case["model"]])([config] * n_stack, case["n_features"], case["n_outputs"])
    n_epochs = max(2, N_STEPS[case["compiled"]] * case["batch_size"] // case["n_train"])
    seconds = {}
    for n in (1, 1 + n_epochs):
        stack = stack_of_one_task("search", [config] * n_stack, TaskRows(train, valid, case["n_outputs"]), [0] * n_stack, n)
        start = time.process_time()
        train_stack(initialise(network, stack.seeds), stack, training, compiled=case["compiled"])
        seconds[n] = time.process_time() - start
    return (seconds[1 + n_epochs] - seconds[1]) / n_epochs


def count(case: dict) -> dict[str, float]:
    config = Config(case["model"], tuple(case["values"].items()))
    totals = network_totals(NETWORKS[case["model"]], config, case["n_features"], case["n_outputs"])
    count_by = compiled_counts if case["compiled"] else counts
    return count_by(totals, case["n_stack"], case["n_train"], case["batch_size"])


def fit(cases: list[dict], seconds: list[float]) -> dict[str, float]:
    """Fit costs that are not negative, by least squares of the relative errors."""
    table = [count(case) for case in cases]
    names = sorted({name for row in table for name in row})
    design = np.array([[row.get(name, 0) / measured for name in names] for row, measured in zip(table, seconds, strict=True)])
    scale = np.maximum(design.max(axis=0), 1e-300)
    costs, _ = nnls(design / scale, np.ones(len(cases)))
    return dict(zip(names, (costs / scale).tolist(), strict=True))


def report(cases: list[dict], seconds: list[float], costs: dict[str, float]) -> None:
    """Print the constants, and how far estimates lie from the measurements."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for case, measured in zip(cases, seconds, strict=True):
        ratios[case["model"] + ", compiled" * case["compiled"]].append(
            sum(costs[name] * n for name, n in count(case).items()) / measured
        )
    for model, values in ratios.items():
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
        print(f"# {model}: estimate / measured {middle:.2f} (10 to 90 %: {low:.2f} to {high:.2f}), {len(values)} stacks")
    print("SECONDS = {")
    for name, cost in costs.items():
        print(f'    "{name}": {cost:.2g},')
    print("}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stacks", type=int, default=24, help="stacks measured of each network (default 24)")
    parser.add_argument("--save", type=Path, help="JSON file for the measurements")
    arguments = parser.parse_args()
    prepare_process()
    rng = np.random.default_rng(0)
    # Layers of compiled networks are those of others, too.
    ways = [(model, compiled) for model in NETWORKS for compiled in {False, is_compiled(NETWORKS[model])}]
    cases = [random_case(rng, *way) for _ in range(arguments.stacks) for way in ways]
    for case in cases[: len(ways)]:
        seconds_per_epoch(case)  # warms up, and loads the compiled step
    seconds = [max(seconds_per_epoch(case), 1e-7) for case in cases]
    if arguments.save:
        arguments.save.write_text(json.dumps([cases, seconds]))
    report(cases, seconds, fit(cases, seconds))


if __name__ == "__main__":
    main()
