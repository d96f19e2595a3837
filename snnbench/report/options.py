"""What a user asks of a comparison: which scores, which tasks, which tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.records import Alternative
from snnbench.suites import load_suite
from snnbench.suites.audit.flags import task_flags
from snnbench.suites.loading import check_tasks

MAX_KNOWN = 30
"""Models that an error lists."""

CONVENTIONS: dict[str, Mapping[str, Any]] = {
    "standard": {},
    "paper": {
        "baseline": "best",
        "alternative": "greater",
        "correction": "none",
        "zero_method": "wilcox",
        "missing": "worst",
    },
}
"""Options that go together: the defaults of ``ComparisonOptions``, and those behind the p-values of Klambauer et al. (2017)."""


@dataclass(frozen=True)
class ComparisonOptions:
    """The options of a comparison, one for all that compare: the table, the report and the figures.

    Attributes:
        suite: Whose tasks; None = the only one in the results.
        published: Names of published score tables to put beside the results.
        models: The models to compare; none for all. Ranks depend on which models take part.
        tasks: The tasks to compare on; none for all.
        subset: ``"all"``, or the tasks that the catalogue calls ``"small"`` or ``"large"``.
        min_samples: Leave out tasks with fewer rows.
        exclude_flagged: Leave out the tasks whose data the audit flags.
        metric: Another metric than that of the suite.
        data: Versions of the data to compare on, as in ``versions.choose_versions``; none for the newest of each task.
        missing: Name in ``stats.MISSING``.
        baseline: The model that the others are compared with, or ``"best"`` for the lowest mean rank.
        alternative: ``"two-sided"``, or ``"greater"`` for "the baseline scores higher".
        correction: Name in ``stats.CORRECTIONS``.
        zero_method: Name in ``stats.ZERO_METHODS``.
        alpha: Level below which an adjusted p-value is called significant.
        rope: Half the width of the region of practical equivalence of the Bayesian test, in units of the score.
    """

    suite: str | None = None
    published: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    subset: str = "all"
    min_samples: int = 0
    exclude_flagged: bool = False
    metric: str = ""
    data: tuple[str, ...] = ()
    missing: str = "worst"
    baseline: str = "best"
    alternative: Alternative = "two-sided"
    correction: str = "holm"
    zero_method: str = "wilcox"
    alpha: float = 0.05
    rope: float = 0.01


DEFAULT: ComparisonOptions = ComparisonOptions()
"""Everything as it is if nobody says otherwise."""


def choose_tasks(options: ComparisonOptions, suite: str) -> list[str]:
    """Return the tasks of a suite that are asked for.

    Raises:
        UnknownNameError: If the suite or a task does not exist.
        SnnbenchError: If no task is left.
    """
    catalogue = load_suite(suite).catalogue()
    check_tasks(suite, options.tasks)
    flags = task_flags(suite) if options.exclude_flagged else {}
    chosen = [
        str(name)
        for name, row in catalogue.iterrows()
        if (not options.tasks or name in options.tasks)
        and options.subset in ("all", row["size"])
        and row["n_samples"] >= options.min_samples
        and name not in flags
    ]
    if not chosen:
        raise SnnbenchError(
            f"A comparison needs at least one task of {suite}; --subset, --task, --min-samples and --exclude-flagged leave "
            f"none. `snnbench data list {suite}` shows their sizes."
        )
    return chosen


def choose_models(scores: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Return the columns of the models that are asked for, all if none is named.

    Raises:
        UnknownNameError: If a model has no scores.
    """
    for name in models:
        if name not in scores.columns:
            hint = "" if scores.shape[1] <= MAX_KNOWN else "`snnbench compare` without --model lists them all."
            raise UnknownNameError("model", name, map(str, scores.columns), hint)
    return scores[list(models)] if models else scores
