"""The statistics of a ranking that take longer than a table may: what the JSON format, the figures and the page show."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from snnbench import stats
from snnbench.records import Comparison
from snnbench.report.ranking import Ranking

N_RESAMPLES = 10_000
N_RESAMPLES_RANK = 0
"""Mean ranks have an interval that needs none."""
N_RESAMPLES_ELO = 1_000
N_RESAMPLES_MANY = 200
"""Resamples for more than ``MANY_MODELS`` models, which would take minutes otherwise."""
MANY_MODELS = 40
N_SAMPLES = 20_000
CONFIDENCE = 0.95
PRIOR = 0.5
SEED = 0


@dataclass(frozen=True)
class Analysis:
    """Every further statistic of a ranking, each computed when it is first asked for.

    Models are in the order of the ranking's table, best first.
    """

    ranking: Ranking

    @property
    def n_resamples(self) -> int:
        """Resamples of the tasks behind the interval of a median difference."""
        return N_RESAMPLES if self.ranking.n_models <= MANY_MODELS else N_RESAMPLES_MANY

    @property
    def n_resamples_elo(self) -> int:
        """Resamples of the tasks behind the interval of an Elo rating."""
        return N_RESAMPLES_ELO if self.ranking.n_models <= MANY_MODELS else N_RESAMPLES_MANY

    @cached_property
    def effects(self) -> pd.DataFrame:
        """See ``stats.effects``: median differences, rank-biserial correlations, wins, ties, losses and win rates."""
        return stats.effects(self.ranking.scores, self.ranking.baseline, CONFIDENCE, self.n_resamples, SEED)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """See ``stats.summarise_scores``: mean, median and mean shifted scores."""
        return stats.summarise_scores(self.ranking.scores)

    @cached_property
    def elo(self) -> pd.DataFrame:
        """See ``stats.elo``."""
        return stats.elo(self.ranking.scores, CONFIDENCE, self.n_resamples_elo, SEED)

    @cached_property
    def win_rates(self) -> pd.DataFrame:
        """See ``stats.win_rates``."""
        return stats.win_rates(self.ranking.scores)

    @cached_property
    def bayesian(self) -> pd.DataFrame:
        """See ``stats.bayesian_signed_rank``: the baseline against each other model."""
        ranking = self.ranking
        return stats.bayesian_signed_rank(ranking.scores, ranking.question.rope, ranking.baseline, PRIOR, N_SAMPLES, SEED)

    @cached_property
    def sign(self) -> Comparison:
        """The sign test of the baseline against each other model."""
        question = self.ranking.question
        return stats.sign_test(self.ranking.scores, question.baseline, question.alternative, question.correction)

    @cached_property
    def nemenyi(self) -> Comparison:
        """The Nemenyi test of all pairs."""
        return stats.nemenyi(self.ranking.scores)

    @cached_property
    def pairwise(self) -> Comparison:
        """The Wilcoxon tests of all pairs, two-sided; Holm's correction unless another one was asked for."""
        zero_method = self.ranking.question.zero_method
        return stats.pairwise_wilcoxon(self.ranking.scores, "two-sided", self.pairwise_correction, zero_method)

    @property
    def pairwise_correction(self) -> str:
        """The correction of ``pairwise``: all pairs are too many to go without one."""
        correction = self.ranking.question.correction
        return correction if correction != "none" else "holm"
