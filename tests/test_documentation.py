"""The README and the documentation, done as written: every command, every example, every name of a command or an option.

A page is a script. In a folder of its own, from top to bottom: a block with a title is written as a file of that name,
``python`` is executed, ``sh`` is run, and ``text output`` must be what the command above it printed. A block whose mark says
why it is not run here (``sh network``; ``docs/hooks.py`` has the marks) is read instead: its commands must exist.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from pages import PAGES, ROOT, Block, read_blocks

from snnbench.cli import app, main
from snnbench.models import code

sys.path.insert(0, str(ROOT / "docs"))
from hooks import TITLES

COMMAND = typer.main.get_command(app)
LANGUAGES = {"sh", "python", "toml", "yaml", "text", "html", "csv"}
TINY = """
[training]
n_epochs = 10
[models.snn.grid]
n_units = 8
n_layers = [1, 2]
form = "rectangular"
learning_rate = 0.1
[models.svm]
estimator = "sklearn.svm.SVC"
grid = { C = [1, 16] }
"""
OF_SHELL = re.compile(r"[|<>;&$]")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder as a reader has it: two models on two tasks, small."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "tiny.toml").write_text(TINY)
    words = ["run", "core", "--task", "iris", "--task", "monks-1", "--workers", "1", "--progress", "none", "--seeds", "2"]
    done = [sys.executable, "-m", "snnbench", *words, "--config", folder / "tiny.toml", "--results", folder / "results"]
    subprocess.run(done, check=True, capture_output=True)
    return folder / "results"


@pytest.fixture
def desk(tmp_path: Path, stored: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with what the pages take for granted: results, a table of scores, a table of one's own."""
    shutil.copytree(stored, tmp_path / "results")
    scores = pd.DataFrame({"task": ["iris", "wine", "zoo"], "forest": [0.91, 0.84, 0.97], "network": [0.93, 0.81, 0.99]})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    for name in ("MKL_CBWR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)
    code._trace.cache_clear()
    yield tmp_path
    for name in [
        name for name, module in sys.modules.items() if str(getattr(module, "__file__", "")).startswith(str(tmp_path))
    ]:
        del sys.modules[name]


def blocks_of(language: str) -> list[Block]:
    return [block for page in PAGES for block in read_blocks(page) if block.language == language]


def run(line: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one line of a shell; ours in this process, which need not start Python."""
    words = shlex.split(line, comments=True)
    if words[0] != "snnbench" or OF_SHELL.search(line.split(" #")[0]):
        done = subprocess.run(["bash", "-ec", line], capture_output=True, text=True)
        assert done.returncode == expected, done.stderr
        print(done.stdout)
        return
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code or 0) == expected, line


def squeeze(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.unix
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(not b.mark and b.language in ("sh", "python") for b in read_blocks(page))]
)
def test_a_page_does_what_it_says(
    page: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for block in read_blocks(page):
        if block.title:
            (desk / block.title).parent.mkdir(parents=True, exist_ok=True)
            (desk / block.title).write_text(block.body)
        elif block.language == "python" and page != "docs/api.md":  # tests/test_api.py runs that one as a script
            exec(compile("\n" * block.line + block.body, block.page, "exec"), names)
        elif block.language == "sh" and not block.mark:
            capsys.readouterr()
            for line in block.commands:
                code_ = re.search(r"# exit code (\d)", line)
                run(line, int(code_[1]) if code_ else 0, monkeypatch)
            printed = capsys.readouterr().out
        elif block.mark == "output":
            assert squeeze(block.body) in squeeze(printed), f"{block} is not what the commands above it print:\n{printed}"


def test_every_block_says_what_it_is() -> None:
    wrong = [str(b) for page in PAGES for b in read_blocks(page) if b.language not in LANGUAGES or b.mark not in {"", *TITLES}]
    assert wrong == []
    for page, path in PAGES.items():
        assert path.read_text(encoding="utf-8").count("\n```") == 2 * len(read_blocks(page)), page


def check_words(words: list[str]) -> None:
    """Let the command line read some words without doing what they say.

    Raises:
        Exception: That of the command line, if a command or an option does not exist or lacks a value.
    """
    command, context, name = COMMAND, None, "snnbench"
    while True:
        context = command.make_context(name, list(words), parent=context)
        if not hasattr(command, "commands"):
            return
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])


@pytest.mark.parametrize("block", [block for block in blocks_of("sh") if block.mark], ids=str)
def test_a_command_that_is_not_run_exists(block: Block) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in block.commands:
        for part in re.split(r"\s(?:&&|\|)\s", line):
            words = shlex.split(re.sub(r"\$\([^)]*\)", "", part), comments=True)
            if words[0] == "snnbench":
                check_words(words[1:])
            elif words[0] == "make":
                assert words[1] in targets, line


def options_of(command: Any) -> set[str]:
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*(options_of(each) for each in getattr(command, "commands", {}).values()))


OTHERS = {"--help", "--only", "--full", "--jobs"}
"""Options of ``make bench``."""


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_in_the_text_exist(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", PAGES[page].read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    spans = [span.replace("\n", " ").replace("\\|", "|") for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    options = {
        word
        for span in spans
        if not re.match("ray start|sbatch", span)
        for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)
    }
    assert options <= options_of(COMMAND) | OTHERS
    for span in spans:
        if match := re.match(r"snnbench ([a-z]+)(?: ([a-z0-9|-]+))?", span):
            group = COMMAND.commands[match[1]]
            if hasattr(group, "commands") and match[2]:
                assert set(match[2].split("|")) <= set(group.commands), span
