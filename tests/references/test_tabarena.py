"""Leaderboard numbers against bencheval 0.1.0, the package behind TabArena, on Table 6 of Demšar (2006) as errors, 1 - AUC."""

import numpy as np
import pandas as pd
import pytest
from textbook import DEMSAR

from snnbench.stats import elo, mean_ranks, summarise_scores, win_rates

# ``BenchmarkEvaluator(columns_to_agg_extra=None).leaderboard(errors, include_rescaled_loss=True,
# elo_kwargs={"BOOTSTRAP_ROUNDS": 1, "round_decimals": None})``.
LEADERBOARD = pd.DataFrame(
    {
        "elo": [874.692372984, 1096.505808913, 925.118673750, 1103.683144354],
        "rank": [3.142857143, 2.0, 2.892857143, 1.964285714],
        "winrate": [0.285714286, 0.666666667, 0.369047619, 0.678571429],
        "improvability": [0.193943478, 0.055633460, 0.140902586, 0.061468379],
        "loss_rescaled": [0.682753553, 0.246032753, 0.568255423, 0.188798065],
    },
    index=["c45", "c45_m", "c45_cf", "c45_m_cf"],
)

# ``BenchmarkEvaluator(columns_to_agg_extra=None, seed_column="seed").compute_elo(...)``: every other task has a second split,
# on which each model has the score that the one before it has on the first.
ELO_BY_SPLIT = {"c45_m_cf": 1073.70727657, "c45_m": 1009.381705018, "c45": 977.710011891, "c45_cf": 939.201006521}


def test_improvability_rescaled_loss_ranks_and_win_rates_are_tabarenas() -> None:
    table = summarise_scores(DEMSAR)
    np.testing.assert_allclose(table["improvability"], LEADERBOARD["improvability"], atol=1e-9)
    np.testing.assert_allclose(table["rescaled_loss"], LEADERBOARD["loss_rescaled"], atol=1e-9)
    np.testing.assert_allclose(mean_ranks(DEMSAR), LEADERBOARD["rank"], atol=1e-9)
    np.testing.assert_allclose(win_rates(DEMSAR).mean(axis="columns"), LEADERBOARD["winrate"], atol=1e-9)


@pytest.mark.parametrize("unit", [1, 100])
def test_averages_know_shares_and_percent(unit: int) -> None:
    table = summarise_scores(unit * DEMSAR)
    np.testing.assert_allclose(table["improvability"], LEADERBOARD["improvability"], atol=1e-9)
    np.testing.assert_allclose(table["rescaled_loss"], LEADERBOARD["loss_rescaled"], atol=1e-9)
    losses = summarise_scores(unit * (DEMSAR - 1))
    np.testing.assert_allclose(losses["improvability"], LEADERBOARD["improvability"], atol=1e-9)


def test_scores_of_no_known_scale_have_no_improvability() -> None:
    table = summarise_scores(DEMSAR - 0.8)
    assert table["improvability"].isna().all()
    np.testing.assert_allclose(table["rescaled_loss"], LEADERBOARD["loss_rescaled"], atol=1e-9)


def test_elo_is_tabarenas() -> None:
    # Without wins in advance; theirs is a logistic regression with a penalty that is next to nothing.
    np.testing.assert_allclose(elo(DEMSAR, prior=0)["rating"], LEADERBOARD["elo"], atol=0.01)


def test_elo_by_split_is_tabarenas() -> None:
    second = pd.DataFrame(np.roll(DEMSAR.to_numpy(), 1, axis=1), DEMSAR.index, DEMSAR.columns).iloc[::2]
    splits = pd.concat({0: DEMSAR, 1: second}, names=["split", "task"]).swaplevel()
    scores = splits.groupby("task").mean()
    ratings = elo(scores, prior=0, splits=splits)
    assert ratings["rating"].to_dict() == pytest.approx(ELO_BY_SPLIT, abs=0.01)
    assert (ratings["low"] < ratings["rating"]).all()
    # One split a task is the task itself.
    alone = elo(DEMSAR, splits=pd.concat({0: DEMSAR}, names=["split", "task"]).swaplevel())
    pd.testing.assert_frame_equal(alone, elo(DEMSAR))
