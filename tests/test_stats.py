"""The statistics against textbook examples, SciPy, and properties that any ranking has."""

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
from snnbench.records import Alternative
from snnbench.stats import (
    CORRECTIONS,
    TESTS,
    ZERO_METHODS,
    choose_baseline,
    describe_wilcoxon,
    friedman,
    holm,
    mean_ranks,
    order_models,
    rank,
    wilcoxon,
    wins,
)

NAN = float("nan")


def score_tables(min_tasks: int = 1, min_models: int = 1) -> st.SearchStrategy[pd.DataFrame]:
    """Tables of accuracies with many ties."""
    shapes = st.tuples(st.integers(min_tasks, 8), st.integers(min_models, 5))
    values = shapes.flatmap(lambda shape: arrays(float, shape, elements=st.integers(0, 6).map(lambda k: k / 8)))
    return values.map(lambda X: pd.DataFrame(X, columns=[f"model_{j}" for j in range(X.shape[1])]))


def test_rank_shares_ties_and_puts_missing_last() -> None:
    scores = pd.DataFrame([[0.9, 0.8, 0.9, 0.1], [0.5, NAN, 0.7, NAN]], index=["t1", "t2"], columns=list("abcd"))
    expected = pd.DataFrame([[1.5, 3, 1.5, 4], [2, 3.5, 1, 3.5]], index=["t1", "t2"], columns=list("abcd"))
    pd.testing.assert_frame_equal(rank(scores), expected)


def test_mean_ranks_are_demsars() -> None:
    assert mean_ranks(DEMSAR).round(3).to_dict() == {"c45": 3.143, "c45_m": 2.0, "c45_cf": 2.893, "c45_m_cf": 1.964}


def test_wins_share_a_first_place() -> None:
    scores = pd.DataFrame([[0.9, 0.9, 0.1], [0.5, 0.4, NAN], [NAN, NAN, NAN]], columns=list("abc"))
    assert wins(scores).to_dict() == {"a": 1.5, "b": 0.5, "c": 0.0}


def test_order_of_equal_ranks_is_by_mean_score_then_name() -> None:
    scores = pd.DataFrame([[0.9, 0.5, 0.5, 0.5], [0.4, 0.5, 0.5, 0.6]], columns=["d", "c", "b", "a"])
    assert mean_ranks(scores).to_dict() == {"d": 2.5, "c": 2.75, "b": 2.75, "a": 2.0}
    assert order_models(scores) == ["a", "d", "b", "c"]


def test_friedman_is_demsars_with_the_ties_corrected() -> None:
    comparison = friedman(DEMSAR)
    expected = scipy_stats.friedmanchisquare(*DEMSAR.to_numpy().T)
    assert comparison.statistic == pytest.approx([expected.statistic], rel=1e-12)
    assert comparison.pvalue == pytest.approx([expected.pvalue], rel=1e-12)
    # He prints 9.28, which is without the correction for ties.
    ties = sum((t**3 - t).sum() for t in (row.value_counts() for _, row in DEMSAR.iterrows()))
    assert comparison.statistic[0] * (1 - ties / (14 * 60)) == pytest.approx(9.28, abs=0.005)
    assert comparison.adjusted_pvalue == comparison.pvalue
    assert (comparison.test, comparison.n_tasks, comparison.alternative) == ("friedman", 14, "two-sided")


def test_friedman_of_two_models_is_the_sign_test() -> None:
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.6, 0.5], "b": [0.8, 0.7, 0.6, 0.7, 0.5]})
    comparison = friedman(scores)
    assert comparison.statistic[0] == pytest.approx((3 - 1) ** 2 / 4)
    assert comparison.pvalue[0] == pytest.approx(scipy_stats.chi2.sf(1.0, 1))


@pytest.mark.parametrize(("n_tasks", "n_models"), [(0, 3), (1, 3), (5, 1)])
def test_friedman_is_nan_where_there_is_nothing_to_test(n_tasks: int, n_models: int) -> None:
    comparison = friedman(pd.DataFrame(np.zeros((n_tasks, n_models))))
    assert np.isnan([comparison.statistic[0], comparison.pvalue[0]]).all()
    assert comparison.mean_ranks.shape == (n_models,)


