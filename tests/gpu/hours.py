"""Hours of the paper's grid: the sum over the real jobs of the real plan, by the product's cost model of a GPU.

    python tests/gpu/hours.py [--tasks N] [--floor US] [--bandwidth TB_PER_S] [--rate TFLOP_PER_S]

prints them network by network for either kind of kernels and some numbers of stacks at once. The constants of the card are
those of ``snnbench.models.cost.gpu_cost`` unless they are given; the kit's stage ``steps`` fits them to measured steps.
"""

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from snnbench.config import RunSettings, load_config
from snnbench.execution.gpu_stacks import gpu_cost
from snnbench.execution.plan import Stored, plan_search
from snnbench.models.cost.gpu_cost import H100, Gpu, Work, seconds_at_once
from snnbench.records import Compute, Job, Split, Task
from snnbench.resources import resource
from snnbench.suites.loading import LoadedSuite
from snnbench.training.context import ONE_BY_ONE, GpuUse, RunSpec, specify_run

COMPUTE = Compute("cuda", "tf32", "across-tasks")

WAYS = [GpuUse(kernels, n_at_once) for kernels in ("plain", "fused") for n_at_once in (1, 4, 8)]
"""What is compared; the first is what a run does unless it is told otherwise."""


def catalogued_material(limit: int | None = None) -> LoadedSuite:
    """Return the UCI tasks with splits of the numbers of rows that they have, from the catalogue alone."""
    with resource("datasets", "uci.csv").open(encoding="utf-8") as file:
        catalogue = list(csv.DictReader(file))
    tasks, splits = [], {}
    for row in catalogue[:limit]:
        n, n_test = int(row["n_samples"]), int(row["n_test"])
        sizes = n, int(row["n_features"]), int(row["n_classes"])
        tasks.append(Task("uci", row["name"], "binary" if sizes[2] == 2 else "multiclass", *sizes, "accuracy", "", ""))
        n_valid = max(1, round(0.2 * (n - n_test)))
        places = np.split(np.arange(n), [n - n_test - n_valid, n - n_test])
        splits[row["name"]] = [Split("repetition-1", *places)]
    return LoadedSuite(tuple(tasks), splits, {})


def paper_spec(loaded: LoadedSuite, use: GpuUse = ONE_BY_ONE, settings: RunSettings | None = None) -> RunSpec:
    """Return the paper's grid on a GPU."""
    return specify_run("uci", loaded, settings or load_config("uci", "paper"), COMPUTE, gpu=use)


def paper_jobs(spec: RunSpec) -> list[Job]:
    """Return the jobs of the networks, as ``snnbench run`` would plan them."""
    networks = [name for name, table in spec.settings.models.items() if not table.estimator]
    return list(plan_search(spec, networks, Stored()).jobs)


def hours(jobs: Sequence[Job], spec: RunSpec, card: Gpu = H100) -> dict[str, float]:
    """Return the hours of each network, one job after another."""
    found: dict[str, float] = defaultdict(float)
    for job in jobs:
        costs = [gpu_cost(part, spec, card) for part in job.parts]
        found[job.members[0].config.model] += seconds_at_once(costs, spec.gpu.n_at_once if job.stacks else 1) / 3600
    return dict(found)


def fit_card(points: Sequence[tuple[Work, float]], n_processors: int = H100.n_processors) -> Gpu:
    """Fit floor, bandwidth and rate to measured seconds of steps, by least squares of the relative errors; none is negative."""
    design = np.array([[work.kernels, work.n_bytes, work.filled_operations] for work, _ in points])
    design /= np.array([[seconds] for _, seconds in points])
    scale = design.max(axis=0)
    found, _ = nnls(design / scale, np.ones(len(points)))
    floor, per_byte, per_operation = np.maximum(found / scale, 1e-30)
    return Gpu(float(floor), float(1 / per_byte), float(1 / per_operation), n_processors)


def main() -> None:
    """Print the hours of the grid."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, help="the first N tasks alone")
    parser.add_argument("--floor", type=float, default=1e6 * H100.floor, help="microseconds of a kernel (default %(default)s)")
    parser.add_argument("--bandwidth", type=float, default=H100.bandwidth / 1e12, help="TB/s (default %(default)s)")
    parser.add_argument("--rate", type=float, default=H100.rate / 1e12, help="TFLOP/s of products (default %(default)s)")
    asked = parser.parse_args()
    card = replace(H100, floor=asked.floor / 1e6, bandwidth=asked.bandwidth * 1e12, rate=asked.rate * 1e12)
    loaded = catalogued_material(asked.tasks)
    found = {}
    for use in WAYS:
        spec = paper_spec(loaded, use)
        jobs = paper_jobs(spec)
        found[f"{use.kernels} {use.n_at_once}"] = hours(jobs, spec, card)
        sizes = sorted(len(part) for job in jobs for part in job.parts)
        of_stacks = f"{len(sizes):,} stacks, median {sizes[len(sizes) // 2]}, {sum(size < 8 for size in sizes):,} below 8"
        print(f"{use.kernels}, {use.n_at_once} at once: {len(jobs):,} jobs, {of_stacks}")
    print(f"\nModelled hours, nothing measured: {card}")
    print(f"{'':12}" + "".join(f"{name:>10}" for name in found))
    for model in sorted(next(iter(found.values()))):
        print(f"{model:12}" + "".join(f"{of_model[model]:10.2f}" for of_model in found.values()))
    print(f"{'all':12}" + "".join(f"{sum(of_model.values()):10.2f}" for of_model in found.values()))


if __name__ == "__main__":
    main()
