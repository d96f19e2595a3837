"""(b) Quick runs from end to end: which share of the wall time of all workers is spent in training."""

from runs import Where, run_whole

from snnbench.engines import gather_crew
from snnbench.models import NETWORKS

TITLE = "(b) quick preset from end to end: seconds of training over wall seconds of all workers"


def measure(where: Where) -> dict:
    """Return a row for snn alone, for all networks, and for everything in the preset."""
    crew = gather_crew("local", {})
    tasks = where.tasks()
    rows = []
    for name, models in (("snn", ("snn",)), ("all networks", tuple(NETWORKS)), ("whole preset", ())):
        rows.append({"models": name, "tasks": len(tasks), "workers": crew.n_workers})
        rows[-1] |= run_whole(where, models, tasks, crew=crew)
    return {"rows": rows, "suite": where.suite}