def test_models_that_always_tie_do_not_differ() -> None:
    scores = pd.DataFrame(np.full((4, 3), 0.5), columns=list("abc"))
    assert (friedman(scores).statistic[0], friedman(scores).pvalue[0]) == (0.0, 1.0)
    for zero_method in ZERO_METHODS:
        comparison = wilcoxon(scores, zero_method=zero_method)
        np.testing.assert_array_equal(comparison.statistic, [NAN, 0, 0])
        np.testing.assert_array_equal(comparison.adjusted_pvalue, [NAN, 1, 1])


def test_wilcoxon_has_demsars_statistic() -> None:
    # Demšar (2006), section 3.1.3: T = min(R+, R-) = 12 with the two zero differences split; at most 21 for p < 0.05.
    comparison = wilcoxon(DEMSAR[["c45", "c45_m"]], baseline="c45_m", zero_method="zsplit")
    assert comparison.statistic[0] == 12.0
    assert comparison.pvalue[0] < 0.05
    assert np.isnan(comparison.pvalue[1])


def test_few_tasks_have_the_exact_pvalue() -> None:
    scores = pd.DataFrame({"a": [0.61, 0.72, 0.83, 0.94, 0.95, 0.5], "b": [0.6, 0.7, 0.8, 0.9, 0.9, 0.5]})
    assert wilcoxon(scores, alternative="greater").pvalue[1] == pytest.approx(1 / 2**5)
    assert wilcoxon(scores).pvalue[1] == pytest.approx(2 / 2**5)
    assert wilcoxon(scores, baseline="b", alternative="greater").pvalue[0] == 1.0


def test_few_tasks_with_ties_have_the_exact_pvalue() -> None:
    # Halves are exact in binary: |differences| 0.5, 0.5, 0.5, 1, 1 have ranks 2, 2, 2, 4.5, 4.5, and of the 32 signs only the
    # observed ones and the three that swap one of the equal ranks reach R+ = 13.
    scores = pd.DataFrame({"a": [0.5, 0.5, -0.5, 1, 1], "b": [0.0] * 5})
    comparison = wilcoxon(scores, alternative="greater")
    assert comparison.statistic[1] == 13.0
    assert comparison.pvalue[1] == pytest.approx(4 / 32)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-4, 4).filter(bool), min_size=2, max_size=9), st.sampled_from(["two-sided", "greater"]))
def test_few_tasks_equal_scipy(differences: list[int], alternative: Alternative) -> None:
    scores = pd.DataFrame({"a": np.array(differences) / 8, "b": 0.0})
    comparison = wilcoxon(scores, baseline="a", alternative=alternative)
    permute = scipy_stats.PermutationMethod()
    expected = scipy_stats.wilcoxon(scores["a"], alternative=alternative, correction=False, method=permute)
    assert (comparison.statistic[1], comparison.pvalue[1]) == pytest.approx((expected.statistic, expected.pvalue))


def test_many_tasks_have_the_normal_approximation() -> None:
    generator = np.random.default_rng(0)
    scores = pd.DataFrame({"a": generator.normal(0.2, 1, 60), "b": generator.normal(0, 1, 60)})
    differences = (scores["a"] - scores["b"]).to_numpy()
    ranks = scipy_stats.rankdata(np.abs(differences))
    z = (ranks[differences > 0].sum() - ranks.sum() / 2) / np.sqrt((ranks**2).sum() / 4)
    comparison = wilcoxon(scores, baseline="a", alternative="greater", correction="none")
    assert comparison.pvalue[1] == pytest.approx(scipy_stats.norm.sf(z), rel=1e-9)


def test_a_missing_score_leaves_the_task_out_of_its_pairs() -> None:
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.6], "b": [0.5, NAN, 0.4, 0.1], "c": [0.1, 0.2, 0.3, 0.4], "d": [NAN] * 4})
    comparison = wilcoxon(scores, alternative="greater", correction="none")
    np.testing.assert_allclose(comparison.pvalue, [NAN, 1 / 8, 1 / 16, NAN])
    named = wilcoxon(scores, baseline="a", alternative="greater")
    np.testing.assert_allclose(named.adjusted_pvalue, [NAN, 1 / 8, 1 / 8, NAN])
    # The best is one of three models with scores, so six directed comparisons were there to be made.
    np.testing.assert_allclose(wilcoxon(scores, alternative="greater").adjusted_pvalue, [NAN, 5 / 8, 6 / 16, NAN])


