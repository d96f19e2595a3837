"""What holds for every test: the range of p-values, symmetry, and that only the order or the differences of scores count."""

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats
from textbook import DEMSAR

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.stats import (
    FOLD_TESTS,
    TESTS,
    ZERO_METHODS,
    count_wins,
    hochberg,
    holm,
    iman_davenport,
    mean_ranks,
    pairwise_wilcoxon,
    rank,
    resampled_t,
    sign_test,
    wilcoxon,
    wins,
)
from snnbench.stats.correction import shaffer, shaffer_factors
from snnbench.stats.ranks import compare_scores

NAN = float("nan")
# The tests that look at the order of scores alone.
ORDER_TESTS = ["friedman", "iman_davenport", "nemenyi", "sign"]
EVERY_TEST = {**TESTS, **FOLD_TESTS}


def score_tables(min_tasks: int = 2, min_models: int = 2) -> st.SearchStrategy[pd.DataFrame]:
    """Tables of accuracies with many ties and some gaps."""
    shapes = st.tuples(st.integers(min_tasks, 8), st.integers(min_models, 5))
    elements = st.integers(-1, 6).map(lambda k: k / 8 if k >= 0 else NAN)
    values = shapes.flatmap(lambda shape: arrays(float, shape, elements=elements))
    return values.map(lambda X: pd.DataFrame(X, columns=[f"model_{j}" for j in range(X.shape[1])]))


@settings(deadline=None, max_examples=40)
@given(score_tables(min_tasks=1, min_models=1), st.sampled_from(sorted(EVERY_TEST)))
def test_every_pvalue_lies_between_0_and_1_and_none_is_lost(scores: pd.DataFrame, name: str) -> None:
    comparison = EVERY_TEST[name](scores)
    assert comparison.pvalue.shape == comparison.statistic.shape == comparison.adjusted_pvalue.shape
    np.testing.assert_array_equal(np.isnan(comparison.pvalue), np.isnan(comparison.statistic))
    np.testing.assert_array_equal(np.isnan(comparison.pvalue), np.isnan(comparison.adjusted_pvalue))
    pvalues, adjusted = (values[~np.isnan(values)] for values in (comparison.pvalue, comparison.adjusted_pvalue))
    assert ((pvalues >= 0) & (pvalues <= adjusted) & (adjusted <= 1)).all()


@settings(deadline=None, max_examples=40)
@given(score_tables(), st.sampled_from(ORDER_TESTS))
def test_monotone_transforms_change_nothing(scores: pd.DataFrame, name: str) -> None:
    # Another one on every task: only the order of the models counts.
    steepness = 1 + np.arange(len(scores))
    transformed = np.exp(scores.mul(steepness, axis="index")).sub(steepness, axis="index")
    pd.testing.assert_frame_equal(rank(transformed), rank(scores))
    pd.testing.assert_series_equal(wins(transformed), wins(scores))
    pd.testing.assert_frame_equal(count_wins(transformed), count_wins(scores))
    # The baseline is named, as the best of equal mean ranks is the one of the higher mean score.
    arguments = {"baseline": "model_0"} if name == "sign" else {}
    before, after = TESTS[name](scores, **arguments), TESTS[name](transformed, **arguments)
    np.testing.assert_array_equal(after.statistic, before.statistic)
    np.testing.assert_array_equal(after.pvalue, before.pvalue)


@settings(deadline=None, max_examples=25)
@given(score_tables(), st.sampled_from(["nemenyi", "pairwise_wilcoxon"]), st.randoms(use_true_random=False))
def test_the_order_of_models_and_tasks_has_no_influence_on_pairs(scores: pd.DataFrame, name: str, random: Random) -> None:
    models, rows = list(scores.columns), list(scores.index)
    random.shuffle(models)
    random.shuffle(rows)
    before, after = TESTS[name](scores), TESTS[name](scores.loc[rows, models])
    matrix = pd.DataFrame(after.adjusted_pvalue, models, models).loc[scores.columns, scores.columns]
    np.testing.assert_allclose(matrix, before.adjusted_pvalue, rtol=1e-9)
    np.testing.assert_array_equal(before.adjusted_pvalue, before.adjusted_pvalue.T)


