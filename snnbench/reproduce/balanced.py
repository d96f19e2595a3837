"""Within the spread of seeds: may a mean over seeds differ as much as it does, if only the seeds differ?"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from snnbench.errors import SnnbenchError
from snnbench.reproduce.difference import Difference, change_of
from snnbench.reproduce.matching import check_settings, match
from snnbench.reproduce.scores import Scores

LEVEL = 0.01
"""The probability that two honest runs differ anywhere, split equally among all comparisons (Bonferroni)."""
PRIOR_DF = 4.0
"""What the model's variance over all tasks counts beside that of one task, which few seeds tell badly: degrees of freedom."""

_GROUP = ["task", "split", "preset", "model"]


def balanced(expected: Scores, found: Scores) -> list[Difference]:
    """Return every task and model whose mean over seeds is farther off than seeds explain, and models that are off on average.

    The variance between seeds is pooled over both sides and shrunk towards the model's variance over all tasks; the allowance
    is that of Student's t for two means. One test row more or less is always allowed.

    Raises:
        SnnbenchError: If no side has two seeds of anything, or the two come from different settings or data.
    """
    check_settings(expected, found)
    if expected.decimals is None:
        _, differences = match(expected, found)
    else:
        differences = []
    groups = _means(expected, found)
    if groups["df"].sum() == 0:
        raise SnnbenchError(
            "The spread of seeds needs at least two of them on one side, found one. Run with --seeds 3, or choose strict "
            "or loose."
        )
    variance = _shrunk(groups)
    df = groups["df"] + PRIOR_DF
    error = np.sqrt(variance * (1 / groups["n_expected"] + 1 / groups["n_found"]))
    rounding = 0.5 * 10.0 ** -(expected.decimals or 12)
    allowed = np.maximum(_quantile(df, len(groups)) * error, 1 / groups["n_test"]) + rounding
    gap = groups["found"] - groups["expected"]
    for row, limit in zip(groups[~(gap.abs() <= allowed)].itertuples(), allowed[~(gap.abs() <= allowed)], strict=True):
        place = f"{row.task}, {row.split}"
        words = f"{row.expected:.4f}", f"{row.found:.4f}", f"± {limit:.4f}"
        differences.append(Difference(place, row.model, *words, change_of(row.expected, row.found)))
    return differences + _on_average(groups.assign(gap=gap, error=error), rounding)


def _on_average(groups: pd.DataFrame, rounding: float) -> list[Difference]:
    """Return the models whose scores are off in one direction, which no single task may show."""
    differences = []
    models = groups.groupby(["preset", "model"])
    for (_, model), rows in models:
        error = np.sqrt((rows["error"] ** 2).sum()) / len(rows)
        df = rows["df"].sum() + PRIOR_DF
        allowed = _quantile(df, len(models)) * error + 1 / rows["n_test"].sum() + rounding
        if not abs(rows["gap"].mean()) <= allowed:
            expected, found = rows["expected"].mean(), rows["found"].mean()
            words = f"{expected:.4f}", f"{found:.4f}", f"± {allowed:.4f}"
            differences.append(Difference("mean of all tasks", model, *words, change_of(expected, found)))
    return differences


def _means(expected: Scores, found: Scores) -> pd.DataFrame:
    """Return means, variances and numbers of seeds of both sides, for every task, split and model that both have."""
    on = ["task", "model"] if expected.decimals is not None else _GROUP
    left = expected.rows.assign(test_score=_failed_is_zero(expected)).groupby(on)["test_score"].agg(["mean", "var", "count"])
    right = found.rows.assign(test_score=_failed_is_zero(found)).groupby(_GROUP)
    right = right.agg(
        mean=("test_score", "mean"), var=("test_score", "var"), count=("test_score", "count"), n_test=("n_test", "max")
    )
    both = right.reset_index().merge(left.reset_index(), on=on, suffixes=("_found", "_expected"))
    if both.empty:
        raise SnnbenchError(f"{expected.source} and {found.source} must have tasks and models in common, found none.")
    groups = both.rename(
        columns={"mean_found": "found", "mean_expected": "expected", "count_found": "n_found", "count_expected": "n_expected"}
    )
    freedom = {side: groups[f"n_{side}"] - 1 for side in ("found", "expected")}
    squares = sum(groups[f"var_{side}"].fillna(0) * freedom[side] for side in ("found", "expected"))
    return groups.assign(df=freedom["found"] + freedom["expected"], squares=squares, n_test=groups["n_test"].clip(lower=1))


def _failed_is_zero(scores: Scores) -> pd.Series:
    """Return the scores with 0 for what diverged: on both sides it is the same, on one it is a difference."""
    return scores.rows["test_score"].fillna(0.0)


def _shrunk(groups: pd.DataFrame) -> pd.Series:
    sums = groups.groupby(["preset", "model"])[["squares", "df"]].transform("sum")
    everywhere = groups["squares"].sum() / groups["df"].sum()
    prior = (sums["squares"] / sums["df"]).where(sums["df"] > 0, everywhere)
    return (groups["squares"] + PRIOR_DF * prior) / (groups["df"] + PRIOR_DF)


def _quantile(df: Any, n_tests: int) -> Any:
    """Return what Student's t exceeds with the probability that each side of one of so many tests may have."""
    return -special.stdtrit(df, LEVEL / 2 / n_tests)
