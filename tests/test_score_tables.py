"""Tables of scores as people keep them: wide and long, text and Parquet, good and bad."""

import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from snnbench import benchmark, compare
from snnbench.errors import SnnbenchError
from snnbench.report import ComparisonOptions
from snnbench.results.published import load_published
from snnbench.results.score_tables import describe_units, make_score_table, read_score_tables
from snnbench.results.table_files import parse_table

WIDE = pd.DataFrame({"snn": [0.9, 0.8, np.nan], "svm": [0.7, 0.85, 0.5]}, index=pd.Index(["iris", "wine", "zoo"], name="task"))


def autorank_example() -> pd.DataFrame:
    """Return the six populations of autorank's README, drawn as it says."""
    generator = np.random.RandomState(42)
    means = [0.2, 0.3, 0.5, 0.8, 0.85, 0.9]
    return pd.DataFrame({f"pop_{k}": generator.normal(mean, 0.3, 50).clip(0, 1) for k, mean in enumerate(means)})


def test_the_example_of_autorank_gives_the_numbers_that_its_readme_prints() -> None:
    comparison = compare(autorank_example())
    printed = {"pop_5": 2.18, "pop_4": 2.29, "pop_3": 2.47, "pop_2": 3.95, "pop_1": 4.71, "pop_0": 5.40}
    assert comparison.table["mean_rank"].to_dict() == pytest.approx(printed, abs=1e-9)
    assert comparison.friedman.pvalue == pytest.approx(2.3412212612346733e-28, rel=1e-9)
    assert comparison.result.critical_difference == pytest.approx(1.0662484349869374, rel=1e-4)
    assert comparison.result.notes == ("No column of the table names the tasks: its rows are numbered.",)


def test_the_form_of_cd_diagram_and_critdd_is_long() -> None:
    """Columns as in the example.csv that both read: one row a score."""
    text = (
        "classifier_name,dataset_name,accuracy\nclf3,dataset1,0.8197802197802198\nclf3,dataset2,0.80306905370844\n"
        "clf5,dataset1,0.4549450549450549\nclf5,dataset2,0.8388746803069054\nclf1,dataset1,0.6901098901098901\n"
        "clf1,dataset2,0.017902813299232736\n"
    )
    table = make_score_table(parse_table(text, "example.csv"), "example")
    assert table.metric == "accuracy"
    assert table.scores.columns.tolist() == ["clf3", "clf5", "clf1"]
    assert table.scores.at["dataset2", "clf1"] == pytest.approx(0.017902813299, abs=1e-12)


def test_the_form_of_mcm_is_wide_with_the_tasks_first() -> None:
    text = "dataset_name,clf1,clf2\ndataset_0,0.2858,0.7014\ndataset_1,0.0031,0.7336\n"
    table = make_score_table(parse_table(text, "results_example.csv"))
    assert table.scores.loc["dataset_1"].to_dict() == {"clf1": 0.0031, "clf2": 0.7336}
    assert table.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "task,snn,svm\niris,0.9,0.7\nwine,0.8,0.85\nzoo,,0.5\n",
        "dataset\tsnn\tsvm\niris\t0.9\t0.7\nwine\t0.8\t0.85\nzoo\tNA\t0.5\n",
        ";snn;svm\niris;0,9;0,7\nwine;0,8;0,85\nzoo;-;0,5\n",
        "snn svm\niris 0.9 0.7\nwine 0.8 0.85\nzoo ? 0.5\n",  # as R's write.table has it
        "snn,size,Task,svm\n0.9,small,iris,0.7\n0.8,small,wine,0.85\nn/a,large,zoo,0.5\n",
        "\ufefftask,snn,svm\r\niris,0.9,0.7\r\n\r\nwine,0.8,0.85\r\nzoo,–,0.5\r\n",
        "model,iris,wine,zoo\nsnn,0.9,0.8,\nsvm,0.7,0.85,0.5\n",
        "method,problem,score,seed\nsnn,iris,0.8,1\nsnn,iris,1.0,2\nsnn,wine,0.8,1\nsvm,iris,0.7,1\nsvm,wine,0.85,1\nsvm,zoo,0.5,1\n",
    ],
)
def test_every_form_is_the_same_table(text: str, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(text, encoding="utf-8", newline="")
    (table,) = read_score_tables([str(file)])
    pd.testing.assert_frame_equal(table.scores, WIDE.rename_axis(columns="model"), check_names=False)
    assert table.name == "scores"


def test_parquet_standard_input_and_data_frames_are_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WIDE.to_parquet(tmp_path / "scores.parquet")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(WIDE.to_csv().encode())))
    tables = [*read_score_tables([str(tmp_path / "scores.parquet"), "-"]), make_score_table(WIDE.reset_index())]
    assert [table.name for table in tables] == ["scores", "standard input", "table"]
    for table in tables:
        pd.testing.assert_frame_equal(table.scores, WIDE, check_names=False)