@given(st.lists(st.integers(0, 1000).map(lambda k: k / 1000), max_size=12))
def test_hochberg_never_rejects_less_than_holm(values: list[float]) -> None:
    raw = np.array(values, dtype=float)
    assert (hochberg(raw) <= holm(raw)).all()


def test_hochberg_steps_up() -> None:
    np.testing.assert_allclose(hochberg(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.04, 0.04, 0.02])
    np.testing.assert_allclose(hochberg(np.array([0.9, NAN, 0.6, 0.5])), [0.9, NAN, 0.9, 0.9])
    assert hochberg(np.array([])).shape == (0,)


def test_ranks_in_unison_have_the_exact_pvalue() -> None:
    scores = pd.DataFrame([[3, 2, 1]] * 4, columns=list("abc"))
    assert iman_davenport(scores).statistic[0] == np.inf
    assert iman_davenport(scores).pvalue[0] == pytest.approx(1 / 6**3)
    assert iman_davenport(pd.DataFrame(np.ones((4, 3)))).pvalue[0] == 1.0
    assert np.isnan(iman_davenport(scores.head(1)).pvalue[0])


def test_a_missing_score_loses_where_the_order_counts() -> None:
    scores = pd.DataFrame({"a": [0.5, 0.6, 0.7, NAN], "b": [NAN, 0.9, NAN, NAN]})
    np.testing.assert_array_equal(compare_scores(scores)[:, 0, 1], [1, -1, 1, 0])
    comparison = sign_test(scores, baseline="a")
    assert comparison.statistic[1] == 2
    assert comparison.pvalue[1] == scipy_stats.binomtest(2, 3).pvalue


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_the_sign_test_is_binomial(higher: int, lower: int, equal: int) -> None:
    scores = pd.DataFrame({"a": [1.0] * higher + [0.0] * lower + [0.5] * equal, "b": [0.5] * (higher + lower + equal)})
    if higher + lower:
        for alternative in ("two-sided", "greater"):
            expected = scipy_stats.binomtest(higher, higher + lower, alternative=alternative).pvalue
            assert sign_test(scores, "a", alternative).pvalue[1] == pytest.approx(expected, rel=1e-9)
    elif equal:
        assert sign_test(scores, "a").pvalue[1] == 1.0


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
@pytest.mark.parametrize("zero_method", ZERO_METHODS)
def test_pairwise_wilcoxon_is_wilcoxon_against_each_model(alternative: str, zero_method: str) -> None:
    pairs = pairwise_wilcoxon(DEMSAR, alternative, "none", zero_method)
    for row, model in enumerate(DEMSAR.columns):
        single = wilcoxon(DEMSAR, model, alternative, "none", zero_method)
        np.testing.assert_array_equal(pairs.statistic[row], single.statistic)
        np.testing.assert_array_equal(pairs.pvalue[row], single.pvalue)


def test_one_sided_pairs_are_corrected_for_both_directions() -> None:
    scores = pd.DataFrame({"a": np.arange(8) + 0.5, "b": np.arange(8.0), "c": np.arange(8) - 1.0})
    two_sided, one_sided = pairwise_wilcoxon(scores), pairwise_wilcoxon(scores, "greater")
    assert two_sided.pvalue[0, 1] == two_sided.pvalue[1, 0] == 2 / 2**8
    assert two_sided.adjusted_pvalue[0, 1] == 3 * 2 / 2**8
    assert (one_sided.pvalue[0, 1], one_sided.pvalue[1, 0]) == (1 / 2**8, 1.0)
    assert one_sided.adjusted_pvalue[0, 1] == 6 / 2**8


