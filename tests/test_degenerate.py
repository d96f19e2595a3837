"""Samples that no test can use: too few, constant, all ties, infinite. No number may pretend otherwise, and words say so."""

import warnings

import numpy as np
import pandas as pd
import pytest

from snnbench import stats
from snnbench.report import ComparisonOptions, rank_models
from snnbench.report.by_split import describe_untested
from snnbench.report.summary import conclude, describe_comparison

NAN, INF = float("nan"), float("inf")
EVERY_TEST = {**stats.TESTS, **stats.FOLD_TESTS}
OF_A_BASELINE = ("sign", "wilcoxon", "resampled_t")
SAMPLES = {
    "one": pd.DataFrame({"a": [0.9], "b": [0.8], "c": [0.7]}),
    "two": pd.DataFrame({"a": [0.9, 0.8], "b": [0.8, 0.7], "c": [0.7, 0.9]}),
    "equal differences": pd.DataFrame({"a": [0.9, 0.84, 0.75], "b": [0.85, 0.79, 0.70], "c": [0.8, 0.74, 0.65]}),
    "ties": pd.DataFrame({"a": [0.5] * 4, "b": [0.5] * 4, "c": [0.5] * 4}),
    "infinite": pd.DataFrame({"a": [0.5, INF, -INF, -INF], "b": [-INF, -INF, -INF, 0.5], "c": [0.5, 0.4, 0.3, INF]}),
    "gaps": pd.DataFrame({"a": [0.5, 0.6, NAN, NAN], "b": [NAN, NAN, 0.5, 0.6], "c": [0.1, NAN, 0.1, NAN]}),
}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("name", EVERY_TEST)
def test_no_test_claims_what_signs_or_orders_at_random_would_give(name: str, sample: str) -> None:
    """With n tasks and k models no exact p is below k!^(1−n), for a test of one pair below 2^(1−n); a t-test needs variance."""
    scores = SAMPLES[sample]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pvalues = EVERY_TEST[name](scores, **({"baseline": "a"} if name in OF_A_BASELINE else {})).pvalue
    pvalues = pvalues[~np.isnan(pvalues)]
    if name == "resampled_t":
        assert len(pvalues) == 0
    elif name not in ("friedman", "iman_davenport", "nemenyi"):
        assert (pvalues >= 2.0 ** (1 - len(scores))).all()
    assert (pvalues > 1e-3).all()


@pytest.mark.parametrize("sample", SAMPLES)
def test_effects_ratings_and_probabilities_have_no_warnings(sample: str) -> None:
    scores = SAMPLES[sample]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stats.effects(scores, "a", n_resamples=50)
        probabilities = stats.bayesian_signed_rank(scores, n_samples=200)
        assert np.isfinite(stats.elo(scores)["rating"]).all()
    tested = probabilities[probabilities["n_tasks"] > 0]
    np.testing.assert_allclose(tested[["p_higher", "p_equivalent", "p_lower"]].sum(axis="columns"), 1)


def test_equal_differences_are_no_evidence_however_many() -> None:
    # In floating point the variance of these is 1e-33 and not 0.
    folds = pd.DataFrame({"a": [0.84, 0.75, 0.9, 0.61], "b": [0.79, 0.70, 0.85, 0.56], "c": [0.84, 0.75, 0.9, 0.61]})
    assert np.var(folds["a"] - folds["b"], ddof=1) > 0
    assert np.isnan(stats.resampled_t(folds, "a").pvalue).all()
    assert stats.wilcoxon(folds, "a").pvalue[1] == 0.125


@pytest.mark.parametrize(
    ("differences", "reason"),
    [
        ([0.1, 0.2], "fewer than 3 splits"),
        ([0.1] * 9, "the same difference on every split"),
        ([0.1, INF, 0.2], "an infinite difference"),
        ([0.1, 0.2, 0.3], ""),
    ],
)
def test_the_reason_is_said(differences: list[float], reason: str) -> None:
    assert stats.why_untestable(np.array(differences)).startswith(reason)
    assert bool(stats.why_untestable(np.array(differences))) == bool(reason)


def test_a_comparison_by_split_says_which_models_no_test_can_compare() -> None:
    folds = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.9], "b": [0.8, 0.7, 0.6, 0.8], "c": [0.9, 0.8, 0.7, 0.9]})
    assert " ".join(describe_untested(folds, "a", "corrected-t")) == (
        "No test is possible of a against b (the same difference on every split, so no variance to measure it by); "
        "c (the same score on every split)."
    )
    assert " ".join(describe_untested(folds, "a", "wilcoxon")) == (
        "No test is possible of a against c (the same score on every split). "
        "On 4 splits no difference can reach p < 0.12 two-sided, whatever the scores."
    )


def test_pairs_without_a_common_task_and_pairs_that_always_tie_are_named() -> None:
    generator = np.random.default_rng(0)
    scores = pd.DataFrame({"a": generator.random(24)})
    scores["b"], scores["c"], scores["d"] = scores["a"] - 0.1, scores["a"], scores["a"]
    scores.loc[:11, "d"] = NAN
    scores["e"] = scores["a"].where(scores.index < 12)
    comparison = rank_models(scores, options=ComparisonOptions(baseline="a"))
    assert "a and c score the same on every task" in conclude(comparison)
    only = rank_models(scores[["a", "b", "d", "e"]], options=ComparisonOptions(baseline="e"))
    assert "no test is possible against d, without a task in common" in conclude(only)
    assert "from d" not in conclude(only)


def test_all_ties_and_unison_are_said_instead_of_a_statistic() -> None:
    tied = rank_models(pd.DataFrame({"a": [0.5] * 8, "b": [0.5] * 8}))
    assert describe_comparison(tied)[-1] == "Friedman test: no test possible, all models tie on every task."
    unison = describe_comparison(rank_models(pd.DataFrame([[3, 2, 1]] * 4, columns=list("abc"))))[-1]
    assert unison.endswith("Iman-Davenport: all tasks rank the models alike, p = 0.0046.")