def test_seeds_are_averaged_before_splits_and_only_shared_splits_count() -> None:
    rows = [("a", "x", 1, 1, 0.2), ("a", "x", 1, 2, 0.4), ("a", "x", 2, 1, 0.9), ("b", "x", 1, 1, 0.5), ("b", "x", 2, 1, 0.7)]
    long = pd.DataFrame([*rows, ("a", "x", 3, 1, 0.0)], columns=["model", "task", "fold", "random_state", "auc"])
    table = make_score_table(long)
    assert table.scores.loc["x"].to_dict() == pytest.approx({"a": (0.3 + 0.9) / 2, "b": 0.6})
    assert (table.metric, table.averaged) == ("auc", "3 splits and 2 seeds")


def test_losses_are_reversed_and_said() -> None:
    table = make_score_table(WIDE, lower_is_better=True)
    assert table.scores.at["iris", "snn"] == -0.9
    assert table.notes == ("Of table lower is better: its scores are shown with their sign reversed.",)
    best = compare(WIDE, lower_is_better=True).table.index[0]
    assert (best, compare(WIDE).table["mean_rank"].to_dict()) == ("svm", {"snn": 5 / 3, "svm": 4 / 3})
    long = pd.DataFrame({"task": ["x", "x"], "model": ["a", "b"], "log_loss": [0.1, 0.2]})
    assert make_score_table(long).notes == (
        "The scores of table are called log_loss; if lower is better, say --lower-is-better.",
    )


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"a": [0.9, 0.8], "b": [91.0, 78.0]}, "all scores of a are at most 1, most of b are above it. Nothing is converted."),
        ({"a": [0.9, 80.0], "b": [0.8, 81.0]}, "all scores on x are at most 1, most on y are above it."),
        ({"a": [0.9, 0.8], "b": [0.7, 1.0]}, ""),
        ({"a": [90.0, 0.9], "b": [91.0, 1.2]}, ""),
        ({"a": [-0.5, 80.0], "b": [0.1, 3.0]}, ""),
    ],
)
def test_mixed_units_are_said(scores: dict[str, list[float]], said: str) -> None:
    sentences = describe_units(pd.DataFrame(scores, index=["x", "y"]))
    assert len(sentences) == bool(said)
    assert said in "".join(sentences)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a table with a header and a column for each model.*found nothing"),
        ("iris\nwine\n", "found one column"),
        ("task,snn,svm\n", "must have a row for each task below its header"),
        ("task,snn,svm\niris,0.9\nwine,0.8,0.7\n", r"as many cells as its header \(3\), found 2 in row 2"),
        ("task,snn,snn\niris,0.9,0.8\n", "Every column of bad must stand once, but snn stands more often"),
        ("task,snn,svm\niris,0.9,0.8\niris,0.9,0.8\n", "Every task of bad must stand once, but iris.*task, model, split, seed"),
        ("model,iris\nsnn,0.9\nsnn,0.8\n", "Every model of bad must stand once, but snn"),
        ("task,snn,svm\niris,good,bad\n", "must have a column of numbers for each model, found none"),
        ("task,snn,svm\niris,0.9,0.8\nwine,0.9±0.1,0.8\n", r"column snn of bad has '0.9±0.1' in row 2 \(wine\)"),
        ("task,snn,svm\niris,0.9,inf\n", "finite numbers; column svm of bad has 'inf'"),
        ("task,snn,\niris,0.9,0.8\n", "Every column of bad must have a name; column 3 has none"),
        ("task,snn,svm\n,0.9,0.8\n", "must name its task; row 1 has none"),
        ("task,model,score\niris,snn,0.9\niris,snn,0.8\n", "must stand once, but snn has several on iris. Name split and seed"),
        ("task,model,acc,auc\niris,snn,0.9,0.8\n", "must have one column of numbers.*bad has acc, auc"),
        ("task,model,score\niris,,0.9\n", "must name its task and its model; row 1 does not"),
    ],
)
def test_bad_tables_are_refused_with_what_to_do(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(SnnbenchError, match=message):
        read_score_tables([str(file)])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({0: [0.1], 1: [0.2]}), "must be names of models, found 0, 1. Name them: table.columns"),
        (pd.DataFrame([[0.1, 0.2]], columns=["a", "a"]), "Every column of the table must stand once, but a"),
        (pd.DataFrame({"a": [0.1, 0.2]}, index=["x", "y"]), "must have two models to compare, found 1"),
        (pd.DataFrame({"a": [], "b": []}), "must have a row for each task"),
        (pd.DataFrame({("a", "b"): [0.1]}), "one level of row and column names"),
    ],
)
def test_bad_data_frames_are_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(SnnbenchError, match=message):
        compare(table)


