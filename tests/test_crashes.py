"""A process that dies while it stores rows: at every step that Python tells its audit hooks of, the renames among them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from test_store import job_of, result

from snnbench.results.store import read_results, write_results

BEFORE = {"a": ("ok", 0.1), "b": ("failed", None)}
AFTER = {"a": ("ok", 0.1), "b": ("ok", 0.2), "c": ("ok", 0.3), "d": ("failed", None)}

DIE_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
import test_crashes

folder, step, status = Path(sys.argv[1]), 0, 1
while status:
    step += 1
    shutil.copytree(folder / "before", folder / str(step))
    if (child := os.fork()) == 0:
        left = step
        def watch(event, args):
            global left
            left -= event.startswith(("os.", "open", "shutil.", "fcntl."))
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        test_crashes.store(folder / str(step))
        left = 0
        os._exit(0)
    status = os.waitpid(child, 0)[1]
print(step)
"""


def store(results: Path) -> None:
    """Store a job of which one row failed; a row that had failed before is among those that did not."""
    rows = [result("b", valid_score=0.2), result("c", valid_score=0.3), result("d", status="failed", error="second")]
    write_results(results, job_of("b", "c", "d"), rows)


def read(results: Path) -> dict[str, tuple[str, float | None]]:
    rows = read_results([results], ["valid_score"])
    return {row.key: (row.status, None if pd.isna(row.valid_score) else row.valid_score) for row in rows.itertuples()}


def test_a_write_that_dies_at_any_step_leaves_whole_files_and_can_be_repeated(tmp_path):
    before = tmp_path / "before"
    write_results(before, job_of("a", "b"), [result("a", valid_score=0.1), result("b", status="failed", error="first")])
    assert read(before) == BEFORE
    environment = {"PYTHONPATH": str(Path(__file__).parent)}
    words = [sys.executable, "-c", DIE_AT_EVERY_STEP, str(tmp_path)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    n_steps, states = int(done.stdout), []
    for step in range(1, n_steps + 1):
        found = read(tmp_path / str(step))
        assert found in (BEFORE, {**BEFORE, **{key: AFTER[key] for key in "bc"}}, AFTER)
        states.append(found)
        store(tmp_path / str(step))  # the lock went with the process
        assert read(tmp_path / str(step)) == AFTER
        shutil.rmtree(tmp_path / str(step))
    assert states[0] == BEFORE
    assert states[-1] == AFTER
    assert len({str(state) for state in states}) == 3
    assert n_steps > 8
