"""The JSON of a comparison: its schema, and that every number is there."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report import COMPLETE, SCORES

from snnbench import benchmark, stats
from snnbench.report import FORMATS, ComparisonOptions, rank_models
from snnbench.report.document import build_document
from snnbench.report.ranking import ScoreOrigin
from snnbench.report.schema import SCHEMA_VERSION, ComparisonDocument

CHECKOUT = Path(__file__).parents[1]


def test_the_documented_schema_is_that_of_the_program() -> None:
    documented = json.loads((CHECKOUT / "docs" / "comparison.schema.json").read_text(encoding="utf-8"))
    assert documented == ComparisonDocument.model_json_schema()
    assert documented["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    parts = [documented, *documented["$defs"].values()]
    undocumented = [
        (part["title"], name) for part in parts for name, value in part["properties"].items() if not value.get("description")
    ]
    assert undocumented == []


@pytest.mark.parametrize("missing", ["worst", "drop-task"])
def test_a_comparison_has_every_number(missing: str) -> None:
    comparison = rank_models(
        SCORES,
        {"task-9": "damaged"},
        ComparisonOptions(missing=missing),
        ScoreOrigin("core", "accuracy", {"task-0": ["imbalanced: x"]}),
    )
    content = json.loads(FORMATS["json"](comparison))
    assert ComparisonDocument.model_validate(content) == build_document(comparison)
    assert (content["n_tasks"], content["n_models"], content["suite"]) == (5 + (missing == "worst"), 3, "core")
    assert [row["model"] for row in content["models"]] == list(comparison.table.index)
    assert [row["mean_rank"] for row in content["models"]] == comparison.table["mean_rank"].tolist()
    assert content["models"][0]["effect"]["median_difference"] is None
    assert content["models"][1]["effect"]["won"] == comparison.table["won"].iloc[1]
    assert content["omnibus"][0]["statistic"] == comparison.friedman.statistic[0]
    wilcoxon, sign = content["baseline_tests"]
    assert (wilcoxon["test"], sign["test"], wilcoxon["baseline"]) == ("wilcoxon", "sign", "snn[paper]")
    assert wilcoxon["results"][0]["pvalue"] == comparison.table.loc["msrainit", "pvalue"]
    assert wilcoxon["results"][0]["n_tasks"] == 5
    nemenyi, pairwise = content["pair_tests"]
    assert nemenyi["critical_difference"] == stats.critical_difference(3, comparison.n_tasks)
    assert [(pair["model"], pair["other"]) for pair in pairwise["pairs"]] == [
        ("snn[paper]", "msrainit"),
        ("snn[paper]", "a|b"),
        ("msrainit", "a|b"),
    ]
    shares = [sum(row[name] for name in ("p_higher", "p_equivalent", "p_lower")) for row in content["bayesian"]["results"]]
    np.testing.assert_allclose(shares, 1)
    np.testing.assert_allclose(np.mean([row["elo"] for row in content["models"]]), 1000)
    assert content["win_rates"]["snn[paper]"]["snn[paper]"] is None
    assert content["n_missing"] == ({"a|b": 1, "msrainit": 1} if missing == "worst" else {})
    assert content["sensitivity"]["n_tasks"] == content["n_tasks"] - 1
    scores = pd.DataFrame(content["scores"]).T[list(comparison.scores)].astype(float)
    pd.testing.assert_frame_equal(scores, comparison.scores, check_names=False)


def test_a_single_model_and_a_single_task_are_documents_too() -> None:
    single = json.loads(FORMATS["json"](rank_models(SCORES[["snn[paper]"]])))
    assert (single["baseline_tests"], single["pair_tests"], single["bayesian"]) == ([], [], None)
    assert single["omnibus"][0]["pvalue"] is None
    task = json.loads(FORMATS["json"](rank_models(SCORES.iloc[:1], options=COMPLETE)))
    assert task["omnibus"][1]["statistic"] is None
    assert task["n_tasks"] == 1


def test_the_published_tables_are_a_document() -> None:
    content = build_document(benchmark.compare([], ComparisonOptions(published=("snn2017",))))
    assert content.options.published == ["snn2017"]
    assert content.n_missing == {"snn": 1, "msrainit": 1, "highway": 1, "resnet": 1}
    assert content.sensitivity is not None
    assert len(content.flags) == 121 - content.sensitivity.n_tasks
    assert content.bayesian is not None
    probable = {row.model: row.p_higher for row in content.bayesian.results}
    assert probable["batchnorm"] == pytest.approx(1, abs=1e-3)
