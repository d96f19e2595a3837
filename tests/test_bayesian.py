"""The Bayesian signed-rank test."""

import numpy as np
import pandas as pd
import pytest
from textbook import DEMSAR

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.results.published import load_published
from snnbench.stats import bayesian_signed_rank, sample_posterior
from snnbench.stats.bayesian import _draw_weights

PROBABILITIES = ["p_higher", "p_equivalent", "p_lower"]


def sample_slowly(differences: np.ndarray, rope: float, weights: np.ndarray) -> np.ndarray:
    """Return the shares of one draw by the definition of Benavoli et al. (2014): a sum over all pairs of tasks."""
    differences = np.concatenate([[0.0], differences])
    shares = np.zeros(3)
    for i, first in enumerate(differences):
        for j, second in enumerate(differences):
            total = round(first + second, 9) - 2 * rope, round(first + second, 9) + 2 * rope
            weight = weights[i] * weights[j] / weights.sum() ** 2
            shares[0] += weight * ((total[0] > 0) + (total[0] == 0) / 2)
            shares[2] += weight * ((total[1] < 0) + (total[1] == 0) / 2)
    shares[1] = 1 - shares[0] - shares[2]
    return shares


@pytest.mark.parametrize("rope", [0.0, 0.125, 0.2])
def test_shares_are_those_of_the_definition(rope: float) -> None:
    # Eighths are exact, so that means fall on the very ends of the region.
    differences = np.array([1, 2, 0, -1, -2, 3, 1, -1]) / 8
    scores = pd.DataFrame({"a": differences, "b": 0.0})
    samples = sample_posterior(scores, "a", "b", rope, n_samples=20, seed=5)
    weights = _draw_weights(8, rope, 0.5, 20, 5).astype(float)
    np.testing.assert_allclose(samples, [sample_slowly(differences, rope, row) for row in weights], atol=1e-5)
    np.testing.assert_allclose(samples.sum(axis=1), 1, rtol=1e-6)


def test_the_weights_are_dirichlet_with_the_prior_first() -> None:
    weights = _draw_weights(3, 0.0, 0.5, 200_000, 0).astype(float)
    weights /= weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(weights.mean(axis=0), np.array([0.5, 1, 1, 1]) / 3.5, atol=2e-3)
    np.testing.assert_allclose(weights[:, 1].var(), (1 / 3.5) * (2.5 / 3.5) / 4.5, rtol=0.02)


def test_both_directions_mirror_each_other() -> None:
    table = bayesian_signed_rank(DEMSAR, n_samples=2_000)
    assert table.shape == (12, 4)
    assert table.index.names == ["model", "other"]
    there, back = table.loc[("c45", "c45_m")], table.loc[("c45_m", "c45")]
    assert there["p_higher"] == back["p_lower"]
    assert there["p_equivalent"] == back["p_equivalent"]
    np.testing.assert_allclose(table[PROBABILITIES].sum(axis="columns"), 1)
    assert (table["n_tasks"] == 14).all()


def test_a_baseline_gives_the_same_rows_alone() -> None:
    table = bayesian_signed_rank(DEMSAR, n_samples=2_000)
    alone = bayesian_signed_rank(DEMSAR[["c45_m", "c45"]], n_samples=2_000, baseline="c45_m")
    assert list(alone.index) == [("c45_m", "c45")]
    # The pair was computed in the other direction there: single precision may move a draw.
    np.testing.assert_allclose(alone.iloc[0], table.loc[("c45_m", "c45")], atol=1e-3)


def test_a_wide_region_makes_everything_equivalent_and_none_makes_nothing() -> None:
    wide = bayesian_signed_rank(DEMSAR, rope=0.5, n_samples=500)
    assert (wide["p_equivalent"] == 1).all()
    none = bayesian_signed_rank(DEMSAR, rope=0, n_samples=500)
    assert (none["p_equivalent"] == 0).all()


def test_models_that_never_differ_are_each_better_with_a_half() -> None:
    scores = pd.DataFrame(np.full((6, 2), 0.5), columns=["a", "b"])
    assert bayesian_signed_rank(scores, rope=0, n_samples=100).loc[("a", "b"), PROBABILITIES].tolist() == [0.5, 0, 0.5]
    assert bayesian_signed_rank(scores, rope=0.01, n_samples=100).loc[("a", "b"), PROBABILITIES].tolist() == [0, 1, 0]


def test_the_ends_of_the_region_are_no_matter_of_rounding() -> None:
    # 0.81 − 0.80 and 0.94 − 0.93 lie on different sides of 0.01 as floating-point numbers.
    scores = pd.DataFrame({"a": [0.81, 0.94], "b": [0.80, 0.93]})
    assert scores["a"][0] - scores["b"][0] > 0.01 > scores["a"][1] - scores["b"][1]
    samples = sample_posterior(scores, "a", "b", rope=0.01, prior=0.0, n_samples=50)
    np.testing.assert_allclose(samples, np.tile([0.5, 0.5, 0], (50, 1)), atol=1e-6)


def test_a_missing_score_leaves_the_task_out_of_its_pairs() -> None:
    gap = DEMSAR.copy()
    gap.loc[3, "c45"] = np.nan
    table = bayesian_signed_rank(gap, n_samples=20_000)
    expected = bayesian_signed_rank(DEMSAR.drop(index=3), n_samples=20_000)
    assert table.loc[("c45", "c45_m"), "n_tasks"] == 13
    assert table.loc[("c45_cf", "c45_m"), "n_tasks"] == 14
    np.testing.assert_allclose(
        table.loc[("c45", "c45_m"), PROBABILITIES], expected.loc[("c45", "c45_m"), PROBABILITIES], atol=0.02
    )
    gap["c45"] = np.nan
    row = bayesian_signed_rank(gap, n_samples=50).loc[("c45", "c45_m")]
    assert row[PROBABILITIES].isna().all()
    assert row["n_tasks"] == 0
    assert np.isnan(sample_posterior(gap, "c45", "c45_m", n_samples=50)).all()


def test_a_single_model_has_no_pairs() -> None:
    assert len(bayesian_signed_rank(DEMSAR[["c45"]], n_samples=10)) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rope": -0.1}, SnnbenchError, "rope=-0.1"),
        ({"prior": -1}, SnnbenchError, "prior=-1"),
        ({"n_samples": 0}, SnnbenchError, "n_samples=0"),
        ({"baseline": "c46"}, UnknownNameError, "Did you mean 'c45'"),
    ],
)
def test_impossible_settings_are_refused(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bayesian_signed_rank(DEMSAR, **arguments)
    with pytest.raises(UnknownNameError, match="Unknown model 'c46'"):
        sample_posterior(DEMSAR, "c45", "c46")


def test_nine_models_on_121_tasks_have_72_ordered_pairs() -> None:
    scores = load_published("snn2017").join(load_published("delgado2014")[["LibSVM_weka", "RRFglobal_caret"]])
    assert scores.shape == (121, 9)
    table = bayesian_signed_rank(scores)
    assert len(table) == 72
