"""The command line as its users meet it: every answer, every mistake, and what the shell sees of both."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from archives import wine_like, write_delgado
from small_run import PROGRAM

from snnbench.cli import main
from snnbench.cli.outcome import print_outcome
from snnbench.execution.request import RunOutcome
from snnbench.models import NETWORKS
from snnbench.report.prose import REFERENCES
from snnbench.suites import SUITES, load_suite

TINY = """
[training]
n_epochs = 4
[models.snn.grid]
n_units = 8
n_layers = [1, 2]
form = "rectangular"
learning_rate = [0.01, 0.1]
dropout_rate = 0.0
[models.svm]
estimator = "sklearn.svm.SVC"
grid = {C = [1.0, 10.0]}
"""
CHECKOUT = Path(__file__).parents[1]
TASKS = ("--task", "iris", "--task", "wine")


@dataclass(frozen=True)
class Answer:
    """What the program left behind."""

    code: int
    out: str
    err: str


Program = Callable[..., Answer]


@pytest.fixture
def program(monkeypatch, capsys, tmp_path) -> Program:
    """Return the program: ``main`` in this process, in an empty folder that holds only ``tiny.toml``, without a terminal."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tiny.toml").write_text(TINY)

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["snnbench", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Answer(int(end.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Return the results of two models on two tasks."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["snnbench", "run", "core", "--config", "tiny.toml", *TASKS])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return folder / "results"


@pytest.fixture
def results(trained, tmp_path) -> Path:
    """Return a copy of the results, as ``results`` in the working folder."""
    return Path(shutil.copytree(trained, tmp_path / "results"))


def stored_rows(folder: Path) -> set[tuple]:
    """Return key, status and time of every row; each key stands there once."""
    if not list(folder.rglob("*.parquet")):
        return set()
    rows = pd.read_parquet(folder)
    assert not rows["key"].duplicated().any()
    return set(rows[["key", "status", "finished_at"]].itertuples(index=False, name=None))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(answer: Answer, expected: str) -> None:
    """Check for one line on standard error that says what is wrong, and exit code 2."""
    assert answer.err.startswith("Error: ")
    assert expected in answer.err
    assert answer.err.count("\n") == 1
    assert answer.err.endswith(".\n")
    assert answer.code == 2


# Bad input


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run cor", f"Unknown suite 'cor'. Did you mean 'core'? Known: {', '.join(sorted(SUITES))}"),
        ("run core --model sn", "Unknown model of preset quick 'sn'. Did you mean 'snn'?"),
        ("run core --model [bold]", "Unknown model of preset quick '[bold]'."),
        ("run core --model random_forest --config tiny.toml", "Unknown model of tiny.toml 'random_forest'. Known: snn, svm."),
        ("run core --task irsi", "Unknown task of core 'irsi'. Did you mean 'iris'? `snnbench data list core` lists them."),
        ("run core --preset quik", "Unknown preset of core 'quik'. Did you mean 'quick'?"),
        ("run core --preset quick --config tiny.toml", "exclude each other, found tiny.toml and quick. Leave one of them out."),
        ("run core --config no.toml", "no.toml must be a readable TOML file, found: No such file"),
        ("run core --config [red]:x:.toml", "[red]:x:.toml must be a readable TOML file"),
        ("run core --config results", "results must be a readable TOML file"),
        ("run core --preprocessing restandardise", "those of core are standardised on the training rows anyway. Leave it out."),
        ("run core --repetition 5", "--repetition must be 1 to 4, found 5."),
        ("run core --repetition 2..5", "--repetition must be 1 to 4, found 5."),
        ("run core --repetition 0..2", "--repetition must be 1 to 4, found 0."),
        ("run core --repetition 3..1", "--repetition must name the smaller number first, found 3..1. Use 1..3."),
        ("run core --repetition 1-3", "--repetition must be a number, a range or a list (3, 1..10 or 1,4), found '1-3'."),
        ("run core --repetition 1,,2", "a range or a list (3, 1..10 or 1,4), found ''."),
        ("run core --source x", "The suite core is embedded and has no --source, found 'x'. Leave it out."),
        ("run uci --source nowhere", "must be a folder, an archive or a URL, found nothing at nowhere. Check the spelling"),
        ("run uci --source ftp://host/data.zip", "must begin with http:// or https://, found 'ftp://host/data.zip'."),
        (
            "run uci --source results",
            "must hold data.tar.gz or data_py.zip or the unpacked files, found none of these in results",
        ),
        ("data list cor", "Unknown suite 'cor'. Did you mean 'core'?"),
        ("data fetch core --source x", "embedded and has no --source, found 'x'"),
        ("data verify cor", "Unknown suite 'cor'. Did you mean 'core'?"),
        ("compare nowhere", "RESULTS must be folders with results or tables of scores, but nowhere does not exist."),
        ("compare tiny.toml", "tiny.toml must be a table with a header and a column for each model"),
        ("compare empty", "must hold results, found none. Train models with `snnbench run` first."),
        ("compare results --suite ucy", "Unknown suite 'ucy'. Did you mean 'uci'?"),
        (
            "compare results --suite uci",
            "needs at least one task with a score; found none. 121 left out: no results",
        ),
        ("compare results --subset large", "found none. 5 left out: no results."),
        ("compare results --baseline sv", "Unknown model 'sv'. Did you mean 'svm'? Known: best, snn, svm."),
        ("compare results --details --format csv", "--details is part of --format table only, found --format csv."),
        ("compare results --output no/table.csv --format csv", "must be a file that can be written, but no/table.csv says"),
    ],
)
def test_a_wrong_word_is_one_clear_line_and_changes_nothing(program, results, tmp_path, line, expected):
    (tmp_path / "empty").mkdir()
    before = contents(tmp_path)
    assert_refused(program(*line.split()), expected)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "line", ["run", "rnu core", "run core --modle snn", "run core --seed -1", "compare --basline x", "data list core x"]
)
def test_wrong_usage_is_exit_code_2(program, line):
    answer = program(*line.split())
    assert answer.code == 2
    assert "Usage: snnbench" in answer.err
    assert "╭─ Error ─" in answer.err


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("n_epochs", "n_epoch", "Unknown key in bad.toml, [training] 'n_epoch'. Did you mean 'n_epochs'?"),
        ("estimator", "estimatr", "Unknown key in bad.toml, [models.svm] 'estimatr'. Did you mean 'estimator'?"),
        ("[models.svm]", "[model.svm]", "Unknown key in bad.toml, [top level] 'model'. Did you mean 'models'?"),
        ("n_epochs = 4", 'n_epochs = "4"', "bad.toml: training.n_epochs: Input should be a valid integer, found '4'."),
        ("n_epochs = 4", "n_epochs = 0", "training.n_epochs: Input should be greater than or equal to 1, found 0."),
        ("n_epochs = 4", "n_epochs = 4 4", "bad.toml must be a readable TOML file, found: Expected newline"),
        ("n_units = 8", "n_units = []", "models.snn: 'n_units' must list at least one value and none twice, found []."),
        ("n_units = 8", "n_units = [8, 8]", "must list at least one value and none twice, found [8, 8]."),
        ("n_units = 8", "n_units = {a = 1}", "models.snn.grid.n_units: Input should be"),
        ("n_units = 8", "n_units = -8", "n_units of snn is -8. Input should be greater than or equal to 1."),
        ("n_units = 8", 'n_units = "wide"', "n_units of snn is 'wide'. Input should be a valid integer."),
        ("rectangular", "rectangle", "form of snn is 'rectangle'. Input should be 'rectangular' or 'conic'."),
        ("dropout_rate = 0.0", "dropout_rate = nan", "dropout_rate of snn is nan."),
        ("n_layers", "n_layer", "Unknown hyperparameter of snn 'n_layer'. Did you mean 'n_layers'?"),
        ("n_layers = [1, 2]", "", "The grid of snn must give n_layers: add it to its table."),
        ("C =", "gama =", "Unknown hyperparameter of svm 'gama'. Did you mean 'gamma'?"),
        ("models.snn", "models.sn", "Unknown network 'sn'. Did you mean 'snn'?"),
        ("svm.SVC", "svm.SVCC", "'sklearn.svm.SVCC' must be the import path of a class or a function, but importing it says"),
        ("estimator =", "network =", "The network sklearn.svm.SVC must have `hyperparameters`, learning_rate among them."),
        (TINY, "[models]", "bad.toml: models: Dictionary should have at least 1 item"),
        (TINY, "", "bad.toml: models: Field required."),
        (TINY, 'extends = "uci/quik"', "Unknown config to extend in bad.toml 'uci/quik'. Did you mean 'uci/quick'?"),
    ],
)
def test_a_wrong_config_is_one_clear_line_and_changes_nothing(program, results, tmp_path, old, new, expected):
    assert old in TINY
    (tmp_path / "bad.toml").write_text(TINY.replace(old, new))
    before = contents(tmp_path)
    assert_refused(program("run", "core", "--config", "bad.toml", *TASKS), expected)
    assert contents(tmp_path) == before


