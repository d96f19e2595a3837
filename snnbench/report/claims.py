"""What Klambauer et al. (2017) claim of the ranks of their networks, held against results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from snnbench.errors import SnnbenchError
from snnbench.stats.ranks import rank

NETWORKS = ("snn", "msrainit", "layernorm", "highway", "resnet", "weightnorm", "batchnorm")
"""The networks of Table A11."""
WITH_MACHINES = (*NETWORKS, "random_forest", "svm")
Subset = Literal["all", "small", "large"]


@dataclass(frozen=True)
class Claim:
    """One model ranks before another.

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


CLAIMS: tuple[Claim, ...] = (
    *(Claim("snn", other, NETWORKS, "all", "Table 1, left; Table A11") for other in NETWORKS[1:]),
    *(
        Claim("snn", other, WITH_MACHINES, "large", "Table 1, right; Table A13")
        for other in ("svm", "random_forest", "msrainit")
    ),
    *(Claim(other, "snn", WITH_MACHINES, "small", "Table A12") for other in ("random_forest", "svm")),
)
"""The claims on the UCI tasks that reference results can answer."""


@dataclass(frozen=True)
class Finding:
    """What results say of a claim.

    Attributes:
        claim: The claim.
        n_tasks: On how many tasks both models have a score.
        difference: Mean rank of the one that is claimed to be worse minus that of the other.
        low: Lower end of the 95 % interval of the difference over tasks.
        high: Its upper end.
        verdict: ``reproduced`` if the interval is above 0, ``not reproduced`` if below, else ``open``.
    """

    claim: Claim
    n_tasks: int
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Return where the interval lies."""
        return "reproduced" if self.low > 0 else "not reproduced" if self.high < 0 else "open"


def examine_claims(scores_of: Callable[[Subset], pd.DataFrame], claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Return what results say of each claim whose two models have scores.

    The interval is Student's of the differences of ranks, task by task: the two ranks rise and fall together.

    Args:
        scores_of: Returns (n_tasks, n_models) of a subset of the tasks, higher is better, NaN = missing.
        claims: Which claims.
    """
    findings = []
    for claim in claims:
        scores = scores_of(claim.subset)
        if claim.better not in scores or claim.worse not in scores:
            continue
        ranks = rank(scores[[model for model in claim.among if model in scores]].dropna())
        found = (ranks[claim.worse] - ranks[claim.better]).to_numpy(dtype=float)
        if len(found) < 2:
            raise SnnbenchError(f"'{claim}' needs at least two tasks with scores of all models, found {len(found)}.")
        half = special.stdtrit(len(found) - 1, 0.975) * found.std(ddof=1) / np.sqrt(len(found))
        findings.append(Finding(claim, len(found), found.mean(), found.mean() - half, found.mean() + half))
    return findings
