import multiprocessing
import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from stored_rows import job_of, result, write_old_file, write_old_folder

from snnbench.errors import LeftAsideWarning, StoreError
from snnbench.results.compaction import compact
from snnbench.results.store import read_results, write_results, write_settings
from snnbench.results.writing import prepare_store


def test_what_is_written_is_read_and_by_plain_pandas_too(tmp_path):
    row = result("a", valid_score=0.5, train_loss=(1.0, 0.25), valid_curve=(0.5, 0.75))
    write_results(tmp_path, job_of("a", "b"), [row, result("b", status="failed", error="boom")])
    write_settings(tmp_path, "digest", {"training": {}}, {"cpu": "x"})
    for rows in (read_results([tmp_path]), pd.read_parquet(tmp_path)):
        rows = rows.set_index("key")
        assert rows.at["a", "valid_score"] == 0.5
        np.testing.assert_array_equal(rows.at["a", "train_loss"], [1.0, 0.25])
        assert np.isnan(rows.at["a", "test_score"])
        assert len(rows.at["b", "valid_curve"]) == 0
        assert rows.at["b", "error"] == "boom"
        assert rows.at["a", "n_cores"] == 2


def test_a_row_that_is_stored_is_not_stored_again(tmp_path):
    write_results(tmp_path, job_of("a", "b"), [result("a", valid_score=0.1), result("b")])
    write_results(tmp_path, job_of("b", "c"), [result("b", valid_score=0.2), result("c")])
    write_results(tmp_path, job_of("a"), [result("a", status="failed", error="too late")])
    rows = pd.read_parquet(tmp_path)
    assert rows["key"].tolist() == ["a", "b", "c"]
    assert rows.set_index("key").at["a", "valid_score"] == 0.1


def test_a_row_that_was_taken_away_may_come_again(tmp_path):
    write_results(tmp_path, job_of("a"), [result("a", valid_score=0.1)])
    next(tmp_path.rglob("*.parquet")).unlink()
    write_results(tmp_path, job_of("a"), [result("a", valid_score=0.2)])
    assert pd.read_parquet(tmp_path)["valid_score"].tolist() == [0.2]


def test_a_damaged_file_of_somebody_else_loses_nothing(tmp_path):
    write_results(tmp_path, job_of("a"), [result("a")])
    other = next(tmp_path.rglob("*.parquet")).with_name("other.parquet")
    other.write_bytes(b"PAR1")
    write_results(tmp_path, job_of("b"), [result("b")])
    assert other.read_bytes() == b"PAR1"
    other.unlink()
    assert pd.read_parquet(tmp_path)["key"].tolist() == ["a", "b"]


def test_what_is_stored_later_is_newer_whatever_the_clock_says(tmp_path):
    clock = ["2026-05-01T10:00:00+00:00", "2020-01-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00", "2026-05-01T10:00:01+00:00"]
    for key, finished_at in zip("abcd", clock, strict=True):
        write_results(tmp_path, job_of(key), [result(key, finished_at=finished_at)])
    rows = pd.read_parquet(tmp_path).set_index("key")["finished_at"].sort_index()
    assert rows.tolist() == [
        clock[0], "2026-05-01T10:00:00.001+00:00", "2026-05-01T10:00:00.002+00:00", clock[3]
    ]  # fmt: skip
    assert rows.is_monotonic_increasing


def processes_of_their_own():
    """Return what starts processes here: where there is no server to fork them, each loads everything anew."""
    return multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")


def write_one_by_one(results, number):
    for k in range(40):
        key = f"{k}"
        write_results(results, job_of(key), [result(key, valid_score=float(number))])


