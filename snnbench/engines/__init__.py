"""Where jobs run: one file an engine.

An engine is a function from jobs and ``run_job`` to finished jobs, in whatever order they finish. It knows nothing of training:
an outcome is the list that ``run_job`` returned, or the exception that kept it from returning.
"""

from snnbench.engines.local import run_jobs

ENGINES = {"local": run_jobs}
