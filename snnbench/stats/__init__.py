"""Statistics: pure functions of a score table (n_tasks, n_models), index = task, columns = model, higher is better.

Scores of several seeds or repetitions are averaged per task before they come here, and are never counted as more tasks; the
folds of one task have tests of their own, ``FOLD_TESTS``. ``resolve_missing`` says what a missing score means.
"""

from collections.abc import Callable

from snnbench.records import TestResult
from snnbench.stats.averages import summarise_scores
from snnbench.stats.bayesian import bayesian_signed_rank, sample_posterior
from snnbench.stats.correction import CORRECTIONS, adjust_pairs, hochberg, holm, none
from snnbench.stats.differences import paired_differences
from snnbench.stats.effects import count_wins, effects, rank_biserial, win_rates
from snnbench.stats.elo import bradley_terry, elo
from snnbench.stats.friedman import friedman, iman_davenport
from snnbench.stats.hierarchical import hierarchical
from snnbench.stats.missing import MISSING, resolve_missing
from snnbench.stats.nemenyi import critical_difference, nemenyi
from snnbench.stats.pairs import compare_pairs
from snnbench.stats.pairwise import pairwise_wilcoxon
from snnbench.stats.rank_intervals import rank_intervals
from snnbench.stats.ranks import choose_baseline, compare_scores, mean_ranks, order_models, rank, wins
from snnbench.stats.resampled import resampled_t, why_untestable
from snnbench.stats.scale import choose_rope
from snnbench.stats.sign import sign_test
from snnbench.stats.signed_rank import ZERO_METHODS
from snnbench.stats.wilcoxon import describe_wilcoxon, wilcoxon

TESTS: dict[str, Callable[..., TestResult]] = {
    "friedman": friedman,
    "iman_davenport": iman_davenport,
    "nemenyi": nemenyi,
    "pairwise_wilcoxon": pairwise_wilcoxon,
    "sign": sign_test,
    "wilcoxon": wilcoxon,
}
"""Tests across tasks: a score table (n_tasks, n_models) in, a comparison out."""

FOLD_TESTS: dict[str, Callable[..., TestResult]] = {"resampled_t": resampled_t, "wilcoxon": wilcoxon}
"""Tests within one task: a table (n_folds, n_models) of its folds or repetitions in, a comparison out."""

__all__ = [
    "CORRECTIONS",
    "FOLD_TESTS",
    "MISSING",
    "TESTS",
    "ZERO_METHODS",
    "adjust_pairs",
    "bayesian_signed_rank",
    "bradley_terry",
    "choose_baseline",
    "choose_rope",
    "compare_pairs",
    "compare_scores",
    "count_wins",
    "critical_difference",
    "describe_wilcoxon",
    "effects",
    "elo",
    "friedman",
    "hierarchical",
    "hochberg",
    "holm",
    "iman_davenport",
    "mean_ranks",
    "nemenyi",
    "none",
    "order_models",
    "paired_differences",
    "pairwise_wilcoxon",
    "rank",
    "rank_biserial",
    "rank_intervals",
    "resampled_t",
    "resolve_missing",
    "sample_posterior",
    "sign_test",
    "summarise_scores",
    "why_untestable",
    "wilcoxon",
    "win_rates",
    "wins",
]