def test_two_processes_never_store_a_key_twice(tmp_path):
    context = processes_of_their_own()
    processes = [context.Process(target=write_one_by_one, args=(tmp_path, number)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(pd.read_parquet(tmp_path)["key"], key=int) == [str(k) for k in range(40)]


def test_the_next_attempt_takes_the_place_of_a_failure(tmp_path):
    write_results(tmp_path, job_of("a", "b"), [result("a"), result("b", status="failed", error="first")])
    write_results(tmp_path, job_of("b"), [result("b", status="failed", error="second")])
    assert pd.read_parquet(tmp_path).set_index("key")["error"].to_dict() == {"a": "", "b": "second"}
    write_results(tmp_path, job_of("b"), [result("b")])
    assert pd.read_parquet(tmp_path)["status"].tolist() == ["ok", "ok"]


def test_a_row_out_of_time_gives_way_to_an_outcome_that_lasts_and_an_infeasible_one_stays(tmp_path):
    write_results(tmp_path, job_of("a", "b"), [result("a", "timeout", error="1 s"), result("b", "infeasible", error="x")])
    write_results(tmp_path, job_of("a", "b"), [result("a", "timeout", error="2 s"), result("b", "infeasible", error="y")])
    assert pd.read_parquet(tmp_path).set_index("key")["error"].to_dict() == {"a": "2 s", "b": "x"}
    write_results(tmp_path, job_of("a"), [result("a")])
    assert pd.read_parquet(tmp_path).set_index("key")["status"].to_dict() == {"a": "ok", "b": "infeasible"}


def test_of_rows_with_one_key_the_most_lasting_counts(tmp_path):
    for day, status in enumerate(("ok", "timeout", "failed"), 1):
        write_results(tmp_path / status, job_of("a"), [result("a", status, finished_at=f"2026-01-0{day}")])
    assert read_results([tmp_path])["status"].tolist() == ["ok"]
    assert read_results([tmp_path / "failed", tmp_path / "timeout"])["status"].tolist() == ["timeout"]


def test_of_rows_with_one_key_a_success_counts_then_the_newest(tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    write_results(first, job_of("a", "b"), [result("a", valid_score=0.1), result("b", valid_score=0.1)])
    later = [result("a", status="failed", finished_at="2026-02-01"), result("b", valid_score=0.2, finished_at="2026-02-01")]
    write_results(second, job_of("a", "b", "c"), later)
    for folders in ([first, second], [second, first], [tmp_path]):
        rows = read_results(folders, ["valid_score"]).set_index("key")
        assert rows["valid_score"].to_dict() == {"a": 0.1, "b": 0.2}


def test_a_folder_without_results_is_empty(tmp_path):
    assert read_results([tmp_path, tmp_path / "none"], ["valid_score"]).empty


def test_a_file_cut_in_half_is_named(tmp_path):
    write_results(tmp_path, job_of("a"), [result("a")])
    write_results(tmp_path, job_of("b"), [result("b")])
    damaged = max(tmp_path.rglob("*.parquet"))
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match="must be a whole Parquet file") as caught:
        read_results([tmp_path])
    assert damaged.name in str(caught.value)
    assert damaged.exists()


def test_a_folder_that_cannot_be_made_is_an_error_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    for action in (prepare_store, lambda folder: write_results(folder, job_of("a"), [result("a")])):
        with pytest.raises(StoreError, match="name another one with --results"):
            action(tmp_path / "file" / "results")


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    write_results(tmp_path, job_of("a"), [result("a")])

    def full(table, place, **options):
        place.write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snnbench.results.writing.pq.write_table", full)
    with pytest.raises(StoreError, match="No space left on device"):
        write_results(tmp_path, job_of("b"), [result("b")])
    assert {file.suffix or file.name for file in tmp_path.rglob("*.*")} == {".parquet", ".lock"}
    assert len(pd.read_parquet(tmp_path)) == 1


def test_leftovers_of_a_killed_write_are_not_read(tmp_path):
    write_results(tmp_path, job_of("a"), [result("a")])
    [file] = tmp_path.rglob("*.parquet")
    file.with_name(f".{file.name}.123.tmp").write_bytes(b"PAR1")
    assert len(read_results([tmp_path])) == len(pd.read_parquet(tmp_path)) == 1


def test_a_flipped_bit_in_the_numbers_is_noticed(tmp_path):
    """Every page has a checksum; only what describes the pages has none."""
    curve = tuple(float(k) for k in np.random.default_rng(0).normal(size=5000))
    write_results(tmp_path, job_of("a"), [result("a", valid_curve=curve)])
    [file] = tmp_path.rglob("*.parquet")
    whole = file.read_bytes()
    place = whole.index(np.float64(curve[100]).tobytes())
    for bit in range(8):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
        with pytest.raises(StoreError, match=r"must be a whole Parquet file, but reading it says: .*(CRC|checksum)"):
            read_results([tmp_path])


def test_rows_of_an_earlier_version_lack_columns(tmp_path):
    write_results(tmp_path, job_of("a"), [result("a")])
    new = result("b")
    new.provenance["preprocessing"] = "as-published"
    write_results(tmp_path, job_of("b"), [new])
    for columns in (["preprocessing", "no_such_column"], None):
        rows = read_results([tmp_path], columns).set_index("key")
        assert rows.at["b", "preprocessing"] == "as-published"
        assert pd.isna(rows.at["a", "preprocessing"])
    assert read_results([tmp_path], ["no_such_column"])["no_such_column"].isna().all()


@pytest.mark.unix
def test_a_name_that_points_nowhere_is_named_and_nobody_waits_for_it(tmp_path):
    write_results(tmp_path, job_of("a"), [result("a")])
    for name in ("core/evaluate-x.parquet", "uci"):
        link = tmp_path / name
        link.symlink_to("/nowhere")
        with pytest.raises(StoreError, match=rf"{name} must lead to results, but it points to /nowhere, which is not there"):
            read_results([tmp_path])
        link.unlink()
    assert len(read_results([tmp_path])) == 1


def test_files_that_vanish_again_and_again_end_in_words(tmp_path, monkeypatch):
    write_results(tmp_path, job_of("a"), [result("a")])
    looks = []

    def with_one_that_vanished(folder):
        looks.append(folder)
        return [folder / f"gone-{len(looks)}.parquet"]

    monkeypatch.setattr("snnbench.results.store.result_files", with_one_that_vanished)
    with pytest.raises(StoreError, match="some vanished each of 20 times"):
        read_results([tmp_path])
    assert len(looks) == 20


@pytest.mark.unix
def test_other_parquet_files_and_pipes_are_named_and_left_aside(tmp_path):
    write_results(tmp_path, job_of("a"), [result("a")])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "0.parquet")
    pd.read_parquet(tmp_path / "core")[["key", "task", "status"]].to_parquet(tmp_path / "core" / "summary.parquet")
    os.mkfifo(tmp_path / "core" / "pipe.parquet")
    with pytest.warns(LeftAsideWarning) as said:
        assert read_results([tmp_path])["key"].tolist() == ["a"]
    names = sorted(str(warning.message).partition(" ")[0] for warning in said)
    assert names == [str(tmp_path / name) for name in ("0.parquet", "core/pipe.parquet", "core/summary.parquet")]
    write_results(tmp_path, job_of("a", "b"), [result("a"), result("b")])
    with pytest.warns(LeftAsideWarning):
        assert read_results([tmp_path])["key"].tolist() == ["a", "b"]


def test_a_folder_with_other_parquet_files_alone_is_empty(tmp_path):
    pd.DataFrame({"key": [1], "status": [2]}).to_parquet(tmp_path / "mine.parquet")
    with pytest.warns(LeftAsideWarning, match=r"mine\.parquet is left aside: a Parquet file, but without rows of results\."):
        assert read_results([tmp_path], ["valid_score"]).empty


@pytest.mark.unix
def test_links_to_folders_are_followed_once(tmp_path):
    write_results(tmp_path / "disk", job_of("a"), [result("a")])
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "core").symlink_to(tmp_path / "disk" / "core")
    (tmp_path / "disk" / "core" / "round").symlink_to(tmp_path / "results")
    assert read_results([tmp_path / "results"])["key"].tolist() == ["a"]


