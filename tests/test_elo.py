"""Elo ratings as a Bradley-Terry fit."""

import numpy as np
import pandas as pd
import pytest
from textbook import DEMSAR

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.stats import bradley_terry, elo


def test_two_models_have_the_odds_of_their_wins() -> None:
    scores = pd.DataFrame({"a": [1.0] * 10 + [0.0], "b": [0.5] * 11})
    strengths = bradley_terry(np.array([[0.0, 10], [1, 0]]))
    assert 400 / np.log(10) * (strengths[0] - strengths[1]) == pytest.approx(400)
    table = elo(scores)
    assert table.loc["a", "rating"] - table.loc["b", "rating"] == pytest.approx(400 * np.log10(10.5 / 1.5))
    assert table["rating"].mean() == pytest.approx(1000)


def test_ratings_foretell_the_wins() -> None:
    # Agreement of the expected with the counted wins of every model is the likelihood equation.
    wins = np.random.default_rng(0).integers(1, 20, (3, 6, 6)).astype(float)
    strengths = bradley_terry(wins)
    assert strengths.shape == (3, 6)
    expected = 1 / (1 + np.exp(strengths[:, np.newaxis, :] - strengths[:, :, np.newaxis]))
    games = wins + wins.swapaxes(1, 2)
    for table, games_, expected_ in zip(wins, games, expected, strict=True):
        off_diagonal = ~np.eye(6, dtype=bool)
        np.testing.assert_allclose((games_ * expected_ * off_diagonal).sum(1), (table * off_diagonal).sum(1), rtol=1e-9)
    np.testing.assert_allclose(strengths.mean(axis=1), 0, atol=1e-12)


def test_neither_the_order_of_tasks_nor_of_models_matters() -> None:
    ratings = elo(DEMSAR)["rating"]
    shuffled = elo(DEMSAR.iloc[::-1, [2, 0, 3, 1]])["rating"]
    np.testing.assert_allclose(shuffled[ratings.index], ratings, rtol=1e-10)


def test_only_the_order_of_scores_counts() -> None:
    pd.testing.assert_frame_equal(elo(np.exp(3 * DEMSAR)), elo(DEMSAR))


def test_ratings_are_finite_where_a_model_wins_everywhere() -> None:
    scores = pd.DataFrame({"a": [0.9] * 30, "b": [0.5] * 30, "c": [0.1] * 29 + [np.nan]})
    table = elo(scores)
    assert np.isfinite(table).all().all()
    assert table["rating"].is_monotonic_decreasing
    with pytest.raises(SnnbenchError, match=r"use a prior of 0\.5"):
        elo(scores, prior=0)
    with pytest.raises(SnnbenchError, match="must not be negative"):
        elo(scores, prior=-1)


def test_an_anchor_has_its_rating_and_no_interval() -> None:
    table = elo(DEMSAR, anchor="c45", anchor_rating=1500)
    np.testing.assert_allclose(table.loc["c45"], 1500)
    free = elo(DEMSAR)
    np.testing.assert_allclose(table["rating"].diff().dropna(), free["rating"].diff().dropna())
    with pytest.raises(UnknownNameError, match=r"Unknown model 'c46'\. Did you mean 'c45'"):
        elo(DEMSAR, anchor="c46")


def test_intervals_hold_the_rating_and_narrow_with_the_tasks() -> None:
    table = elo(DEMSAR)
    assert (table["low"] < table["rating"]).all()
    assert (table["rating"] < table["high"]).all()
    more = elo(pd.concat([DEMSAR] * 16, ignore_index=True))
    ratio = (table["high"] - table["low"]) / (more["high"] - more["low"])
    assert ratio.between(3.5, 7).all()  # about the root of 16, and two imaginary tasks among fewer
    assert elo(DEMSAR.iloc[:1]).notna().all(axis=None)
    narrow = elo(DEMSAR, confidence=0.5)
    assert (narrow["high"] - narrow["low"] < table["high"] - table["low"]).all()
    with pytest.raises(SnnbenchError, match="at least one task"):
        elo(DEMSAR.iloc[:0])


def test_the_variance_is_that_of_leaving_tasks_out() -> None:
    """The jackknife over so many tasks that the imaginary ones weigh little."""
    generator = np.random.default_rng(0)
    scores = pd.DataFrame(generator.normal(size=(200, 4)) + np.array([0.5, 0.2, 0.0, 0.0]), columns=list("abcd"))
    left_out = np.array([elo(scores.drop(index=task))["rating"] for task in scores.index])
    deviation = np.sqrt(199 / 200 * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    table = elo(scores)
    np.testing.assert_allclose((table["high"] - table["low"]) / 2, 1.97 * deviation, rtol=0.05)


def test_equal_models_have_equal_ratings() -> None:
    np.testing.assert_allclose(elo(pd.DataFrame(np.full((5, 3), 0.5)))["rating"], 1000)
