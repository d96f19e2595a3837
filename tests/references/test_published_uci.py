"""The published statistics of the UCI tasks, recomputed from the published accuracies.

Klambauer et al., "Self-Normalizing Neural Networks" (2017): Table A11 gives Table 1; with the accuracies of
Fernández-Delgado et al., JMLR 15 (2014), it gives Tables A12 and A13.
"""

import json

import numpy as np
import pandas as pd
import pytest

from snnbench import benchmark
from snnbench.errors import DataError, UnknownNameError
from snnbench.report import CONVENTIONS, ComparisonOptions, rank_models
from snnbench.report.document import render_json
from snnbench.report.printed import find_printed
from snnbench.report.tables import render_text
from snnbench.results.published import load_published, load_reference
from snnbench.stats import elo, iman_davenport, mean_ranks, pairwise_wilcoxon, resolve_missing, wilcoxon
from snnbench.suites import uci

# Recomputed once and written down; the paper prints numbers close to these, see the tests. The p-values are those of SciPy on
# the differences of accuracies times 10,000, which are whole numbers.
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
    "msrainit": 2.77e-2,
    "layernorm": 1.51e-2,
    "highway": 1.86e-3,
    "resnet": 5.38e-4,
    "weightnorm": 8.09e-7,
    "batchnorm": 3.32e-6,
}


@pytest.fixture
def table_a11() -> pd.DataFrame:
    return load_published("snn2017")


@pytest.fixture
def table_1() -> pd.DataFrame:
    table = load_reference("table_1")
    return table[table["comparison"] == "fnn_121"].set_index("method")


@pytest.fixture
def table_a12_a13() -> pd.DataFrame:
    table = load_reference("table_a12_a13")
    return table.assign(model=table["method"].str.lower()).set_index(["subset", "model"])


@pytest.fixture
def scores_24(table_a11: pd.DataFrame, table_a12_a13: pd.DataFrame) -> pd.DataFrame:
    """The (121, 24) accuracies behind Tables A12 and A13."""
    both = table_a11.join(load_published("delgado2014").rename(columns=str.lower))
    return both[table_a12_a13.loc["small_75"].index]


@pytest.fixture
def large(table_a11: pd.DataFrame) -> pd.Series:
    return uci.catalogue().loc[table_a11.index, "size"] == "large"


def test_table_1(table_a11: pd.DataFrame, table_1: pd.DataFrame) -> None:
    scores, tasks, models = resolve_missing(table_a11, "drop-task")
    assert (tasks, models) == ({"trains": "no score of snn, msrainit, highway, resnet"}, {})
    differences = (mean_ranks(scores) - 4)[table_1.index]
    assert differences.to_dict() == pytest.approx(RANK_DIFFERENCES, abs=5.1e-4)
    np.testing.assert_allclose(differences, table_1["avg_rank_diff"], atol=0.04)
    comparison = wilcoxon(scores, alternative="greater", correction="none")
    pvalues = pd.Series(comparison.pvalue, index=scores.columns).dropna()[list(PVALUES)]
    assert {model: float(f"{pvalue:.2e}") for model, pvalue in pvalues.items()} == PVALUES
    np.testing.assert_allclose(pvalues, table_1["p_value"].dropna(), rtol=0.06)


def test_table_1_with_the_worst_rank_for_missing_scores(table_a11: pd.DataFrame, table_1: pd.DataFrame) -> None:
    # The convention of Tables A12 and A13: 121 tasks, the same order, the same p-values, as `trains` is in no pair with snn.
    differences = (mean_ranks(table_a11) - 4)[table_1.index]
    assert differences.is_monotonic_increasing
    np.testing.assert_allclose(differences, table_1["avg_rank_diff"], atol=0.04)
    comparison = wilcoxon(table_a11, alternative="greater", correction="none")
    pvalues = pd.Series(comparison.pvalue, index=table_a11.columns)
    assert {model: float(f"{pvalues[model]:.2e}") for model in PVALUES} == PVALUES


def test_the_report_ranks_table_a11_as_table_1(table_a11: pd.DataFrame, table_1: pd.DataFrame) -> None:
    comparison = rank_models(table_a11, options=ComparisonOptions(alternative="greater", correction="none"))
    assert list(comparison.table.index) == list(table_1.index) == list(RANK_DIFFERENCES)
    np.testing.assert_allclose(comparison.table["rank_difference"], table_1["avg_rank_diff"], atol=0.04)


