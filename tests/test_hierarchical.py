"""The hierarchical Bayesian test of tasks and splits; ``references/test_baycomp.py`` holds it to numbers of others."""

import numpy as np
import pandas as pd
import pytest

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.report.compare import COMPARISON_COLUMNS, compare_results
from snnbench.report.options import ComparisonOptions
from snnbench.report.shares import correlate_splits
from snnbench.stats import hierarchical
from snnbench.suites import load_suite


def draw_splits(gap: float, n_tasks: int = 20, n_splits: int = 5) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(n_tasks), range(n_splits)], names=["task", "split"])
    base = 0.8 + 0.02 * generator.normal(size=len(index))
    return pd.DataFrame({"a": base, "b": base - gap + 0.01 * generator.normal(size=len(index))}, index=index)


def test_a_clear_difference_is_found_in_either_direction() -> None:
    scores = draw_splits(0.05)
    row = hierarchical(scores, 0.01, "a").loc[("a", "b")]
    assert row["p_higher"] > 0.99
    assert row["difference"] == pytest.approx(0.05, abs=0.005)
    mirrored = hierarchical(scores, 0.01, "b").loc[("b", "a")]
    assert mirrored["p_lower"] > 0.99
    assert mirrored["difference"] == pytest.approx(-row["difference"], abs=5e-4)


def test_the_unit_and_the_order_of_rows_do_not_matter() -> None:
    scores = draw_splits(0.008)
    row = hierarchical(scores, 0.01).loc[("a", "b")]
    assert row[["p_higher", "p_equivalent", "p_lower"]].sum() == pytest.approx(1)
    np.testing.assert_allclose(hierarchical(100 * scores, 1.0).loc[("a", "b")][:4], row[:4], atol=1e-6)
    np.testing.assert_allclose(hierarchical(scores.sample(frac=1, random_state=0), 0.01).loc[("a", "b")], row, atol=1e-6)


def test_a_model_without_differences_is_equivalent() -> None:
    scores = draw_splits(0.0).assign(b=lambda table: table["a"])
    assert hierarchical(scores, 0.01).loc[("a", "b"), "p_equivalent"] > 0.99
    assert hierarchical(scores, 0.0).loc[("a", "b"), "p_higher"] == pytest.approx(0.5, abs=0.05)


def test_splits_and_tasks_without_a_pair_are_left_out() -> None:
    scores = draw_splits(0.02)
    scores.loc[(0, slice(0, 3)), "b"] = np.nan  # one split is left
    scores.loc[(1, 0), "a"] = np.nan
    assert hierarchical(scores).loc[("a", "b"), "n_tasks"] == 19
    few = hierarchical(scores.loc[:2]).loc[("a", "b")]
    assert few["n_tasks"] == 2
    assert few.drop("n_tasks").isna().all()


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="'c'"):
        hierarchical(draw_splits(0.0), 0.01, "c")
    with pytest.raises(SnnbenchError, match="not be negative"):
        hierarchical(draw_splits(0.0), -0.01)


def test_splits_correlate_by_how_much_of_a_task_tests() -> None:
    names = pd.MultiIndex.from_product([["wine", "iris"], ["repetition-1", "repetition-2"]])
    tasks = load_suite("core").catalogue().loc[["iris", "wine"]]
    tested, not_tested = tasks["n_test"], tasks["n_samples"] - tasks["n_test"]
    found = correlate_splits("core", pd.DataFrame(index=names))
    np.testing.assert_allclose(found.loc[["iris", "wine"]], tested / (tested + 0.8 * not_tested))
    assert 0.2 < found.min() < found.max() < 0.4
    folds = pd.MultiIndex.from_product([["htru2"], [f"fold-{k}" for k in range(1, 11)]])
    assert correlate_splits("htru2", pd.DataFrame(index=folds))["htru2"] == pytest.approx(1 / 9, rel=0.01)


def test_a_comparison_of_stored_rows_passes_the_correlation_of_its_hold_outs_on() -> None:
    rows = pd.DataFrame(
        [
            {"stage": "evaluate", "suite": "core", "task": task, "split": f"repetition-{k}", "model": model, "seed": 0,
             "status": "ok", "metric": "accuracy", "test_score": 0.8 + 0.01 * ((i + 2 * k + j) % 5), "config": "{}"}
            for i, task in enumerate(["iris", "wine", "monks-1", "monks-2", "waveform"])
            for k in (1, 2)
            for j, model in enumerate(["one", "two"])
        ]
    )  # fmt: skip
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *COMPARISON_COLUMNS])))
    comparison = compare_results(ComparisonOptions(bayes="hierarchical"), rows)
    assert comparison.splits is not None
    known = correlate_splits("core", comparison.splits)
    wanted = hierarchical(comparison.splits, comparison.rope, comparison.baseline, known, n_samples=comparison.n_samples)
    pd.testing.assert_frame_equal(comparison.bayesian, wanted)
    halves = hierarchical(comparison.splits, comparison.rope, comparison.baseline, n_samples=comparison.n_samples)
    assert not comparison.bayesian.equals(halves)
