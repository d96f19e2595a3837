"""Statistics: pure functions of a score table (n_tasks, n_models), index = task, columns = model, higher is better."""

from collections.abc import Callable

from snnbench.records import Comparison
from snnbench.stats.correction import CORRECTIONS, holm, none
from snnbench.stats.friedman import friedman
from snnbench.stats.ranks import choose_baseline, mean_ranks, order_models, rank, wins
from snnbench.stats.wilcoxon import ZERO_METHODS, describe_wilcoxon, wilcoxon

TESTS: dict[str, Callable[..., Comparison]] = {"friedman": friedman, "wilcoxon": wilcoxon}

__all__ = [
    "CORRECTIONS",
    "TESTS",
    "ZERO_METHODS",
    "choose_baseline",
    "describe_wilcoxon",
    "friedman",
    "holm",
    "mean_ranks",
    "none",
    "order_models",
    "rank",
    "wilcoxon",
    "wins",
]
