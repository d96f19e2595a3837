"""Sentences are derived from the rows that they speak of: unequal seeds, repetitions and splits, missing tasks, equal ranks."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from snnbench.report import FIGURES, Analysis, ComparisonOptions, rank_models
from snnbench.report.breakdown import by_split
from snnbench.report.compare import compare_results
from snnbench.report.summary import conclude, describe_comparison, describe_left_out, describe_test
from snnbench.results.published import load_published

TASKS = ("iris", "wine", "monks-1", "monks-2")


def rows(*trained: tuple[str, tuple[str, ...], tuple[int, ...], tuple[int, ...]], suite: str = "core") -> pd.DataFrame:
    """Return the evaluations of (model, tasks, repetitions, seeds)."""
    generator = np.random.default_rng(0)
    found = [
        {
            **{
                "suite": suite,
                "task": task,
                "model": model,
                "split": f"repetition-{repetition}",
                "seed": seed,
                "preset": "quick",
            },
            **{"grid": model, "config": "{}", "config_key": "k", "stage": "evaluate", "task_sha256": "a", "status": "ok"},
            **{"error": "", "finished_at": "2026", "valid_score": np.nan, "metric": "accuracy", "task_source": "files"},
            **{"test_score": round(generator.random(), 4)},
        }
        for model, tasks, repetitions, seeds in trained
        for task, repetition, seed in product(tasks, repetitions, seeds)
    ]
    return pd.DataFrame(found)


ONE, FOUR, FIVE = (1,), (1, 2, 3, 4), (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("trained", "sentence", "is_unlike"),
    [
        ([("a", TASKS, ONE, (0,)), ("b", TASKS, ONE, (0,))], "", False),
        ([("a", TASKS, ONE, FIVE), ("b", TASKS, ONE, FIVE)], "the mean of 5 seeds; a task", False),
        ([("a", TASKS, FOUR, (0,)), ("b", TASKS, FOUR, (0,))], "the mean of 4 repetitions; a task", False),
        ([("a", TASKS, FOUR, FIVE), ("b", TASKS, FOUR, FIVE)], "the mean of 4 repetitions and 5 seeds; a task", False),
        ([("a", TASKS, ONE, FIVE), ("b", TASKS, ONE, (0,))], "the mean of 5 seeds (a); one training (b); a task", True),
        ([("a", TASKS, ONE, FIVE), ("b", TASKS[:2], ONE, (0,)), ("b", TASKS[2:], ONE, FIVE)], "1 to 5 seeds (b)", True),
        # All models are averaged over the splits that they share: the other repetitions of a are in no score.
        ([("a", TASKS, FOUR, (0,)), ("b", TASKS, ONE, (0,))], "", False),
        ([("a", TASKS[:2], FOUR, (0,)), ("b", TASKS, FOUR, (0,))], "the mean of 4 repetitions; a task", False),
        ([("a", TASKS, (1, 2), (0,)), ("b", TASKS, (1, 2, 3), (0,)), ("c", TASKS[:1], (1, 2), (0,))], "2 repetitions;", False),
    ],
)
def test_what_a_score_is_the_mean_of(trained: list, sentence: str, is_unlike: bool) -> None:
    lines = " ".join(describe_comparison(compare_results(ComparisonOptions(), rows(*trained))))
    assert sentence in lines
    assert ("The score of a task is" in lines) == bool(sentence)
    assert ("not equally precise" in lines) == is_unlike


def test_published_scores_are_not_said_to_be_means_of_ones_own_seeds() -> None:
    own = rows(("mine", ("iris", "wine"), ONE, FIVE), suite="uci")
    line = describe_comparison(compare_results(ComparisonOptions(published=("snn2017",)), own))[0]
    assert "the mean of 5 seeds (mine); a task counts once." in line


def test_models_without_a_split_in_common_are_not_said_to_have_no_number() -> None:
    found = rows(("a", TASKS, ONE, (0,)), ("b", TASKS[:1], (2,), (0,)), ("b", TASKS[1:], ONE, (0,)))
    text = " ".join(describe_left_out(compare_results(ComparisonOptions(), found)))
    assert "a: no score on all the splits that models are compared on" in text
    assert "not a number" not in text


def test_equal_ranks_are_shared_ranks() -> None:
    generator = np.random.default_rng(0)
    scores = pd.DataFrame(generator.random((10, 2)), columns=["a", "b"])
    scores = pd.concat([scores, scores[["b", "a"]].set_axis(["a", "b"], axis=1)], ignore_index=True)
    assert conclude(rank_models(scores)).startswith("No difference is shown at p < 0.05: a and b share the best rank, but")
    scores["c"] = scores.min(axis=1) - 0.001 * generator.random(20)
    third = conclude(rank_models(scores, options=ComparisonOptions(baseline="a", alpha=1e-9)))
    assert "ranks best" not in third


@pytest.mark.parametrize("n_models", [2, 3, 5, 7])
def test_no_axis_runs_beyond_the_last_rank(n_models: int) -> None:
    scores = load_published("snn2017").iloc[:12, :n_models].dropna()
    comparison = rank_models(scores)
    chart = FIGURES["cd"](Analysis(comparison)).to_dict()
    tables = list(chart["datasets"].values())
    ticks = next(pd.DataFrame(table) for table in tables if set(table[0]) == {"rank", "number", "row", "top"})
    assert ticks["rank"].max() <= n_models
    line = next(pd.DataFrame(t) for t in tables if set(t[0]) == {"rank", "to", "row"} and t[0]["row"] == 0)
    assert line["to"][0] <= n_models
    assert line["to"][0] >= comparison.table["mean_rank"].max()


def test_a_comparison_by_split_tells_unequal_seeds_and_missing_splits() -> None:
    found = rows(("a", ("iris",), FOUR, FIVE), ("b", ("iris",), FOUR, (0,)), ("c", ("iris",), (1, 2, 3), (0,)))
    notes = " ".join(by_split(found).notes)
    assert "the paired units are 3 of its 4 splits, not tasks" in notes
    assert "mean of unlike numbers of seeds (a 5, b 1, c 1)" in notes
    assert "Left out: 1 split without a score of every model." in notes
    equal = " ".join(by_split(rows(("a", ("iris",), FOUR, FIVE), ("b", ("iris",), FOUR, FIVE))).notes)
    assert "The score on a split is the mean of 5 seeds." in equal
    assert "its 4 splits" in equal
    assert "seeds" not in " ".join(by_split(rows(("a", ("iris",), FOUR, (0,)), ("b", ("iris",), FOUR, (0,)))).notes)


def with_searches(found: pd.DataFrame, **n_configs: int) -> pd.DataFrame:
    """Return the rows with those of a search of so many configurations a model."""
    first = found.drop_duplicates("model").set_index("model", drop=False)
    searches = [first.loc[[name]].assign(stage="search", config_key=f"k{k}") for name, n in n_configs.items() for k in range(n)]
    return pd.concat([found, *searches], ignore_index=True)


def test_grids_that_differ_are_named_and_presets_that_differ_are_a_caution() -> None:
    both = rows(("a", TASKS, ONE, (0,)), ("b", TASKS, ONE, (0,)))
    alike = compare_results(ComparisonOptions(), with_searches(both, a=12, b=12))
    assert not any("grids" in line for line in (*alike.notes, conclude(alike)))
    sizes = compare_results(ComparisonOptions(), with_searches(both, a=12, b=1))
    assert sizes.notes == ()
    assert (
        sizes.origin.grids
        == describe_test(sizes)[-1]
        == ("Selected from unlike grids: a from 12 configurations (preset quick); b from 1 configuration (preset quick).")
    )
    assert sizes.origin.caution == ""
    presets = with_searches(both.assign(preset=both["model"].map({"a": "quick", "b": "paper"})), a=12, b=216)
    comparison = compare_results(ComparisonOptions(), presets)
    assert "b from 216 configurations (preset paper)" in comparison.notes[0]
    assert comparison.origin.caution.startswith("The models were not selected from the same grids")


def test_a_quick_grid_beside_the_published_scores_is_said() -> None:
    own = with_searches(rows(("mine", tuple(load_published("snn2017").index[:30]), ONE, (0,)), suite="uci"), mine=12)
    comparison = compare_results(ComparisonOptions(published=("snn2017",)), own)
    assert comparison.notes[0] == (
        "Selected from unlike grids: mine from 12 configurations (preset quick); those of snn2017 from 36 to 216 "
        "configurations (the paper's grids, one hold-out)."
    )
    assert conclude(comparison).endswith(
        "The models were not selected from the same grids, so a difference may be one of the search."
    )
