"""What Klambauer et al. (2017) claim of their networks beside other models, held against results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from snnbench.stats.ranks import rank

NETWORKS = ("snn", "msrainit", "layernorm", "highway", "resnet", "weightnorm", "batchnorm")
"""The networks of Tables 2, 3 and A11."""
WITH_MACHINES = (*NETWORKS, "random_forest", "svm")
Subset = Literal["all", "small", "large"]
Units = Literal["folds", "seeds"]


@dataclass(frozen=True)
class Claim:
    """One model ranks before another on the tasks of uci.

    Attributes:
        better: The model that ranks before.
        worse: The other one.
        among: The models that are ranked together.
        subset: The tasks: all of them, those with fewer than 1,000 rows, or the others.
        source: The table of the paper.
    """

    better: str
    worse: str
    among: tuple[str, ...]
    subset: Subset
    source: str

    def __str__(self) -> str:
        return f"{self.better} ranks before {self.worse} on {self.subset} tasks"


@dataclass(frozen=True)
class ScoreClaim:
    """One model scores higher than another on the one task of a suite.

    Attributes:
        better: The model that scores higher.
        worse: The other one.
        suite: The suite.
        units: What its scores are paired by: the folds, or the seeds of final trainings.
        source: The table of the paper.
    """

    better: str
    worse: str
    suite: str
    units: Units
    source: str

    def __str__(self) -> str:
        return f"{self.better} scores higher than {self.worse} on {self.suite}"


CLAIMS: tuple[Claim, ...] = (
    *(Claim("snn", other, NETWORKS, "all", "Table 1, left; Table A11") for other in NETWORKS[1:]),
    *(
        Claim("snn", other, WITH_MACHINES, "large", "Table 1, right; Table A13")
        for other in ("svm", "random_forest", "msrainit")
    ),
    *(Claim(other, "snn", WITH_MACHINES, "small", "Table A12") for other in ("random_forest", "svm")),
)
"""The claims on the UCI tasks that reference results can answer."""

SCORE_CLAIMS: tuple[ScoreClaim, ...] = (
    *(ScoreClaim("snn", other, "tox21", "seeds", "Table 2") for other in NETWORKS[1:]),
    *(ScoreClaim("snn", other, "htru2", "folds", "Table 3") for other in NETWORKS[1:]),
    *(
        ScoreClaim("snn", other, "htru2", "folds", "Table 3, from other publications")
        for other in ("naive_bayes", "decision_tree", "svm")
    ),
)
"""The claims on Tox21 and HTRU2."""


@dataclass(frozen=True)
class Finding:
    """What results say of a claim.

    Attributes:
        claim: The claim.
        n_units: On how many tasks, folds or seeds both models have a score.
        difference: Mean rank of the one that is claimed to be worse minus that of the other; of scores, that of the other minus
            its own. NaN where nothing can be said.
        low: Lower end of the 95 % interval of the difference.
        high: Its upper end.
        reason: Why nothing can be said; empty where something can.
    """

    claim: Claim | ScoreClaim
    n_units: int
    difference: float
    low: float
    high: float
    reason: str = ""

    @property
    def verdict(self) -> str:
        """``reproduced`` if the interval is above 0, ``not reproduced`` if below, else ``open``."""
        return "reproduced" if self.low > 0 else "not reproduced" if self.high < 0 else "open"


def examine_claims(scores_of: Callable[[Subset], pd.DataFrame], claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Return what results say of claims on ranks.

    The interval is Student's of the differences of ranks, task by task: the two ranks rise and fall together.

    Args:
        scores_of: Returns (n_tasks, n_models) of a subset of the tasks, higher is better, NaN = missing.
        claims: Which claims.
    """
    findings = []
    for claim in claims:
        scores = scores_of(claim.subset)
        if reason := _why_silent(claim, scores, f"on {claim.subset} tasks"):
            findings.append(_silent(claim, reason))
            continue
        ranks = rank(scores[[model for model in claim.among if model in scores]].dropna())
        findings.append(_find(claim, (ranks[claim.worse] - ranks[claim.better]).to_numpy(dtype=float)))
    return findings


def examine_score_claims(
    scores_of: Callable[[ScoreClaim], tuple[pd.DataFrame, float]], claims: Sequence[ScoreClaim] = SCORE_CLAIMS
) -> list[Finding]:
    """Return what results say of claims on the scores of one task.

    The interval is that of the corrected resampled t-test, see ``stats.resampled_t``; for seeds, which share no more than their
    rows, Student's.

    Args:
        scores_of: Returns (n_units, n_models) of a claim's suite, higher is better, NaN = missing, and n_test / n_train of the
            units, 0 for seeds.
        claims: Which claims.
    """
    findings = []
    for claim in claims:
        scores, share = scores_of(claim)
        if reason := _why_silent(claim, scores, f"on {claim.suite}"):
            findings.append(_silent(claim, reason))
            continue
        findings.append(_find(claim, (scores[claim.better] - scores[claim.worse]).dropna().to_numpy(dtype=float), share))
    return findings


def _why_silent(claim: Claim | ScoreClaim, scores: pd.DataFrame, where: str) -> str:
    """Return why scores say nothing of a claim; empty if they do."""
    if scores.empty:
        return f"no results {where}"
    missing = [model for model in (claim.better, claim.worse) if model not in scores]
    return f"no scores of {' and '.join(missing)} {where}" if missing else ""


def _silent(claim: Claim | ScoreClaim, reason: str, n_units: int = 0) -> Finding:
    return Finding(claim, n_units, np.nan, np.nan, np.nan, reason)


def _find(claim: Claim | ScoreClaim, differences: np.ndarray, share: float = 0.0) -> Finding:
    """Return what paired differences (n_units,) say of a claim."""
    n = len(differences)
    if n < 2:
        return _silent(claim, f"scores of both on {n} alone, which have no interval", n)
    half = special.stdtrit(n - 1, 0.975) * differences.std(ddof=1) * np.sqrt(1 / n + share)
    mean = differences.mean()
    return Finding(claim, n, mean, mean - half, mean + half)
