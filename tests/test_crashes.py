"""A process that dies while it stores rows or compacts a folder: at every step that Python tells its audit hooks of.

Whatever reads the folder then, by this package or by a plain reader, finds each row once.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from stored_rows import job_of, result, write_old_folder

from snnbench.results import exchange, store
from snnbench.results.compaction import compact
from snnbench.results.store import read_results, write_results

pytestmark = pytest.mark.unix

BEFORE = {"a": ("ok", 0.1), "b": ("failed", None), "e": ("timeout", None)}
AFTER = {"a": ("ok", 0.1), "b": ("ok", 0.2), "c": ("ok", 0.3), "d": ("failed", None), "e": ("ok", 0.5)}

DIE_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
import test_crashes

folder, act, step, status = Path(sys.argv[1]), getattr(test_crashes, sys.argv[2]), 0, 1
while status:
    step += 1
    shutil.copytree(folder / "before", folder / str(step) / "results")
    if (child := os.fork()) == 0:
        left = step
        def watch(event, args):
            global left
            left -= event.startswith(("os.", "open", "shutil.", "fcntl.", "ctypes."))
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        act(folder / str(step) / "results")
        left = 0
        os._exit(0)
    status = os.waitpid(child, 0)[1]
print(step)
"""


def store_rows(results: Path) -> None:
    """Store a job of which one row failed; rows that had failed before or were out of time are among those that did not."""
    rows = [result("b", valid_score=0.2), result("c", valid_score=0.3), result("d", status="failed", error="second")]
    write_results(results, job_of("b", "c", "d", "e"), [*rows, result("e", valid_score=0.5)])


def store_rows_in_full_files(results: Path) -> None:
    """Do the same where every file has so many rows that it grows no more."""
    store.MAX_ROWS = 1
    store_rows(results)


def compact_without_exchange(results: Path) -> None:
    """Compact on a system where two folders cannot trade places at once."""
    exchange.exchange = lambda one, other: False
    compact(results)


def read(results: Path) -> dict[str, tuple[str, float | None]]:
    return values(read_results([results], ["valid_score"]))


def read_plainly(results: Path) -> dict[str, tuple[str, float | None]]:
    rows = pd.read_parquet(results)
    assert not rows["key"].duplicated().any()
    return values(rows)


def values(rows: pd.DataFrame) -> dict[str, tuple[str, float | None]]:
    return {row.key: (row.status, None if pd.isna(row.valid_score) else row.valid_score) for row in rows.itertuples()}


def die_at_every_step(folder: Path, act: str) -> int:
    """Let processes die at every step of ``act``, each on a copy of ``before`` of its own; return the number of steps."""
    words = [sys.executable, "-c", DIE_AT_EVERY_STEP, str(folder), act]
    done = subprocess.run(words, env={"PYTHONPATH": str(Path(__file__).parent)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout)


@pytest.mark.parametrize(("act", "n_states"), [("store_rows", 2), ("store_rows_in_full_files", 4)])
def test_a_write_that_dies_at_any_step_leaves_whole_files_and_can_be_repeated(act, n_states, tmp_path, monkeypatch):
    before = tmp_path / "before"
    monkeypatch.setattr(store, "MAX_ROWS", 384 if act == "store_rows" else 1)
    write_results(before, job_of("a", "b"), [result("a", valid_score=0.1), result("b", status="failed", error="first")])
    write_results(before, job_of("e"), [result("e", status="timeout", error="first")])
    assert read(before) == read_plainly(before) == BEFORE
    n_steps, states = die_at_every_step(tmp_path, act), []
    for step in range(1, n_steps + 1):
        results = tmp_path / str(step) / "results"
        found = read_plainly(results)
        assert found == read(results)
        assert all(found.get(key, AFTER[key]) in (BEFORE.get(key), AFTER[key]) for key in AFTER)
        assert BEFORE.keys() <= found.keys() <= AFTER.keys()
        states.append(found)
        store_rows(results)  # the lock went with the process
        assert read(results) == read_plainly(results) == AFTER
        shutil.rmtree(tmp_path / str(step))
    assert states[0] == BEFORE
    assert states[-1] == AFTER
    assert len({str(sorted(state.items())) for state in states}) == n_states
    assert n_steps > 8


@pytest.mark.parametrize("act", ["compact", "compact_without_exchange"])
def test_a_compaction_that_dies_at_any_step_loses_and_doubles_nothing(act, tmp_path):
    whole = write_old_folder(tmp_path / "before", n_jobs=5)
    (tmp_path / "before" / "core" / ".notes.txt").write_text("mine")
    assert len(whole) == 10
    n_steps, n_files = die_at_every_step(tmp_path, act), set()
    for step in range(1, n_steps + 1):
        results = tmp_path / str(step) / "results"
        if act == "compact":
            assert read_plainly(results) == whole
        assert read(results) == whole
        assert read_plainly(results) == whole
        n_files.add(len(list(results.rglob("*.parquet"))))
        compact(results)
        assert read(results) == read_plainly(results) == whole
        assert len(list(results.rglob("*.parquet"))) == 2
        assert (results / "core" / ".notes.txt").read_text() == "mine"
        assert {place.name for place in results.parent.iterdir()} == {"results"}
        shutil.rmtree(tmp_path / str(step))
    assert n_files == {6, 2}
    assert n_steps > 12
