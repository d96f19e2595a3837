"""(j) A large table of the user's: seconds and peak memory of reading it, encoding a split, and planning a run."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

N_ROWS, N_NUMBERS, N_LEVELS = (int(n) for n in os.environ.get("BENCH_TABLE", "100000,90,10").split(","))
TITLE = f"(j) a table of {N_ROWS:,} rows, {N_NUMBERS} columns of numbers and {N_LEVELS} of levels, all with gaps"

_READ = """
from pathlib import Path
from snnbench.suites.own import TableOptions, open_own
def step(): return open_own(Path("large.csv"), TableOptions(target="y"), Path("cache"))
"""
_LOAD = f"""{_READ}
suite, folder = step()
def step(): return suite.load("large", folder), suite.splits("large", folder)
"""
_ENCODE = f"""{_LOAD}
from snnbench.suites.features import split_features
dataset, splits = step()
def step(): return split_features(dataset, splits[0], True, "as-published")
"""
_COMMAND = """
import sys
from snnbench.cli import main
sys.argv = ["snnbench", "run", "large.csv", "--target", "y", "--repetition", "1", "--dry-run"]
def step():
    try:
        main()
    except SystemExit as left:
        assert not left.code
"""
_MEASURED = """
import contextlib, os, resource, time
with contextlib.redirect_stdout(open(os.devnull, "w")):
    start = time.perf_counter()
    found = step()
    seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
STEPS = {
    "read, audit and freeze": _READ,
    "load what is frozen": _LOAD,
    "encode and standardise a split": _ENCODE,
    "run --dry-run, all of it": _COMMAND,
}
"""What is measured, in this order: the first writes what the others read."""


def measure() -> dict:
    """Return a row for each step, each in a process of its own, whose peak memory counts."""
    with tempfile.TemporaryDirectory() as place:
        _write(Path(place, "large.csv"))
        return {"rows": [{"step": name, **_measure(code, place)} for name, code in STEPS.items()]}


def _write(file: Path) -> None:
    rng = np.random.default_rng(0)
    columns: dict[str, np.ndarray] = {f"n{k}": np.round(rng.normal(size=N_ROWS), 4) for k in range(N_NUMBERS)}
    columns |= {
        f"c{k}": np.array([f"level {n}" for n in range(5 * (k + 1))])[rng.integers(0, 5 * (k + 1), N_ROWS)]
        for k in range(N_LEVELS)
    }
    frame = pd.DataFrame(columns)
    frame = frame.mask(rng.random(frame.shape) < 0.02)
    frame.assign(y=rng.choice(["no", "yes"], N_ROWS)).to_csv(file, index=False)


def _measure(code: str, place: str) -> dict:
    words = [sys.executable, "-c", code + _MEASURED]
    environment = os.environ | {"SNNBENCH_CACHE": f"{place}/cache"}
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=True)
    seconds, memory_bytes = map(float, done.stdout.split()[-2:])
    return {"seconds": seconds, "peak MiB": memory_bytes / 2**20}
