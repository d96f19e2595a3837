"""From a score table to everything that a comparison prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from snnbench import stats
from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.records import TestResult
from snnbench.report.options import BAYESIAN_TESTS, DEFAULT, ComparisonOptions

MANY_MODELS = 40
"""Beyond these, what grows with the models is drawn less often, or left out."""
N_SAMPLES, N_SAMPLES_MANY = 20_000, 2_000
"""Draws from the posterior of the Bayesian test, and for more than ``MANY_MODELS`` models."""
PRIOR = 0.5
SEED = 0
BASELINE: str = "baseline"
BETTER: str = "better"
WORSE: str = "worse"
UNDECIDED: str = "undecided"


@dataclass(frozen=True)
class ScoreOrigin:
    """Where the scores of a comparison come from.

    Attributes:
        suite: Whose tasks; empty if unknown.
        metric: What the scores are; empty if unknown.
        flags: The flags of the tasks that the audit of the data finds at fault.
        averaged: What the score of a task is a mean of, in words; empty if it is one number.
        notes: What else should be known of the scores, in sentences.
        tables: The names of the user's own score tables among them.
        grids: A sentence on the grids that the models were selected from, where they differ; empty if they do not.
        caution: A sentence for the conclusion on what makes the scores unlike; empty if nothing is known to.
        splits: (n_splits of all tasks, n_models), index = (task, split): what a task's score is the mean of; None if unknown.
        correlation: Of the scores on two splits of a task, by task; None for that of a cross-validation.
    """

    suite: str = ""
    metric: str = ""
    flags: Mapping[str, list[str]] = field(default_factory=dict)
    averaged: str = ""
    notes: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    grids: str = ""
    caution: str = ""
    splits: pd.DataFrame | None = field(default=None, compare=False)
    correlation: pd.Series | None = field(default=None, compare=False)


UNKNOWN = ScoreOrigin()
"""Of scores alone nothing is known."""


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """The models of a comparison, ranked and tested, with all that was assumed and all that was left out.

    Attributes:
        table: (n_models, 14), indexed by model, best first: mean_rank with its interval low to high;
            rank_difference, to the mean of all ranks, (n_models + 1) / 2; mean_score, over the n_scores tasks that the model
            has a score on; wins, with a shared first place as a fraction; won, tied and lost, on how many tasks the baseline
            scores higher, equal and lower than the model; pvalue and adjusted_pvalue of the baseline against the model, NaN at
            the baseline; n_tests, the tasks of that test; verdict on the model: ``"baseline"``, significantly ``"better"`` or
            ``"worse"`` than it, or ``"undecided"``.
        scores: (n_tasks, n_models), the table that was compared, models in the order of ``table``; NaN = missing.
        friedman: The test of all models at once.
        iman_davenport: Its F form.
        wilcoxon: The tests of the baseline against each model, in the order of ``table``; all NaN for a single model.
        critical_difference: Of two mean ranks, by the Nemenyi test; NaN with fewer than two models.
        baseline: The model that the others were compared with.
        options: What was asked.
        left_out: The reason for every task that was asked for and not compared.
        models_left_out: The reason for every model that was not compared.
        origin: Where the scores come from; its flags are those of the compared tasks.
        n_missing: How many scores each model lacks on the compared tasks, those of models that lack any; imputed ones, too.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    friedman: TestResult
    iman_davenport: TestResult
    wilcoxon: TestResult
    critical_difference: float
    baseline: str
    options: ComparisonOptions
    left_out: Mapping[str, str]
    models_left_out: Mapping[str, str]
    origin: ScoreOrigin = UNKNOWN
    n_missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def suite(self) -> str:
        """Whose tasks were compared; empty if unknown."""
        return self.origin.suite

    @property
    def metric(self) -> str:
        """What the scores are; empty if unknown."""
        return self.origin.metric

    @property
    def flags(self) -> Mapping[str, list[str]]:
        """The flags of every compared task that the audit of the data finds at fault."""
        return self.origin.flags

    @property
    def averaged(self) -> str:
        """What the score of a task is a mean of, in words; empty if it is one number."""
        return self.origin.averaged

    @property
    def notes(self) -> tuple[str, ...]:
        """What else should be known of the scores, in sentences."""
        return self.origin.notes

    @property
    def n_tasks(self) -> int:
        """Number of tasks that were compared."""
        return len(self.scores)

    @property
    def n_models(self) -> int:
        """Number of models, the baseline among them."""
        return self.scores.shape[1]

    @cached_property
    def rope(self) -> float:
        """Half the width of the region of practical equivalence: as asked for, or one that follows the scores."""
        return stats.choose_rope(self.scores) if self.options.rope is None else self.options.rope

    @property
    def n_samples(self) -> int:
        """Draws from the posterior of the Bayesian test."""
        return N_SAMPLES if self.n_models <= MANY_MODELS else N_SAMPLES_MANY

    @cached_property
    def splits(self) -> pd.DataFrame | None:
        """The scores on every split (n_splits of all tasks, n_models), if some task has several and all models' are known."""
        splits, tasks = self.origin.splits, set(self.scores.index)
        if splits is None or not set(self.scores.columns) <= set(splits.columns):
            return None
        splits = splits.loc[splits.index.isin(tasks, level=0), self.scores.columns]
        several = splits.index.get_level_values(0).duplicated().any()
        return splits if several and set(splits.index.get_level_values(0)) == tasks else None

    @cached_property
    def bayesian(self) -> pd.DataFrame:
        """The Bayesian test that was asked for: the baseline against each other model, index = (baseline, other).

        See ``stats.bayesian_signed_rank`` and ``stats.hierarchical``.
        """
        if self.options.bayes == "hierarchical":
            if self.splits is None:
                raise SnnbenchError(
                    "The hierarchical Bayesian test must have scores of all models on several splits of a task, found none. "
                    "Run more repetitions, give a table with a column split, or leave --bayes out."
                )
            return stats.hierarchical(
                self.splits, self.rope, self.baseline, self.origin.correlation, n_samples=self.n_samples, seed=SEED
            )
        return stats.bayesian_signed_rank(self.scores, self.rope, self.baseline, PRIOR, self.n_samples, SEED)

    @property
    def is_chosen(self) -> bool:
        """Whether the baseline was chosen as the best on the compared tasks, and not named in advance."""
        return self.options.baseline not in self.scores.columns

    def with_verdict(self, verdict: str) -> list[str]:
        """Return the models of a verdict, best first."""
        return [str(model) for model in self.table.index[self.table["verdict"] == verdict]]


