"""What a check finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Change = Literal["worse", "better", "other"]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as expected: where, what was expected and found, and what would have been allowed.

    ``change`` says whether the score fell or rose; what is missing is worse, other bits of an equal score are neither.
    """

    place: str
    model: str
    expected: str
    found: str
    allowed: str
    change: Change = "worse"


def change_of(expected: float, found: float) -> Change:
    """Say what became of a score; NaN, that of a training that diverged, is the worst."""
    before, after = (-np.inf if np.isnan(score) else score for score in (expected, found))
    return "worse" if after < before else "better" if after > before else "other"


def only_worse(differences: Sequence[Difference]) -> list[Difference]:
    """Return what a check fails by that is to notice drops alone."""
    return [difference for difference in differences if difference.change == "worse"]