def test_jobs_share_few_files_and_a_large_one_grows_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr("snnbench.results.store.MAX_ROWS", 10)
    for k in range(24):
        write_results(tmp_path, job_of(f"{k}"), [result(f"{k}", valid_score=float(k))])
    files = sorted((tmp_path / "core").glob("*.parquet"))
    assert sorted(len(pd.read_parquet(file)) for file in files) == [4, 10, 10]
    rows = pd.read_parquet(tmp_path).set_index("key")
    assert rows.loc[[f"{k}" for k in range(24)], "valid_score"].tolist() == list(range(24))


def test_another_process_goes_on_with_the_file_that_grows(tmp_path):
    context = processes_of_their_own()
    for number in range(3):
        process = context.Process(target=write_one, args=(tmp_path, number))
        process.start()
        process.join(60)
        assert process.exitcode == 0
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    rows = pd.read_parquet(tmp_path)
    assert rows["key"].tolist() == ["0", "1", "2"]
    assert [row.tolist() for row in rows["train_loss"]] == [[0.0], [1.0], [2.0]]


def write_one(results, number):
    write_results(results, job_of(f"{number}"), [result(f"{number}", train_loss=(float(number),))])


def test_a_file_that_grew_and_was_damaged_is_left_as_it_is_and_another_begins(tmp_path):
    write_results(tmp_path, job_of("a", "b"), [result("a"), result("b", status="failed")])
    [file] = tmp_path.rglob("*.parquet")
    damaged = file.read_bytes()[:100]
    file.write_bytes(damaged)
    for key in "bcd":
        write_results(tmp_path, job_of(key), [result(key)])
    assert file.read_bytes() == damaged
    [other] = set(tmp_path.rglob("*.parquet")) - {file}
    assert pd.read_parquet(other)["key"].tolist() == ["b", "c", "d"]


