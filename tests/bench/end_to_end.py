"""(b) Quick runs from end to end: which share of the wall time of all workers is spent in training."""

from runs import Where, run_whole

from snnbench.engines.local import n_cores
from snnbench.models import NETWORKS

TITLE = "(b) quick preset from end to end: seconds of training over wall seconds of all workers"


def measure(where: Where) -> dict:
    """Return a row for snn alone, for all networks, and for everything in the preset."""
    n_workers = n_cores()
    tasks = where.tasks()
    rows = []
    for name, models in (("snn", ("snn",)), ("all networks", tuple(NETWORKS)), ("whole preset", ())):
        rows.append({"models": name, "tasks": len(tasks), "workers": n_workers})
        rows[-1] |= run_whole(where, models, tasks, n_workers=n_workers)
    return {"rows": rows, "suite": where.suite}