def test_the_friedman_test_of_table_a11(table_a11: pd.DataFrame) -> None:
    comparison = rank_models(table_a11, options=ComparisonOptions(missing="drop-task"))
    assert comparison.n_tasks == 120
    assert comparison.left_out == {"trains": "no score of snn, msrainit, highway, resnet"}
    assert comparison.friedman.statistic[0] == pytest.approx(31.48, abs=0.005)
    assert comparison.friedman.pvalue[0] == pytest.approx(2.05e-5, rel=0.005)
    # F = 119 · 31.48 / (720 − 31.48), with 6 and 714 degrees of freedom.
    assert iman_davenport(table_a11.dropna()).statistic[0] == pytest.approx(5.44, abs=0.005)
    assert iman_davenport(table_a11.dropna()).pvalue[0] == pytest.approx(1.62e-5, rel=0.005)


def test_two_sided_and_corrected_msrainit_is_no_longer_below_5_percent(table_a11: pd.DataFrame) -> None:
    table = rank_models(table_a11).table
    assert table.loc["msrainit", "pvalue"] == pytest.approx(5.5e-2, rel=0.01)
    assert table.loc["msrainit", "adjusted_pvalue"] == table["adjusted_pvalue"].max() > 0.05


def test_of_all_pairs_of_table_a11_snn_differs_from_three(table_a11: pd.DataFrame) -> None:
    comparison = pairwise_wilcoxon(table_a11)
    adjusted = pd.DataFrame(comparison.adjusted_pvalue, table_a11.columns, table_a11.columns)
    assert list(adjusted.index[adjusted["snn"] < 0.05]) == ["resnet", "batchnorm", "weightnorm"]
    pvalues = pd.DataFrame(comparison.pvalue, table_a11.columns, table_a11.columns)
    expected = wilcoxon(table_a11, baseline="snn").pvalue
    np.testing.assert_array_equal(pvalues["snn"], expected)


def test_elo_orders_table_a11_as_the_ranks_do(table_a11: pd.DataFrame, table_1: pd.DataFrame) -> None:
    # Every model meets every other once a task, so strengths follow the number of wins, and wins the mean rank.
    ratings = elo(table_a11)["rating"]
    assert list(ratings.sort_values(ascending=False).index) == list(table_1.index)


@pytest.mark.parametrize("subset", ["small_75", "large_46"])
def test_the_ranks_of_tables_a12_and_a13(
    subset: str, scores_24: pd.DataFrame, large: pd.Series, table_a12_a13: pd.DataFrame
) -> None:
    scores, tasks, models = resolve_missing(scores_24[large == (subset == "large_46")], "worst")
    assert (tasks, models) == ({}, {})
    assert len(scores) == int(subset[-2:])
    errors = (mean_ranks(scores) - table_a12_a13.loc[subset, "avg_rank"]).abs()
    assert errors.shape == (24,)
    assert errors.max() < 0.15
    assert errors.mean() < 0.05


def test_the_rank_differences_of_the_24_methods_in_table_1(scores_24: pd.DataFrame, large: pd.Series) -> None:
    table = load_reference("table_1").query("comparison == 'ml_46_large'").set_index("method")["avg_rank_diff"]
    table = table.rename({"svm": "libsvm_weka", "random_forest": "rrfglobal_caret"})
    differences = mean_ranks(scores_24[large])[table.index] - 12.5
    np.testing.assert_allclose(differences, table, atol=0.15)


def test_the_pvalues_of_table_a13_are_exact_where_they_can_be(
    scores_24: pd.DataFrame, large: pd.Series, table_a12_a13: pd.DataFrame
) -> None:
    comparison = wilcoxon(scores_24[large], baseline="snn", alternative="greater", correction="none")
    pvalues = pd.Series(comparison.pvalue, index=scores_24.columns)
    # Differences with ties and zeros: exact as well, where the paper has the normal distribution (0.58, 0.21 and 4.5e-3).
    assert pvalues["libsvm_weka"] == pytest.approx(0.5826, abs=5e-4)
    assert pvalues["rrfglobal_caret"] == pytest.approx(0.1917, abs=5e-4)
    assert pvalues["msrainit"] == pytest.approx(3.9e-3, rel=0.01)
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


def test_one_command_prints_table_1() -> None:
    options = ComparisonOptions(published=("snn2017",), **(CONVENTIONS["paper"] | {"missing": "drop-task"}))
    comparison = benchmark.compare([], options)
    assert comparison.n_tasks == 120
    assert comparison.table["rank_difference"].round(3).tolist() == [-0.763, -0.233, -0.171, 0.0, 0.242, 0.4, 0.525]
    assert [f"{p:.1e}" for p in comparison.table["pvalue"][1:]] == [
        "2.8e-02",
        "1.5e-02",
        "1.9e-03",
        "5.4e-04",
        "8.1e-07",
        "3.3e-06",
    ]