def rank_models(
    scores: pd.DataFrame,
    left_out: Mapping[str, str] | None = None,
    options: ComparisonOptions = DEFAULT,
    origin: ScoreOrigin = UNKNOWN,
) -> ModelComparison:
    """Rank and test the models.

    Args:
        scores: (n_tasks, n_models), higher is better, NaN = no score.
        left_out: Why tasks have no score, or not of every model; those that are left out are named with it.
        options: The options; of them, those that choose scores and tasks are only reported.
        origin: Where the scores come from.

    Raises:
        SnnbenchError: If no task remains.
        UnknownNameError: If the baseline, alternative, correction or zero method does not exist.
    """
    if options.bayes not in BAYESIAN_TESTS:
        raise UnknownNameError("Bayesian test", options.bayes, BAYESIAN_TESTS)
    reasons = {str(task): reason for task, reason in (left_out or {}).items()}
    present = scores
    if options.missing == "drop-task":
        present = scores.loc[[str(task) not in reasons for task in scores.index]]
    complete, tasks, models_left_out = stats.resolve_missing(present, options.missing, options.impute_from)
    remaining = set(map(str, complete.index))
    for task, reason in tasks.items():
        reasons.setdefault(task, reason)
    reasons = {task: reason for task, reason in reasons.items() if task not in remaining}
    if complete.empty:
        raise SnnbenchError(_why_empty(present, reasons))
    complete = complete[stats.order_models(complete)]
    reference = stats.choose_baseline(complete, options.baseline)
    tests = stats.wilcoxon(complete, options.baseline, options.alternative, options.correction, options.zero_method)
    n_models = complete.shape[1]
    n_missing = (
        present.loc[complete.index, complete.columns].isna().sum(axis="index").sort_values(ascending=False, kind="stable")
    )
    return ModelComparison(
        table=_tabulate(complete, reference, tests, options.alpha),
        scores=complete,
        friedman=stats.friedman(complete),
        iman_davenport=stats.iman_davenport(complete),
        wilcoxon=tests,
        critical_difference=(
            stats.critical_difference(n_models, len(complete), options.alpha) if n_models > 1 else float("nan")
        ),
        baseline=reference,
        options=options,
        left_out=reasons,
        models_left_out=models_left_out,
        origin=replace(origin, flags={task: list(names) for task, names in origin.flags.items() if task in remaining}),
        n_missing={str(model): int(count) for model, count in n_missing.items() if count},
    )


def group_by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the tasks of each reason, the reason of most tasks first."""
    groups: dict[str, list[str]] = {}
    for task, reason in left_out.items():
        groups.setdefault(" ".join(reason.split()).rstrip("."), []).append(task)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _tabulate(scores: pd.DataFrame, reference: str, tests: TestResult, alpha: float) -> pd.DataFrame:
    """Return the columns of ``ModelComparison.table``."""
    ranks = stats.rank_intervals(scores)
    order = stats.compare_scores(scores)[:, scores.columns.get_loc(reference)]
    differences = [stats.paired_differences(scores, reference, model) for model in scores.columns]
    higher = np.array(list(map(stats.rank_biserial, differences)))
    significant = tests.adjusted_pvalue < alpha
    verdict = np.where(significant, np.where(higher > 0, WORSE, BETTER), UNDECIDED)
    table = pd.DataFrame(
        {
            "mean_rank": ranks["mean_rank"],
            "low": ranks["low"],
            "high": ranks["high"],
            "rank_difference": ranks["mean_rank"] - (scores.shape[1] + 1) / 2,
            "mean_score": scores.mean(axis="index"),
            "n_scores": scores.notna().sum(axis="index"),
            "wins": stats.wins(scores),
            "won": (order > 0).sum(axis=0),
            "tied": (order == 0).sum(axis=0),
            "lost": (order < 0).sum(axis=0),
            "pvalue": tests.pvalue,
            "adjusted_pvalue": tests.adjusted_pvalue,
            "n_tests": list(map(len, differences)),
            "verdict": np.where(scores.columns == reference, BASELINE, verdict),
        }
    )
    return table.rename_axis(index="model")


def _why_empty(scores: pd.DataFrame, left_out: Mapping[str, str]) -> str:
    """Say why no task is left to compare, and what to do."""
    if scores.empty or scores.isna().all(axis=None):
        reasons = "; ".join(f"{len(tasks)} left out: {reason}" for reason, tasks in group_by_reason(left_out).items())
        return (
            f"A comparison needs at least one task with a score; found none. {reasons or 'There are no scores'}. "
            "Train models with `snnbench run` first."
        )
    counts = scores.notna().sum(axis="index").sort_values()
    found = ", ".join(f"{model} {count}" for model, count in counts.items())
    return (
        "A comparison needs at least one task with a score of every model; found none. "
        f"Tasks with a score: {found} (of {len(scores)}). "
        "Complete them with `snnbench run`, leave a model out, or use --missing worst."
    )
