"""The published statistics of the UCI tasks, recomputed from the published accuracies.

Klambauer et al., "Self-Normalizing Neural Networks" (2017): Table A11 gives Table 1; with the accuracies of
Fernández-Delgado et al., JMLR 15 (2014), it gives Tables A12 and A13.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from snnbench.report import rank_models
from snnbench.stats import mean_ranks, wilcoxon

pytestmark = pytest.mark.shared_data

# Recomputed once and written down; the paper prints numbers close to these, see the tests.
RANK_DIFFERENCES = {
    "snn": -0.763,
    "msrainit": -0.233,
    "layernorm": -0.171,
    "highway": 0.000,
    "resnet": 0.242,
    "weightnorm": 0.400,
    "batchnorm": 0.525,
}
PVALUES = {
    "msrainit": 2.76e-2,
    "layernorm": 1.51e-2,
    "highway": 1.86e-3,
    "resnet": 5.32e-4,
    "weightnorm": 8.09e-7,
    "batchnorm": 3.32e-6,
}


@pytest.fixture
def table_a11(shared: Path) -> pd.DataFrame:
    table = pd.read_csv(shared / "paper" / "table_a11_uci_accuracy.csv", index_col="dataset")
    return table.drop(columns=["n_samples", "n_features_plus_1"])


@pytest.fixture
def table_1(shared: Path) -> pd.DataFrame:
    table = pd.read_csv(shared / "paper" / "table_1_uci_rank_differences.csv")
    return table[table["comparison"] == "fnn_121"].set_index("method")


@pytest.fixture
def table_a12_a13(shared: Path) -> pd.DataFrame:
    table = pd.read_csv(shared / "paper" / "table_a12_a13_uci_24_methods.csv")
    return table.assign(model=table["method"].str.lower()).set_index(["subset", "model"])


@pytest.fixture
def scores_24(shared: Path, table_a11: pd.DataFrame, table_a12_a13: pd.DataFrame) -> pd.DataFrame:
    """The (121, 24) accuracies behind Tables A12 and A13."""
    delgado = pd.read_csv(shared / "paper" / "delgado_2014_accuracy_percent_179x121.csv", index_col="dataset") / 100
    both = table_a11.join(delgado.rename(columns=str.lower))
    return both[table_a12_a13.loc["small_75"].index]


@pytest.fixture
def large(shared: Path) -> pd.Series:
    table = pd.read_csv(shared / "paper" / "table_a11_uci_accuracy.csv", index_col="dataset")
    return table["n_samples"] >= 1000


def test_table_1(table_a11: pd.DataFrame, table_1: pd.DataFrame) -> None:
    ranking = rank_models(table_a11, alternative="greater", correction="none")
    differences = ranking.table["rank_difference"]
    assert list(differences.index) == list(table_1.index) == list(RANK_DIFFERENCES)
    assert differences.to_dict() == pytest.approx(RANK_DIFFERENCES, abs=5.1e-4)
    np.testing.assert_allclose(differences, table_1["avg_rank_diff"], atol=0.04)
    pvalues = ranking.table["pvalue"].dropna()
    assert {model: float(f"{pvalue:.2e}") for model, pvalue in pvalues.items()} == PVALUES
    np.testing.assert_allclose(pvalues, table_1["p_value"].dropna(), rtol=0.06)


def test_the_friedman_test_of_table_a11(table_a11: pd.DataFrame) -> None:
    ranking = rank_models(table_a11)
    assert ranking.n_tasks == 120
    assert ranking.left_out == {"trains": "no score of snn, msrainit, highway, resnet"}
    assert ranking.friedman.statistic[0] == pytest.approx(31.48, abs=0.005)
    assert ranking.friedman.pvalue[0] == pytest.approx(2.05e-5, rel=0.005)


def test_two_sided_and_corrected_msrainit_is_no_longer_below_5_percent(table_a11: pd.DataFrame) -> None:
    table = rank_models(table_a11).table
    assert table.loc["msrainit", "pvalue"] == pytest.approx(5.5e-2, rel=0.01)
    assert table.loc["msrainit", "adjusted_pvalue"] == table["adjusted_pvalue"].max() > 0.05


@pytest.mark.parametrize("subset", ["small_75", "large_46"])
def test_the_ranks_of_tables_a12_and_a13(
    subset: str, scores_24: pd.DataFrame, large: pd.Series, table_a12_a13: pd.DataFrame
) -> None:
    scores = scores_24[large == (subset == "large_46")]
    assert len(scores) == int(subset[-2:])
    errors = (mean_ranks(scores) - table_a12_a13.loc[subset, "avg_rank"]).abs()
    assert errors.shape == (24,)
    assert errors.max() < 0.13 + 0.05  # printed with one decimal
    assert errors.mean() < 0.05


def test_the_pvalues_of_table_a13_are_exact_where_they_can_be(
    scores_24: pd.DataFrame, large: pd.Series, table_a12_a13: pd.DataFrame
) -> None:
    comparison = wilcoxon(scores_24[large], baseline="snn", alternative="greater", correction="none")
    pvalues = pd.Series(comparison.pvalue, index=scores_24.columns)
    # Differences with ties: the normal approximation.
    assert pvalues["libsvm_weka"] == pytest.approx(0.584, abs=5e-4)
    assert pvalues["rrfglobal_caret"] == pytest.approx(0.189, abs=5e-4)
    assert pvalues["msrainit"] == pytest.approx(4.3e-3, rel=0.01)
    # Without ties: exact. A model that loses all but the closest of 46 tasks has p = 2 / 2^46; the normal one is 1.9e-9.
    for model, exact in {"pam_caret": 2.84e-14, "naivebayes_weka": 1.56e-12, "nnge_weka": 1.57e-10}.items():
        assert pvalues[model] == pytest.approx(exact, rel=0.01)
        assert pvalues[model] == pytest.approx(table_a12_a13.loc[("large_46", model), "p_value"], rel=0.04)


def test_the_pvalues_of_table_a12(scores_24: pd.DataFrame, large: pd.Series, table_a12_a13: pd.DataFrame) -> None:
    comparison = wilcoxon(scores_24[~large], baseline="libsvm_weka", alternative="greater", correction="none")
    pvalues = pd.Series(comparison.pvalue, index=scores_24.columns).dropna()
    assert len(pvalues) == 23
    published = table_a12_a13.loc["small_75", "p_value"].dropna()
    np.testing.assert_allclose(pvalues[published.index], published, rtol=0.08)
