"""(f) The cost model behind the estimate of ``--dry-run``, model by model.

Every search job of a quick run is done in this process, and its processor seconds are compared with the model's: neighbours on
the machine do not bend them. Part b compares the estimate with the wall time of whole runs.
"""

import time
from pathlib import Path

import numpy as np
from runs import Where

from snnbench import benchmark
from snnbench.config import load_config
from snnbench.execution.request import Request
from snnbench.training.context import JobContext
from snnbench.training.jobs import run_job
from snnbench.training.process import prepare_process
from snnbench.training.speed import measure_speed

TITLE = "(f) the estimate of --dry-run over the processor seconds of the jobs, quick preset"


def measure(where: Where) -> dict:
    """Return a row for each model of the preset, and the share of them within a factor of 1.5."""
    prepare_process()
    settings = load_config(where.suite, "quick")
    tasks = where.tasks()[::2]
    rows = []
    for model in settings.models:
        request = Request(where.suite, (model,), "quick", settings, Path("nowhere"), where.folder(), tasks)
        loaded = benchmark.prepare(request)
        plan = benchmark.plan(request, loaded)
        context = JobContext(request.specify(loaded), request.folder)
        estimate = plan.seconds * measure_speed(clock=time.process_time)
        seconds = {}
        for job in plan.jobs:
            start = time.process_time()
            run_job(job, context)
            seconds[job.key] = time.process_time() - start
        measured = sum(seconds.values())
        rows.append(
            {"model": model, "tasks": len(tasks), "jobs": len(plan.jobs), "estimate, s": estimate, "measured, s": measured}
        )
        ratios = [job.seconds * estimate / plan.seconds / seconds[job.key] for job in plan.jobs]
        low, high = np.quantile(ratios, [0.1, 0.9])
        rows[-1] |= {"estimate / measured": estimate / measured, "jobs, 10 to 90 %": f"{low:.2f} to {high:.2f}"}
    found = np.array([row["estimate / measured"] for row in rows])
    return {"rows": rows, "suite": where.suite, "within_factor_1.5": float((abs(np.log(found)) < np.log(1.5)).mean())}
