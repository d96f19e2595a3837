"""What a comparison computes and prints."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.report import FORMATS, ComparisonOptions, ModelComparison, rank_models, render_table
from snnbench.report.numbers import short_pvalue

NAN = float("nan")

SCORES = pd.DataFrame(
    {
        "msrainit": [0.5, 0.6, 0.7, 0.8, 0.9, NAN],
        "snn[paper]": [0.6, 0.8, 0.9, 0.8, 0.95, 0.5],
        "a|b": [0.4, 0.7, 0.6, 0.5, 0.85, NAN],
    },
    index=[f"task-{k}" for k in range(6)],
)


COMPLETE = ComparisonOptions(missing="drop-task")


@pytest.fixture
def comparison() -> ModelComparison:
    return rank_models(SCORES, {"task-9": "task-9_R.dat is missing"}, COMPLETE)


def test_the_table_is_sorted_and_has_every_number(comparison: ModelComparison) -> None:
    assert list(comparison.table.index) == list(comparison.scores.columns) == ["snn[paper]", "msrainit", "a|b"]
    table = comparison.table
    np.testing.assert_allclose(table["mean_rank"], [1.1, 2.1, 2.8])
    np.testing.assert_allclose(table["rank_difference"], [-0.9, 0.1, 0.8])
    np.testing.assert_allclose(table["mean_score"], [0.81, 0.7, 0.61])
    np.testing.assert_allclose(table["wins"], [4.5, 0.5, 0])
    assert (table["low"] <= table["mean_rank"]).all()
    assert (table["mean_rank"] <= table["high"]).all()
    np.testing.assert_array_equal(table[["won", "tied", "lost"]], [[0, 5, 0], [4, 1, 0], [5, 0, 0]])
    assert list(table["verdict"]) == ["baseline", "undecided", "undecided"]
    assert list(table["n_tests"]) == [5, 5, 5]
    np.testing.assert_allclose(table["pvalue"], [NAN, 2 / 2**4, 2 / 2**5])
    # Times 3 and 2, as there are three pairs: the baseline was chosen as the best.
    np.testing.assert_allclose(table["adjusted_pvalue"], [NAN, 1 / 4, 3 / 16])
    assert (comparison.baseline, comparison.n_tasks, comparison.n_models) == ("snn[paper]", 5, 3)


def test_the_settings_reach_the_tests() -> None:
    comparison = rank_models(
        SCORES,
        options=ComparisonOptions(
            missing="drop-task", baseline="msrainit", alternative="greater", correction="none", zero_method="pratt"
        ),
    )
    assert comparison.baseline == "msrainit"
    assert comparison.wilcoxon.alternative == "greater"
    np.testing.assert_array_equal(comparison.table["pvalue"], comparison.table["adjusted_pvalue"])
    text = FORMATS["table"](comparison)
    for words in ("msrainit against each model", "one-sided", "Pratt", "not corrected"):
        assert words in " ".join(text.split())
    assert "p (" not in text


def test_tasks_without_a_score_are_left_out_and_named(comparison: ModelComparison) -> None:
    assert comparison.left_out == {"task-9": "task-9_R.dat is missing", "task-5": "no score of msrainit, a|b"}
    assert "task-5" not in comparison.scores.index


def test_a_task_with_a_reason_is_left_out_for_that_reason() -> None:
    comparison = rank_models(SCORES, {"task-5": "out of memory", "task-0": "damaged"}, COMPLETE)
    assert comparison.left_out == {"task-5": "out of memory", "task-0": "damaged"}
    assert comparison.n_tasks == 4


def test_a_single_model_is_shown_without_tests() -> None:
    comparison = rank_models(SCORES[["snn[paper]"]])
    assert comparison.table.loc["snn[paper]", "mean_rank"] == 1.0
    assert np.isnan(comparison.table.loc["snn[paper]", "pvalue"])
    text = FORMATS["table"](comparison)
    assert "nothing to compare a single model with" in text
    assert "Wilcoxon" not in text


def test_a_single_task_has_no_friedman_test() -> None:
    text = FORMATS["table"](rank_models(SCORES.iloc[:1]))
    assert "3 models on 1 task.\nFriedman test: none, it needs at least 2 tasks." in text


@pytest.mark.parametrize(
    ("scores", "left_out", "message"),
    [
        (SCORES.iloc[:0], {}, "found none. There are no scores. Train models with `snnbench run` first."),
        (pd.DataFrame(), {"iris": "not at hand", "wine": "not at hand"}, "2 left out: not at hand. Train models"),
        (
            pd.DataFrame({"a": [0.5, NAN], "b": [NAN, 0.5]}, index=["x", "y"]),
            {},
            r"a 1, b 1 .of 2.. Complete them with `snnbench run`",
        ),
    ],
)
def test_no_task_is_an_error_that_says_what_to_do(scores: pd.DataFrame, left_out: dict[str, str], message: str) -> None:
    with pytest.raises(SnnbenchError, match=message):
        rank_models(scores, left_out, COMPLETE)


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'msrainit'"):
        rank_models(SCORES, options=ComparisonOptions(baseline="msrainot"))


def test_the_terminal_table_fits_in_80_columns_and_shows_names_as_they_are(comparison: ModelComparison) -> None:
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    console.print(render_table(comparison, 80))
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "snn[paper]" in text
    assert [line.split() for line in text.splitlines() if line.startswith("msrainit ")] == [
        ["msrainit", "2.10", "+0.100", "0.7000", "4/1/0", "0.12", "0.25", "0.02", "undecided"]
    ]


def test_the_text_says_what_was_compared_tested_and_left_out(comparison: ModelComparison) -> None:
    lines = FORMATS["table"](comparison).splitlines()
    assert lines[0] == "3 models on 5 of 7 tasks."
    assert lines[1].startswith(
        "Friedman test of equal ranks: chi-square = 7.68 (2 d.f.), p = 0.021; Iman-Davenport: F = 13.27 (2,"
    )
    text = " ".join(" ".join(lines).split())
    assert "Wilcoxon signed-rank test of snn[paper] against each model, paired by task, two-sided; zero differences" in text
    assert "Holm" in text
    assert text.endswith("Left out: 2 tasks. task-9_R.dat is missing: task-9 no score of msrainit, a|b: task-5")


def test_long_names_and_many_left_out_tasks_fit_as_well() -> None:
    generator = np.random.default_rng(0)
    models = [f"a-model-with-a-really-long-name-{k}[paper]" for k in range(24)]
    scores = pd.DataFrame(generator.random((8, 24)), columns=models)
    comparison = rank_models(
        scores, {f"long-task-name-{k}": "out of memory" for k in range(40)}, ComparisonOptions(subset="large")
    )
    text = FORMATS["table"](comparison)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.startswith("24 models on 8 of 48 large tasks.")
    assert "out of memory (40 tasks): long-task-name-0, long-task-name-1," in text
    assert "long-task-name-19 and 20 more" in " ".join(text.split())
    assert "long-task-name-39" in FORMATS["json"](comparison)


def test_markdown_is_a_table_between_captions(comparison: ModelComparison) -> None:
    text = FORMATS["markdown"](comparison)
    first, table, *notes = text.split("\n\n")
    assert first.startswith("3 models on 5 of 7 tasks. Friedman")
    assert table.splitlines()[0] == "| model | rank | 95% | diff. | score | w/t/l | p | p (holm) | equiv. | verdict |"
    assert table.splitlines()[2] == "| snn[paper] | 1.10 | 1.00-2.05 | -0.900 | 0.8100 | - | - | - | - | baseline |"
    assert table.splitlines()[4].startswith(r"| a\|b | 2.80 | 1.84-3.00 | +0.800 |")
    assert notes[-1] == "- task-9_R.dat is missing: task-9\n- no score of msrainit, a|b: task-5\n"


def test_csv_is_rows_of_numbers_at_full_precision(comparison: ModelComparison) -> None:
    header, first, second, third = csv.reader(io.StringIO(FORMATS["csv"](comparison)))
    assert header == ["model", *comparison.table.columns]
    assert first[0] == "snn[paper]"
    assert first[-4:] == ["", "", "5", "baseline"]
    assert [float(cell) for cell in second[1:-1]] == comparison.table.loc["msrainit"].tolist()[:-1]
    assert third[0] == "a|b"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_ends_with_a_line_end(comparison: ModelComparison, name: str) -> None:
    text = FORMATS[name](comparison)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_missing_scores_can_rank_worst_instead() -> None:
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.7], "b": [0.8, np.nan, 0.6], "c": [0.1, 0.2, np.nan]}, index=["x", "y", "z"])
    reasons = {"y": "b: failed", "z": "c: failed", "w": "no results"}
    left_out = rank_models(scores, reasons, COMPLETE)
    assert (left_out.n_tasks, set(left_out.left_out)) == (1, {"y", "z", "w"})
    worst = rank_models(scores, reasons)
    assert (worst.n_tasks, dict(worst.left_out)) == (3, {"w": "no results"})
    assert worst.table["mean_rank"].to_dict() == {"a": 1.0, "b": pytest.approx(7 / 3), "c": pytest.approx(8 / 3)}
    assert "2 missing scores take the worst rank on their tasks and are in no pair of a Wilcoxon test: b 1, c 1." in " ".join(
        FORMATS["table"](worst).split()
    )
    models = rank_models(scores, reasons, ComparisonOptions(missing="drop-model"))
    assert models.table.index.tolist() == ["a"]
    assert set(models.models_left_out) == {"b", "c"}
    assert "b: no score on y" in FORMATS["table"](models)


def test_a_model_without_any_score_is_left_out_and_named() -> None:
    comparison = rank_models(SCORES.assign(resnet=NAN))
    assert "resnet" not in comparison.table.index
    assert "resnet: no score on any task" in FORMATS["table"](comparison)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1"), (0.0549, "0.055"), (0.00311, "0.0031"), (3.31e-05, "3.3e-05"), (0.0, "0"), (float("nan"), "-")],
)
def test_a_pvalue_is_shown_by_two_digits(value: float, shown: str) -> None:
    assert short_pvalue(value) == shown
