"""Condensed results: what is copied, and published runs beside one's own."""

from pathlib import Path

import pandas as pd
import pytest

from snnbench import benchmark
from snnbench.errors import SnnbenchError, StoreError
from snnbench.execution.run_options import build_request
from snnbench.report import (
    COMPARE_COLUMNS,
    COMPARISON_COLUMNS,
    DEFAULT,
    LEADERBOARD_COLUMNS,
    ComparisonOptions,
    Sources,
    read_sources,
    render_leaderboard,
)
from snnbench.report.claims import Claim, ScoreClaim, examine_claims, examine_score_claims
from snnbench.report.compare import leave_out_partial
from snnbench.reproduce import MODES, load_expected, read_scores
from snnbench.results import published
from snnbench.results.condensing import CURVES, condense
from snnbench.results.store import read_results

CONFIG = """
[training]
n_epochs = {n_epochs}
[models.snn.grid]
n_units = 8
n_layers = 2
form = "rectangular"
learning_rate = [0.1, 0.01]
dropout_rate = 0.0
[models.{tree}]
estimator = "sklearn.tree.DecisionTreeClassifier"
grid = {{ max_depth = [1, 3] }}
"""


def _run(folder: Path, name: str, tree: str = "tree", n_epochs: int = 3, seed: int = 0) -> Path:
    config, results = folder / f"{name}.toml", folder / name
    config.write_text(CONFIG.format(tree=tree, n_epochs=n_epochs))
    options = {"config": config, "n_seeds": 2, "seed": seed, "workers": 1}
    request = build_request("core", None, ["iris", "wine"] if seed == 0 else ["iris"], "quick", results, options)
    loaded = benchmark.prepare(request)
    benchmark.run(request, loaded, benchmark.plan(request, loaded))
    return results


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Return the folders of a run, of one with another tree, and of one that trained for longer."""
    folder = tmp_path_factory.mktemp("runs")
    found = {
        "reference": _run(folder, "reference"),
        "own": _run(folder, "own", tree="stump", seed=5),
        "longer": _run(folder, "longer", n_epochs=4),
    }
    condense([found["reference"]], folder / "published" / "reference")
    return {**found, "published": folder / "published"}


@pytest.fixture
def _shipped(runs, monkeypatch) -> None:
    """Let the condensed run be the one that ships."""
    monkeypatch.setattr(published, "resource", lambda *parts: runs["published"] / parts[-1])


def test_rows_keep_everything_but_curves(runs):
    whole = read_results([runs["reference"]]).set_index("key").sort_index()
    small = read_results([runs["published"] / "reference"]).set_index("key").sort_index()
    assert set(whole.columns) - set(small.columns) == set(CURVES)
    evaluated = whole["stage"] == "evaluate"
    assert small.loc[evaluated, "n_test"].tolist() == whole.loc[evaluated, "test_targets"].map(len).tolist()
    pd.testing.assert_frame_equal(whole.drop(columns=list(CURVES)), small[whole.columns.drop(list(CURVES))])


def test_condensing_again_gives_equal_files(runs, tmp_path):
    condense([runs["published"] / "reference"], tmp_path / "again")
    for file in (runs["published"] / "reference").rglob("*.*"):
        again = tmp_path / "again" / file.relative_to(runs["published"] / "reference")
        assert again.read_bytes() == file.read_bytes()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(StoreError, match="found none"):
        condense([tmp_path], tmp_path / "target")


@pytest.mark.usefixtures("_shipped")
def test_published_runs_stand_beside_ones_own_on_the_same_tasks(runs):
    found = read_sources([runs["own"]], ComparisonOptions(published=("reference",)), COMPARISON_COLUMNS)
    assert set(found.rows["task"]) == {"iris"}
    comparison = benchmark.compare(found, ComparisonOptions(published=("reference",)))
    assert set(comparison.scores) == {"snn", "stump", "snn[reference]", "tree"}
    assert comparison.scores.at["iris", "tree"] == benchmark.compare([runs["reference"]]).scores.at["iris", "tree"]


@pytest.mark.usefixtures("_shipped")
def test_published_runs_can_be_compared_alone():
    comparison = benchmark.compare([], ComparisonOptions(published=("reference",)))
    assert (comparison.n_tasks, set(comparison.scores)) == (2, {"snn", "tree"})


def test_published_models_that_were_run_on_few_of_the_tasks_are_left_out_unless_they_are_named():
    tasks = [f"task-{number}" for number in range(10)]
    run = [("snn", task, "") for task in (*tasks, "mine")] + [("whole", task, "reference") for task in tasks]
    run += [("nearly", task, "reference") for task in tasks[1:]] + [("half", task, "reference") for task in tasks[:5]]
    rows = pd.DataFrame(run, columns=["model", "task", "published"]).assign(stage="evaluate")
    found, notes = leave_out_partial(rows, DEFAULT)
    assert (set(found["model"]), set(found["task"])) == ({"snn", "whole", "nearly"}, set(tasks))
    assert notes[0] == "1 task of yours is not among the runs of reference and left out."
    assert notes[1].startswith("Left out, as they were run on few of these 10 tasks: half 5. --subset or --task")
    named, notes = leave_out_partial(rows, ComparisonOptions(models=("snn", "half")))
    assert (set(named["model"]), len(notes)) == ({"snn", "whole", "nearly", "half"}, 1)
    own = rows.assign(published="")
    assert leave_out_partial(own, DEFAULT)[0] is own


@pytest.mark.usefixtures("_shipped")
def test_networks_with_other_settings_are_refused_unless_asked_for(runs):
    options = ComparisonOptions(published=("reference",))
    with pytest.raises(SnnbenchError, match=r"have n_epochs 4 \(3\)"):
        benchmark.compare([runs["longer"]], options)
    compared = benchmark.compare([runs["longer"]], ComparisonOptions(published=("reference",), other_settings=True))
    assert set(compared.scores) == {"snn", "snn[reference]", "tree", "tree[reference]"}


@pytest.mark.usefixtures("_shipped")
def test_a_report_has_published_runs_without_curves(runs):
    assert "snn[reference]" in benchmark.report([runs["own"]], ComparisonOptions(published=("reference",)))


@pytest.mark.usefixtures("_shipped")
def test_a_check_against_published_runs_counts_test_rows(runs):
    found = read_scores([runs["reference"]])
    expected = load_expected("reference", "core")
    assert expected.rows["n_test"].tolist() == found.rows["n_test"].tolist()
    assert MODES["balanced"](expected, found) == []
    with pytest.raises(SnnbenchError, match="stores scores alone"):
        MODES["strict"](expected, found)


def test_claims_are_held_against_the_interval_of_rank_differences():
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.9], "b": [0.5, 0.6, 0.6, 0.8], "c": [0.6, 0.5, 0.7, 0.7]})
    claims = [Claim("a", "b", ("a", "b", "c"), "all", ""), Claim("b", "c", ("a", "b", "c"), "all", "")]
    first, second = examine_claims(lambda subset: scores, claims)
    # Ranks of a: 1, 1, 1.5, 1; of b: 3, 2, 3, 2; of c: 2, 3, 1.5, 3.
    assert (first.difference, first.n_units, first.verdict) == (1.375, 4, "reproduced")
    # The differences 2, 1, 1.5, 1 have standard deviation 0.4787; t(3) = 3.182.
    assert first.low == pytest.approx(1.375 - 3.18245 * 0.478714 / 2, abs=1e-4)
    assert (second.difference, second.verdict) == (-0.125, "open")
    assert DEFAULT.published == ()


def test_claims_on_folds_are_held_against_an_interval_that_allows_for_shared_rows():
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7], "b": [0.5, 0.6, 0.6], "c": [0.9, float("nan"), float("nan")]})
    claims = [ScoreClaim("a", other, "htru2", "folds", "Table 3") for other in ("b", "c", "d")]
    first, second, third = examine_score_claims(lambda claim: (scores, 0.125), claims)
    # The differences 0.4, 0.2, 0.1 have standard deviation 0.152753; t(2) = 4.302653; the variance is 1/3 + 1/8 of theirs.
    assert (first.n_units, first.difference) == (3, pytest.approx(0.7 / 3))
    assert first.high - first.difference == pytest.approx(4.302653 * 0.152753 * (1 / 3 + 1 / 8) ** 0.5, abs=1e-5)
    assert first.verdict == "open"
    assert (second.verdict, second.reason) == ("open", "scores of both on 1 alone, which have no interval")
    assert third.reason == "no scores of d on htru2"
    (none,) = examine_score_claims(lambda claim: (pd.DataFrame(), 0.0), claims[:1])
    assert (none.verdict, none.n_units, none.reason) == ("open", 0, "no results on htru2")


def test_a_leaderboard_of_uci_judges_the_claims_on_other_suites_whose_rows_are_there():
    options = ComparisonOptions(suite="uci", published=("reference",), tasks=("iris", "wine", "zoo"))
    found = read_sources([], options, [*COMPARE_COLUMNS, *LEADERBOARD_COLUMNS])
    on_iris = found.rows[(found.rows["task"] == "iris") & found.rows["model"].isin(["snn", "msrainit"])]
    folds = [
        on_iris.assign(suite="htru2", task="htru2", split=f"fold-{k}", test_score=0.9 + 0.001 * k * (on_iris["model"] == "snn"))
        for k in range(1, 11)
    ]
    on_uci = found.rows[found.rows["suite"] == "uci"]
    page = render_leaderboard(Sources(found.folders, pd.concat([on_uci, *folds]), ()), options)
    claims = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in page.splitlines() if line.startswith("| ")}
    # The differences 0.001 to 0.010 have standard deviation 0.0030277; t(9) = 2.262157; a fold is 1/8 of what trains.
    assert claims["snn scores higher than msrainit on htru2"] == [
        "10 folds", "+0.0055", "+0.0023 to +0.0087", "reproduced", "Table 3 |"]  # fmt: skip
    silent = page.split("Open, as nothing can be said:")[1]
    assert "- 1 claim of Table 3, from other publications: no scores of svm on htru2." in silent
    assert "- 6 claims of Table 2: no results on tox21." in silent
    assert "- 3 claims of Table 1, right; Table A13: no results on large tasks." in silent
    assert claims["snn ranks before resnet on all tasks"][0] == "3 of 121 tasks"