def test_folds_are_tested_with_the_corrected_variance() -> None:
    folds = pd.DataFrame({"a": [0.9, 0.8, 0.85, 0.95, 0.7], "b": [0.8, 0.75, 0.85, 0.85, 0.72]})
    difference = folds["a"] - folds["b"]
    t = difference.mean() / np.sqrt((1 / 5 + 1 / 4) * difference.var(ddof=1))
    comparison = resampled_t(folds, "a")
    assert comparison.statistic[1] == pytest.approx(t)
    assert comparison.pvalue[1] == pytest.approx(2 * scipy_stats.t.sf(abs(t), 4))
    # Less than the uncorrected test says.
    assert comparison.pvalue[1] > scipy_stats.ttest_rel(folds["a"], folds["b"]).pvalue
    assert resampled_t(folds, "b", "greater").pvalue[0] == pytest.approx(scipy_stats.t.sf(-t, 4))
    wider = resampled_t(folds, "a", test_share=1 / 3)
    assert wider.pvalue[1] > comparison.pvalue[1]


def test_equal_folds_have_no_rounding_for_a_variance() -> None:
    folds = pd.DataFrame({"a": [0.5, 0.5, 0.5], "b": [0.5, 0.5, 0.5], "c": [0.25, 0.25, 0.25], "d": [NAN, NAN, 0.1]})
    comparison = resampled_t(folds, "a")
    np.testing.assert_array_equal(comparison.statistic, [NAN] * 4)
    np.testing.assert_array_equal(comparison.pvalue, [NAN] * 4)


@pytest.mark.parametrize("name", FOLD_TESTS)
def test_every_fold_test_takes_a_table_alone(name: str) -> None:
    comparison = FOLD_TESTS[name](DEMSAR)
    assert comparison.test == name
    np.testing.assert_allclose(comparison.mean_ranks, mean_ranks(DEMSAR))


def test_bad_options_are_refused_before_anything_is_computed() -> None:
    with pytest.raises(SnnbenchError, match="n_test / n_train and positive, found 0"):
        resampled_t(DEMSAR, test_share=0)
    for test in (sign_test, pairwise_wilcoxon, resampled_t):
        with pytest.raises(UnknownNameError, match="Unknown alternative 'less'"):
            test(DEMSAR, alternative="less")
        with pytest.raises(UnknownNameError, match=r"Unknown correction 'home'\. Did you mean 'holm'"):
            test(DEMSAR, correction="home")
    with pytest.raises(UnknownNameError, match="Unknown zero method"):
        pairwise_wilcoxon(DEMSAR, zero_method="zero")


def test_shaffer_multiplies_by_the_pairs_that_can_still_be_equal() -> None:
    """The factors for four and five models as García and Herrera (2008) derive them; never above Holm's."""
    assert shaffer_factors(3).tolist() == [3, 1, 1]
    assert shaffer_factors(4).tolist() == [6, 3, 3, 3, 2, 1]
    assert shaffer_factors(5).tolist() == [10, 6, 6, 6, 6, 4, 4, 3, 2, 1]
    pvalues = np.array([0.02, 0.001, 0.5, 0.015, 0.04, 0.3])
    np.testing.assert_allclose(shaffer(pvalues, 4), [0.06, 0.006, 0.6, 0.045, 0.12, 0.6])
    assert (shaffer(pvalues, 4) <= holm(pvalues)).all()
    np.testing.assert_array_equal(shaffer(pvalues), holm(pvalues))
    with_gap = np.where(pvalues == 0.5, np.nan, pvalues)
    np.testing.assert_array_equal(shaffer(with_gap, 4), holm(with_gap))


def test_shaffer_is_for_all_pairs_two_sided_and_holm_otherwise() -> None:
    for baseline, alternative in (("c45", "two-sided"), ("best", "greater")):
        tests = [wilcoxon(DEMSAR, baseline, alternative, correction).adjusted_pvalue for correction in ("shaffer", "holm")]
        np.testing.assert_array_equal(*tests)
    tests = [pairwise_wilcoxon(DEMSAR, correction=correction).adjusted_pvalue for correction in ("shaffer", "holm")]
    assert (tests[0] <= tests[1])[~np.eye(4, dtype=bool)].all()
    assert (tests[0] < tests[1]).any()