def make_archive(file: Path, folder: Path, extra_member: str = "") -> bytes:
    with tarfile.open(file, "w:gz") as tar:
        tar.add(folder, "wine")
        if extra_member:
            tar.addfile(tarfile.TarInfo(extra_member), io.BytesIO())
    return file.read_bytes()


@pytest.mark.parametrize("fault", ["truncated", "../x"])
def test_a_bad_archive_is_refused_and_nothing_is_unpacked(program, results, tmp_path, monkeypatch, fault):
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache"))
    folder = write_delgado(tmp_path / "made", "wine", *wine_like(), 44)
    archive = tmp_path / "data.tar.gz"
    whole = make_archive(archive, folder, "../x" if fault == "../x" else "")
    if fault == "truncated":
        archive.write_bytes(whole[: len(whole) // 2])
    expected = "must be a complete zip or tar archive" if fault == "truncated" else "stay inside its folder, found '../x'"
    before = contents(tmp_path)
    for line in ("run uci --source data.tar.gz", "data fetch uci --source data.tar.gz", "data verify uci --source data.tar.gz"):
        answer = program(*line.split())
        assert_refused(answer, expected)
        assert "Download it again, or name another with --source DIR|FILE|URL." in answer.err
    assert contents(tmp_path) == before


def one_row_too_few(X, y):
    return X[:-1], y[:-1]


def not_a_number(X, y):
    X[3, 2] = np.nan
    return X, y


def a_lonely_class(X, y):
    y[2 + np.flatnonzero(y[2:] == 2)[1:]] = 0
    return X, y


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (one_row_too_few, "by the catalogue it must have n_samples 178, found 177"),
        (not_a_number, "wine_R.dat must hold finite numbers, found nan in data row 4, feature 3."),
        (a_lonely_class, "every class needs at least 2 rows (to train and to test), class 2 has 1."),
    ],
)
def test_a_damaged_task_is_named_with_its_numbers(program, results, tmp_path, damage, expected):
    write_delgado(tmp_path / "data", "wine", *damage(*wine_like()), 44)
    before = contents(tmp_path)
    assert_refused(program("run", "uci", "--task", "wine", "--source", "data"), f"Task 'wine': {expected}")
    answer = program("data", "verify", "uci", "--source", "data")
    assert answer.code == 2
    assert answer.err.startswith(f"Damaged: Task 'wine': {expected}")
    assert answer.err.count("\n") == 1
    assert answer.out.startswith("0 of 121 tasks loaded; abalone, ")
    assert contents(tmp_path) == before


def test_a_task_that_is_not_at_hand_is_named(program, tmp_path):
    write_delgado(tmp_path / "data", "wine", *wine_like(), 44)
    answer = program("run", "uci", "--task", "iris", "--source", "data")
    assert_refused(
        answer, "Task 'iris' is not at hand: there is no folder iris/. Fetch the data again or name another --source."
    )
    answer = program("data", "verify", "uci", "--source", "data")
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.startswith("1 of 121 tasks loaded; abalone, ")
    assert answer.out.endswith(", zoo: there is no folder <task>/\n")


