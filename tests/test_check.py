"""The check: equal results pass in every mode, and each mode notices what it is there to notice."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from stored_rows import job_of, result

from snnbench.errors import DataError, SnnbenchError
from snnbench.reproduce import MODES, as_junit, as_markdown, load_expected, only_worse, read_scores, record
from snnbench.reproduce.difference import change_of
from snnbench.reproduce.scores import MACHINE, Scores
from snnbench.reproduce.summary import verdict
from snnbench.results.store import write_results

TASKS, MODELS = tuple(f"task-{k}" for k in range(12)), ("snn", "svm", "knn")
N_TEST = 200
PROVENANCE = {"preset": "ci", "grid": "g", "task_sha256": "s", **dict.fromkeys(MACHINE, "x")}


def write_scores(folder: Path, shift=lambda task, model, seed: 0.0, seeds=(0, 1, 2), noise_seed=0, **provenance: str) -> Path:
    """Store evaluations with known means and a spread of two points between seeds, moved as the test wants."""
    rows = []
    for task in TASKS:
        for model in MODELS:
            for seed in seeds:
                rng = np.random.default_rng([noise_seed, TASKS.index(task), MODELS.index(model), seed])
                score = 0.8 + 0.05 * MODELS.index(model) + 0.01 * TASKS.index(task) % 0.1 + 0.02 * rng.normal()
                row = result(
                    f"{task}{model}{seed}", stage="evaluate", task=task, model=model, seed=seed,
                    test_score=score + shift(task, model, seed), test_targets=(0, 1) * (N_TEST // 2), test_outputs=(score,),
                )  # fmt: skip
                row.provenance.update({**PROVENANCE, **provenance})
                rows.append(row)
    write_results(folder, job_of("all"), rows)
    return folder


@pytest.fixture
def expected(tmp_path) -> Scores:
    return read_scores([write_scores(tmp_path / "expected")])


def found(tmp_path: Path, **changes) -> Scores:
    return read_scores([write_scores(tmp_path / "found", **changes)])


def only(task: str, model: str, by: float):
    return lambda t, m, seed: by if (t, m) == (task, model) else 0.0


@pytest.mark.parametrize("mode", MODES)
def test_equal_results_are_the_same_in_every_mode(expected, tmp_path, mode):
    assert MODES[mode](expected, found(tmp_path)) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_recorded_file_says_what_the_folder_says(expected, tmp_path, mode):
    for number in (0, 1):
        record(expected, tmp_path / f"{number}.json")
    text = (tmp_path / "0.json").read_text()
    assert text == (tmp_path / "1.json").read_text()
    assert len(text.splitlines()) > len(expected.rows)  # a line an evaluation, so that a change is a small one
    again = load_expected(str(tmp_path / "0.json"), "core")
    pd.testing.assert_frame_equal(again.rows, expected.rows)
    assert again.machines == expected.machines
    assert MODES[mode](again, found(tmp_path)) == []


def test_strict_notices_the_last_bit(expected, tmp_path):
    score = float(expected.rows.set_index(["task", "model", "seed"]).at[("task-3", "svm", 1), "test_score"])
    step = np.nextafter(score, 1) - score
    moved = found(tmp_path, shift=lambda t, m, seed: step if (t, m, seed) == ("task-3", "svm", 1) else 0.0)
    [difference] = MODES["strict"](expected, moved)
    assert (difference.place, difference.model) == ("task-3, repetition-1, seed 1", "svm")
    assert difference.expected == repr(score) != difference.found
    assert MODES["balanced"](expected, moved) == []


def test_strict_is_for_one_kind_of_machine(expected, tmp_path):
    with pytest.raises(SnnbenchError, match=r"one kind of machine only, found cpu x and y. Choose --mode balanced"):
        MODES["strict"](expected, found(tmp_path, cpu="y"))


@pytest.mark.parametrize("mode", ["strict", "balanced"])
@pytest.mark.parametrize(("change", "words"), [("grid", "grid and training settings"), ("task_sha256", "version of the data")])
def test_what_was_trained_otherwise_cannot_be_compared(expected, tmp_path, mode, change, words):
    with pytest.raises(
        SnnbenchError, match=f"must have one {words}; knn on task-0, repetition-1, seed 0 and 107 more have not"
    ):
        MODES[mode](expected, found(tmp_path, **{change: "other"}))
    with pytest.raises(SnnbenchError, match=r"one protocol version"):
        MODES[mode](replace(expected, protocol_version=0), found(tmp_path))


def test_balanced_allows_what_other_seeds_do(expected, tmp_path):
    n_alarms = 0
    for noise_seed in range(1, 21):
        other = read_scores([write_scores(tmp_path / str(noise_seed), noise_seed=noise_seed)])
        n_alarms += bool(MODES["balanced"](expected, other))
    assert n_alarms <= 2  # of 20, at a level of 1 in 100


def test_balanced_notices_a_task_and_a_model_that_is_off_everywhere(expected, tmp_path):
    one = MODES["balanced"](expected, found(tmp_path, shift=only("task-3", "svm", -0.12), noise_seed=1))
    assert [(d.place, d.model) for d in one] == [("task-3, repetition-1", "svm")]
    assert 0.05 < float(one[0].allowed.removeprefix("± ")) < 0.12
    everywhere = read_scores([write_scores(tmp_path / "all", lambda t, m, seed: 0.03 * (m == "svm"), noise_seed=1)])
    assert [(d.place, d.model) for d in MODES["balanced"](expected, everywhere)] == [("mean of all tasks", "svm")]


def test_balanced_allows_one_test_row_where_all_seeds_agree(tmp_path):
    """Without any spread, one row is rounding and two are a difference."""
    sides = {}
    for name, by in (("expected", 0.0), ("one", 1 / N_TEST), ("two", 2.1 / N_TEST)):
        rows = read_scores([write_scores(tmp_path / name)]).rows
        rows = rows.assign(test_score=0.5 + by * (rows["task"] == "task-1") * (rows["model"] == "svm"))
        sides[name] = Scores(name, "core", rows)
    assert MODES["balanced"](sides["expected"], sides["one"]) == []
    places = [d.place for d in MODES["balanced"](sides["expected"], sides["two"])]
    assert places == ["task-1, repetition-1", "mean of all tasks"]


def test_balanced_needs_two_seeds_somewhere(tmp_path):
    one, other = (read_scores([write_scores(tmp_path / name, seeds=(0,))]) for name in ("one", "other"))
    with pytest.raises(SnnbenchError, match=r"at least two of them on one side, found one. Run with --seeds 3"):
        MODES["balanced"](one, other)


def test_a_missing_evaluation_is_a_difference_and_another_one_is_not(expected, tmp_path):
    folder = write_scores(tmp_path / "found")
    rows = read_scores([folder])
    few = replace(rows, rows=rows.rows[rows.rows["task"] != "task-2"])
    for mode in ("strict", "balanced"):
        assert {d.found for d in MODES[mode](expected, few)} == {"missing"}
        assert len(MODES[mode](expected, few)) == 9
        assert MODES[mode](few, expected) == []


def test_nothing_in_common_cannot_be_compared(expected, tmp_path):
    for mode, words in (
        ("strict", "both sides have"),
        ("balanced", "both sides have"),
        ("loose", "found 0 and 0|found 3 and 0"),
    ):
        other = replace(expected, rows=expected.rows.assign(task="elsewhere", preset="other"))
        with pytest.raises(SnnbenchError, match=words):
            MODES[mode](expected, other)


def test_where_only_drops_count_a_gain_is_reported_and_does_not_fail(expected, tmp_path):
    def moved(by: float) -> list:
        return MODES["balanced"](expected, read_scores([write_scores(tmp_path / str(by), only("task-3", "svm", by))]))

    drop, gain = moved(-0.15), moved(0.15)
    assert [[d.change for d in both] for both in (drop, gain)] == [["worse"], ["better"]]
    assert (only_worse(drop), only_worse(gain)) == (drop, [])
    assert [verdict(d, drops_only=True) for d in ([], drop, gain)] == ["no drop", "1 drop", "no drop, 1 gain"]
    assert as_markdown(gain, expected, expected, "balanced", drops_only=True).startswith(
        "### snnbench check: no drop, 1 gain\n"
    )
    suites = [ElementTree.fromstring(as_junit(d, expected, expected, "balanced", True)) for d in (drop, gain)]
    assert [suite.get("failures") for suite in suites] == ["1", "0"]
    [told] = suites[1].iter("system-out")
    assert told.text.startswith("task-3, repetition-1: expected 0.8")
    assert [change_of(*pair) for pair in ((0.5, np.nan), (np.nan, 0.5), (0.5, 0.5), (np.nan, np.nan))] == [
        "worse", "better", "other", "other"]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_other_code_of_a_model_can_be_compared(expected, tmp_path, mode):
    assert MODES[mode](expected, found(tmp_path, code_digest="other", code_versions="numpy 1")) == []


def test_loose_notices_an_order_that_turned_round(expected, tmp_path):
    assert MODES["loose"](expected, found(tmp_path, noise_seed=5)) == []
    turned = read_scores([write_scores(tmp_path / "turned", lambda t, m, seed: 0.2 * (m == "snn"))])
    differences = MODES["loose"](expected, turned)
    assert [d.model for d in differences] == ["knn, snn", "snn, svm"]
    assert differences[0].expected.startswith("knn before snn, p = ")
    assert differences[0].found.startswith("snn before knn, p = ")


def test_a_published_table_is_an_expectation(tmp_path):
    published = load_expected("snn2017", "uci")
    assert published.decimals == 4
    assert len(published.rows) == 121 * 7 - 4  # trains lacks four
    rows = published.rows.assign(split="repetition-1", preset="paper", n_test=100)
    seeds = pd.concat([rows.assign(seed=seed, test_score=rows["test_score"] + 0.005 * (seed - 1)) for seed in range(3)])
    assert MODES["balanced"](published, Scores("mine", "uci", seeds)) == []
    worse = seeds.assign(test_score=seeds["test_score"] - 0.05 * (seeds["model"] == "snn"))
    assert {d.model for d in MODES["balanced"](published, Scores("mine", "uci", worse))} == {"snn"}
    with pytest.raises(SnnbenchError, match=r"snn2017 is a printed table. Choose --mode balanced or loose"):
        MODES["strict"](published, Scores("mine", "uci", seeds))
    with pytest.raises(SnnbenchError, match=r"Both sides must be of one suite"):
        load_expected("snn2017", "core")


def test_a_divergence_is_a_difference(expected, tmp_path):
    rows = expected.rows.copy()
    rows.loc[rows["task"] == "task-1", ["test_score", "status"]] = np.nan, "diverged"
    places = {d.place for d in MODES["balanced"](expected, replace(expected, rows=rows))}
    assert "task-1, repetition-1" in places
    record(replace(expected, rows=rows), tmp_path / "diverged.json")
    again = load_expected(str(tmp_path / "diverged.json"), "core")
    assert MODES["balanced"](again, again) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"evaluations": []}', '{"evaluations": [{"task": 1}]}', "[" * 100_000])
def test_a_file_that_is_no_record_is_refused(tmp_path, text):
    file = tmp_path / "expected.json"
    file.write_text(text)
    with pytest.raises(DataError, match=r"must be a file made by `snnbench check --record`"):
        load_expected(str(file), "core")


def test_an_expectation_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SnnbenchError, match=r"--record or one of snn2017, .*found nothing at nowhere\."):
        load_expected("nowhere", "core")
    with pytest.raises(DataError, match=r"--record must be a file that can be written"):
        record(read_scores([write_scores(tmp_path / "r")]), tmp_path / "no" / "file.json")


def test_the_summaries_escape_what_they_print(expected, tmp_path):
    moved = found(tmp_path, shift=only("task-3", "svm", -0.3))
    differences = [replace(MODES["balanced"](expected, moved)[0], model="<b>|svm\x00")]
    markdown = as_markdown(differences, expected, moved, "balanced")
    assert markdown.startswith("### snnbench check: 1 difference\n")
    assert "| task-3, repetition-1 | &lt;b>\\|svm" in markdown
    suite = ElementTree.fromstring(as_junit(differences, expected, moved, "balanced"))
    assert (suite.get("tests"), suite.get("failures")) == ("37", "1")
    [failure] = suite.iter("failure")
    assert "expected 0.8" in failure.get("message")
    assert as_markdown([], expected, moved, "loose").startswith("### snnbench check: same\n")
    none = ElementTree.fromstring(as_junit([], expected, moved, "strict"))
    assert (none.get("tests"), none.get("failures")) == ("36", "0")
