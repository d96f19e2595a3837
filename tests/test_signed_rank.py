"""The distribution of the signed-rank statistic, against counting all signs and against SciPy where it is exact, too."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from snnbench.stats.signed_rank import N_EXACT, signed_rank

ALTERNATIVES = ("two-sided", "greater")
NAN = float("nan")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-4, 4).filter(bool), min_size=1, max_size=11), st.sampled_from(ALTERNATIVES))
def test_all_signs_are_counted_ties_or_not(differences: list[int], alternative: str) -> None:
    ranks = scipy_stats.rankdata(np.abs(differences))
    positive = ranks[np.array(differences) > 0].sum()
    sums = np.array(list(product((0, 1), repeat=len(ranks)))) @ ranks
    at_least, at_most = (sums >= positive).mean(), (sums <= positive).mean()
    expected = at_least if alternative == "greater" else min(1, 2 * min(at_least, at_most))
    statistic, pvalue = signed_rank(np.array(differences, dtype=float), alternative, "wilcox")
    assert pvalue == pytest.approx(expected, rel=1e-12)
    assert statistic == (positive if alternative == "greater" else min(positive, ranks.sum() - positive))


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("n", [14, N_EXACT, N_EXACT + 1, 200])
def test_without_ties_it_is_scipys(n: int, alternative: str) -> None:
    differences = np.random.default_rng(n).normal(0.2, 1, (n, 5))
    expected = scipy_stats.wilcoxon(differences, alternative=alternative, correction=False, axis=0)
    statistic, pvalue = signed_rank(differences, alternative, "wilcox")
    np.testing.assert_allclose(statistic, expected.statistic)
    np.testing.assert_allclose(pvalue, expected.pvalue, rtol=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("zero_method", ["wilcox", "pratt", "zsplit"])
def test_of_many_with_ties_and_zeros_it_is_scipys(zero_method: str, alternative: str) -> None:
    differences = np.random.default_rng(3).integers(-5, 7, 150).astype(float)
    expected = scipy_stats.wilcoxon(differences, zero_method=zero_method, alternative=alternative, correction=False)
    statistic, pvalue = signed_rank(differences, alternative, zero_method)
    assert statistic == pytest.approx(expected.statistic)
    assert pvalue == pytest.approx(expected.pvalue, rel=1e-9)


def test_ties_on_few_tasks_are_no_reason_for_an_approximation() -> None:
    """Drawing signs at random agrees with the count, and the normal distribution does not."""
    generator = np.random.default_rng(0)
    differences = np.repeat([1.0, 2.0, 3.0, 4.0], 6) * np.where(np.arange(24) % 4, 1, -1)
    ranks = scipy_stats.rankdata(np.abs(differences))
    positive = ranks[differences > 0].sum()
    drawn = np.mean((generator.integers(0, 2, (400_000, 24)) @ ranks) >= positive)
    _, exact = signed_rank(differences, "greater", "wilcox")
    assert exact == pytest.approx(drawn, rel=0.02)
    approximate = scipy_stats.wilcoxon(differences, alternative="greater", correction=False, method="asymptotic").pvalue
    assert abs(approximate - exact) > 0.05 * exact


def test_pairs_do_not_depend_on_each_other_and_gaps_are_left_out() -> None:
    generator = np.random.default_rng(1)
    differences = generator.integers(-3, 5, (20, 4)).astype(float)
    differences[generator.random((20, 4)) < 0.3] = NAN
    differences[:, 3] = NAN
    for zero_method in ("wilcox", "pratt", "zsplit"):
        together = signed_rank(differences, "two-sided", zero_method)
        for pair in range(3):
            alone = signed_rank(differences[~np.isnan(differences[:, pair]), pair], "two-sided", zero_method)
            assert (together[0][pair], together[1][pair]) == alone
        assert np.isnan([together[0][3], together[1][3]]).all()


def test_an_infinite_difference_is_the_largest() -> None:
    finite = np.array([1.0, -2.0, 3.0, 9.0, 9.0, NAN])
    infinite = np.where(finite == 9, np.inf, finite)
    assert signed_rank(infinite, "greater", "wilcox") == signed_rank(finite, "greater", "wilcox")
    assert signed_rank(np.full(3, np.inf), "greater", "wilcox")[1] == 1 / 8


def test_a_table_is_tested_column_by_column() -> None:
    scores = pd.DataFrame(np.random.default_rng(2).integers(0, 4, (30, 3)) / 4)
    differences = scores.to_numpy()[:, :, np.newaxis] - scores.to_numpy()[:, np.newaxis, :]
    statistic, pvalue = signed_rank(differences, "two-sided", "wilcox")
    assert statistic.shape == pvalue.shape == (3, 3)
    np.testing.assert_array_equal(pvalue, pvalue.T)
    assert (np.diag(pvalue) == 1).all()
