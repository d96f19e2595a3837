"""The leaderboard: which models a part of it ranks, of how many tasks, and what they cost there."""

import pandas as pd
import pytest

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.report import COMPARE_COLUMNS, LEADERBOARD_COLUMNS, ComparisonOptions, read_sources, render_leaderboard
from snnbench.report.options import choose_tasks
from snnbench.report.sources import Sources
from snnbench.suites.audit.flags import task_flags

COLUMNS = (*COMPARE_COLUMNS, *LEADERBOARD_COLUMNS)


def _part(page: str, title: str) -> list[str]:
    """Return the lines of a part that are not empty."""
    return [line for line in page.split(f"## {title}\n")[1].split("\n## ")[0].splitlines() if line]


def _models(lines: list[str]) -> set[str]:
    return {line.split("|")[1].strip() for line in lines if line.startswith("|")} - {"model", ":---"}


@pytest.fixture(scope="module")
def reference() -> Sources:
    options = ComparisonOptions(suite="uci", published=("reference",))
    rows = read_sources([], options, COLUMNS).rows
    small = choose_tasks(ComparisonOptions(subset="small"), "uci")  # on which all models were run
    few = rows["model"].isin(("highway", "msrainit", "snn", "svm"))  # more take longer
    return Sources((), rows[(rows["suite"] == "uci") & rows["task"].isin(small) & few], ())


def test_a_model_that_was_run_on_half_of_the_tasks_is_named_and_ranked_where_it_was_run(reference):
    rows = reference.rows
    small = sorted(set(rows["task"]))[:20]
    missing = set(small[10:])
    rows = rows[rows["task"].isin(small) & ~((rows["model"] == "svm") & rows["task"].isin(missing))]
    whole = _part(render_leaderboard(Sources((), rows, ()), ComparisonOptions(suite="uci")), "All tasks that were run")
    n_models = rows["model"].nunique()
    assert whole[0] == f"{n_models - 1} models on 20 tasks; not run on all of them, and left out: svm."
    assert "svm" not in _models(whole)
    both = ComparisonOptions(suite="uci", tasks=tuple(small[:10]))
    assert "svm" in _models(_part(render_leaderboard(Sources((), rows, ()), both), "All tasks that were run"))


def test_hours_are_those_of_the_tasks_of_the_part(reference):
    rows = reference.rows.assign(seconds=36.0)
    page = render_leaderboard(Sources((), rows, ()), ComparisonOptions(suite="uci"))
    for title in ("All tasks that were run", "Tasks whose data the audit does not flag"):
        lines = _part(page, title)
        n_tasks = int(lines[0].split(" models on ")[1].split()[0])
        snn = next(line for line in lines if line.startswith("| snn "))
        per_task = len(rows[rows["model"] == "snn"]) / rows["task"].nunique()
        assert float(snn.split("|")[-2]) == pytest.approx(per_task * n_tasks * 36 / 3600, rel=0.02)


def test_a_model_of_two_grids_is_two_models(reference):
    rows = reference.rows
    rows = rows[rows["task"].isin(sorted(set(rows["task"]))[:6]) & rows["model"].isin(("snn", "svm"))]
    other = rows[rows["model"] == "snn"].assign(preset="other", grid="other", key=lambda found: "other" + found["key"])
    page = render_leaderboard(Sources((), pd.concat([rows, other], ignore_index=True), ()), ComparisonOptions(suite="uci"))
    whole = _part(page, "All tasks that were run")
    assert whole[0] == "3 models on 6 tasks."
    assert _models(whole) == {"snn[other]", "snn[quick]", "svm"}


def test_models_that_are_named_are_ranked_alone_and_missed_where_they_were_not_run(reference):
    rows = reference.rows
    tasks, flagged = sorted(set(rows["task"])), set(task_flags("uci"))
    rows = rows[rows["task"].isin([*tasks[:10], *flagged]) & ((rows["model"] != "svm") | rows["task"].isin(flagged))]
    page = render_leaderboard(Sources((), rows, ()), ComparisonOptions(suite="uci", models=("snn", "svm")))
    assert "left out" not in _part(page, "All tasks that were run")[0]
    assert _part(page, "Tasks whose data the audit does not flag")[0].endswith("left out: svm.")
    with pytest.raises(UnknownNameError, match="svn"):
        render_leaderboard(Sources((), rows, ()), ComparisonOptions(suite="uci", models=("svn",)))


def test_scores_without_runs_are_refused(reference):
    options = ComparisonOptions(suite="uci", published=("reference", "snn2017"))
    with pytest.raises(SnnbenchError, match="snn2017"):
        render_leaderboard(reference, options)
