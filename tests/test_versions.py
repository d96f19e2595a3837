"""Results on several versions of a task's data: one counts, and which one is said."""

import pandas as pd
import pytest

from snnbench.errors import UnknownNameError
from snnbench.results.data_versions import check_versions, choose_versions, list_versions

OLD, NEW, SEARCHED = "a" * 64, "b" * 64, "c" * 64


def row(task, data, finished_at, model="snn", stage="evaluate", status="ok") -> dict[str, str]:
    return {
        "suite": "core", "task": task, "task_sha256": data, "finished_at": finished_at, "model": model, "stage": stage,
        "status": status,
    }  # fmt: skip


ROWS = pd.DataFrame(
    [
        row("iris", NEW, "2026-02-02", stage="search"),
        row("iris", NEW, "2026-02-03"),
        row("iris", OLD, "2026-01-02"),
        row("iris", OLD, "2026-01-03", model="svm"),
        row("iris", OLD, "2026-04-01", stage="search"),
        row("iris", OLD, "2026-04-02", status="failed"),
        row("iris", SEARCHED, "2026-03-01", stage="search"),
        row("wine", OLD, "2026-01-01"),
    ]
)


def test_a_version_is_as_new_as_its_latest_successful_evaluation():
    listed = list_versions(ROWS)
    assert listed["data"].tolist() == [NEW, OLD, SEARCHED, OLD]
    assert listed["n_rows"].tolist() == [2, 4, 1, 1]
    assert listed["finished_at"].tolist() == ["2026-02-03", "2026-01-03", "2026-03-01", "2026-01-01"]


@pytest.mark.parametrize(
    ("wanted", "digest", "which"),
    [
        ((), NEW, "the newest counts: iris bbbbbbbb (not aaaaaaaa, cccccccc)"),
        (("oldest",), SEARCHED, "of each one counts: iris cccccccc (not bbbbbbbb, aaaaaaaa)"),
        (("aa",), OLD, "of each one counts: iris aaaaaaaa (not bbbbbbbb, cccccccc)"),
    ],
)
def test_one_version_of_a_task_counts_and_is_said(wanted, digest, which):
    rows, notes = choose_versions(ROWS, wanted)
    assert rows.loc[rows["task"] == "iris", "task_sha256"].unique().tolist() == [digest]
    assert (rows["task"] == "wine").sum() == 1
    assert notes[0] == (
        f"There are results on several versions of the data of 1 task; {which}. --data DIGEST or --data oldest chooses."
    )
    lost = {NEW: "svm on iris", SEARCHED: "snn on iris, svm on iris"}
    assert notes[1:] == ((f"Only on a version that does not count: {lost[digest]}.",) if digest in lost else ())


def test_one_version_needs_no_words():
    for rows in (ROWS[ROWS["task"] == "wine"], ROWS.iloc[:0], ROWS.assign(task_sha256=None)):
        kept, notes = choose_versions(rows)
        assert (len(kept), notes) == (len(rows), ())


def test_a_digest_must_be_that_of_a_stored_version():
    check_versions(ROWS, ("oldest", "a", NEW))
    for wrong in ("", "x", "A"):
        with pytest.raises(UnknownNameError, match="Unknown version of the data"):
            check_versions(ROWS, (wrong,))