def test_files_of_schema_1_are_read_and_their_failures_replaced_where_they_stand(tmp_path):
    old = tmp_path / "core" / "search-failed-b.parquet"
    write_old_file(old, [result("b", status="failed", error="first")])
    write_old_file(tmp_path / "core" / "search-0123456789abcdef.parquet", [result("a", valid_score=0.1)])
    write_results(tmp_path, job_of("a", "b", "c"), [result(key, valid_score=0.5) for key in "abc"])
    assert pd.read_parquet(old)["status"].tolist() == ["ok"]
    rows = pd.read_parquet(tmp_path).set_index("key")["valid_score"]
    assert rows.sort_index().to_dict() == {"a": 0.1, "b": 0.5, "c": 0.5}


def test_a_compacted_folder_is_written_on_and_copies_of_rows_are_gone(tmp_path):
    results = tmp_path / "results"
    whole = write_old_folder(results, n_jobs=6)
    first = next((results / "core").glob("search-*.parquet"))
    shutil.copy(first, first.with_name("search-copy.parquet"))
    [done] = compact(results)
    assert (done.suite, done.n_files_before, done.n_files, done.n_rows, done.n_doubled) == ("core", 8, 2, 12, 2)
    assert set(pd.read_parquet(results)["key"]) == set(whole)
    write_results(results, job_of("z"), [result("z")])
    assert len(pd.read_parquet(results)) == 13
    assert len(list(results.rglob("*.parquet"))) == 2


def test_polars_and_duckdb_read_the_folder_with_a_single_call(tmp_path):
    for key in "abc":
        write_results(tmp_path, job_of(key), [result(key, valid_score=0.5, train_loss=(1.0, 0.5))])
    write_results(tmp_path, job_of("e"), [result("e", stage="evaluate", status="failed")])
    write_settings(tmp_path, "digest", {}, {})
    polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    for rows in (polars.read_parquet(tmp_path / "core"), polars.read_parquet(f"{tmp_path}/**/*.parquet")):
        assert sorted(rows["key"]) == ["a", "b", "c", "e"]
        assert rows.filter(polars.col("key") == "a")["train_loss"].to_list() == [[1.0, 0.5]]
    found = duckdb.sql(f"select key, train_loss from read_parquet('{tmp_path}/**/*.parquet') order by key").fetchall()
    assert found[0] == ("a", [1.0, 0.5])
    assert [key for key, _ in found] == ["a", "b", "c", "e"]


