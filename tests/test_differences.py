"""Differences of paired scores: what ties does so in every unit."""

import numpy as np
import pandas as pd
import pytest

from snnbench.stats import effects, paired_differences, pairwise_wilcoxon, rank_biserial, resampled_t, wilcoxon
from snnbench.stats.differences import subtract

NAN = float("nan")


def test_equal_differences_tie_in_shares_and_in_percent() -> None:
    shares = pd.DataFrame({"a": [0.84, 0.75, 0.3], "b": [0.79, 0.70, 0.4]})
    assert 0.84 - 0.79 != 0.75 - 0.70
    first, second, third = paired_differences(shares, "a", "b")
    assert first == second == 0.05
    assert third == pytest.approx(-0.1)
    assert np.unique(paired_differences((100 * shares).round(2), "a", "b")).tolist() == [-10, 5]


def test_means_of_three_seeds_tie() -> None:
    # A score table is rounded to 12 decimals.
    scores = pd.DataFrame({"a": [1 / 3, 2 / 3], "b": [0, 1 / 3]}).round(12)
    assert len(np.unique(paired_differences(scores, "a", "b"))) == 1


def test_missing_and_infinite_scores() -> None:
    scores = pd.DataFrame({"a": [0.5, NAN, np.inf, -np.inf, np.inf], "b": [0.25, 0.5, np.inf, 0.5, -np.inf]})
    np.testing.assert_array_equal(paired_differences(scores, "a", "b"), [0.25, 0, -np.inf, np.inf])
    assert subtract(np.zeros(0), np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("factor", [100, 1e-6, 1e9])
def test_no_test_depends_on_the_unit(factor: float) -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        shares = pd.DataFrame(generator.integers(60, 100, (20, 3)) / 100, columns=list("abc"))
        scaled = shares * factor
        for test in (wilcoxon, pairwise_wilcoxon, resampled_t):
            np.testing.assert_allclose(test(scaled).pvalue, test(shares).pvalue, rtol=1e-9)
        for other in "bc":
            sizes = [rank_biserial(paired_differences(table, "a", other)) for table in (shares, scaled)]
            assert sizes[0] == pytest.approx(sizes[1], rel=1e-12)
    table, scaled_table = effects(shares, "a", n_resamples=20), effects(scaled, "a", n_resamples=20)
    np.testing.assert_allclose(scaled_table["median_difference"], factor * table["median_difference"])