@pytest.mark.parametrize("content", [b"PAR1 and nothing", b"\xff\xfe\x00"])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_bytes(content)
    with pytest.raises(SnnbenchError, match="scores"):
        read_score_tables([str(tmp_path / "scores.csv")])


def test_a_table_stands_beside_published_scores_on_its_own_tasks(tmp_path: Path) -> None:
    own = load_published("snn2017").iloc[:12][["snn"]].rename(columns={"snn": "mine"}).assign(snn=0.5)
    own.loc["my-task"] = 0.5
    own.to_csv(tmp_path / "scores.csv")
    options = ComparisonOptions(published=("snn2017",))
    comparison = benchmark.compare([tmp_path / "scores.csv"], options)
    assert comparison.suite == "uci"
    assert comparison.n_tasks == 12
    assert {"mine", "snn[scores]", "snn[snn2017]", "resnet"} <= set(comparison.table.index)
    assert comparison.left_out == {"my-task": "not a task of uci"}
    assert "Of the 13 tasks of scores 12 are compared." in comparison.notes
    same = benchmark.compare([], ComparisonOptions(published=(str(tmp_path / "scores.csv"), "snn2017")))
    pd.testing.assert_frame_equal(same.table, comparison.table)


def test_what_only_a_suite_knows_is_refused_for_a_table(tmp_path: Path) -> None:
    WIDE.to_csv(tmp_path / "scores.csv")
    sources = [tmp_path / "scores.csv"]
    with pytest.raises(SnnbenchError, match="--min-samples needs the tasks of a suite, found a table of scores alone"):
        benchmark.compare(sources, ComparisonOptions(min_samples=100))
    with pytest.raises(SnnbenchError, match="--metric needs stored outputs"):
        benchmark.compare(sources, ComparisonOptions(metric="auc"))
    with pytest.raises(SnnbenchError, match=r"Unknown task 'iriss'\. Did you mean 'iris'"):
        benchmark.compare(sources, ComparisonOptions(tasks=("iriss",)))
    with pytest.raises(SnnbenchError, match="Unknown column 'name'"):
        benchmark.compare(sources, ComparisonOptions(index="name"))
    with pytest.raises(SnnbenchError, match="--lower-is-better is for tables of scores alone"):
        benchmark.compare(sources, ComparisonOptions(lower_is_better=True, published=("snn2017",)))
    with pytest.raises(SnnbenchError, match="--index says how a table of scores is read, found none"):
        benchmark.compare([], ComparisonOptions(index="task", published=("snn2017",)))
    with pytest.raises(SnnbenchError, match="must name their tasks, in its first column"):
        benchmark.compare([tmp_path / "scores.csv"], ComparisonOptions(suite="htru2"))
    assert benchmark.compare(sources, ComparisonOptions(suite="uci", min_samples=150)).scores.index.tolist() == ["iris", "wine"]


