"""Every command into every kind of output: encodings, widths, terminals that can do little, closed pipes, full devices."""

import errno
import io
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from small_run import PROGRAM
from test_cli import TASKS, TINY

from snnbench.cli import app, main

ENCODINGS = ("utf-8", "cp1252", "ascii", "cp932")
WIDTHS = ("0", "1", "40", "80", "200")
TERMINALS = ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "TERM": "dumb", "FORCE_COLOR": "1"})
QUICK = {
    "--version": "snnbench",
    "data list": "core",
    "data list core": "iris",
    "data verify core": "13 of 13",
    "models list": "snn",
    "compare results": "Friedman",
    "compare results --details": "seeds",
    "compare results --by depth": "accuracy of",
    "compare results --format json": '"n_tasks": 2',
    "compare results --format csv": "mean_rank",
    "compare results --format markdown": "| model |",
    "compare results --format latex": "tabular",
    "results ls results": "tiny",
    "results ls results --rows": "evaluate",
    "results prune results": "superfluous",
    "results merge results --to all": "in conflict",
    "check results --against results --mode strict": "Same.",
    "compare nowhere": "RESULTS must be folders",
    "comparr": "No such command",
}
"""Commands and a word that they print, whatever the width."""
SLOW = {
    "run core --config tiny.toml --task iris --dry-run": "trainings",
    "run core --config tiny.toml --task iris --results new --progress plain": "stored in new",
    "report results --output page.html": "Written to page.html",
    "figure ranks results --output ranks.svg": "Written to ranks.svg",
    "rerun results": "equal bits",
    "doctor": "snnbench",
    "data audit core": "flag",
    "theory analyse --activation selu": "selu",
}
FAILING = {"compare nowhere": 2, "comparr": 2}


def every_help() -> Iterator[str]:
    """Yield the call for help of every command there is."""

    def below(command, words):  # type: ignore[no-untyped-def]
        yield " ".join([*words, "--help"])
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, [*words, name])

    return below(typer.main.get_command(app), [])


HELPS = dict.fromkeys(every_help(), "Usage:")


class Broken(io.RawIOBase):
    """A device that takes nothing until its number is 0."""

    def __init__(self, number: int) -> None:
        self.number = number

    def writable(self) -> bool:  # noqa: D102
        return True

    def write(self, content) -> int:  # type: ignore[no-untyped-def]  # noqa: D102
        if self.number:
            raise OSError(self.number, os.strerror(self.number))
        return len(content)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Return a folder with the results of two models on two tasks."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["snnbench", "run", "core", "--config", "tiny.toml", *TASKS])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def call(line: str, encoding: str = "utf-8", broken: dict[str, int] | None = None, **variables: str) -> tuple[int, str, str]:
    """Run a command in this process with streams of one encoding; return its exit code and what they hold.

    ``broken`` names streams that take nothing, with the number of the error.
    """
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="") for name in ("stdout", "stderr")}
    devices = {name: Broken(number) for name, number in (broken or {}).items()}
    for name, device in devices.items():
        streams[name] = io.TextIOWrapper(io.BufferedWriter(device), encoding=encoding)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["snnbench", *line.split()])
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as end:
            main()
    for device in devices.values():
        device.number = 0  # what is left in the buffer goes when Python collects the stream
    whole = {name: stream for name, stream in streams.items() if name not in devices}
    for stream in whole.values():
        stream.flush()
    texts = {name: stream.buffer.getvalue().decode(encoding) for name, stream in whole.items()}
    return int(end.value.code or 0), texts.get("stdout", ""), texts.get("stderr", "")


def cells(lines, n_cells: int):  # type: ignore[no-untyped-def]
    """Yield each command with so many widths, and encodings and terminals in turn: together, all pairs of them."""
    for shift, (line, word) in enumerate(lines.items()):
        for number, width in enumerate(WIDTHS[shift % len(WIDTHS) :] + WIDTHS[: shift % len(WIDTHS)]):
            if number < n_cells:
                yield line, word, width, ENCODINGS[(shift + number) % 4], TERMINALS[(shift + 2 * number + number // 4) % 4]


def test_every_command_prints_whatever_the_encoding_the_width_and_the_terminal(folder):
    met, wrong = set(), []
    for line, word, width, encoding, terminal in [*cells(QUICK, 5), *cells(HELPS, 2), *cells(SLOW, 1)]:
        code, out, err = call(line, encoding, COLUMNS=width, **terminal)
        if code != FAILING.get(line, 0) or word not in " ".join((out + err).split()):
            wrong.append(f"{line} in {encoding}, {width} columns, {terminal}: {code} {out} {err}")
        met.add((width, encoding))
    assert not wrong, "\n".join(wrong)
    assert met == set(itertools.product(WIDTHS, ENCODINGS))


def test_a_width_that_is_none_is_no_width(folder):
    for line in ("compare results", "data list", "comparr", "run --help"):
        as_without = call(line)
        for columns in ("0", "", "-5", "wide", "²"):
            assert call(line, COLUMNS=columns) == as_without
        assert call(line, COLUMNS="1") == call(line, COLUMNS="40")


def test_a_character_that_an_encoding_lacks_becomes_a_plain_one_of_its_width_or_its_name(folder):
    tables = {encoding: call("compare results", encoding)[1] for encoding in ENCODINGS}
    assert "─" in tables["utf-8"]
    assert tables["ascii"] == tables["cp1252"] == tables["utf-8"].replace("─", "-")
    assert tables["cp932"] == tables["utf-8"]
    assert "Fernandez-Delgado" in call("data list", "ascii")[1]
    assert "Fernández-Delgado" in call("data list", "cp1252")[1]
    shutil.copytree("results", "größer")
    assert "gr\\xf6\\xdfer" in call("results merge größer --to größer2", "ascii")[1]


@pytest.mark.parametrize(("number", "expected"), [(errno.EPIPE, 141), (errno.ENOSPC, 2)])
def test_an_output_that_takes_nothing_ends_every_command_in_order(folder, number, expected):
    for shift, line in enumerate([*QUICK, *itertools.islice(HELPS, 0, None, 4), "doctor --format json"]):
        if line in FAILING:  # they print to standard error alone
            continue
        code, _, err = call(line, ENCODINGS[shift % 4], {"stdout": number})
        assert code == expected, line
        said = [sentence for sentence in err.splitlines() if sentence.startswith("Error: ")]
        full = "Error: Standard output must take what is printed, but writing to it says: No space left on device."
        assert [sentence.startswith(full) for sentence in said] == [True] * (number == errno.ENOSPC), line


@pytest.mark.unix
def test_the_shell_sees_a_full_device_a_closed_pipe_and_no_output_at_all(folder):
    program = [*PROGRAM, "data", "list"]
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (told.returncode, told.stderr.count("\n"), told.stderr[:30]) == (2, 1, "Error: Standard output must ta")
        assert subprocess.run(program, stdout=full, stderr=full, check=False).returncode == 2
    read, write = os.pipe()
    os.close(read)
    closed = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (closed.returncode, closed.stderr) == (141, "")
    shell = ["sh", "-c", '"$@" >&- 2>&-', "sh", *program]
    assert subprocess.run(shell, check=False).returncode == 0


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_a_progress_that_nobody_reads_stops_no_run(folder, number):
    run = "run core --config tiny.toml --task iris --model svm --results new --progress plain"
    code, out, _ = call(run, broken={"stderr": number})
    assert code == 0
    assert "stored in new" in out
