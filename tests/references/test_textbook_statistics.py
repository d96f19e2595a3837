"""The statistics against numbers printed by others: textbooks, manuals, and the output of R and Python packages."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from textbook import DEMSAR, SACHS

from snnbench.stats import (
    bradley_terry,
    critical_difference,
    friedman,
    hochberg,
    holm,
    iman_davenport,
    mean_ranks,
    nemenyi,
    pairwise_wilcoxon,
    resampled_t,
    sign_test,
)

# García and Herrera, JMLR 9 (2008), Table 2, as in R's scmamp (data_gh_2008): five classifiers on 30 tasks. The manual prints
# the differences of the mean ranks and the p-values of all pairs, not the scores.
GARCIA_HERRERA_MEAN_RANKS = {"C4.5": 2.1, "k-NN": 3.25, "NaiveBayes": 2.2, "Kernel": 4.0 + 1 / 3, "CN2": 3.0 + 7 / 60}

# Agresti, "Categorical Data Analysis": American League baseball 1987, wins of the row over the column, fitted strengths.
BASEBALL = {
    "Milwaukee": ([0, 7, 9, 7, 7, 9, 11], 1.581),
    "Detroit": ([6, 0, 7, 5, 11, 9, 9], 1.436),
    "Toronto": ([4, 6, 0, 7, 7, 8, 12], 1.294),
    "New York": ([6, 8, 6, 0, 6, 7, 10], 1.248),
    "Boston": ([6, 2, 6, 7, 0, 7, 12], 1.108),
    "Cleveland": ([4, 4, 5, 6, 6, 0, 6], 0.684),
    "Baltimore": ([2, 4, 1, 3, 1, 7, 0], 0.0),
}


def uncorrect_ties(statistic: float, scores: pd.DataFrame) -> float:
    """Return the Friedman statistic without the correction for ties, which the textbooks leave out."""
    n_tasks, n_models = scores.shape
    ties = sum((t**3 - t).sum() for t in (row.value_counts() for _, row in scores.iterrows()))
    return statistic * (1 - ties / (n_tasks * (n_models**3 - n_models)))


def test_friedman_and_iman_davenport_are_demsars() -> None:
    chi_square = uncorrect_ties(friedman(DEMSAR).statistic[0], DEMSAR)
    assert chi_square == pytest.approx(9.28, abs=0.005)
    assert 13 * chi_square / (14 * 3 - chi_square) == pytest.approx(3.69, abs=0.005)
    # The correction for ties makes both a little larger; its F is the analysis of variance of the ranks.
    ranks = DEMSAR.rank(axis="columns", ascending=False)
    between = 14 * ((ranks.mean() - 2.5) ** 2).sum()
    residual = ((ranks - ranks.mean()) ** 2).to_numpy().sum()
    comparison = iman_davenport(DEMSAR)
    assert comparison.statistic[0] == pytest.approx((between / 3) / (residual / 39), rel=1e-12)
    assert comparison.pvalue[0] == pytest.approx(scipy_stats.f.sf(comparison.statistic[0], 3, 39), rel=1e-12)


def test_the_critical_differences_are_demsars() -> None:
    assert critical_difference(4, 14, 0.05) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.005)
    # His Table 5(a): q_0.05 and q_0.10 for 2, 3, 4, 5, 7 and 10 classifiers.
    tables = {
        0.05: {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 7: 2.949, 10: 3.164},
        0.10: {2: 1.645, 3: 2.052, 4: 2.291, 5: 2.459, 7: 2.693, 10: 2.920},
    }
    for alpha, quantiles in tables.items():
        for n_models, quantile in quantiles.items():
            expected = quantile * np.sqrt(n_models * (n_models + 1) / (6 * 100))
            assert critical_difference(n_models, 100, alpha) == pytest.approx(expected, rel=3e-4)


def test_no_pair_of_demsars_is_different_by_nemenyi() -> None:
    # "Nemenyi test is not powerful enough": no two differ at 0.10. The p-values are those of scikit-posthocs 0.17.1,
    # posthoc_nemenyi_friedman, of the same table.
    pvalues = pd.DataFrame(nemenyi(DEMSAR).pvalue, DEMSAR.columns, DEMSAR.columns)
    expected = {"c45_m": 0.088673, "c45_cf": 0.956177, "c45_m_cf": 0.074185}
    assert pvalues.loc["c45"].dropna().to_dict() == pytest.approx(expected, abs=1e-6)
    assert pvalues.loc["c45_m", "c45_cf"] == pytest.approx(0.259228, abs=1e-6)
    assert pvalues.loc["c45_m_cf", "c45_m"] == pytest.approx(0.999859, abs=1e-6)


def test_nemenyi_is_that_of_pmcmr() -> None:
    assert friedman(SACHS).statistic[0] == pytest.approx(23.333, abs=5e-4)
    assert friedman(SACHS).pvalue[0] == pytest.approx(0.0002915, abs=5e-8)
    printed = [
        [0.1880],
        [0.0917, 0.9996],
        [0.9996, 0.3388, 0.1880],
        [0.0395, 0.9898, 0.9996, 0.0917],
        [0.0016, 0.6363, 0.8200, 0.0052, 0.9400],
    ]
    pvalues = nemenyi(SACHS).pvalue
    for row, expected in enumerate(printed, start=1):
        np.testing.assert_allclose(pvalues[row, :row], expected, atol=5.1e-5)


def test_friedman_iman_davenport_and_mean_ranks_are_those_of_scmamp() -> None:
    # Printed by friedmanTest and imanDavenportTest for two tasks and nine models in a question on stats.stackexchange (2018).
    ranks = pd.DataFrame([[1, 8, 6, 4, 7, 2, 5, 3, 9], [1, 6, 3, 9, 7, 2, 8, 4, 5]], columns=[f"X{i}" for i in range(1, 10)])
    assert friedman(-ranks).statistic[0] == pytest.approx(11.733, abs=5e-4)
    assert friedman(-ranks).pvalue[0] == pytest.approx(0.1635, abs=5e-5)
    assert iman_davenport(-ranks).statistic[0] == pytest.approx(2.75, abs=5e-4)
    assert iman_davenport(-ranks).pvalue[0] == pytest.approx(0.08697, abs=5e-6)
    assert mean_ranks(-ranks).tolist() == ranks.mean().tolist()


def test_the_critical_difference_of_scmamp_has_finite_degrees_of_freedom() -> None:
    # nemenyiTest(data.gh.2008, alpha = 0.1) prints 1.014 with k (N - 1) = 145 degrees of freedom; Demšar's are infinite.
    assert scipy_stats.studentized_range.ppf(0.9, 5, 145) * np.sqrt(5 * 6 / (12 * 30)) == pytest.approx(1.014, abs=5e-4)
    assert critical_difference(5, 30, 0.1) == pytest.approx(2.459 * np.sqrt(5 * 6 / (6 * 30)), abs=5e-4)


def test_holm_and_hochberg_of_demsars_comparisons_with_a_control() -> None:
    # Section 3.2.2: against C4.5, z = 2.416, 2.342 and 0.512, p = 0.016, 0.019 and 0.607; both procedures reject the first two.
    differences = mean_ranks(DEMSAR)["c45"] - mean_ranks(DEMSAR)[["c45_m_cf", "c45_m", "c45_cf"]].to_numpy()
    z = differences / np.sqrt(4 * 5 / (6 * 14))
    np.testing.assert_allclose(z, [2.416, 2.342, 0.512], atol=1e-3)
    pvalues = 2 * scipy_stats.norm.sf(z)
    np.testing.assert_allclose(pvalues, [0.016, 0.019, 0.607], atol=2e-3)
    np.testing.assert_allclose(holm(pvalues), [3 * pvalues[0], 3 * pvalues[0], pvalues[2]])
    np.testing.assert_allclose(hochberg(pvalues), [2 * pvalues[1], 2 * pvalues[1], pvalues[2]])
    assert ((holm(pvalues) < 0.05) == [True, True, False]).all()


def test_holm_and_hochberg_of_sas() -> None:
    # SAS/STAT User's Guide, PROC MULTTEST, "Inputting Raw p-Values": 1.0000 and 0.9437 for all tests but the 11th.
    raw = [0.28282, 0.30688, 0.71022, 0.77175, 0.78180, 0.88581, 0.54685, 0.84978, 0.24228, 0.58977, 0.03498, 0.41607]
    raw += [0.31631, 0.05254, 0.45061, 0.75758, 0.12496, 0.49485, 0.21572, 0.50505, 0.94372, 0.81260, 0.77596, 0.36889]
    others = np.arange(24) != 10
    for adjust, rest in ((holm, 1.0), (hochberg, 0.9437)):
        adjusted = adjust(np.array(raw))
        assert adjusted[10] == pytest.approx(0.8395, abs=5.1e-5)
        np.testing.assert_allclose(adjusted[others], rest, atol=5.1e-5)


def test_holm_and_hochberg_of_r_and_statsmodels() -> None:
    # stdlib's padjust documents R's p.adjust(p, "holm"); statsmodels 0.15 has holm and simes-hochberg.
    np.testing.assert_allclose(holm(np.array([0.319, 0.201, 0.4, 0.374, 0.113])), [0.957, 0.804, 0.957, 0.957, 0.565])
    raw = np.array([0.0004, 0.0201, 0.0190, 0.0095, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262])
    expected = [0.004, 0.152, 0.152, 0.0855, 0.1668, 0.1668, 0.1668, 0.1668, 0.648, 0.648]
    np.testing.assert_allclose(holm(raw), expected, atol=1e-12)
    expected = [0.004, 0.1376, 0.1376, 0.0855, 0.1376, 0.1376, 0.1376, 0.1377, 0.4262, 0.4262]
    np.testing.assert_allclose(hochberg(raw), expected, atol=1e-12)


def test_holm_of_garcia_and_herreras_pairs() -> None:
    # friedmanPost(data.gh.2008) in scmamp's manual: normal p-values of the differences of mean ranks. Times 10, 9, 8 … they are
    # Holm's.
    printed = {
        ("C4.5", "Kernel"): 4.486991e-08,
        ("NaiveBayes", "Kernel"): 1.736118e-07,
        ("Kernel", "CN2"): 0.002880485,
        ("C4.5", "k-NN"): 0.004848763,
        ("k-NN", "Kernel"): 0.007963489,
        ("k-NN", "NaiveBayes"): 0.010112334,
        ("C4.5", "CN2"): 0.012763008,
        ("NaiveBayes", "CN2"): 0.024744672,
        ("k-NN", "CN2"): 0.743971478,
        ("C4.5", "NaiveBayes"): 0.806495900,
    }
    ranks = GARCIA_HERRERA_MEAN_RANKS
    z = np.array([abs(ranks[a] - ranks[b]) for a, b in printed]) / np.sqrt(5 * 6 / (6 * 30))
    pvalues = 2 * scipy_stats.norm.sf(z)
    np.testing.assert_allclose(pvalues, list(printed.values()), rtol=1e-6)
    expected = [4.487e-7, 1.5625e-6, 0.02304, 0.03394, 0.04778, 0.05056, 0.05105, 0.07423, 1.0, 1.0]
    np.testing.assert_allclose(holm(pvalues), expected, rtol=3e-4)


def test_the_sign_test_counts_demsars_wins() -> None:
    # C4.5+m against C4.5 in his Table 2: 10 wins, 2 losses, 2 ties, which he splits and we drop.
    comparison = sign_test(DEMSAR[["c45", "c45_m"]], baseline="c45_m")
    assert comparison.statistic[0] == 10
    assert comparison.pvalue[0] == pytest.approx(scipy_stats.binomtest(10, 12).pvalue, rel=1e-12)


def test_pairwise_wilcoxon_is_that_of_scipy_with_holm() -> None:
    comparison = pairwise_wilcoxon(SACHS)
    pairs = np.triu_indices(6, 1)
    expected = [scipy_stats.wilcoxon(SACHS.iloc[:, i], SACHS.iloc[:, j]) for i, j in zip(*pairs, strict=True)]
    np.testing.assert_allclose(comparison.pvalue[pairs], [result.pvalue for result in expected])
    np.testing.assert_allclose(comparison.statistic[pairs], [result.statistic for result in expected])
    np.testing.assert_allclose(comparison.adjusted_pvalue[pairs], holm(np.array([result.pvalue for result in expected])))


def test_bradley_terry_is_agrestis() -> None:
    wins = np.array([row for row, _ in BASEBALL.values()], dtype=float)
    strengths = bradley_terry(wins)
    np.testing.assert_allclose(strengths - strengths[-1], [strength for _, strength in BASEBALL.values()], atol=5.1e-4)


def test_the_resampled_t_test_is_that_of_baycomp() -> None:
    # baycomp 1.0.3, CorrelatedTTest.probs(x, y): its posterior is the distribution of the test, so the probability that y is
    # better is the p-value of "x scores higher".
    x = [0.803, 0.812, 0.797, 0.820, 0.815, 0.808, 0.799, 0.811, 0.806, 0.818]
    y = [0.798, 0.815, 0.785, 0.811, 0.800, 0.809, 0.790, 0.803, 0.795, 0.812]
    scores = pd.DataFrame({"x": x, "y": y})
    assert resampled_t(scores, "x", "greater").pvalue[1] == pytest.approx(0.0111253701039018, rel=1e-10)
    assert resampled_t(scores, "x").pvalue[1] == pytest.approx(2 * 0.0111253701039018, rel=1e-10)
    # runs=2: twice 5 folds, of which 4 train.
    assert resampled_t(scores, "x", "greater", test_share=1 / 4).pvalue[1] == pytest.approx(0.030482433196757475, rel=1e-10)
