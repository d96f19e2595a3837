"""From a score table to everything that a comparison prints."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from snnbench import stats
from snnbench.errors import SnnbenchError
from snnbench.records import Alternative, Comparison


@dataclass(frozen=True, eq=False)
class Ranking:
    """The models of a comparison, ranked and tested, with all that was assumed and all that was left out.

    Attributes:
        table: (n_models, 6), indexed by model, best first: mean_rank; rank_difference, to the mean of all ranks,
            (n_models + 1) / 2; mean_score; wins, with a shared first place as a fraction; pvalue and adjusted_pvalue of the
            baseline against the model, NaN at the baseline.
        scores: (n_tasks, n_models), the complete table that was compared, models in the order of ``table``.
        friedman: The test of all models at once.
        wilcoxon: The tests of the baseline against each model, in the order of ``table``; all NaN for a single model.
        baseline: The model that the others were compared with.
        correction: Name in ``stats.CORRECTIONS``.
        zero_method: Name in ``stats.ZERO_METHODS``.
        subset: Which tasks were asked for: ``"all"``, ``"small"`` or ``"large"``.
        left_out: The reason for every task that was asked for and not compared.
        missing: Name in ``stats.MISSING``.
        models_left_out: The reason for every model that was not compared.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    friedman: Comparison
    wilcoxon: Comparison
    baseline: str
    correction: str
    zero_method: str
    subset: str
    left_out: Mapping[str, str]
    missing: str
    models_left_out: Mapping[str, str]

    @property
    def n_tasks(self) -> int:
        """Number of tasks that were compared."""
        return len(self.scores)

    @property
    def n_models(self) -> int:
        """Number of models, the baseline among them."""
        return self.scores.shape[1]


def rank_models(
    scores: pd.DataFrame,
    left_out: Mapping[str, str] | None = None,
    *,
    baseline: str = "best",
    alternative: Alternative = "two-sided",
    correction: str = "holm",
    zero_method: str = "wilcox",
    subset: str = "all",
    missing: str = "drop-task",
) -> Ranking:
    """Rank and test the models.

    Args:
        scores: (n_tasks, n_models), higher is better, NaN = no score.
        left_out: Why tasks have no score, or not of every model; those that are left out are named with it.
        baseline: A column of ``scores``, or ``"best"`` for the lowest mean rank.
        alternative: ``"two-sided"``, or ``"greater"`` for "the baseline scores higher".
        correction: Name in ``stats.CORRECTIONS``.
        zero_method: Name in ``stats.ZERO_METHODS``.
        subset: What the caller has restricted ``scores`` to; it is only reported.
        missing: Name in ``stats.MISSING``; by default tasks without a score of every model are left out, so that all models
            are ranked on the same tasks.

    Raises:
        SnnbenchError: If no task remains.
        UnknownNameError: If the baseline, alternative, correction or zero method does not exist.
    """
    reasons = {str(task): reason for task, reason in (left_out or {}).items()}
    present = scores if missing != "drop-task" else scores.loc[[str(task) not in reasons for task in scores.index]]
    complete, tasks, models_left_out = stats.resolve_missing(present, missing)
    remaining = set(map(str, complete.index))
    for task, reason in tasks.items():
        reasons.setdefault(task, reason)
    reasons = {task: reason for task, reason in reasons.items() if task not in remaining}
    if complete.empty:
        raise SnnbenchError(_why_empty(present, reasons))
    complete = complete[stats.order_models(complete)]
    reference = stats.choose_baseline(complete, baseline)
    tests = stats.wilcoxon(complete, reference, alternative, correction, zero_method)
    ranks = stats.mean_ranks(complete)
    table = pd.DataFrame(
        {
            "mean_rank": ranks,
            "rank_difference": ranks - (complete.shape[1] + 1) / 2,
            "mean_score": complete.mean(axis="index"),
            "wins": stats.wins(complete),
            "pvalue": tests.pvalue,
            "adjusted_pvalue": tests.adjusted_pvalue,
        }
    ).rename_axis(index="model")
    return Ranking(
        table=table,
        scores=complete,
        friedman=stats.friedman(complete),
        wilcoxon=tests,
        baseline=reference,
        correction=correction,
        zero_method=zero_method,
        subset=subset,
        left_out=reasons,
        missing=missing,
        models_left_out=models_left_out,
    )


def group_by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the tasks of each reason, the reason of most tasks first."""
    groups: dict[str, list[str]] = {}
    for task, reason in left_out.items():
        groups.setdefault(" ".join(reason.split()).rstrip("."), []).append(task)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _why_empty(scores: pd.DataFrame, left_out: Mapping[str, str]) -> str:
    """Say why no task is left to compare, and what to do."""
    start = "A comparison needs at least one task with a score of every model; found none."
    if scores.empty:
        reasons = "; ".join(f"{len(tasks)} left out: {reason}" for reason, tasks in group_by_reason(left_out).items())
        return f"{start} {reasons or 'There are no scores'}. Train models with `snnbench run` first."
    counts = scores.notna().sum(axis="index").sort_values()
    found = ", ".join(f"{model} {count}" for model, count in counts.items())
    return f"{start} Tasks with a score: {found} (of {len(scores)}). Complete them with `snnbench run`, or leave a model out."
