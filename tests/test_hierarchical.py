"""The hierarchical Bayesian test of tasks and splits; ``references/test_baycomp.py`` holds it to numbers of others."""

import numpy as np
import pandas as pd
import pytest

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.stats import hierarchical


def draw_splits(gap: float, n_tasks: int = 20, n_splits: int = 5) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(n_tasks), range(n_splits)], names=["task", "split"])
    base = 0.8 + 0.02 * generator.normal(size=len(index))
    return pd.DataFrame({"a": base, "b": base - gap + 0.01 * generator.normal(size=len(index))}, index=index)


def test_a_clear_difference_is_found_in_either_direction() -> None:
    scores = draw_splits(0.05)
    row = hierarchical(scores, 0.01, "a").loc[("a", "b")]
    assert row["p_higher"] > 0.99
    assert row["difference"] == pytest.approx(0.05, abs=0.005)
    mirrored = hierarchical(scores, 0.01, "b").loc[("b", "a")]
    assert mirrored["p_lower"] > 0.99
    assert mirrored["difference"] == pytest.approx(-row["difference"], abs=5e-4)


def test_the_unit_and_the_order_of_rows_do_not_matter() -> None:
    scores = draw_splits(0.008)
    row = hierarchical(scores, 0.01).loc[("a", "b")]
    assert row[["p_higher", "p_equivalent", "p_lower"]].sum() == pytest.approx(1)
    np.testing.assert_allclose(hierarchical(100 * scores, 1.0).loc[("a", "b")][:4], row[:4], atol=1e-6)
    np.testing.assert_allclose(hierarchical(scores.sample(frac=1, random_state=0), 0.01).loc[("a", "b")], row, atol=1e-6)


def test_a_model_without_differences_is_equivalent() -> None:
    scores = draw_splits(0.0).assign(b=lambda table: table["a"])
    assert hierarchical(scores, 0.01).loc[("a", "b"), "p_equivalent"] > 0.99
    assert hierarchical(scores, 0.0).loc[("a", "b"), "p_higher"] == pytest.approx(0.5, abs=0.05)


def test_splits_and_tasks_without_a_pair_are_left_out() -> None:
    scores = draw_splits(0.02)
    scores.loc[(0, slice(0, 3)), "b"] = np.nan  # one split is left
    scores.loc[(1, 0), "a"] = np.nan
    assert hierarchical(scores).loc[("a", "b"), "n_tasks"] == 19
    few = hierarchical(scores.loc[:2]).loc[("a", "b")]
    assert few["n_tasks"] == 2
    assert few.drop("n_tasks").isna().all()


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="'c'"):
        hierarchical(draw_splits(0.0), 0.01, "c")
    with pytest.raises(SnnbenchError, match="not be negative"):
        hierarchical(draw_splits(0.0), -0.01)
