"""The Nemenyi test and its critical difference."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from textbook import SACHS

from snnbench.errors import SnnbenchError
from snnbench.stats import critical_difference, nemenyi


def make_scores(differences: list[float], n_tasks: int) -> pd.DataFrame:
    """Return scores of unlike models: column j scores higher than column j + 1 on a share of the tasks."""
    generator = np.random.default_rng(0)
    return pd.DataFrame(generator.normal(0, 1, (n_tasks, len(differences))) - np.array(differences))


@pytest.mark.parametrize("n_models", [2, 3, 7, 24])
def test_pvalues_are_scipys_where_those_are_accurate(n_models: int) -> None:
    scores = make_scores(list(np.linspace(0, 1.5, n_models)), 40)
    comparison = nemenyi(scores)
    upper = np.triu_indices(n_models, 1)
    expected = scipy_stats.studentized_range.sf(comparison.statistic[upper], n_models, np.inf)
    np.testing.assert_allclose(comparison.pvalue[upper], expected, rtol=1e-6, atol=1e-12)


def test_two_models_have_the_normal_pvalue() -> None:
    # The range of two standard normal variables is √2 times the absolute value of one, here accurate far into the tail.
    scores = pd.DataFrame({"a": np.ones(200), "b": np.zeros(200)})
    comparison = nemenyi(scores)
    z = comparison.statistic[0, 1] / np.sqrt(2)
    assert z == pytest.approx(np.sqrt(200))
    assert comparison.pvalue[0, 1] == pytest.approx(2 * scipy_stats.norm.sf(z), rel=1e-12)


def test_the_matrix_is_symmetric_and_its_diagonal_is_empty() -> None:
    comparison = nemenyi(SACHS)
    for matrix in (comparison.statistic, comparison.pvalue, comparison.adjusted_pvalue):
        assert matrix.shape == (6, 6)
        np.testing.assert_array_equal(matrix, matrix.T)
        assert np.isnan(np.diag(matrix)).all()
    np.testing.assert_array_equal(comparison.pvalue, comparison.adjusted_pvalue)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 8), st.integers(2, 30), st.sampled_from([0.01, 0.05, 0.1]), st.integers(0, 10_000))
def test_a_pair_differs_exactly_beyond_the_critical_difference(n_models: int, n_tasks: int, alpha: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = pd.DataFrame(generator.normal(0, 1, (n_tasks, n_models)) + generator.normal(0, 1, n_models))
    comparison = nemenyi(scores)
    means = comparison.mean_ranks
    beyond = np.abs(means[:, np.newaxis] - means) - critical_difference(n_models, n_tasks, alpha)
    pairs = np.triu_indices(n_models, 1)
    clear = np.abs(beyond[pairs]) > 1e-6
    np.testing.assert_array_equal((comparison.pvalue < alpha)[pairs][clear], (beyond > 0)[pairs][clear])


def test_equal_models_have_pvalue_1() -> None:
    np.testing.assert_allclose(nemenyi(pd.DataFrame(np.full((5, 3), 0.5))).pvalue[0, 1:], 1.0, rtol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), (5, 1), (5, 0)])
def test_too_little_to_test_gives_nan(shape: tuple[int, int]) -> None:
    comparison = nemenyi(pd.DataFrame(np.zeros(shape)))
    assert comparison.pvalue.shape == (shape[1], shape[1])
    assert np.isnan(comparison.pvalue).all()


@pytest.mark.parametrize(
    ("arguments", "message"), [((1, 10), "at least two models"), ((3, 0), "one task"), ((3, 10, 5), "0 and 1")]
)
def test_impossible_critical_differences_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(SnnbenchError, match=message):
        critical_difference(*arguments)