def test_a_gpu_that_is_not_there_is_named(program, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_refused(program("run", "core", "--device", "cuda"), "--device cuda needs a GPU that torch can use, found none.")


@pytest.mark.parametrize("words", [("--kernels", "fused"), ("--stacks-at-once", "4")])
def test_what_fills_a_gpu_needs_one(program, words):
    answer = program("run", "core", "--device", "cpu", *words)
    assert_refused(answer, f"{' '.join(words)} needs networks to be trained on a GPU. Leave it out, or use --device cuda.")


def test_fused_kernels_need_triton(program, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("snnbench.cli.machine.find_spec", lambda name: None)
    answer = program("run", "core", "--device", "cuda", "--kernels", "fused")
    assert_refused(answer, "--kernels fused needs Triton, found none. Use `pip install 'snnbench[triton]'` or --kernels plain.")


def test_an_unwritable_results_folder_is_named(program, tmp_path):
    (tmp_path / "file").write_text("mine")  # nobody can write below a file, root included
    for folder in ("file", "file/results"):
        answer = program("run", "core", "--config", "tiny.toml", "--task", "iris", "--results", folder)
        assert_refused(answer, f"The results folder must be writable, but writing to {folder} says:")
        assert "name another one with --results" in answer.err
    assert (tmp_path / "file").read_text() == "mine"


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a disk of 64 KiB at ``folder``; yield False where that is not allowed."""
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=64k", "snnbench-test", str(folder)]
    mounted = mount is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            # Lazily: a file may stay open until the exception that left it so is collected.
            subprocess.run(["umount", "-l", str(folder)], check=True)


def run_with_small_files(folder: Path, command: list[str]) -> Answer:
    """Run the program where no file may be larger than the probe of the results folder."""
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)); {PROGRAM[2]}"
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=folder, capture_output=True, text=True)
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.mark.unix
def test_a_full_results_folder_loses_nothing(program, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY.replace("[1, 2]", "[1, 2, 3, 4]"))
    command = ["run", "core", "--config", "tiny.toml", *TASKS, "--workers", "1", "--progress", "none", "--results", "disk"]
    with small_disk(tmp_path / "disk") as mounted:
        full = program(*command) if mounted else run_with_small_files(tmp_path, command)
        assert_refused(full, "must be writable, but writing to disk/core says: ")
        reason = "No space left on device" if mounted else "File too large"
        assert f"{reason}. Make room or name another one with --results; what is stored already stays" in full.err
        assert all(name.endswith((".parquet", ".json", ".jsonl", ".lock")) for name in contents(tmp_path / "disk"))
        before = stored_rows(tmp_path / "disk")
        if mounted:
            assert before
            subprocess.run(["mount", "-o", "remount,size=8m", str(tmp_path / "disk")], check=True)
        done = program(*command)
        assert (done.code, done.err) == (0, "")
        rows = pd.read_parquet(tmp_path / "disk")
        assert len(rows) == rows["key"].nunique() == 2 * (8 + 2) + 2 * 2
        assert stored_rows(tmp_path / "disk") >= before


def test_a_results_file_cut_in_half_is_named_and_kept(program, results, tmp_path):
    file = sorted(results.rglob("*.parquet"))[1]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    before = contents(tmp_path)
    for line in ("run core --config tiny.toml --task iris --task wine", "compare results"):
        answer = program(*line.split())
        assert_refused(answer, f"{file.relative_to(tmp_path)} must be a whole Parquet file, but reading it says:")
        assert "Move it away; the next run trains its configurations again." in answer.err
    assert contents(tmp_path) == before
    n_lost = 0 if file.unlink() else 1
    answer = program("run", "core", "--config", "tiny.toml", *TASKS)
    assert answer.code == 0
    assert int(re.findall(r"(\d+) trainings? stored", answer.out)[0]) >= n_lost
    assert len(pd.read_parquet(results)) == 2 * (4 + 2) + 4


COMMANDS_OF_A_FOLDER = (
    "compare results",
    "report results --output page.html",
    "results ls results",
    "results ls results --rows",
    "results prune results",
    "results merge results --to all",
    "check results --record expected.json",
    "figure cd results --output cd.svg",
)


def test_other_parquet_files_in_a_results_folder_are_named_and_left_aside(program, results):
    before = {line: program(*line.split()) for line in COMMANDS_OF_A_FOLDER}
    shutil.rmtree("all")
    pd.DataFrame({"a": [1]}).to_parquet(results / "mine.parquet")
    for line in COMMANDS_OF_A_FOLDER:
        answer = program(*line.split())
        note = "Note: results/mine.parquet is left aside: a Parquet file, but without rows of results.\n"
        assert (answer.code, answer.out, answer.err) == (0, before[line].out, note + before[line].err), line


@pytest.mark.unix
def test_a_name_that_points_nowhere_is_named(program, results):
    (results / "core" / "evaluate-x.parquet").symlink_to("/nowhere")
    for line in COMMANDS_OF_A_FOLDER:
        assert_refused(
            program(*line.split()), "results/core/evaluate-x.parquet must lead to results, but it points to /nowhere"
        )


def change_the_data(results: Path) -> None:
    """Store all rows of iris again as if they came from another version of its data, a year later and with half the scores."""
    for file in list((results / "core").glob("*.parquet")):
        rows = pd.read_parquet(file)
        rows = rows[rows["task"] == "iris"]
        later = rows["finished_at"].str.replace("^20", "30", regex=True)
        other = rows.assign(task_sha256="9f8e" * 16, key="z" + rows["key"].str[1:], finished_at=later)
        other.assign(test_score=rows["test_score"] / 2).to_parquet(file.with_name(f"{file.stem}0.parquet"))


def test_results_on_two_versions_of_the_data_can_be_compared_shown_and_pruned(program, results):
    before = json.loads(program("compare", "results", "--format", "json").out)
    old = read_digest(results)
    change_the_data(results)
    note = (
        "There are results on several versions of the data of 1 task; the newest counts: iris 9f8e9f8e "
        f"(not {old[:8]}). --data DIGEST or --data oldest chooses."
    )
    new = json.loads(program("compare", "results", "--format", "json").out)
    assert new["notes"] == [note]
    halved = {model: score / 2 for model, score in before["scores"]["iris"].items()}
    assert new["scores"]["iris"] == pytest.approx(halved, abs=1e-12)
    for version in ("oldest", old, old[:6]):
        again = json.loads(program("compare", "results", "--format", "json", "--data", version).out)
        assert (again["scores"], again["options"]["data"]) == (before["scores"], [version])
    for line in ("compare results", "compare results --details", "compare results --by depth"):
        assert note in " ".join(program(*line.split()).out.split())
    for line in ("compare results --format csv", "figure cd results --output cd.svg", "figure cost results --output cost.svg"):
        assert f"Note: {note}\n" in program(*line.split()).err
    assert program("report", "results", "--output", "page.html").code == 0
    assert "iris 9f8e9f8e (not" in Path("page.html").read_text()
    assert program("report", "results", "--data", "oldest", "--output", "page.html").code == 0
    assert f"iris {old[:8]} (not 9f8e9f8e)" in Path("page.html").read_text()
    assert_refused(program("compare", "results", "--data", "zz"), "Unknown version of the data 'zz'.")
    assert f"Note: {note}" in program("check", "results", "--record", "new.json").err
    assert program("check", "results", "--data", old, "--record", "old.json").code == 0
    assert program("check", "results", "--data", "oldest", "--against", "old.json", "--mode", "strict").code == 0
    listed = program("results", "ls", "results").out
    assert re.search(rf"core +iris +9f8e9f8e +8 .*\ncore +iris +{old[:8]} +8 ", listed)
    shown = program("results", "show", "results", "--data", "9f8e").out
    assert len(re.findall(r"^key +z", shown, re.MULTILINE)) == shown.count("task_sha256") == 8
    assert_refused(program("results", "show", "results"), "--key or --data must say which rows, found neither.")
    assert_refused(program("results", "prune", "results", "--data", "zz"), "Unknown version of the data 'zz'.")
    assert program("results", "prune", "results", "--data", "older").out.count("of an older version of the data") > 1
    assert program("results", "prune", "results", "--data", "9f8e", "--yes").code == 0
    assert json.loads(program("compare", "results", "--format", "json").out) == before


def read_digest(results: Path) -> str:
    [digest] = pd.read_parquet(results).query("task == 'iris'")["task_sha256"].unique()
    return digest


def test_results_of_two_suites_must_be_told_apart(program, results):
    rows = pd.read_parquet(results)
    rows.assign(suite="uci", key="u" + rows["key"]).to_parquet(results / "other.parquet")
    assert_refused(program("compare", "results"), "must be of one suite, found core, uci. Choose with --suite.")
    for suite, n_tasks in (("core", 13), ("uci", 121)):
        answer = program("compare", "results", "--suite", suite)
        assert answer.out.startswith(f"2 models on 2 of {n_tasks} tasks of {suite}, by accuracy.\n")


@pytest.mark.parametrize("suite", ["core", pytest.param("uci", marks=pytest.mark.shared_data)])
def test_a_long_run_is_not_started_unasked(program, tmp_path, shared, suite):
    source = ["--source", shared / "data" / "uci", "--task", "abalone"] if suite == "uci" else ["--task", "iris"]
    (tmp_path / "long.toml").write_text(f'extends = "{suite}/paper"\n[training]\nn_epochs = 10_000_000\n')
    command = ["run", suite, "--config", "long.toml", *source]
    program(*command, "--dry-run")  # unpacks the archive
    answer = program(*command)
    assert_refused(answer, "on this machine. Give --yes to start it anyway, or use --preset quick.")
    assert "1 of 1 tasks loaded" in answer.out
    assert not (tmp_path / "results").exists()
    assert program(*command, "--dry-run").code == 0


# Good input


def test_a_dry_run_prints_the_plan_and_writes_nothing(program, tmp_path):
    before = contents(tmp_path)
    answer = program("run", "core", "--config", "tiny.toml", *TASKS, "--workers", "1", "--device", "cpu", "--dry-run")
    assert (answer.code, answer.err) == (0, "")
    plan = {line.split()[0]: " ".join(line.split()[1:]) for line in answer.out.splitlines()}
    assert plan["suite"] == "core, preset tiny, seed 0"
    assert plan["tasks"] == "2 of 2 tasks loaded"
    assert plan["grids"] == "snn 4, svm 2 configurations a task"
    assert plan["trainings"] == "12 in the search, 0 of them stored already"
    assert plan["then"] == "up to 4 evaluations of the selected configurations"
    assert plan["jobs"] == "6 on 1 worker (cpu)"
    assert plan["estimate"] == "a few seconds on this machine"
    assert contents(tmp_path) == before


def test_a_run_goes_on_with_what_is_missing(program, tmp_path):
    run = ("run", "core", "--config", "tiny.toml", "--results", "my results")
    first = program(*run, "--task", "wine")
    assert (first.code, first.out.splitlines()[-1]) == (
        0,
        "8 trainings stored in my results. Next: snnbench compare 'my results'",
    )
    assert re.search(r"^search: 3/3 jobs, \d+ s elapsed$", first.err, re.MULTILINE)
    assert re.search(r"^evaluate: 2/2 jobs, \d+ s elapsed$", first.err, re.MULTILINE)
    more = program(*run, *TASKS, "--progress", "none")
    assert more.out.splitlines()[-1].startswith("8 trainings stored")
    assert re.search(r"trainings +12 in the search, 6 of them stored already", more.out)
    assert (more.code, more.err) == (0, "")
    before = contents(tmp_path)
    again = program(*run, *TASKS)
    assert (again.code, again.err) == (0, "")
    assert "nothing left to search" in again.out
    assert again.out.splitlines()[-1].startswith("0 trainings were left to do. Next: snnbench compare")
    assert contents(tmp_path) == before


MOODY = """
from sklearn.svm import SVC

class Moody(SVC):
    def fit(self, X, y):
        if self.C > 5:
            raise RuntimeError("no C above 5")
        return super().fit(X, y)
"""


def test_a_failed_training_is_shown_at_the_end_and_tried_again(program, tmp_path):
    config = TINY.replace("models.svm", "models.'[b]svm'").replace("sklearn.svm.SVC", "moody.Moody")
    (tmp_path / "tiny.toml").write_text(config)
    (tmp_path / "moody.py").write_text(MOODY)
    run = "run", "core", "--config", "tiny.toml", *TASKS, "--model", "[b]svm", "--progress", "none", "--allow-import", "moody"
    for n_trained in (6, 2):
        answer = program(*run)
        assert answer.code == 1
        failed, advice = answer.err.splitlines()
        assert failed.startswith("Failed: 2 trainings of [b]svm on iris, wine: RuntimeError: no C above 5")
        assert advice == "The same command runs what failed again."
        assert f"{n_trained} trainings stored in results, 2 of them failed." in answer.out
    (tmp_path / "tiny.toml").write_text(config.replace("[1.0, 10.0]", "[10.0, 20.0]"))
    answer = program(*run)
    assert answer.code == 1
    assert "No score: [b]svm on iris, wine: 2 of 2 configurations failed: RuntimeError" in answer.err


@pytest.mark.parametrize(("status", "is_tried_again"), [("failed", True), ("diverged", False)])
def test_only_what_may_end_otherwise_is_said_to_be_tried_again(capsys, status, is_tried_again):
    request = SimpleNamespace(repetitions=(), results=Path("results"))
    row = SimpleNamespace(status=status, model="snn", task="iris", error="its loss or its outputs are not finite")
    print_outcome(request, RunOutcome(3, (row,), {}))
    said = capsys.readouterr()
    assert "3 trainings stored in results, 1 of them failed." in said.out
    assert ("The same command runs what failed again." in said.err) == is_tried_again


def test_a_comparison_in_every_format(program, results, tmp_path):
    table = program("compare", "results")
    assert (table.code, table.err) == (0, "")
    assert table.out.startswith("2 models on 2 of 13 tasks of core, by accuracy.\nFriedman test of equal ranks: chi-square = ")
    assert "Wilcoxon signed-rank test of svm against each model" in " ".join(table.out.split())
    assert max(map(len, table.out.splitlines())) <= 100
    assert "no results (11 tasks): breast-cancer-wisc-diag, " in table.out
    content = json.loads(program("compare", "results", "--format", "json").out)
    assert (content["n_tasks"], content["n_models"], content["baseline"]) == (2, 2, "svm")
    csv = program("compare", "results", "--format", "csv", "--baseline", "snn", "--alternative", "greater").out
    frame = pd.read_csv(io.StringIO(csv), index_col="model")
    assert sorted(frame.index) == ["snn", "svm"]
    assert frame["mean_rank"].sum() == 3
    assert np.isnan(frame.loc["snn", "pvalue"])
    markdown = program("compare", "results", "--format", "markdown", "--correction", "none").out
    assert "\n| model | rank | 95% | diff. | score | w/t/l | p | equiv. | verdict |\n" in markdown
    for style, text in {
        "table": table.out,
        "json": json.dumps(content, indent=2, ensure_ascii=False) + "\n",
        "csv": csv,
    }.items():
        extra = ("--baseline", "snn", "--alternative", "greater") if style == "csv" else ()
        answer = program("compare", "results", "--format", style, "--output", f"out.{style}", *extra)
        assert (answer.code, answer.out, answer.err) == (0, "", f"Written to out.{style}\n")
        assert (tmp_path / f"out.{style}").read_text() == text
    details = program("compare", "results", "--details")
    assert details.out.startswith(table.out)
    assert "score: mean of all tasks that the model has" in details.out


def test_the_papers_tables_need_no_results(program):
    paper = program("compare", "--published", "snn2017", "--convention", "paper")
    assert (paper.code, paper.err) == (0, "")
    printed = "msrainit    3.78  -0.219  -0.240  0.8011    120  66/13/42    0.028      0.027    0.15  * worse"
    assert printed in paper.out
    assert "4 missing scores take the worst rank" in paper.out
    own = program(
        "compare", "--published", "snn2017", "--convention", "paper", "--correction", "hochberg", "--missing", "drop-task"
    )
    assert "7 models on 120 of 121 tasks" in own.out
    assert "p (hochberg)" in own.out
    both = ("--published", "snn2017", "--published", "delgado2014-groups")
    groups = program("compare", *both, "--subset", "large", "--format", "csv")
    frame = pd.read_csv(io.StringIO(groups.out), index_col="model")
    assert list(frame.index[:3]) == ["snn", "LibSVM_weka", "RRFglobal_caret"]
    assert len(frame) == 24


def test_tasks_and_models_can_be_chosen(program):
    published = ("compare", "--published", "snn2017", "--format", "json")
    some = json.loads(program(*published, "--task", "iris", "--task", "wine", "--model", "snn", "--model", "resnet").out)
    assert (list(some["scores"]), sorted(some["scores"]["iris"])) == (["iris", "wine"], ["resnet", "snn"])
    large = json.loads(program(*published, "--min-samples", "40000").out)
    assert set(large["scores"]) == {"adult", "chess-krvk", "connect-4", "miniboone", "statlog-shuttle"} - {"chess-krvk"}
    sound = json.loads(program(*published, "--exclude-flagged").out)
    assert (sound["n_tasks"], sound["flags"], sound["sensitivity"]) == (96, {}, None)
    assert sound["options"]["exclude_flagged"]
    assert_refused(program(*published, "--task", "irsi"), "Unknown task of uci 'irsi'. Did you mean 'iris'?")
    assert_refused(program(*published, "--model", "sn"), "Unknown model 'sn'. Did you mean 'snn'?")
    assert_refused(program(*published, "--min-samples", "9999999"), "at least one task of uci; --subset, --task, --min-samples")
    assert_refused(program(*published, "--alpha", "5"), "--alpha must lie between 0 and 1, found 5")


def test_a_table_for_a_paper(program):
    latex = program("compare", "--published", "snn2017", "--convention", "paper", "--format", "latex").out
    assert r"\begin{tabular}{lrrrrrrr}" in latex
    assert "MSRAinit & 3.78 & 3.46--4.11 & $-0.22$ & 0.8011 & 120 & 66/13/42 & 0.028 \\\\\n" in latex
    # The highest mean is not bold: it is one of fewer tasks than others.
    assert r"SNN & \textbf{3.26} & 2.93--3.61 & $-0.74$ & 0.8139 & 120 & -- & -- \\" in latex
    assert r"\caption{Mean ranks of 7 models on 121 tasks of uci by accuracy (1 is best), with 95\,\% intervals." in latex
    assert "% p: Wilcoxon signed-rank test of snn against each model" in latex
    text = program("compare", "--published", "snn2017", "--format", "text").out
    methods, results, *references = text.split("\n\n")
    assert "adjusted by Holm's method (Holm 1979) over all pairs of models" in " ".join(methods.split())
    assert "The models differ (F(6, 720) = 5.24, p < 0.001)." in " ".join(results.split())
    assert "resnet (rank 4.25; 65 wins, 19 ties, 37 losses of snn; p = 0.020)" in " ".join(results.split())
    assert {f"({key})" in methods.replace("\n", " ") for key in REFERENCES if f"({key})" in references[0]} == {True}
    assert latex.count(r"\\") == 8


def without_spans(page: str) -> str:
    return re.sub(r"</?span[^>]*>", "", page)


def test_a_table_of_scores_is_compared_drawn_and_reported(program, results, tmp_path, monkeypatch):
    (tmp_path / "scores.csv").write_text("dataset,a,b\niris,0.9,0.8\nwine,0.7,0.6\nzoo,0.5,\n")
    table = program("compare", "scores.csv")
    assert table.out.startswith("2 models on 3 tasks of scores.\n1 missing score takes the worst rank")
    content = json.loads(program("compare", "scores.csv", "--format", "json", "--lower-is-better").out)
    assert [model["model"] for model in content["models"]] == ["b", "a"]
    assert (content["suite"], content["tables"], content["options"]["lower_is_better"]) == ("", ["scores"], True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "scores.csv").read_bytes())))
    assert program("compare", "-").out.splitlines()[2:] == table.out.splitlines()[2:]
    assert program("figure", "cd", "scores.csv", "--output", "cd.svg").code == 0
    assert program("report", "scores.csv", "--index", "dataset").code == 0
    page = Path("report.html").read_text()
    assert "2 models on 3 tasks of scores</h1>" in page
    assert "<pre>snnbench report scores.csv --index dataset</pre>" in without_spans(page)
    assert "The data behind them is not known" in page.replace("the data", "The data")
    beside = json.loads(program("compare", "results", "--published", "scores.csv", "--format", "json").out)
    assert {model["model"] for model in beside["models"]} == {"snn", "svm", "a[scores]", "b[scores]"}
    assert sorted(beside["scores"]) == ["iris", "wine"]
    assert "Of the 3 tasks of scores 2 are compared." in beside["notes"]
    assert_refused(program("compare", "scores.csv", "--by", "split"), "--by needs RESULTS of one's own, found none")
    assert_refused(program("compare", "scores.csv", "--details"), "--details needs RESULTS of one's own, found none")
    assert_refused(program("compare", "--published", "scorse.csv"), "Unknown published results 'scorse.csv'")


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_figure_is_a_file(program, tmp_path, suffix):
    answer = program("figure", "cd", "--published", "snn2017", "--output", f"cd.{suffix}")
    assert (answer.code, answer.out, answer.err) == (0, "", f"Written to cd.{suffix}\n")
    assert (tmp_path / f"cd.{suffix}").read_bytes().startswith({"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix])


def test_figures_and_a_page_of_a_run(program, results, tmp_path):
    for name in ("curves", "cost", "scatter", "ranks"):
        assert program("figure", name, "results", "--output", f"{name}.svg").code == 0
        assert "snn" in (tmp_path / f"{name}.svg").read_text()
    answer = program("report", "results", "--output", "page.html")
    assert (answer.code, answer.out) == (0, "")
    assert re.fullmatch(r"Written to page.html \(1\.\d MB\)\n", answer.err)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 models on 2 tasks of core" in page
    assert "<pre>snnbench rerun results --suite core</pre>" in without_spans(page)
    assert "snnbench run core" not in page  # tiny.toml is no preset: only the folder has its settings
    assert "<pre>snnbench report results</pre>" in without_spans(page)
    assert "Nothing can be concluded: on 2 tasks" in page
    before = contents(tmp_path)
    assert_refused(program("figure", "cd", "results", "--output", "cd.gif"), "must end in .svg, .png, .pdf; found 'cd.gif'")
    assert_refused(program("figure", "cd", "results", "--output", "no/cd.svg"), "no/cd.svg")
    assert_refused(program("report", "results", "--output", "no/page.html"), "must be a file that can be written")
    assert_refused(program("report"), "RESULTS or --published must be given, found neither")
    assert_refused(
        program("figure", "curves", "--published", "snn2017", "--output", "c.svg"), "need networks that were trained here"
    )
    assert contents(tmp_path) == before


def test_odd_results_are_told(program, results):
    [file] = results.rglob("evaluate-*.parquet")
    rows = pd.read_parquet(file)
    shutil.copy(file, file.with_name("evaluate-copy.parquet"))
    doubled = program("compare", "results").out
    assert f"{len(rows)} row" in doubled
    assert "stored more than once; of rows with one key the newest" in " ".join(doubled.split())
    assert "2 models on 2 of 13 tasks" in doubled
    file.with_name("evaluate-copy.parquet").unlink()
    is_lost = (rows["model"] == "svm") & (rows["task"] == "wine")
    rows.assign(test_score=rows["test_score"].mask(is_lost)).to_parquet(file)
    gap = " ".join(program("compare", "results").out.split())
    assert "take the worst rank" in gap or "takes the worst rank" in gap
    dropped = " ".join(program("compare", "results", "--missing", "drop-task").out.split())
    dropped += program("compare", "results", "--missing", "drop-task").err
    assert "svm: its test score is not a number" in dropped


def test_results_of_a_newer_program_are_refused(program, results):
    file = next(results.rglob("*.parquet"))
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({b"snnbench_schema_version": b"3"}), file)
    for command in ("compare", "report"):
        answer = program(command, "results")
        assert_refused(answer, "must be of results schema 2 or earlier, found 3: a newer snnbench wrote it. Update this one")
        assert str(file.name) in answer.err


def test_a_single_model_has_nothing_to_be_compared_with(program, results):
    for file in results.rglob("*.parquet"):
        rows = pd.read_parquet(file)
        rows[rows["model"] != "svm"].to_parquet(file)
    answer = program("compare", "results")
    assert answer.code == 0
    assert "There is nothing to compare a single model with: no tests, no p-values." in answer.out


def test_the_data_commands(program):
    suites = program("data", "list")
    assert [line.split()[0] for line in suites.out.splitlines()] == ["suite", *SUITES]
    tasks = program("data", "list", "core")
    assert [line.split()[0] for line in tasks.out.splitlines()] == ["task", *load_suite("core").catalogue().index]
    assert program("data", "verify", "core") == Answer(0, "13 of 13 tasks loaded\n", "")
    assert program("data", "fetch", "core") == Answer(0, "core is embedded: there is nothing to fetch.\n", "")


def test_the_audit_as_a_summary_in_full_and_for_machines(program, tmp_path):
    assert re.search(r"caution +duplicated-rows +2 +iris, led-display", program("data", "audit", "core").out)
    one = program("data", "audit", "core", "--task", "iris")
    assert "1 of 1 tasks loaded" in one.err
    assert re.search(r"iris +rows-in-train-and-test +1 \(2.7%\) of the test rows +caution", one.out)
    found = json.loads(program("data", "audit", "core", "--format", "json").out)
    assert {"task": "iris", "flag": "duplicated-rows", "detail": "1 (0.7%) of the rows", "severity": "caution"} in found
    assert program("data", "audit", "core", "--format", "csv", "--output", "flags.csv").code == 0
    assert (tmp_path / "flags.csv").read_text() == (CHECKOUT / "datasets" / "core_flags.csv").read_text()
    refused = program("data", "audit", "core", "--task", "iris", "--output", "no/flags.csv")
    assert refused.err.splitlines()[1].startswith("Error: --output must be a file that can be written, but no/flags.csv says")
    assert refused.code == 2
    assert_refused(program("data", "audit", "core", "--task", "irsi"), "Did you mean 'iris'?")


def test_an_archive_is_fetched_once(program, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache" / ("long-" * 40)))
    make_archive(tmp_path / "data.tar.gz", write_delgado(tmp_path / "made", "wine", *wine_like(), 44))
    first, second = (program("data", "fetch", "uci", "--source", "data.tar.gz") for _ in range(2))
    assert first.code == second.code == 0
    assert re.fullmatch(r"Unpacking 3 files of data\.tar\.gz into \S+\n", first.err)
    assert second.err == ""
    assert re.fullmatch(r"uci is in \S+\n", second.out)
    assert first.out == second.out
    assert (Path(second.out.split()[-1]) / "wine" / "wine_R.dat").is_file()


def test_a_bundle_is_made_and_used(program, tmp_path, monkeypatch):
    make_archive(tmp_path / "data.tar.gz", write_delgado(tmp_path / "made", "wine", *wine_like(), 44))
    made = program("data", "fetch", "uci", "--source", "data.tar.gz", "--to", "bundle")
    assert (made.code, made.err) == (0, "Use it with --source bundle\n")
    assert (tmp_path / "bundle" / "uci" / "data.tar.gz").read_bytes() == (tmp_path / "data.tar.gz").read_bytes()
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "elsewhere"))
    assert program("data", "verify", "uci", "--source", "bundle", "--offline").out.startswith("1 of 121 tasks loaded; ")
    assert_refused(program("data", "fetch", "all", "--offline"), "Without the network the data must be in the cache already")
    assert_refused(program("data", "fetch", "core", "--to", "bundle"), "core is embedded and needs no bundle. Leave it out.")
    assert_refused(program("data", "fetch", "uci", "--source", "made", "--to", "b"), "found the folder made. Name an archive")
    assert_refused(program("run", "uci", "--offline"), "Fetch it elsewhere by `snnbench data fetch all --to bundle`")


def test_an_unpacked_file_with_a_flipped_bit_is_found(program, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache"))
    make_archive(tmp_path / "data.tar.gz", write_delgado(tmp_path / "made", "wine", *wine_like(), 44))
    folder = Path(program("data", "fetch", "uci", "--source", "data.tar.gz").out.split()[-1])
    file = folder / "wine" / "wine_R.dat"
    times = file.stat()
    damaged = bytearray(file.read_bytes())
    damaged[1000] ^= 1
    file.write_bytes(damaged)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    answer = program("data", "verify", "uci", "--source", "data.tar.gz")
    assert_refused(answer, "the SHA-256 of wine/wine_R.dat must be")


def test_code_beside_the_config_is_asked_about(program, tmp_path):
    (tmp_path / "beside.py").write_text("from snnbench.models.networks.snn import SNN\n\nclass Mine(SNN):\n    pass\n")
    (tmp_path / "mine.toml").write_text(
        TINY.replace("[models.snn.grid]", '[models.own]\nnetwork = "beside.Mine"\n[models.own.grid]')
    )
    line = ["run", "core", "--config", "mine.toml", "--model", "own", "--task", "iris", "--dry-run"]
    assert_refused(program(*line), "If you trust it, say --allow-import beside.")
    assert program(*line, "--allow-import", "beside").code == 0


def test_stored_rows_that_do_not_count_are_explained(program, results, tmp_path):
    answer = program("run", "core", "--config", "tiny.toml", *TASKS, "--seed", "3", "--dry-run")
    assert answer.err == "12 stored trainings not used here: seed 0.\n"
    (tmp_path / "other.toml").write_text(TINY.replace("n_epochs = 4", "n_epochs = 5").replace("[0.01, 0.1]", "[0.1, 1.0]"))
    answer = program("run", "core", "--config", "other.toml", *TASKS, "--dry-run")
    assert answer.err == (
        "8 stored trainings not used here: 4 × n_epochs = 4; 4 × n_epochs = 4 and configuration not in the grid.\n"
    )
    assert "4 of them stored already" in answer.out  # those of the estimator


def test_warnings_are_shown_once_at_the_end_and_logged(program, tmp_path):
    (tmp_path / "warn.toml").write_text(
        '[models.mlp]\nestimator = "sklearn.neural_network.MLPClassifier"\n'
        "grid = { max_iter = [1, 2], hidden_layer_sizes = 4 }\n"
    )
    answer = program("run", "core", "--config", "warn.toml", *TASKS, "--progress", "none")
    assert answer.code == 0
    assert answer.err.count("Warning: ") == len(answer.err.splitlines()) == 2
    assert re.search(r"Warning: \d × Stochastic Optimizer: Maximum iterations \(1\) reached.*mlp on iris", answer.err)
    [log] = (tmp_path / "results" / "_logs").iterdir()
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[0]["event"] == "run started"
    assert events[-1]["event"] == "run ended"
    assert events[0]["command"][:2] == ["run", "core"]
    assert events[0]["packages"]["torch"] == torch.__version__
    assert sum(event["event"] == "job stored" for event in events) >= 4


def test_results_are_listed_shown_merged_and_pruned(program, results, tmp_path):
    listed = program("results", "ls", "results").out
    assert re.search(r"core +tiny +snn +0 +2 +8 +2 +0 +0 +\d+ s +cpu, ", listed)
    rows = program("results", "ls", "results", "--rows").out
    assert len(rows.splitlines()) == 1 + 16
    key = re.search(r"^(\w+) +evaluate +core +wine .* svm", rows, re.MULTILINE)[1]
    shown = program("results", "show", "results", "--key", key[:6]).out
    assert re.search(rf"^key +{key} *$", shown, re.MULTILINE)
    assert re.search(r"^task_sha256 +[0-9a-f]{64} *$", shown, re.MULTILINE)
    assert_refused(program("results", "show", "results", "--key", "zz"), "found none for 'zz' among 16.")
    merged = program("results", "merge", "results", "--to", "all")
    assert (merged.code, merged.out) == (0, "16 rows new in all, 0 there already, 0 in conflict.\n")
    assert program("results", "prune", "all").out == "Nothing is superfluous.\n"
    shutil.copytree(tmp_path / "all" / "core", tmp_path / "all" / "copy")
    pruned = program("results", "prune", "all")
    assert pruned.out.count("stored twice") == pruned.out.count("\n") == 2
    assert pruned.err == "Nothing was removed; say --yes to do so.\n"
    assert program("results", "prune", "all", "--yes").code == 0
    assert len(pd.read_parquet(tmp_path / "all")) == 16
    file = next((tmp_path / "all").rglob("search-*.parquet"))
    table = pd.read_parquet(file)
    table.assign(valid_score=table["valid_score"] / 2).to_parquet(file)
    conflict = program("results", "merge", "results", "--to", "all")
    assert conflict.code == 1
    assert conflict.err.count("Conflict: ") == len(table)


def test_a_check_has_exit_codes_for_ci(program, results, tmp_path):
    assert program("check", "results", "--record", "expected.json").err == "4 evaluations recorded in expected.json\n"
    same = program(
        "check", "results", "--against", "expected.json", "--mode", "strict", "--junit", "j.xml", "--markdown", "m.md"
    )
    assert (same.code, same.out.splitlines()[-1]) == (0, "Same.")
    assert 'failures="0"' in (tmp_path / "j.xml").read_text()
    assert (tmp_path / "m.md").read_text().startswith("### snnbench check: same")
    text = (tmp_path / "expected.json").read_text()
    evaluation = json.loads(text)["evaluations"][0]
    (tmp_path / "expected.json").write_text(text.replace(evaluation["bits"], "0" * 16))
    differs = program("check", "results", "--against", "expected.json", "--mode", "strict")
    assert (differs.code, differs.out.splitlines()[-1]) == (1, "1 difference.")
    assert repr(evaluation["test_score"]) in differs.out
    (tmp_path / "empty").mkdir()
    for line, reason in (
        ("check results --against expected.json", "needs at least two of them on one side"),
        ("check results --against nowhere", "found nothing at nowhere."),
        ("check results --against empty", "found none"),
        ("check results", "--against or --record must be given, found neither."),
        ("check nowhere --against x", "RESULTS must be folders with results, but nowhere is none."),
        ("check results --record no/file.json", "--record must be a file that can be written"),
    ):
        assert_refused(program(*line.split()), reason)


def test_stored_rows_can_be_repeated(program, results):
    answer = program("rerun", "results")
    assert (answer.code, answer.out) == (0, "4 rows run again: 4 with equal bits, 0 not.\n")
    key = next(iter(pd.read_parquet(results).query("stage == 'search' and model == 'snn'")["key"]))
    assert program("rerun", "results", "--key", key[:8]).out == "1 row run again: 1 with equal bits, 0 not.\n"

    def change(**columns: object) -> None:
        for file in (results / "core").glob("evaluate-*.parquet"):
            pd.read_parquet(file).assign(**columns).to_parquet(file)

    change(test_score=0.125)
    tampered = program("rerun", "results")
    assert (tampered.code, tampered.out.splitlines()[-1]) == (1, "4 rows run again: 0 with equal bits, 4 not.")
    change(n_epochs=3)
    assert "must have the key that its settings give now, found another" in program("rerun", "results").err
    change(task_sha256="0" * 64)
    assert_refused(program("rerun", "results"), "that it was trained on, found other or none. See --source.")
    shutil.rmtree(results / "_settings")
    assert_refused(program("rerun", "results"), "Running a row again needs the settings of the run in results/_settings/")


def test_the_doctor_sees_the_environment(program, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy:3128")
    monkeypatch.setenv("SNNBENCH_CACHE", "nothing-in-it")
    healthy = program("doctor")
    assert healthy.code == 0
    assert re.search(r"^data uci +not in the cache; snnbench data fetch uci, or --source *$", healthy.out, re.MULTILINE)
    assert "secret" not in healthy.out
    found = json.loads(program("doctor", "--format", "json").out)
    assert found["environment"]["torch_version"] == torch.__version__
    assert found["environment"]["HTTPS_PROXY"] == "http://proxy:3128"
    assert {"cpu", "n_threads", "cpu_capability", "git_commit", "python_version", "mkl_cbwr"} <= set(found["environment"])
    assert found["bits"] in " ".join(healthy.out.split())
    assert found["environment"]["equal_bits"] == found["bits"].startswith("A network has the bits here that it has alone: ")
    assert set(found["at_hand"]) >= {"gpus", "blas of numpy and scipy", "engine ray", "engine slurm", "extra theory"}
    assert found["at_hand"]["compiled step"] == f"numba {metadata.version('numba')}"
    monkeypatch.setattr("snnbench.doctor.has_numba", lambda: False)
    assert json.loads(program("doctor", "--format", "json").out)["at_hand"]["compiled step"].startswith("none without numba: ")
    assert "dev" not in " ".join(found["at_hand"])
    monkeypatch.setattr("snnbench.doctor.MIN_FREE_BYTES", 2**80)
    ill = program("doctor")
    assert (ill.code, ill.out.count("Problem: ")) == (1, 1)


def test_the_doctor_finds_the_data_that_a_run_would_find(program, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache"))
    make_archive(tmp_path / "data.tar.gz", write_delgado(tmp_path / "made", "wine", *wine_like(), 44))
    program("data", "verify", "uci", "--source", "data.tar.gz")
    found = json.loads(program("doctor", "--format", "json").out)["data"]["uci"]
    assert found.startswith("not in the cache (unpacked of a --source, and used with it alone: ")
    assert program("run", "uci", "--offline", "--dry-run").code == 2


def test_imports_names_and_grids_are_checked_before_the_data_is_asked_for(program, monkeypatch, tmp_path):
    def refuse(*arguments, **options):
        raise AssertionError("asked for the data")

    monkeypatch.setattr("snnbench.suites.fetch.source.fetch", refuse)
    (tmp_path / "mine.py").write_text("")
    config = tmp_path / "mine.toml"
    for text, reason in (
        ('[models.own]\nnetwork = "mine.Own"\ngrid = { learning_rate = 0.1 }\n', "If you trust it, say --allow-import mine."),
        ('[models.snn]\ngrid = { n_units = -1, n_layers = 2, form = "conic", learning_rate = 0.1 }\n', "n_units of snn"),
        ("[models.snn]\ngrid = { n_unit = 8 }\n", "n_unit"),
    ):
        config.write_text(text)
        assert_refused(program("run", "uci", "--config", str(config)), reason)
        assert_refused(program("run", "openml/cc18", "--config", str(config), "--model", "nobody"), "nobody")


def test_a_failed_download_is_said_in_three_lines(program, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "snnbench.suites.fetch.download.transfer", lambda url, part, report: "the server answered 404 Not Found"
    )
    failed = program("run", "htru2", "--model", "svm")
    assert failed.code == 2
    said = failed.err.strip().splitlines()[-3:]
    assert said[0] == "Error: The data must be downloaded once, and no address gave it."
    assert re.fullmatch(r" +Tried: https?://\S+ \(the server answered 404 Not Found\).*\.", said[1])
    assert said[2].strip().startswith("Try again later, or use --source DIR|FILE|URL")


def test_models_and_version(program):
    models = program("models", "list")
    assert re.search(r"^snn +12 +216 +12 .*snnbench\.models\.networks\.snn\.SNN *$", models.out, re.MULTILINE)
    # 180 rows of the paper's grid: the bottleneck of a rectangular block does not matter.
    assert re.search(r"^resnet +135 ", models.out, re.MULTILINE)
    assert re.search(r"^random_forest .*sklearn\.ensemble\.RandomForestClassifier *$", models.out, re.MULTILINE)
    assert re.fullmatch(r"snnbench \d+\.\d+\.\d+\n", program("--version").out)


def test_everything_fits_into_80_columns(program, results, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    commands = [
        "run core --dry-run",
        "models list",
        "data list",
        "data list uci",
        "compare results",
        "compare results --details",
    ]
    helps = ["--help", "run --help", "compare --help", "data --help", "data list --help", "data verify --help", "models --help"]
    for line in [*commands, *helps]:
        answer = program(*line.split())
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) <= 80, line
        assert "…" not in answer.out


def test_the_list_of_models_is_cut_into_tables_that_fit(program, monkeypatch):
    def sizes(width: int) -> tuple[int, dict[str, list[str]]]:
        """Return the number of tables, and each model's numbers in all of them."""
        monkeypatch.setenv("COLUMNS", str(width))
        lines = program("models", "list").out.splitlines()
        assert max(map(len, lines)) <= width
        found: dict[str, list[str]] = {}
        for name, *words in (line.split() for line in lines):
            if numbers := [word for word in words if word.isdecimal()]:
                found.setdefault(name, []).extend(numbers)
        return sum(line.startswith("model ") for line in lines), found

    (n_wide, wide), (n_narrow, narrow) = sizes(200), sizes(40)
    assert n_wide == 1 < n_narrow
    assert set(NETWORKS) | {"random_forest", "voting"} <= set(wide)
    assert narrow == wide


@dataclass
class Terminal:
    """A terminal of 80 columns: what a user types into it, and what was shown."""

    keyboard: int
    seen: list[bytes]

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.keyboard, keys.encode())

    @property
    def text(self) -> str:
        """What was shown, without colours and movements of the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", b"".join(self.seen).decode()).replace("\r\n", "\n")


@contextmanager
def terminal(monkeypatch) -> Iterator[Terminal]:
    """Put a terminal behind standard input and standard error.

    Not a fixture: pytest puts its own capture in place again before the test itself.
    """
    keyboard, screen = os.openpty()
    terminal = Terminal(keyboard, [])

    def read() -> None:
        while True:
            try:
                terminal.seen.append(os.read(keyboard, 4096))
            except OSError:  # nobody has the other end any more
                return

    reader = threading.Thread(target=read)
    reader.start()
    monkeypatch.setenv("TERM", "xterm-256color")
    with open(screen, "w", buffering=1) as shown, open(screen, closefd=False) as typed:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", shown)
        monkeypatch.setattr(sys, "stdin", typed)
        yield terminal
    reader.join()
    os.close(keyboard)


@pytest.mark.unix
def test_a_terminal_sees_bars(program, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with terminal(monkeypatch) as seen:
        answer = program("run", "core", "--config", "tiny.toml", *TASKS)
    assert answer.code == 0
    frames = re.split(r"[\r\n]+", seen.text)
    assert any(re.fullmatch(r"search   ━+ 6/6 0:00:\d\d +", frame) for frame in frames)
    assert any(re.fullmatch(r"evaluate ━+ 4/4 0:00:\d\d +", frame) for frame in frames)
    assert max(map(len, frames)) <= 80


def test_without_a_terminal_there_are_plain_lines_whatever_the_colours(program, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    answer = program("run", "core", "--config", "tiny.toml", "--task", "iris")
    assert re.search(r"^search: 0/3 jobs, \d+ s elapsed, training \d (svm|snn) on iris", answer.err)
    assert "━" not in answer.err
    assert "━" in program("run", "core", "--config", "tiny.toml", "--task", "wine", "--progress", "rich").err


@pytest.mark.unix
def test_a_long_run_is_asked_about_in_a_terminal(program, monkeypatch, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY.replace("n_epochs = 4", "n_epochs = 1_000_000_000"))
    with terminal(monkeypatch) as keyboard:
        keyboard.type("n\n")
        answer = program("run", "core", "--config", "tiny.toml")
    assert answer.code == 1
    assert re.search(r"This run is estimated at [\d.]+ days on this machine\. Start it\? .* \[y/N\]: ", answer.out)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run c", ["core"]),
        ("run core --task mo", ["monks-1", "monks-2", "monks-3"]),
        ("run core --task iris --task w", ["wine", "waveform"]),
        ("run --task monks-1", ["monks-1"]),
        ("run core --preset pa", ["paper"]),
        ("run core --model sn", ["snn"]),
        ("run core --config tiny.toml --model s", ["snn", "svm"]),
        ("run core --config no.toml --model s", []),
        ("run core --preset quik --model s", []),
        ("compare results --suite u", ["uci"]),
        ("data verify c", ["core"]),
    ],
)
def test_names_are_completed(program, monkeypatch, line, expected):
    monkeypatch.setenv("_SNNBENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"snnbench {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
    answer = program()
    assert answer.err == ""
    assert answer.out.split() == expected


def test_help_loads_nothing_heavy(tmp_path):
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, sep=chr(10))); "
    helped = subprocess.run(
        [sys.executable, "-c", code + PROGRAM[2], "--help"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "Usage:" in helped.stdout
    assert "snnbench.cli.run" in helped.stdout.splitlines()
    heavy = {"torch", "sklearn", "pandas", "numpy", "scipy", "pyarrow", "pydantic", "altair", "jinja2", "vl_convert"}
    assert not heavy & set(helped.stdout.splitlines())


MANY_JOBS = f"""
[training]
n_epochs = 20
[models.snn.grid]
n_units = 32
n_layers = {list(range(1, 13))}
form = "rectangular"
learning_rate = 0.1
dropout_rate = 0.0
"""


@pytest.mark.unix
@pytest.mark.parametrize("moment", ["loading", "training"])
def test_ctrl_c_finishes_what_is_in_flight_and_the_next_run_the_rest(program, tmp_path, moment):
    (tmp_path / "tiny.toml").write_text(MANY_JOBS)
    command = ["run", "core", "--config", "tiny.toml", *TASKS, "--workers", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*PROGRAM, *command], start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        assert any(line.startswith("estimate") for line in process.stdout)
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("results/*.parquet" if moment == "loading" else "results/core/*.parquet")):
            if moment == "loading" and (tmp_path / "results" / "_settings").is_dir():
                break
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
        out, err = process.communicate(timeout=60)
    said = [line for line in err.splitlines() if not line.startswith(("search: ", "evaluate: "))]
    assert said[0] == "Finishing the jobs in flight; press Ctrl-C again to stop now."
    assert re.fullmatch(r"Stopped with \d+ jobs? of this stage left\. The same command continues from here\.", said[1])
    assert len(said) == 2
    assert (process.returncode, out) == (130, "")
    before = stored_rows(tmp_path / "results")
    n_stored = len(before)
    assert (1 if moment == "training" else 0) <= n_stored < 24
    rest = program(*command)
    assert rest.code == 0
    assert f"{24 - n_stored + 2} trainings stored in results." in rest.out
    assert stored_rows(tmp_path / "results") >= before
