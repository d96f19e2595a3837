"""Results folders as a whole: lists, merges that never overwrite, and what may go."""

import pandas as pd
import pytest
from stored_rows import job_of, result

from snnbench.errors import SnnbenchError
from snnbench.results.compaction import compact
from snnbench.results.folders import find_rows, find_superfluous, list_runs, merge, remove
from snnbench.results.store import read_results, write_results, write_settings


def row(key: str, cpu: str = "one", **changes):
    made = result(key, **changes)
    made.provenance.update(preset="quick", device="cpu", cpu=cpu, snnbench_version="1", settings_digest="abc")
    return made


def scores(folder) -> dict[str, float]:
    rows = pd.read_parquet(folder)
    assert not rows["key"].duplicated().any()
    return rows.set_index("key")["valid_score"].to_dict()


def test_runs_are_listed_by_what_they_are(tmp_path):
    write_results(tmp_path, job_of("a", "b"), [row("a", seconds=1.5), row("b", task="wine", seconds=2)])
    write_results(tmp_path, job_of("c"), [row("c", stage="evaluate", finished_at="2026-03-01")])
    write_results(tmp_path, job_of("d"), [row("d", cpu="two", status="failed")])
    runs = list_runs([tmp_path]).set_index("cpu")
    assert runs.loc["one", ["n_tasks", "n_search", "n_evaluations", "n_failed", "seconds"]].tolist() == [2, 2, 1, 0, 3.5]
    assert runs.loc["two", ["n_search", "n_failed"]].tolist() == [1, 1]
    assert runs.at["one", "finished_at"] == "2026-03-01"
    assert runs.at["one", "seeds"] == "0"
    assert list_runs([tmp_path / "none"]).empty


def test_a_row_is_found_by_the_beginning_of_its_key(tmp_path):
    write_results(tmp_path, job_of("abc", "abd"), [row("abc"), row("abd")])
    assert find_rows([tmp_path], "abc")["key"].tolist() == ["abc"]
    assert len(find_rows([tmp_path], "ab")) == 2
    for beginning in ("x", ""):
        with pytest.raises(SnnbenchError, match="must be that of a stored row, found none"):
            find_rows([tmp_path], beginning)


def test_folders_of_several_machines_become_one(tmp_path):
    one, two, target = (tmp_path / name for name in ("one", "two", "target"))
    write_results(one, job_of("a", "b"), [row("a", valid_score=0.1), row("b", valid_score=0.2)])
    write_settings(one, "abc", {"training": {}}, {})
    write_results(two, job_of("b", "c"), [row("b", "other cpu", valid_score=0.2), row("c", valid_score=0.3)])
    merged = merge([one, two], target)
    assert (merged.n_new, merged.n_equal, merged.conflicts) == (3, 1, [])
    assert scores(target) == {"a": 0.1, "b": 0.2, "c": 0.3}
    assert (target / "_settings" / "abc.json").is_file()
    again = merge([one, two], target)
    assert (again.n_new, again.n_equal, again.conflicts) == (0, 4, [])
    assert scores(target) == {"a": 0.1, "b": 0.2, "c": 0.3}


def test_rows_that_disagree_are_named_and_nothing_is_overwritten(tmp_path):
    one, target = tmp_path / "one", tmp_path / "target"
    write_results(target, job_of("a", "b"), [row("a", valid_score=0.1), row("b", valid_score=0.2)])
    write_results(one, job_of("a", "c"), [row("a", valid_score=0.1 + 2e-17), row("c", valid_score=0.3)])
    write_results(one, job_of("b"), [row("b", valid_score=0.2, train_loss=(1.0,))])
    merged = merge([one], target)
    assert (merged.n_new, merged.n_equal) == (1, 0)
    assert sorted((c.key, c.kept, c.refused, c.source) for c in merged.conflicts) == [
        ("a", 0.1, 0.1 + 2e-17, str(one)), ("b", 0.2, 0.2, str(one))
    ]  # fmt: skip
    assert scores(target) == {"a": 0.1, "b": 0.2, "c": 0.3}


