"""Which evaluations of two sides belong together, and whether they may be compared."""

from typing import Any

import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.reproduce.difference import Difference
from snnbench.reproduce.scores import PLACE, Scores


def match(expected: Scores, found: Scores) -> tuple[pd.DataFrame, list[Difference]]:
    """Return the evaluations that both sides have, and a difference for each one that is only expected.

    What was found beyond that is not compared.

    Returns:
        One row a pair: ``PLACE`` and every other column twice, with ``_expected`` and ``_found`` behind its name.

    Raises:
        SnnbenchError: If there is no pair.
    """
    pairs = expected.rows.merge(found.rows, on=PLACE, how="left", suffixes=("_expected", "_found"), indicator=True)
    missing = pairs[pairs["_merge"] == "left_only"]
    pairs = pairs[pairs["_merge"] == "both"].drop(columns="_merge")
    if pairs.empty:
        raise SnnbenchError(
            f"A check needs evaluations that both sides have (task, split, preset, model, seed), found none among "
            f"{len(expected.rows)} of {expected.source} and {len(found.rows)} of {found.source}. Run what was recorded."
        )
    return pairs, [
        Difference(describe_place(row), row.model, f"{row.test_score_expected:.4f}", "missing", "")
        for row in missing.itertuples()
    ]


def check_settings(expected: Scores, found: Scores) -> None:
    """Refuse to compare what was trained on other data or with other settings; other code of a model is what a check is for.

    Raises:
        SnnbenchError: If there is such a pair.
    """
    if expected.decimals is not None:
        return
    if expected.protocol_version != found.protocol_version:
        raise SnnbenchError(
            f"Both sides must follow one protocol version, found {expected.protocol_version} in {expected.source} and "
            f"{found.protocol_version} in {found.source}. Record again with the newer snnbench."
        )
    pairs, _ = match(expected, found)
    for column, words in (("task_sha256", "version of the data"), ("grid", "grid and training settings")):
        other = pairs[pairs[f"{column}_expected"] != pairs[f"{column}_found"]]
        if not other.empty:
            row = next(other.itertuples())
            raise SnnbenchError(
                f"Both sides must have one {words}; {row.model} on {describe_place(row)} and {len(other) - 1} more have not. "
                "Run what was recorded, or record again."
            )


def describe_place(row: Any) -> str:
    """Say where an evaluation belongs: ``iris, repetition-1, seed 0``."""
    return f"{row.task}, {row.split}, seed {row.seed}"
