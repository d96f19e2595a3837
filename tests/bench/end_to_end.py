"""(b) Quick runs from end to end: which share of the wall time of all workers is spent in training."""

from runs import Where, run_whole

from snnbench.execution.engines import configure_engine
from snnbench.models import NETWORKS

TITLE = "(b) quick preset from end to end: seconds of training over wall seconds of all workers"


def measure(where: Where) -> dict:
    """Return a row for snn alone, for all networks, and for everything in the preset."""
    engine_spec = configure_engine("local", {})
    tasks = where.tasks()
    rows = []
    for name, models in (("snn", ("snn",)), ("all networks", tuple(NETWORKS)), ("whole preset", ())):
        rows.append({"models": name, "tasks": len(tasks), "workers": engine_spec.n_workers})
        rows[-1] |= run_whole(where, models, tasks, engine_spec=engine_spec)
    return {"rows": rows, "suite": where.suite}
