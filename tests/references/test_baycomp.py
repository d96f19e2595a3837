"""The Bayesian signed-rank and hierarchical tests against baycomp 1.0.3, the package of their authors.

The expected numbers of the former are those of ``SignedRankTest.sample(x, y, rope, nsamples=200_000, random_state=0)``: its
largest shares counted, as ``probs`` does, and its shares averaged, on the 120 tasks of Table A11 without gaps and Table 6 of
Demšar (2006).
"""

import numpy as np
import pandas as pd
import pytest
from textbook import DEMSAR

from snnbench.results.published import load_published
from snnbench.stats import bayesian_signed_rank, hierarchical, sample_posterior
from snnbench.stats.hierarchical import gather_evidence, sample_next_task

# Table, model x, other y, rope; probabilities and mean shares: x better, equivalent, y better. The regions of the small table
# end between its scores: where a mean difference is the very end, baycomp leaves it to the rounding of floating-point numbers
# on which side it counts, and we count half on either.
BAYCOMP = [
    ("snn2017", "snn", "msrainit", 0.01, [0.8175, 0.1467, 0.0359], [0.40902, 0.33001, 0.26097]),
    ("snn2017", "snn", "msrainit", 0.0, [0.9791, 0.0, 0.0209], [0.60595, 0.0, 0.39405]),
    ("snn2017", "snn", "resnet", 0.01, [0.9735, 0.026, 0.0005], [0.48506, 0.32201, 0.19293]),
    ("snn2017", "layernorm", "highway", 0.01, [0.9275, 0.0022, 0.0703], [0.44654, 0.25012, 0.30333]),
    ("demsar", "c45_m_cf", "c45", 0.0105, [0.9603, 0.0394, 0.0003], [0.69826, 0.26161, 0.04013]),
    ("demsar", "c45_m_cf", "c45", 0.0, [0.9971, 0.0, 0.0029], [0.86697, 0.0, 0.13303]),
    ("demsar", "c45_m", "c45_cf", 0.0205, [0.0579, 0.9421, 0.0], [0.25757, 0.7335, 0.00893]),
]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {"snn2017": load_published("snn2017").dropna(), "demsar": DEMSAR}


@pytest.mark.parametrize(("table", "model", "other", "rope", "probabilities", "shares"), BAYCOMP)
def test_the_bayesian_signed_rank_test_is_baycomps(
    tables: dict[str, pd.DataFrame], table: str, model: str, other: str, rope: float, probabilities: list, shares: list
) -> None:
    row = bayesian_signed_rank(tables[table][[model, other]], rope).loc[(model, other)]
    # Both sides sample: the standard error of the difference is at most 0.0025.
    np.testing.assert_allclose(row[["p_higher", "p_equivalent", "p_lower"]], probabilities, atol=0.01)
    samples = sample_posterior(tables[table], model, other, rope)
    assert samples.shape == (50_000, 3)
    np.testing.assert_allclose(samples.mean(axis=0), shares, atol=0.002)


# Ten splits of each task of Demšar's table: its differences, with these standard deviations, in one pattern on all tasks. The
# first two cases are those of ``HierarchicalTest.sample(zeros, differences, rope, nsamples=10_000)`` with pystan 3.10. In the
# other two the tasks scatter little, and Stan's shares are off these by up to 0.02 (they are
# 0.374, 0.545, 0.081 and 0.105, 0.828, 0.067): they are the integrals over centre, spread and degrees of freedom on a grid of
# 121 × 110 × 22 points, those over each task's difference and variance in closed form or by 400 quantiles.
PATTERN = np.array([-1.5, -1.1, -0.8, -0.4, -0.1, 0.1, 0.4, 0.8, 1.1, 1.5])
SPREADS = np.array([0.02, 0.03, 0.01, 0.04, 0.015, 0.01, 0.03, 0.05, 0.04, 0.005, 0.01, 0.03, 0.004, 0.02])
HIERARCHICAL = [
    ("c45", "c45_m_cf", 0.01, [0.0061, 0.0601, 0.9338], [0.1039, 0.2771, 0.6190], -0.01634),
    ("c45", "c45_m_cf", 0.005, [0.0080, 0.0009, 0.9912], [0.1465, 0.1376, 0.7159], -0.01634),
    ("c45_m", "c45_cf", 0.01, [0.3805, 0.6114, 0.0081], [0.3594, 0.5629, 0.0777], 0.00754),
    ("c45_m_cf", "c45_m", 0.01, [0.0287, 0.9674, 0.0039], [0.1003, 0.8364, 0.0633], 0.00048),
]


@pytest.mark.parametrize(("model", "other", "rope", "probabilities", "shares", "difference"), HIERARCHICAL)
def test_the_hierarchical_test_is_baycomps_and_that_of_its_integrals(
    model: str, other: str, rope: float, probabilities: list, shares: list, difference: float
) -> None:
    splits = (DEMSAR[model] - DEMSAR[other]).to_numpy()[:, np.newaxis] + SPREADS[:, np.newaxis] * PATTERN / PATTERN.std()
    index = pd.MultiIndex.from_product([DEMSAR.index, range(10)], names=["task", "split"])
    scores = pd.DataFrame({model: splits.ravel(), other: 0.0}, index=index)
    row = hierarchical(scores, rope).loc[(model, other)]
    # The draws of a chain depend on each other: the standard error of 20,000 is that of about 5,000.
    np.testing.assert_allclose(row[["p_higher", "p_equivalent", "p_lower"]], probabilities, atol=0.015)
    assert row["difference"] == pytest.approx(difference, abs=2e-4)
    assert row["low"] < difference < row["high"]
    _, drawn = sample_next_task(gather_evidence(scores, model, other, rope), rope, 20_000, 1)
    np.testing.assert_allclose(drawn.mean(axis=0), shares, atol=0.005)
