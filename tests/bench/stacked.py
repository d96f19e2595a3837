"""(a) The training step beside other ways to train 24 small networks at once.

All train the same networks on the same rows with the same batches and score the validation rows after every epoch, as
one process of one thread that stays on one core.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from peers import N_BATCHES, PEERS, Case, baddbmm_speed, missing, prepared
from rounds import interleave, ratio

from snnbench.training.process import prepare_process

TITLE = "(a) 24 SELU networks at once, by peers; ratios: their time over ours (median, lowest-highest), 1 process x 1 thread"

CASES = [
    Case(16, 2, 128, 0.0),
    Case(16, 2, 32, 0.0),
    Case(64, 2, 128, 0.0),
    Case(64, 8, 128, 0.0),
    Case(64, 8, 128, 0.05),
    Case(64, 8, 32, 0.0),
    Case(256, 2, 128, 0.0),
    Case(256, 8, 128, 0.0),
]
SECONDS = 0.2
"""What a side takes in a round at least; slower ones train once."""


def measure(n_rounds: int = 5) -> dict:
    """Return a row for each shape."""
    # In workers alone: XLA reads its flags when it starts, and JAX must not meet a fork.
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    names = [name for name in PEERS if name not in missing()]
    context = multiprocessing.get_context("spawn")
    rows = []
    with ProcessPoolExecutor(1, mp_context=context, initializer=_start) as pool:
        for case in CASES:
            first = {name: pool.submit(_train, name, case, 0.0).result() for name in names}
            sides = {name: partial(_measure, pool, name, case) for name in names}
            seconds = interleave(sides, n_rounds)
            n_steps = case.epochs * N_BATCHES
            steps = {name: sorted(times)[n_rounds // 2] / n_steps for name, times in seconds.items()}
            speed, peak = case.operations / steps["ours"], pool.submit(baddbmm_speed, case).result()
            row = {"width": case.width, "layers": case.layers, "batch": case.batch, "dropout": case.dropout}
            row |= {"ours, us/step": steps["ours"] * 1e6, "GFLOP/s": speed / 1e9, "share of baddbmm": speed / peak}
            for name in names[1:]:
                found = ratio(seconds[name], seconds["ours"])
                row[name] = f"{found['ratio']:.2f} ({found['lowest']:.2f}-{found['highest']:.2f})"
            compiled = {
                name: max(0.0, first[name] - steps[name] * n_steps) for name in ("torch.compile", "JAX") if name in first
            }
            row["compiling, s"] = ", ".join(f"{name} {took:.1f}" for name, took in compiled.items())
            rows.append(row)
    return {"rows": rows, "left out": "; ".join(f"{name}: {why}" for name, why in missing().items()) or "none"}


def _start() -> None:
    prepare_process()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _train(name: str, case: Case, seconds: float) -> float:
    """Train again and again for some seconds, once at least; return the seconds of one training."""
    train, start, n_times = prepared(name, case), time.perf_counter(), 0
    while not n_times or time.perf_counter() - start < seconds:
        train()
        n_times += 1
    return (time.perf_counter() - start) / n_times


def _measure(pool: ProcessPoolExecutor, name: str, case: Case) -> float:
    return pool.submit(_train, name, case, SECONDS).result()