def draw_folds() -> pd.DataFrame:
    """Return a row a score: three models on eight tasks with four folds each; rf has none on the last two tasks."""
    generator = np.random.default_rng(0)
    rows = [
        (f"t{task}", model, fold, 0.8 + gap + 0.01 * generator.normal())
        for task in range(8)
        for fold in range(4)
        for model, gap in (("snn", 0.0), ("svm", -0.006), ("rf", -0.1))
        if model != "rf" or task < 6
    ]
    return pd.DataFrame(rows, columns=["task", "model", "fold", "score"])


def test_the_splits_of_a_long_table_give_the_hierarchical_test_and_elo() -> None:
    folds = draw_folds()
    comparison = compare(folds, "snn", bayes="hierarchical")
    assert comparison.bayesian.loc["rf", "p_higher"] > 0.99
    assert comparison.bayesian["n_tasks"].to_dict() == {"svm": 8, "rf": 6}
    assert "hierarchical Bayesian test of tasks and splits" in str(comparison)
    means = compare(folds.groupby(["task", "model"], as_index=False)["score"].mean(), "snn")
    assert (comparison.elo["rating"] != means.elo["rating"]).any()
    assert json.loads(comparison.to_text("json"))["bayesian"]["results"][0]["difference"] is not None
    with pytest.raises(SnnbenchError, match="several splits of a task, found none"):
        str(compare(folds[folds["fold"] == 0], bayes="hierarchical"))
    with pytest.raises(SnnbenchError, match="Unknown Bayesian test 'hierarchic'"):
        compare(folds, bayes="hierarchic")


def test_missing_scores_are_imputed_from_a_model_that_is_named() -> None:
    folds = draw_folds()
    comparison = compare(folds, missing="impute", impute_from="svm")
    assert comparison.scores.loc[["t6", "t7"], "rf"].tolist() == comparison.scores.loc[["t6", "t7"], "svm"].tolist()
    assert "2 missing scores taken for the score of svm on the task: rf 2." in str(comparison)
    with pytest.raises(SnnbenchError, match="needs --missing impute, found worst"):
        compare(folds, impute_from="svm")
    with pytest.raises(SnnbenchError, match=r"Unknown model to impute from 'svn'\. Did you mean 'svm'"):
        compare(folds, missing="impute", impute_from="svn")


def test_a_mean_over_fewer_tasks_says_so() -> None:
    comparison = compare(draw_folds())
    assert comparison.table["n_scores"].to_dict() == {"snn": 8, "svm": 8, "rf": 6}
    assert re.search(r"score +tasks", str(comparison))
    assert "Score & Tasks" in comparison.to_text("latex")
    complete = compare(draw_folds(), missing="drop-task")
    assert not re.search(r"score +tasks", str(complete))
    # The mean of rf is the highest, over fewer tasks: it is not the best one.
    easy = pd.DataFrame({"snn": [0.5, 0.6, 0.7], "svm": [0.4, 0.5, 0.6], "rf": [np.nan, np.nan, 0.65]}, index=list("abc"))
    latex = compare(easy).to_text("latex")
    assert r"\textbf{0.6000}" in latex
    assert r"& 0.6500 & 1 &" in latex
