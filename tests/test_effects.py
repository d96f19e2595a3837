"""Effect sizes, bootstrap intervals, averages, and missing scores."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from textbook import DEMSAR

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.stats import (
    MISSING,
    compare_pairs,
    count_wins,
    effects,
    mean_ranks,
    pairwise_wilcoxon,
    rank_biserial,
    rank_intervals,
    resolve_missing,
    summarise_scores,
    wilcoxon,
    win_rates,
)
from snnbench.stats.bootstrap import interval

NAN = float("nan")


def test_effects_are_those_of_the_baseline() -> None:
    table = effects(DEMSAR, "c45_m")
    differences = DEMSAR["c45_m"] - DEMSAR["c45"]
    row = table.loc["c45"]
    assert row["median_difference"] == pytest.approx(differences.median(), rel=1e-9)
    assert row["low"] <= row["median_difference"] <= row["high"]
    assert (row["wins"], row["ties"], row["losses"]) == (10, 2, 2)
    assert row["win_rate"] == 11 / 14
    # R+ = 69.5 and R− = 8.5 of the 12 differences that are not 0, up to ties.
    ranks = scipy_stats.rankdata(differences[differences != 0].abs())
    positive = ranks[differences[differences != 0] > 0].sum()
    assert row["rank_biserial"] == pytest.approx((2 * positive - 78) / 78)
    assert row["rank_biserial"] == pytest.approx(2 * wilcoxon(DEMSAR, "c45_m", "greater").statistic[0] / 78 - 1)
    assert table.loc["c45_m"].isna().all()
    assert list(table.columns) == ["median_difference", "low", "high", "rank_biserial", "wins", "ties", "losses", "win_rate"]


def test_the_interval_of_the_median_is_scipys() -> None:
    differences = (DEMSAR["c45_m"] - DEMSAR["c45"]).to_numpy()
    expected = scipy_stats.bootstrap((differences,), np.median, method="percentile", rng=np.random.default_rng(1))
    row = effects(DEMSAR, "c45_m").loc["c45"]
    low, high = expected.confidence_interval
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=5e-4)
    narrower = effects(DEMSAR, "c45_m", confidence=0.5).loc["c45"]
    assert row["low"] < narrower["low"] <= narrower["high"] < row["high"]


def test_effects_do_not_depend_on_the_other_models_and_follow_the_seed() -> None:
    both = effects(DEMSAR, "c45_m", n_resamples=500)
    alone = effects(DEMSAR[["c45_m", "c45"]], "c45_m", n_resamples=500)
    pd.testing.assert_series_equal(both.loc["c45"], alone.loc["c45"])
    other_seed = effects(DEMSAR, "c45_m", n_resamples=500, seed=1)
    assert not other_seed["low"].equals(both["low"])


def test_missing_scores_have_no_size_and_lose() -> None:
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7], "b": [0.5, NAN, 0.8], "c": [NAN] * 3})
    table = effects(scores, "a", n_resamples=10)
    assert table.loc["b", "median_difference"] == pytest.approx(0.15)
    assert table.loc["b", ["wins", "ties", "losses"]].tolist() == [2, 0, 1]
    assert table.loc["c", ["median_difference", "low", "high", "rank_biserial"]].isna().all()
    assert table.loc["c", "wins"] == 3
    assert win_rates(scores).loc["b", "c"] == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [([1, 2, 3], 1.0), ([-1.0, -2], -1.0), ([1, -1, 0], 0.0), ([0, 0], 0.0), ([3, -1, 2, 0], (5 - 1) / 6)],
)
def test_rank_biserial_is_the_simple_difference(differences: list[float], expected: float) -> None:
    assert rank_biserial(np.array(differences, dtype=float)) == pytest.approx(expected)
    assert np.isnan(rank_biserial(np.array([])))


def test_win_rates_and_counts_mirror_each_other() -> None:
    wins, rates = count_wins(DEMSAR), win_rates(DEMSAR)
    assert wins.loc["c45_m", "c45"] == 10
    assert wins.loc["c45", "c45_m"] == 2
    off_diagonal = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose((rates + rates.T).to_numpy()[off_diagonal], 1.0)
    # A model's mean rank is what it loses to the others.
    np.testing.assert_allclose(1 + (1 - rates).sum(axis="columns"), mean_ranks(DEMSAR))
    assert win_rates(DEMSAR.head(0)).isna().all().all()


def test_mean_ranks_have_the_interval_of_a_mean() -> None:
    generator = np.random.default_rng(0)
    scores = pd.DataFrame(generator.normal([0.5, 0.2, 0], 1, (400, 3)), columns=list("abc"))
    table = rank_intervals(scores)
    ranks = scores.rank(axis="columns", ascending=False)
    np.testing.assert_allclose(table["mean_rank"], ranks.mean())
    half_width = 1.96 * ranks.std() / np.sqrt(400)
    np.testing.assert_allclose(table["high"] - table["mean_rank"], half_width, rtol=0.05)
    np.testing.assert_allclose(table["mean_rank"] - table["low"], half_width, rtol=0.05)


@pytest.mark.parametrize("n_tasks", [1, 2, 5])
def test_no_interval_of_a_mean_rank_is_a_point(n_tasks: int) -> None:
    table = rank_intervals(pd.DataFrame([[3, 2, 1]] * n_tasks, columns=list("abc")))
    assert (table["low"] <= table["mean_rank"]).all()
    assert (table["high"] >= table["mean_rank"]).all()
    assert (table["high"] - table["low"] > 0.5).all()
    assert (table["low"].min(), table["high"].max()) == (1, 3)


def test_intervals_refuse_what_makes_no_sense() -> None:
    with pytest.raises(SnnbenchError, match="confidence must lie between 0 and 1, found 95"):
        interval(np.ones((10, 2)), 95)
    with pytest.raises(SnnbenchError, match="at least one task, found none"):
        rank_intervals(DEMSAR.head(0))
    with pytest.raises(SnnbenchError, match="confidence must lie between 0 and 1, found 95"):
        rank_intervals(DEMSAR, 95)
    with pytest.raises(SnnbenchError, match="found 14 and 0"):
        effects(DEMSAR, n_resamples=0)


def test_averages_of_scores() -> None:
    scores = pd.DataFrame({"a": [0.9, 0.5, 0.3], "b": [0.8, 0.7, NAN], "c": [NAN] * 3})
    table = summarise_scores(scores)
    np.testing.assert_allclose(table["mean_score"], [1.7 / 3, 0.75, NAN])
    np.testing.assert_allclose(table["median_score"], [0.5, 0.75, NAN])
    np.testing.assert_allclose(table["mean_shifted_score"], [-0.2 / 3, -0.05, NAN], atol=1e-12)
    assert table["n_scores"].tolist() == [3, 2, 0]


GAPS = pd.DataFrame(
    {"a": [0.9, 0.8, NAN, 0.7], "b": [0.5, NAN, NAN, 0.6], "c": [0.1, 0.2, NAN, 0.3], "d": [NAN] * 4},
    index=["t1", "t2", "t3", "t4"],
)


@pytest.mark.parametrize(
    ("missing", "tasks", "models", "left_out_tasks", "left_out_models"),
    [
        ("worst", ["t1", "t2", "t4"], ["a", "b", "c"], {}, {}),
        ("drop-task", ["t1", "t4"], ["a", "b", "c"], {"t2": "no score of b"}, {}),
        ("drop-model", ["t1", "t2", "t4"], ["a", "c"], {}, {"b": "no score on t2"}),
    ],
)
def test_missing_scores_are_resolved_and_accounted_for(
    missing: str, tasks: list, models: list, left_out_tasks: dict, left_out_models: dict
) -> None:
    before = GAPS.copy()
    scores, no_tasks, no_models = resolve_missing(GAPS, missing)
    assert (list(scores.index), list(scores.columns)) == (tasks, models)
    assert no_tasks == {"t3": "no score of any model"} | left_out_tasks
    assert no_models == {"d": "no score on any task"} | left_out_models
    pd.testing.assert_frame_equal(scores, GAPS.loc[tasks, models])
    pd.testing.assert_frame_equal(GAPS, before)


def test_an_unknown_handling_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Unknown handling of missing scores 'best'"):
        resolve_missing(GAPS, "best")


@given(st.sampled_from(sorted(MISSING)), st.integers(0, 2**12 - 1))
def test_nothing_is_lost_without_a_reason(missing: str, pattern: int) -> None:
    gaps = np.array([bool(pattern >> bit & 1) for bit in range(12)]).reshape(4, 3)
    table = pd.DataFrame(np.where(gaps, NAN, 0.5), index=list("tuvw"), columns=list("abc"))
    scores, tasks, models = resolve_missing(table, missing)
    assert sorted([*scores.index, *tasks]) == list("tuvw")
    assert sorted([*scores.columns, *models]) == list("abc")
    if missing != "worst":
        assert not scores.isna().any().any()


def test_pairs_are_those_of_the_multi_comparison_matrix() -> None:
    """Four tasks by hand; the p-values are those of the pairwise tests, the other direction has the signs reversed."""
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.6], "b": [0.8, 0.8, 0.9, np.nan], "c": [0.1, 0.2, 0.3, 0.4]})
    pairs = compare_pairs(scores)
    assert len(pairs) == 6
    first, back = pairs.loc[("a", "b")], pairs.loc[("b", "a")]
    assert first["mean_difference"] == pytest.approx((0.1 + 0 - 0.2) / 3)
    assert first[["won", "tied", "lost", "n_tasks"]].tolist() == [2, 1, 1, 3]
    assert back[["won", "tied", "lost"]].tolist() == [1, 1, 2]
    assert back["mean_difference"] == -first["mean_difference"]
    assert first["rank_biserial"] == pytest.approx((1 - 2) / 3) == -back["rank_biserial"]
    tests = pairwise_wilcoxon(scores)
    assert pairs.at[("a", "c"), "adjusted_pvalue"] == tests.adjusted_pvalue[0, 2]
    assert compare_pairs(scores[["a"]]).empty


def test_imputed_scores_are_the_mean_of_the_others_on_the_task() -> None:
    scores, tasks, models = resolve_missing(pd.DataFrame({"a": [0.9, NAN], "b": [0.5, 0.4], "c": [NAN, 0.8]}), "impute")
    assert scores.to_dict("list") == {"a": [0.9, 0.6], "b": [0.5, 0.4], "c": [0.7, 0.8]}
    assert (tasks, models) == ({}, {})