def write_until_told(results, done):
    k = 0
    while not done.is_set():
        write_results(results, job_of(f"{k}"), [result(f"{k}", valid_curve=(0.5,) * 50)])
        k += 1


def test_pandas_beside_a_writer_finds_every_row_once_and_nothing_but_results(tmp_path):
    context = processes_of_their_own()
    write_results(tmp_path, job_of("first"), [result("first", valid_curve=(0.5,) * 50)])
    done, n_seen = context.Event(), []
    writer = context.Process(target=write_until_told, args=(tmp_path, done))
    writer.start()
    try:
        deadline = time.monotonic() + 30
        while len(set(n_seen)) < 20 and time.monotonic() < deadline:
            assert all(name.endswith(".parquet") for name in os.listdir(tmp_path / "core"))  # noqa: PTH208
            rows = pd.read_parquet(tmp_path / "core")
            numbers = sorted(int(key) for key in rows["key"] if key != "first")
            assert numbers == list(range(len(numbers)))
            assert all(len(curve) == 50 for curve in rows["valid_curve"])
            n_seen.append(len(numbers))
    finally:
        done.set()
        writer.join(60)
    assert writer.exitcode == 0
    assert len(set(n_seen)) == 20
    assert n_seen == sorted(n_seen)


@pytest.mark.parametrize("library", ["polars", "duckdb"])
def test_polars_and_duckdb_beside_a_writer_find_every_row_once_or_fail_and_read_again(library, tmp_path):
    package = pytest.importorskip(library)
    context = processes_of_their_own()
    write_results(tmp_path, job_of("0"), [result("0", valid_curve=(0.5,) * 50)])
    done, n_seen, n_failed = context.Event(), [1], 0
    errors = (package.exceptions.ComputeError,) if library == "polars" else (package.Error,)
    words = f"select key, valid_curve from read_parquet('{tmp_path}/core/*.parquet')"
    writer = context.Process(target=write_until_told, args=(tmp_path, done))
    writer.start()
    try:
        deadline = time.monotonic() + 30
        while len(set(n_seen)) < 10 and time.monotonic() < deadline:
            try:
                rows = package.read_parquet(tmp_path / "core") if library == "polars" else package.sql(words).pl()
            except errors:
                n_failed += 1  # the file was replaced between its two openings
                continue
            assert sorted(map(int, rows["key"])) == list(range(len(rows)))
            assert all(len(curve) == 50 for curve in rows["valid_curve"])
            n_seen.append(len(rows))
    finally:
        done.set()
        writer.join(60)
    assert len(set(n_seen)) == 10
    assert n_failed < len(n_seen)


def read_again_and_again(results, sent):
    while not sent.is_set():
        rows = read_results([results], ["valid_score", "valid_curve"])
        numbers = sorted(int(key) for key in rows["key"])
        assert numbers == list(range(len(numbers)))  # what is there is there once, with all that was before
        assert all(len(curve) == 50 for curve in rows["valid_curve"])


def test_a_reader_beside_a_writer_and_a_compaction_finds_every_row_once(tmp_path):
    context = processes_of_their_own()
    results, sent = tmp_path / "results", context.Event()
    write_results(results, job_of("0"), [result("0", valid_curve=(0.5,) * 50)])
    reader = context.Process(target=read_again_and_again, args=(results, sent))
    reader.start()
    for k in range(1, 60):
        write_results(results, job_of(f"{k}"), [result(f"{k}", valid_curve=(0.5,) * 50)])
        if k % 20 == 0:
            compact(results)
    sent.set()
    reader.join(60)
    assert reader.exitcode == 0
    assert len(read_results([results])) == 60
