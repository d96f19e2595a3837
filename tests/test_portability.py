"""What other systems do otherwise, as far as it can be had here: Windows' files, code pages and processes, missing modules."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from small_run import PROGRAM
from stored_rows import job_of, result
from test_cli import TINY
from workers import echo, job, said_of

from snnbench import command_line
from snnbench.cli import main, streams
from snnbench.execution.engines import configure_engine, local, slurm
from snnbench.results import exchange, writing
from snnbench.results.exchange import move
from snnbench.results.store import read_results, write_results
from snnbench.suites.fetch import download
from snnbench.training import worker
from snnbench.training.compiled import building

WINDOWS = SimpleNamespace(**{**vars(os), "name": "nt"})
"""The module ``os`` as a module of ours sees it there; the others go on as they are."""
OF_UNIX = ("_posixshmem", "crypt", "fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
RUN = ("run", "core", "--config", "tiny.toml", "--task", "iris", "--progress", "plain", "--workers", "1")
NARROW = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "NO_COLOR": "1", "COLUMNS": "60"}
"""Nothing is in UTF-8 by itself, as on Windows."""
LIKE_WINDOWS = f"""
import builtins, multiprocessing
multiprocessing.get_all_start_methods = lambda: ["spawn"]
plain = builtins.__import__
def guarded(name, globals=None, *rest, **more):
    if name in {OF_UNIX} and str((globals or {{}}).get("__name__")).startswith("snnbench"):
        raise ModuleNotFoundError(name)  # other packages need them here
    return plain(name, globals, *rest, **more)
builtins.__import__ = guarded
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text("# größer\n" + TINY, encoding="utf-8")
    return tmp_path


def run(*words: str, **variables: str) -> str:
    """Run the program as a process of its own, without a terminal, and return what it prints in the code page of DOS."""
    without = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "LANG", "TERM")}
    environment = {**without, **NARROW, "PYTHONIOENCODING": "cp437", **variables}
    done = subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, check=False)
    text = (done.stdout + done.stderr).decode("cp437")
    assert done.returncode == 0, text
    assert "\x1b" not in text
    return text


@pytest.mark.slow
def test_a_run_without_utf_8_forks_terminals_and_modules_of_unix_stores_the_same(folder):
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(LIKE_WINDOWS, encoding="utf-8")
    assert "stored in plain" in run(*RUN, "--results", "plain")
    assert "stored in results" in run(*RUN, "--results", "results", PYTHONPATH=str(folder / "site"))
    rows = [read_results([Path(name)]).set_index("key").sort_index() for name in ("plain", "results")]
    pd.testing.assert_frame_equal(*(one[["valid_score", "test_score", "train_loss"]] for one in rows))
    assert "─" in run("compare", "results")


@pytest.mark.unix
def test_no_output_at_all_takes_any_word(folder):
    shell = ["sh", "-c", '"$@" >&- 2>&-', "sh", *PROGRAM, "data", "list"]
    assert subprocess.run(shell, env={**os.environ, **NARROW}, check=False).returncode == 0


def test_a_closed_pipe_of_windows_is_no_error_of_ours(monkeypatch):
    closed = OSError(errno.EINVAL, "Invalid argument")
    with pytest.raises(streams.SnnbenchError, match="Invalid argument"):
        streams._refuse(closed)
    monkeypatch.setattr(streams, "os", WINDOWS)
    with pytest.raises(streams.ReaderLeftError):
        streams._refuse(closed)


def test_a_file_that_somebody_reads_is_replaced_once_windows_lets_it(tmp_path, monkeypatch):
    (tmp_path / "new").write_text("new")
    (tmp_path / "file").write_text("old")
    replace, refusals = Path.replace, [PermissionError(13, "Permission denied")] * 3

    def reluctant(path, place):
        if refusals:
            raise refusals.pop()
        return replace(path, place)

    monkeypatch.setattr(Path, "replace", reluctant)
    with pytest.raises(PermissionError):  # elsewhere it means what it says
        move(tmp_path / "new", tmp_path / "file")
    monkeypatch.setattr(exchange, "os", WINDOWS)
    move(tmp_path / "new", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "new"
    refusals[:] = [PermissionError(13, "Permission denied")] * 1000
    monkeypatch.setattr(exchange, "_PATIENCE_SECONDS", 0.1)
    with pytest.raises(PermissionError):
        move(tmp_path / "file", tmp_path / "other")


def test_a_folder_of_windows_that_was_moved_away_comes_back_over_an_empty_one(tmp_path, monkeypatch):
    write_results(tmp_path / "results", job_of("a"), [result("a")])
    (tmp_path / "results" / "core").rename(tmp_path / ".results.core.old")
    (tmp_path / ".results.core.new").mkdir()
    (tmp_path / "results" / "core").mkdir()
    rename = Path.rename

    def strict(path, place):
        if Path(place).exists():
            raise FileExistsError(errno.EEXIST, "File exists")
        return rename(path, place)

    monkeypatch.setattr(Path, "rename", strict)
    assert read_results([tmp_path / "results"])["key"].tolist() == ["a"]


def test_windows_has_so_many_workers_at_most_and_looks_again_for_ctrl_c(monkeypatch):
    monkeypatch.setattr(local, "_MAX_WORKERS", 61)
    assert configure_engine("local", {"workers": 200}).n_workers == 61
    monkeypatch.setattr(local, "_LOOK_SECONDS", 0.001)
    found = local.run_jobs([job(str(k)) for k in range(3)], echo, configure_engine("local", {"workers": 1}))
    assert [said_of(outcome)["task"] for _, outcome in found] == ["0", "1", "2"]


@pytest.mark.parametrize("line", ["compare --published snn2017 --format csv", "data audit core --format csv"])
def test_tables_have_lines_that_end_everywhere_alike(line, monkeypatch, capsys):
    monkeypatch.setattr(os, "linesep", "\r\n")
    monkeypatch.setattr(sys, "argv", ["snnbench", *line.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert "\r" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "lock",
    [
        lambda folder: building.one_compiles(),
        lambda folder: download._locked(folder / "downloads" / "file", print),
        lambda folder: slurm._one_front_end(folder),
        lambda folder: worker._one_at_a_time("core"),
        lambda folder: writing.locked(folder / "core"),
    ],
    ids=["compile", "download", "front end", "worker", "store"],
)
def test_a_file_system_without_locks_keeps_nobody_from_going_on(lock, tmp_path, monkeypatch):
    def refuse(lock, *words, **named):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    monkeypatch.setattr(building, "_FOLDER", tmp_path)
    with lock(tmp_path):
        pass


def test_a_command_is_quoted_as_the_shell_of_the_system_wants_it(monkeypatch):
    words = ["snnbench", "compare", "my results"]
    assert command_line.as_typed(words) == "snnbench compare 'my results'"
    monkeypatch.setattr(command_line, "os", WINDOWS)
    assert command_line.as_typed(words) == 'snnbench compare "my results"'
