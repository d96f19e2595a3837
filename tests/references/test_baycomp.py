"""The Bayesian signed-rank test against baycomp 1.0.3, the package of its authors.

The expected numbers are those of ``SignedRankTest.sample(x, y, rope, nsamples=200_000, random_state=0)``: its largest shares
counted, as ``probs`` does, and its shares averaged, on the 120 tasks of Table A11 without gaps and Table 6 of Demšar (2006).
"""

import numpy as np
import pandas as pd
import pytest
from textbook import DEMSAR

from snnbench.results.published import load_published
from snnbench.stats import bayesian_signed_rank, sample_posterior

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