def test_a_success_takes_the_place_of_a_failure_and_never_the_other_way_round(tmp_path):
    one, target = tmp_path / "one", tmp_path / "target"
    write_results(target, job_of("a", "b"), [row("a", status="failed", error="x"), row("b", valid_score=0.2)])
    write_results(one, job_of("a"), [row("a", valid_score=0.1)])
    write_results(one, job_of("b"), [row("b", status="failed", error="x")])
    merged = merge([one], target)
    assert (merged.n_new, merged.n_equal, merged.conflicts) == (1, 1, [])
    assert scores(target) == {"a": 0.1, "b": 0.2}


def test_a_row_out_of_time_takes_the_place_of_a_failure_and_can_still_be_replaced(tmp_path):
    one, target = tmp_path / "one", tmp_path / "target"
    write_results(target, job_of("a"), [row("a", status="failed", error="x")])
    write_results(one, job_of("a"), [row("a", status="timeout", error="late")])
    assert merge([one], target).n_new == 1
    assert pd.read_parquet(target)["status"].tolist() == ["timeout"]
    write_results(target, job_of("a"), [row("a", valid_score=0.1)])
    assert scores(target) == {"a": 0.1}
    merged = merge([one], target)
    assert (merged.n_new, merged.n_equal, merged.conflicts) == (0, 1, [])


def test_what_has_no_fit_goes_with_what_failed(tmp_path):
    rows = [row("a", valid_score=0.1), row("b", status="infeasible", error="x")]
    write_results(tmp_path, job_of("a", "b"), rows)
    write_results(tmp_path, job_of("c", "d"), [row("c", status="timeout", error="x"), row("d", status="failed", error="x")])
    assert find_superfluous(tmp_path) == []
    runs = list_runs([tmp_path])
    assert runs[["n_infeasible", "n_timeout", "n_failed"]].to_numpy().tolist() == [[1, 1, 1]]
    removals = find_superfluous(tmp_path, failed=True)
    assert sorted((removal.reason, removal.keys) for removal in removals) == [
        ("failed", ("d",)), ("infeasible", ("b",)), ("out of time", ("c",))
    ]  # fmt: skip
    remove(removals)
    assert scores(tmp_path) == {"a": 0.1}


def test_what_is_superfluous_is_named_first_and_then_removed(tmp_path):
    write_results(tmp_path, job_of("a", "b"), [row("a", valid_score=0.1), row("b", valid_score=0.2)])
    write_results(tmp_path, job_of("d"), [row("d", status="failed", error="x")])
    elsewhere = tmp_path / "copied"
    write_results(elsewhere, job_of("b", "c"), [row("b", valid_score=0.2), row("c", valid_score=0.3)])
    leftover = tmp_path / "core" / ".search-x.parquet.123.tmp"
    leftover.write_bytes(b"PAR1")
    removals = find_superfluous(tmp_path)
    assert sorted(removal.reason for removal in removals) == ["left half-written by a run that was killed", "stored twice"]
    assert leftover.exists()
    before = read_results([tmp_path]).sort_values("key")["key"].tolist()
    remove(removals)
    assert not leftover.exists()
    assert sorted(pd.read_parquet(tmp_path)["key"]) == before == ["a", "b", "c", "d"]
    assert find_superfluous(tmp_path) == []
    remove(find_superfluous(tmp_path, failed=True))
    assert sorted(pd.read_parquet(tmp_path)["key"]) == ["a", "b", "c"]
    remove(find_superfluous(tmp_path, settings="ab"))
    assert list(tmp_path.rglob("*.parquet")) == []


def test_published_runs_in_the_results_of_a_checkout_are_not_ones_own(tmp_path, monkeypatch):
    monkeypatch.setattr("snnbench.results.files.resource", lambda *parts: tmp_path.joinpath(*parts))
    own, shipped = tmp_path / "results", tmp_path / "results" / "published" / "reference"
    write_results(own, job_of("a"), [row("a")])
    write_results(shipped, job_of("b"), [row("b")])
    assert read_results([own])["key"].tolist() == ["a"]
    assert read_results([shipped])["key"].tolist() == ["b"]
    before = {file: file.read_bytes() for file in shipped.rglob("*.parquet")}
    assert [done.suite for done in compact(own)] == ["core"]
    assert {file: file.read_bytes() for file in shipped.rglob("*.parquet")} == before
