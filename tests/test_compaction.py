"""A folder is compacted or merged while the disk fills up, others write and plain readers read: no row is lost, doubled, torn.

What a process that dies in the middle leaves behind is the subject of ``test_crashes.py``.
"""

import multiprocessing
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from stored_rows import job_of, result, write_old_folder

from snnbench.errors import StoreError
from snnbench.results import exchange
from snnbench.results.compaction import compact
from snnbench.results.folders import merge
from snnbench.results.store import read_results, write_results

resource = pytest.importorskip("resource")

CURVE = (0.5,) * 50


@contextmanager
def largest_file(n_bytes: int):
    """Let the system refuse to write files of more bytes, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def content(folder: Path) -> dict[str, bytes]:
    """Return all files at and beside a results folder but locks."""
    files = (file for file in folder.parent.rglob("*") if file.is_file() and file.suffix != ".lock")
    return {str(file.relative_to(folder.parent)): file.read_bytes() for file in files}


@pytest.mark.parametrize("n_bytes", [0, 1, 4096])
def test_a_compaction_on_a_full_disk_changes_nothing_and_can_be_repeated(n_bytes, tmp_path):
    results = tmp_path / "results"
    whole = write_old_folder(results, n_jobs=5)
    before = content(results)
    with largest_file(n_bytes), pytest.raises(StoreError, match="must be writable"):
        compact(results)
    assert content(results) == before
    [done] = compact(results)
    assert (done.n_files, done.n_rows) == (2, len(whole))
    assert set(pd.read_parquet(results)["key"]) == set(whole)


@pytest.mark.parametrize("step", ["write_table", "os.fsync", "shutil.copy2", "take_place"])
def test_a_compaction_that_finds_the_disk_full_at_any_step_changes_nothing(step, tmp_path, monkeypatch):
    results = tmp_path / "results"
    whole = write_old_folder(results, n_jobs=5)
    (results / "core" / ".notes.txt").write_text("mine")
    before = content(results)

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"snnbench.results.compaction.{step}", full)
        with pytest.raises(StoreError, match="No space left on device"):
            compact(results)
    assert content(results) == before
    compact(results)
    assert set(pd.read_parquet(results)["key"]) == set(whole)
    assert (results / "core" / ".notes.txt").read_text() == "mine"


def test_a_merge_on_a_full_disk_leaves_whole_rows_and_goes_on_from_there(tmp_path):
    for source in "ab":
        for k in range(3):
            write_results(tmp_path / source, job_of(f"{source}{k}"), [result(f"{source}{k}", valid_curve=CURVE * (1 + 40 * k))])
    target = tmp_path / "target"
    merge([tmp_path / "a"], target)
    with largest_file(1000), pytest.raises(StoreError, match="must be writable"):
        merge([tmp_path / "b"], target)
    assert sorted(pd.read_parquet(target)["key"]) == ["a0", "a1", "a2"]
    merge([tmp_path / "b"], target)
    assert sorted(pd.read_parquet(target)["key"]) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_a_second_move_that_fails_leaves_the_folder_where_it_was(tmp_path, monkeypatch):
    results = tmp_path / "results"
    write_old_folder(results, n_jobs=5)
    before = content(results)
    monkeypatch.setattr(exchange, "exchange", lambda one, other: False)
    replace = Path.replace

    def fail(place, target):
        if place.name.endswith(".new"):
            raise OSError(5, "Input/output error")
        return replace(place, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StoreError, match="Input/output error"):
        compact(results)
    assert content(results) == before


@pytest.mark.parametrize("is_made_again", [True, False])
def test_a_job_that_is_stored_after_a_kill_between_two_moves_loses_nothing(is_made_again, tmp_path):
    results = tmp_path / "results"
    whole = write_old_folder(results, n_jobs=5)
    (results / "core").rename(tmp_path / ".results.core.old")
    (tmp_path / ".results.core.new").mkdir()
    if is_made_again:
        (results / "core").mkdir()
    write_results(results, job_of("z"), [result("z")])
    assert set(pd.read_parquet(results)["key"]) == {*whole, "z"}
    assert set(read_results([results])["key"]) == {*whole, "z"}
    compact(results)
    assert {place.name for place in tmp_path.iterdir()} == {"results"}


def write_many(results: Path, number: int, n_rows: int) -> None:
    """Store rows of one's own and, before each of them, one that the other writer stores, too."""
    for k in range(n_rows):
        for key in (f"both-{k}", f"own-{number}-{k}"):
            write_results(results, job_of(key), [result(key, valid_score=float(k), valid_curve=CURVE)])


def start(act, *args):
    process = multiprocessing.get_context("forkserver").Process(target=act, args=args)
    process.start()
    return process


def read_plainly(folder: Path, seen: set[str]) -> bool:
    """Read with pandas; False if a file went between its listing and its opening.

    What has been seen must be there, once and whole; what is seen is noted.
    """
    try:
        rows = pd.read_parquet(folder)
    except FileNotFoundError:
        return False
    assert not rows["key"].duplicated().any()
    assert all(len(curve) == len(CURVE) for curve in rows["valid_curve"])
    assert seen <= set(rows["key"])
    seen |= set(rows["key"])
    return True


@pytest.mark.parametrize("in_one_step", [True, False])
def test_two_writers_a_plain_reader_and_compactions_lose_double_and_tear_nothing(in_one_step, tmp_path, monkeypatch):
    if not in_one_step:
        monkeypatch.setattr(exchange, "exchange", lambda one, other: False)
    results, n_rows = tmp_path / "results", 25
    write_results(results, job_of("first"), [result("first", valid_curve=CURVE)])
    writers = [start(write_many, results, number, n_rows) for number in range(2)]
    seen, n_read, n_compacted = {"first"}, 0, 0
    while any(writer.is_alive() for writer in writers):
        n_compacted += len(compact(results))
        n_read += read_plainly(results / "core", seen)
    assert [writer.exitcode for writer in writers] == [0, 0]
    wanted = {"first"} | {f"both-{k}" for k in range(n_rows)} | {f"own-{n}-{k}" for n in range(2) for k in range(n_rows)}
    assert read_plainly(results, seen)
    assert seen == set(read_results([results])["key"]) == wanted
    assert len(pd.read_parquet(results)) == len(wanted)
    assert n_compacted > 2
    assert n_read > 2
    assert {place.name for place in tmp_path.iterdir()} == {"results"}


def compact_again_and_again(results: Path, done) -> None:
    while not done.is_set():
        compact(results)


def test_a_plain_reader_beside_merges_and_compactions_of_the_target_finds_every_row_once(tmp_path):
    sources, target = [tmp_path / f"{k}" for k in range(8)], tmp_path / "target"
    done = multiprocessing.get_context("forkserver").Event()
    for k, source in enumerate(sources):
        write_results(source, job_of("all", f"{k}"), [result(key, valid_curve=CURVE) for key in ("all", f"{k}")])
    merge(sources[:1], target)
    compacting, seen, n_read = start(compact_again_and_again, target, done), {"0", "all"}, 0
    try:
        for source in sources[1:]:
            merge([source], target)
            n_read += read_plainly(target, seen)
    finally:
        done.set()
        compacting.join(60)
    assert compacting.exitcode == 0
    assert read_plainly(target, seen)
    assert seen == {"all", *(f"{k}" for k in range(8))}
