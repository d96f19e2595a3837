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


BAYESIAN_TESTS = {
    "signed-rank": "Bayesian signed-rank test",
    "hierarchical": "hierarchical Bayesian test of tasks and splits",
}
"""Which test says how probable it is that two models are practically equivalent, and how to say it."""


@dataclass(frozen=True)
class ComparisonOptions:
    """The options of a comparison, one for all that compare: the table, the report and the figures.

    Attributes:
        suite: Whose tasks; None = the only one in the results.
        published: Names of published score tables, or files of scores, to put beside the results.
        other_settings: Whether published runs may have been trained with other settings than one's own.
        index: The column that names the tasks in files of scores; empty to find it.
        lower_is_better: Whether the scores of such files are errors or losses.
        models: The models to compare; none for all. Ranks depend on which models take part.
        tasks: The tasks to compare on; none for all.
        subset: ``"all"``, or the tasks that the catalogue calls ``"small"`` or ``"large"``.
        min_samples: Leave out tasks with fewer rows.
        exclude_flagged: Leave out the tasks whose data the audit flags.
        metric: Another metric than that of the suite.
        data: Versions of the data to compare on, as in ``versions.choose_versions``; none for the newest of each task.
        missing: Name in ``stats.MISSING``.
        impute_from: The model whose scores stand for missing ones, with ``missing="impute"``; empty for the mean of the others.
        baseline: The model that the others are compared with, or ``"best"`` for the lowest mean rank.
        alternative: ``"two-sided"``, or ``"greater"`` for "the baseline scores higher".
        correction: Name in ``stats.CORRECTIONS``.
        zero_method: Name in ``stats.ZERO_METHODS``.
        alpha: Level below which an adjusted p-value is called significant.
        rope: Half the width of the region of practical equivalence of the Bayesian test, in units of the score; None for one
            that follows the scores, see ``stats.choose_rope``.
        bayes: Name in ``BAYESIAN_TESTS``.
    """

    suite: str | None = None
    published: tuple[str, ...] = ()
    other_settings: bool = False
    index: str = ""
    lower_is_better: bool = False
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    subset: str = "all"
    min_samples: int = 0
    exclude_flagged: bool = False
    metric: str = ""
    data: tuple[str, ...] = ()
    missing: str = "worst"
    impute_from: str = ""
    baseline: str = "best"
    alternative: Alternative = "two-sided"
    correction: str = "holm"
    zero_method: str = "wilcox"
    alpha: float = 0.05
    rope: float | None = None
    bayes: str = "signed-rank"


DEFAULT: ComparisonOptions = ComparisonOptions()
"""The options where none is named."""


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


def choose_listed_tasks(options: ComparisonOptions, listed: Sequence[str]) -> list[str]:
    """Return the tasks of tables of scores that are asked for.

    Raises:
        UnknownNameError: If a task is in none of the tables.
        SnnbenchError: If tasks are chosen by what only a suite knows of them.
    """
    of_suites = {"--subset": options.subset != "all", "--min-samples": options.min_samples, "--data": options.data}
    of_suites["--exclude-flagged"] = options.exclude_flagged
    asked = [name for name, value in of_suites.items() if value]
    if asked:
        raise SnnbenchError(
            f"{', '.join(asked)} needs the tasks of a suite, found a table of scores alone. If its tasks are those of a suite, "
            "name it, for example --suite uci."
        )
    for task in options.tasks:
        if task not in listed:
            raise UnknownNameError("task", task, listed, "" if len(listed) <= MAX_KNOWN else "The table does not have it.")
    return [task for task in listed if not options.tasks or task in options.tasks]


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