@pytest.mark.parametrize("subset", ["small_75", "large_46"])
def test_one_command_prints_tables_a12_and_a13(subset: str, table_a12_a13: pd.DataFrame) -> None:
    published = ("snn2017", "delgado2014-groups")
    comparison = benchmark.compare([], ComparisonOptions(published=published, subset=subset[:5], **CONVENTIONS["paper"]))
    expected = table_a12_a13.loc[subset]
    table = comparison.table.rename(index=str.lower).loc[expected.index]
    assert (comparison.n_tasks, comparison.n_models) == (int(subset[-2:]), 24)
    assert comparison.baseline == ("snn" if subset == "large_46" else "LibSVM_weka")
    np.testing.assert_allclose(table["mean_rank"], expected["avg_rank"], atol=0.15)
    printed = expected["p_value"].dropna()
    assert set(printed.index) == set(table.index[table["verdict"] != "baseline"])
    ratios = table.loc[printed.index, "pvalue"] / printed
    far = ratios.index[(ratios < 0.75) | (ratios > 1.25)]
    # Counted exactly these two are smaller: with ties or zeros the printed ones are those of the normal distribution.
    assert set(far) == ({"resnet", "weightnorm"} if subset == "large_46" else set())
    assert (table.loc[far, "pvalue"] < 1e-3).all()


def test_two_sided_and_corrected_the_paper_says_less() -> None:
    comparison = benchmark.compare([], ComparisonOptions(published=("snn2017",)))
    assert comparison.n_tasks == 121
    assert comparison.with_verdict("undecided") == ["msrainit", "layernorm", "highway"]
    assert comparison.with_verdict("worse") == ["resnet", "weightnorm", "batchnorm"]
    assert comparison.table.loc["highway", "adjusted_pvalue"] == pytest.approx(0.059, abs=1e-3)
    # A baseline that is named in advance is compared with six models, and not one of 21 pairs.
    named = benchmark.compare([], ComparisonOptions(published=("snn2017",), baseline="snn"))
    assert named.with_verdict("worse") == ["highway", "resnet", "weightnorm", "batchnorm"]
    adjusted = named.table["adjusted_pvalue"]
    assert adjusted["msrainit"] == adjusted["layernorm"] == pytest.approx(0.0605, abs=5e-4)


def test_published_results_of_another_suite_are_refused() -> None:
    with pytest.raises(DataError, match="snn2017 is of uci"):
        benchmark.compare([], ComparisonOptions(suite="core", published=("snn2017",)))
    with pytest.raises(UnknownNameError, match="Did you mean 'snn2017'"):
        benchmark.compare([], ComparisonOptions(published=("snn2071",)))


@pytest.mark.parametrize(("subset", "source"), [("all", "Table 1"), ("small", "Table A12"), ("large", "Table A13")])
def test_what_the_paper_prints_stands_beside_ours(subset: str, source: str) -> None:
    published = ("snn2017",) if subset == "all" else ("snn2017", "delgado2014-groups")
    comparison = benchmark.compare([], ComparisonOptions(published=published, subset=subset, **CONVENTIONS["paper"]))
    printed = find_printed(comparison)
    assert printed is not None
    assert printed.source == source
    assert list(printed.table.index) == list(comparison.table.index)
    np.testing.assert_allclose(printed.table["rank_difference"], comparison.table["rank_difference"], atol=0.15)
    assert f"as {source} of Klambauer et al. (2017) prints them" in " ".join(render_text(comparison).split())
    if subset == "all":
        line = next(line for line in render_text(comparison).splitlines() if line.startswith("msrainit  "))
        assert line.split()[2:4] == ["-0.219", "-0.240"]
        assert "  0.028      0.027  " in line
    document = json.loads(render_json(comparison))
    assert document["printed"]["source"] == source
    assert document["printed"]["models"][comparison.baseline]["pvalue"] is None


def test_nothing_printed_stands_beside_other_comparisons() -> None:
    paper = CONVENTIONS["paper"]
    for options in (
        ComparisonOptions(published=("snn2017",)),
        ComparisonOptions(published=("snn2017",), subset="large", **paper),
        ComparisonOptions(published=("snn2017",), models=("snn", "resnet"), **paper),
        ComparisonOptions(published=("snn2017",), **(paper | {"correction": "holm"})),
    ):
        comparison = benchmark.compare([], options)
        assert find_printed(comparison) is None
        assert "(paper)" not in render_text(comparison)
