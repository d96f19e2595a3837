"""The statistics of a ranking that take longer than a table may: what the JSON format, the figures and the page show."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from snnbench import stats
from snnbench.records import TestResult
from snnbench.report.ranking import MANY_MODELS, PRIOR, SEED, ModelComparison

N_RESAMPLES = 10_000
N_RESAMPLES_RANK = 0
"""Mean ranks and Elo ratings have intervals that need none."""
N_RESAMPLES_ELO = 0
N_RESAMPLES_MANY = 200
"""Resamples for more than ``MANY_MODELS`` models, which would take minutes otherwise."""
N_SAMPLES_PAIRS = 4_000
"""Posterior draws for each of all pairs."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Analysis:
    """Every further statistic of a ranking, each computed when it is first asked for.

    Models are in the order of the ranking's table, best first.
    """

    comparison: ModelComparison

    @property
    def n_resamples(self) -> int:
        """Resamples of the tasks behind the interval of a median difference."""
        return N_RESAMPLES if self.comparison.n_models <= MANY_MODELS else N_RESAMPLES_MANY

    @cached_property
    def effects(self) -> pd.DataFrame:
        """See ``stats.effects``: median differences, rank-biserial correlations, wins, ties, losses and win rates."""
        return stats.effects(self.comparison.scores, self.comparison.baseline, CONFIDENCE, self.n_resamples, SEED)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """See ``stats.summarise_scores``: mean, median and shifted scores, improvability and rescaled loss."""
        return stats.summarise_scores(self.comparison.scores)

    @cached_property
    def elo(self) -> pd.DataFrame:
        """See ``stats.elo``; by split, weighted so that a task counts once, where the scores of the splits are known."""
        return stats.elo(self.comparison.scores, CONFIDENCE, splits=self.comparison.splits)

    @cached_property
    def win_rates(self) -> pd.DataFrame:
        """See ``stats.win_rates``."""
        return stats.win_rates(self.comparison.scores)

    @cached_property
    def bayesian_pairs(self) -> pd.DataFrame:
        """See ``stats.bayesian_signed_rank``: every ordered pair, with fewer draws; none for more than ``MANY_MODELS``."""
        comparison = self.comparison
        scores = comparison.scores if comparison.n_models <= MANY_MODELS else comparison.scores.iloc[:, :1]
        return stats.bayesian_signed_rank(scores, comparison.rope, None, PRIOR, N_SAMPLES_PAIRS, SEED)

    @cached_property
    def sign(self) -> TestResult:
        """The sign test of the baseline against each other model."""
        options = self.comparison.options
        return stats.sign_test(self.comparison.scores, options.baseline, options.alternative, options.correction)

    @cached_property
    def nemenyi(self) -> TestResult:
        """The Nemenyi test of all pairs."""
        return stats.nemenyi(self.comparison.scores)

    @cached_property
    def pairwise(self) -> TestResult:
        """The Wilcoxon tests of all pairs, two-sided; Holm's correction unless another one was asked for."""
        zero_method = self.comparison.options.zero_method
        return stats.pairwise_wilcoxon(self.comparison.scores, "two-sided", self.pairwise_correction, zero_method)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """See ``stats.compare_pairs``: every ordered pair, with the tests of ``pairwise``."""
        return stats.compare_pairs(self.comparison.scores, self.pairwise_correction, self.comparison.options.zero_method)

    @property
    def pairwise_correction(self) -> str:
        """The correction of ``pairwise``: all pairs are too many to go without one."""
        correction = self.comparison.options.correction
        return correction if correction != "none" else "holm"
