"""The leaderboard: which models a part of it ranks, of how many tasks, and what they cost there."""

import pytest

from snnbench.report import COMPARE_COLUMNS, LEADERBOARD_COLUMNS, ComparisonOptions, read_sources, render_leaderboard
from snnbench.report.sources import Sources

COLUMNS = (*COMPARE_COLUMNS, *LEADERBOARD_COLUMNS)


def _part(page: str, title: str) -> list[str]:
    """Return the lines of a part that are not empty."""
    return [line for line in page.split(f"## {title}\n")[1].split("\n## ")[0].splitlines() if line]


def _models(lines: list[str]) -> set[str]:
    return {line.split("|")[1].strip() for line in lines if line.startswith("|")} - {"model", ":---"}


@pytest.fixture(scope="module")
def reference() -> Sources:
    options = ComparisonOptions(suite="uci", published=("reference",))
    return read_sources([], options, COLUMNS)


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
