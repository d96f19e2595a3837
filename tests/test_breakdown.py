"""Scores by depth and by split, against plain arithmetic, SciPy and the published tables."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t
from scipy.stats import wilcoxon

from snnbench.errors import ConfigError, SnnbenchError
from snnbench.report import BREAKDOWNS, ComparisonOptions, as_text, break_down_results, natural_breakdown, render_breakdown
from snnbench.report.by_depth import by_depth
from snnbench.report.by_split import by_split
from snnbench.results.published import load_reference


def rows(suite: str, scores: dict[tuple, float]) -> pd.DataFrame:
    """Return the stored rows of evaluations {(model, depth, split, seed): test score}."""
    return pd.DataFrame(
        {
            **{"suite": suite, "task": suite, "model": model, "split": split, "seed": seed, "preset": "quick", "grid": model},
            **{"config": json.dumps({"n_layers": depth} if depth else {}), "config_key": str(depth), "stage": "evaluate"},
            **{"task_sha256": "a", "status": "ok", "error": "", "finished_at": "2026", "valid_score": np.nan},
            **{"test_score": score, "metric": "auc", "task_source": "files"},
        }
        for (model, depth, split, seed), score in scores.items()
    )


DEPTHS = rows("tox21", {("snn", d, "c", s): 0.7 + d / 100 + s / 1000 for d in (2, 8) for s in range(5)}
              | {("msrainit", 2, "c", s): 0.75 for s in range(5)} | {("svm", 0, "c", 0): 0.8})  # fmt: skip


def test_the_table_by_depth_is_mean_and_deviation_over_seeds():
    values = by_depth(DEPTHS).values
    assert values.index.tolist() == [("msrainit", 2), ("snn", 2), ("snn", 8)]
    expected = 0.7 + 0.08 + np.arange(5) / 1000
    assert values.loc[("snn", 8)].to_dict() == pytest.approx(
        {"mean": expected.mean(), "std": expected.std(ddof=1), "n_seeds": 5}, abs=1e-12
    )
    text = as_text(render_breakdown(by_depth(DEPTHS)))
    assert "snn       72.2±0.2  78.2±0.2" in text
    assert "msrainit  75.0±0.0         -" in text
    assert "tox21 (files): auc of the test rows." in text
    assert "svm" not in text


def test_the_published_values_by_depth_stand_beside():
    breakdown = by_depth(DEPTHS, published=["snn2017"])
    reference = load_reference("table_2").set_index(["method", "depth"])["auc_mean_percent"]
    assert breakdown.values.at[("snn", 32), "published_mean"] == reference["snn", 32] / 100 == 0.825
    assert np.isnan(breakdown.values.at[("snn", 32), "mean"])
    assert breakdown.cells.loc[" published"].iloc[1].tolist()[:2] == ["83.7±0.3", "84.4±0.5"]
    table = [line for line in as_text(render_breakdown(breakdown)).splitlines() if "±" in line and "mean" not in line]
    assert [line.split()[0] for line in table] == ["msrainit", "published", "snn", "published"]
    assert max(map(len, table)) <= 80


def test_one_seed_has_no_deviation_and_the_table_says_what_to_do():
    text = as_text(render_breakdown(by_depth(DEPTHS[DEPTHS["seed"] == 0])))
    assert "snn       72.0  78.0" in text
    assert "--seeds 5" in text


SPLIT_SCORES = {
    "snn": [0.98, 0.97, 0.99, 0.96, 0.985, 0.975, 0.982, 0.968, 0.991, 0.977],
    "svm": [0.93, 0.965, 0.95, 0.97, 0.925, 0.945, 0.955, 0.941, 0.938, 0.96],
    "naive_bayes": [0.979, 0.968, 0.987, 0.955, 0.986, 0.971, 0.983, 0.96, 0.985, 0.97],
}
SPLITS = rows("htru2", {(m, 0, f"fold-{k + 1}", 0): x for m, of in SPLIT_SCORES.items() for k, x in enumerate(of)})


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_splits_of_one_task_are_the_paired_units(alternative):
    breakdown = by_split(SPLITS, alternative=alternative, correction="none")
    values = breakdown.values
    assert values.index.tolist() == ["snn", "naive_bayes", "svm"]
    for model, scores in SPLIT_SCORES.items():
        assert values.at[model, "mean"] == pytest.approx(np.mean(scores), abs=1e-12)
        assert values.at[model, "std"] == pytest.approx(np.std(scores, ddof=1), abs=1e-12)
        if model != "snn":
            differences = np.round(np.subtract(SPLIT_SCORES["snn"], scores), 12)
            expected = wilcoxon(differences, alternative=alternative).pvalue
            assert values.at[model, "pvalue"] == pytest.approx(expected, rel=0.05)
    assert np.isnan(values.at["snn", "pvalue"])
    assert "the paired units are its 10 splits, not tasks" in breakdown.notes[0]


def test_the_corrected_t_test_allows_for_shared_training_rows():
    breakdown = by_split(SPLITS, correction="none", fold_test="corrected-t")
    share = 1790 / (17898 - 2 * 1790)
    for model in ("naive_bayes", "svm"):
        differences = np.subtract(SPLIT_SCORES["snn"], SPLIT_SCORES[model])
        statistic = differences.mean() / np.sqrt((1 / 10 + share) * differences.var(ddof=1))
        assert breakdown.values.at[model, "pvalue"] == pytest.approx(2 * student_t.sf(abs(statistic), 9), rel=1e-9)
    assert "Nadeau and Bengio" in breakdown.notes[0]
    assert "n_test / n_train = 0.125" in breakdown.notes[0]
    with pytest.raises(SnnbenchError, match="test by split"):
        by_split(SPLITS, fold_test="t")


def test_a_test_by_split_needs_a_comparison_by_split():
    with pytest.raises(ConfigError, match="--fold-test is part of a comparison by split only"):
        break_down_results(DEPTHS, ComparisonOptions(), "depth", "corrected-t")


def test_repeated_hold_outs_have_a_larger_share_of_test_rows():
    core = SPLITS.assign(suite="core", task="iris", split=SPLITS["split"].str.replace("fold", "repetition"))
    assert "n_test / n_train = 0.409" in by_split(core, fold_test="corrected-t").notes[0]


def test_the_published_table_by_split_stands_beside():
    text = as_text(render_breakdown(by_split(SPLITS, published=["snn2017"])))
    assert "0.9803±0.010" in text
    assert "0.976" in text.split("naive_bayes")[1].splitlines()[0]
    assert "0.929" in text.split("svm")[1].splitlines()[0]


def test_a_split_that_a_model_lacks_is_left_out_and_said():
    short = SPLITS[(SPLITS["model"] != "svm") | (SPLITS["split"] != "fold-3")]
    breakdown = by_split(short)
    assert breakdown.values.at["snn", "mean"] == pytest.approx(np.mean(np.delete(SPLIT_SCORES["snn"], 2)), abs=1e-12)
    assert "Left out: 1 split without" in " ".join(breakdown.notes)


def test_only_one_task_on_several_splits_is_compared_by_split_unasked():
    assert natural_breakdown(SPLITS) == "split"
    assert natural_breakdown(SPLITS[SPLITS["split"] == "fold-1"]) == ""
    assert natural_breakdown(pd.concat([SPLITS, SPLITS.assign(task="other")])) == ""
    assert natural_breakdown(DEPTHS) == ""
    assert set(BREAKDOWNS) == {"depth", "split"}


@pytest.mark.parametrize(
    ("function", "of", "published", "message"),
    [
        (by_split, pd.concat([SPLITS, SPLITS.assign(task="other")]), [], "results of one task, found 2"),
        (by_split, SPLITS[SPLITS["split"] == "fold-1"], [], "several splits, found one"),
        (by_depth, SPLITS, [], "needs evaluations of networks; found none"),
        (by_split, SPLITS, ["delgado2014"], "--published must name results of htru2 by split, found delgado2014"),
        (by_depth, DEPTHS.assign(task_sha256=DEPTHS["model"]), [], "must be of one version of its data"),
    ],
)
def test_what_cannot_be_broken_down_is_said(function, of, published, message):
    with pytest.raises(SnnbenchError, match=message):
        function(of, published=published)