def test_holm_steps_down() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.9, NAN, 0.6, 0.5])), [1, NAN, 1, 1])
    np.testing.assert_allclose(holm(np.array([0.02, NAN, 0.02])), [0.04, NAN, 0.04])
    assert holm(np.array([])).shape == (0,)


def test_best_is_the_lowest_mean_rank() -> None:
    assert choose_baseline(DEMSAR) == "c45_m_cf"
    assert np.isnan(wilcoxon(DEMSAR).pvalue).tolist() == [False, False, False, True]
    with pytest.raises(SnnbenchError, match="at least one model"):
        choose_baseline(pd.DataFrame())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": "c45_n"}, "Unknown model 'c45_n'. Did you mean 'c45_m'"),
        ({"alternative": "less"}, "Unknown alternative 'less'. Known: greater, two-sided"),
        ({"correction": "bonferroni"}, "Unknown correction 'bonferroni'. Known: hochberg, holm, none"),
        ({"zero_method": "prat"}, "Unknown zero method 'prat'. Did you mean 'pratt'"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        wilcoxon(DEMSAR, **arguments)


def test_the_description_says_what_was_done() -> None:
    text = describe_wilcoxon("snn", "greater", "none", "wilcox")
    for words in ("snn", "one-sided (snn scores higher)", "zero differences dropped", "not corrected"):
        assert words in text
    assert "Holm" in describe_wilcoxon("snn", "two-sided", "holm", "pratt")
    assert "Hochberg" in describe_wilcoxon("snn", "two-sided", "hochberg", "pratt")


@pytest.mark.parametrize("name", TESTS)
def test_every_test_takes_a_score_table_alone(name: str) -> None:
    comparison = TESTS[name](DEMSAR)
    assert comparison.models == tuple(DEMSAR.columns)
    assert comparison.test == name
    assert comparison.n_tasks == 14
    np.testing.assert_allclose(comparison.mean_ranks, mean_ranks(DEMSAR))


@given(score_tables())
def test_ranks_and_wins_add_up(scores: pd.DataFrame) -> None:
    n_tasks, n_models = scores.shape
    np.testing.assert_allclose(rank(scores).sum(axis="columns"), n_models * (n_models + 1) / 2)
    assert wins(scores).sum() == pytest.approx(n_tasks)


@settings(deadline=None, max_examples=25)
@given(score_tables(min_tasks=2, min_models=2), st.randoms(use_true_random=False))
def test_the_order_of_models_and_tasks_has_no_influence(scores: pd.DataFrame, random: Random) -> None:
    models, rows = list(scores.columns), list(scores.index)
    random.shuffle(models)
    random.shuffle(rows)
    shuffled = scores.loc[rows, models]
    assert order_models(shuffled) == order_models(scores)
    np.testing.assert_allclose(friedman(shuffled).statistic, friedman(scores).statistic, atol=1e-12)
    before = pd.Series(wilcoxon(scores).pvalue, index=scores.columns)
    after = pd.Series(wilcoxon(shuffled).pvalue, index=models)
    np.testing.assert_allclose(after[scores.columns], before)


@given(score_tables(min_tasks=2, min_models=3))
def test_friedman_equals_scipy(scores: pd.DataFrame) -> None:
    if (scores.nunique(axis="columns") > 1).any():
        expected = scipy_stats.friedmanchisquare(*scores.to_numpy().T)
        np.testing.assert_allclose(friedman(scores).statistic[0], expected.statistic, atol=1e-9)


@given(
    st.lists(st.one_of(st.integers(0, 1000).map(lambda k: k / 1000), st.just(NAN)), max_size=12),
    st.sampled_from(sorted(CORRECTIONS)),
)
def test_adjusted_pvalues_are_never_smaller_and_keep_their_order(values: list[float], name: str) -> None:
    raw = np.array(values, dtype=float)
    adjusted = CORRECTIONS[name](raw)
    np.testing.assert_array_equal(np.isnan(adjusted), np.isnan(raw))
    raw, adjusted = raw[~np.isnan(raw)], adjusted[~np.isnan(adjusted)]
    assert (adjusted >= raw).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()
