"""Every parser on damaged input: it answers or raises one of our errors, in bounded time and memory.

Sound files are damaged by hypothesis (cut, doubled, overwritten, sprinkled with hostile words) and read by the code that reads
what comes from the network, from the user and from earlier runs. The inputs are few and the same every time; ``make fuzz``
draws many times as many, new ones whenever it is called, and prints the seed that draws them again.
"""

import gzip
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
from archives import write_tox21
from contracts.test_suites import MADE
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from openml_files import data_xml, features_xml, splits_arff, task_xml
from openml_server import study_xml
from stored_rows import job_of, result
from test_source import make_tar, make_zip

from snnbench.config import load_config
from snnbench.errors import DataError, SnnbenchError
from snnbench.reproduce.scores import load_expected, read_scores, record
from snnbench.results.score_tables import read_score_table
from snnbench.results.store import read_results, write_results
from snnbench.suites import SUITES, load_suite
from snnbench.suites.fetch.archive import find_damage, list_members, unpack
from snnbench.suites.fetch.bundle import add_to_bundle, find_in_bundle
from snnbench.suites.folder import _read, open_frozen
from snnbench.suites.openml_files import read_data, read_splits, read_study, read_task
from snnbench.suites.own import TableOptions, open_own

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded by what /proc says is in use")

N_INPUTS = {
    "suite file": 40,
    "toml": 150,
    "results": 150,
    "expected": 150,
    "manifest": 150,
    "archive": 150,
    "table": 60,
    "scores": 150,
}
"""Damaged inputs of each kind (for each of the files of that kind), before ``--fuzz-times``."""

MAX_SECONDS = 5.0
MAX_BYTES = 2**30

WORDS = [
    *(
        b"nan",
        b"inf",
        b"-1",
        b"1e400",
        b"1e-400",
        b"0",
        b"99999999999999999999",
        b"0x10",
        b"1_000",
        b"None",
        b"true",
        b"2026-01-01",
    ),
    *(b"\x00", b"\xff\xfe", b"\n", b"\r", b"\t", b" ", b",", b".", b"e", b'"', b"'", b"#", b"=", b"[[", b"]]", b"{}", b"%s"),
    *(b"../../etc/passwd", b"__import__('os').system('true')", b"cos\nsystem\n(S'true'\ntR.", b"1" * 400, b"[" * 300),
    *("²".encode(), "١".encode()),
]

damage = st.lists(
    st.tuples(
        st.sampled_from(["cut", "double", "overwrite", "insert", "flip", "replace", "end", "digit", "digit"]),
        st.integers(0, 2**20),
        st.integers(0, 200),
        st.sampled_from(WORDS),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, steps: list[tuple[str, int, int, bytes]]) -> bytes:
    for how, where, length, word in steps:
        start = where % (len(content) + 1)
        end = start + length
        if how == "cut":
            content = content[:start] + content[end:]
        elif how == "double":
            content = content[:end] + content[start:]
        elif how == "overwrite":
            content = content[:start] + (word * 200)[:length] + content[end:]
        elif how == "insert":
            content = content[:start] + word + content[start:]
        elif how == "flip" and start < len(content):
            content = content[:start] + bytes([content[start] ^ (1 << length % 8)]) + content[start + 1 :]
        elif how == "replace":  # a number by a word
            numbers = content[start:].split(b" ", 1)
            content = content[:start] + word + (numbers[1] if len(numbers) > 1 else b"")
        elif how == "end":
            content = content[:start]
        elif how == "digit" and (digit := re.search(rb"\d", content[start:])):  # what is often still sound
            start += digit.start()
            content = (
                content[:start] + bytes([ord("0") + (content[start] - ord("0") + 1 + length % 9) % 10]) + content[start + 1 :]
            )
    return content


@contextmanager
def bounded() -> Iterator[None]:
    """Interrupt what takes too long, and refuse it more memory than a damaged file of some kilobytes can need."""

    def give_up(signum: int, frame: object) -> None:
        raise TimeoutError(f"more than {MAX_SECONDS} seconds")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


@dataclass(frozen=True)
class Draw:
    """How many times the usual number of inputs is drawn, and by which seed."""

    times: int
    seed: int


@pytest.fixture
def draw(pytestconfig: pytest.Config) -> Draw:
    return Draw(pytestconfig.getoption("fuzz_times"), pytestconfig.getoption("fuzz_seed"))


def fuzz(file: Path, kind: str, draw: Draw, read: Callable[[], object]) -> int:
    """Damage a file again and again and read it; some inputs must be refused. Return how many were read."""
    whole, tried, refused = file.read_bytes(), 0, 0
    packed = file.suffix == ".gz" and not file.name.endswith(".tar.gz")
    content = gzip.decompress(whole) if packed else whole  # what is inside is parsed, too

    @seed(draw.seed)
    @settings(
        max_examples=N_INPUTS[kind] * draw.times,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(damage)
    def try_one(steps: list[tuple[str, int, int, bytes]]) -> None:
        nonlocal tried, refused
        harmed = damaged(content, steps)
        if harmed == content:
            return
        file.write_bytes(gzip.compress(harmed) if packed else harmed)
        tried += 1
        with bounded():
            try:
                read()
            except SnnbenchError:
                refused += 1

    try:
        try_one()
    finally:
        file.write_bytes(whole)
    print(f"{file.name}: {tried} damaged inputs, {refused} refused, {tried - refused} read")
    assert tried > N_INPUTS[kind] * draw.times / 2
    assert refused > 0
    return tried - refused


@pytest.mark.slow
@pytest.mark.parametrize("suite", [suite for suite in SUITES if load_suite(suite).URLS])
def test_damaged_files_of_a_suite_are_refused_or_read(suite, draw, tmp_path):
    make_small(suite, tmp_path)
    module = load_suite(suite)
    rooms = [import_module(SUITES[suite])]

    def read() -> None:
        for room in rooms:
            for value in vars(room).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
        folder = tmp_path
        if hasattr(module, "prepare"):
            shutil.rmtree(tmp_path.with_name("prepared"), ignore_errors=True)
            folder = module.prepare(tmp_path, tmp_path.with_name("prepared"), {}, lambda message: None)
        found, _ = module.tasks(folder)
        for described in found:
            module.load(described.name, folder)
            module.splits(described.name, folder)

    read()
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert sum([fuzz(file, "suite file", draw, read) for file in files]) > 0
    read()


def make_small(suite: str, folder: Path) -> None:
    """Make the files of a suite; of Tox21, whose features are prepared at every reading, fewer rows than there are."""
    write_tox21(folder, 60, 20, 30) if suite == "tox21" else MADE[suite][1](folder)


@pytest.mark.slow
def test_damaged_files_of_the_processed_copy_are_refused_or_read(draw, tmp_path):
    uci = load_suite("uci")
    place = tmp_path / "iris"
    place.mkdir()
    write_py(place)

    def read() -> None:
        for value in vars(uci).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
        uci.load("iris", tmp_path)
        uci.splits("iris", tmp_path)

    read()
    assert sum([fuzz(file, "suite file", draw, read) for file in sorted(place.iterdir())]) > 0


def read_own(file: Path, folder: Path) -> None:
    """Read a user's table as far as a run does; what was frozen before is not looked at."""
    shutil.rmtree(folder, ignore_errors=True)
    suite, frozen = open_own(file, TableOptions(target="y", keep=("i",), date=("day",)), folder)
    for name in suite.entry.tasks:
        suite.load(name, frozen)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.arff", "t.csv.gz"])
def test_damaged_tables_are_refused_or_read(name, draw, tmp_path):
    file = tmp_path / name
    rows = [(k, f"{k % 9}.5", "xyz"[k % 3] if k % 7 else "", f"{1 + k}/1/2020", "ab"[k % 2]) for k in range(30)]
    separator = "\t" if "tsv" in name else ","
    text = "".join(separator.join(map(str, row)) + "\n" for row in [("i", "n", "'c d'", "d", "y"), *rows])
    if name == "t.arff":
        head = (
            "@relation r\n@attribute i numeric\n@attribute n REAL\n@attribute 'c d' {x, y, 'z'}\n@attribute d string\n"
            "@attribute y string\n@data\n"
        )
        text = head + "".join(f"{i},{n},{c or '?'},{d},{y}\n" for i, n, c, d, y in rows)
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    read_own(file, tmp_path / "frozen")
    assert fuzz(file, "table", draw, lambda: read_own(file, tmp_path / "frozen")) > 0


@pytest.mark.slow
def test_damaged_descriptions_of_suites_are_refused_or_read(draw, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "t.csv").write_text("n,c,y\n" + "".join(f"{k % 9}.5,{'xyz'[k % 3]},{'ab'[k % 2]}\n" for k in range(30)))
    file = tmp_path / "own" / "suite.toml"
    file.write_text(
        'name = "own"\n[tasks.t]\nfile = "t.csv"\ntarget = "y"\ncategorical = ["n"]\nmetric = "auc"\nencoding = "ordinal"\n'
        "splits = { folds = 3, repeats = 1 }\nmax_levels = 5\nmin_rows = 1\n"
    )
    assert fuzz(file, "toml", draw, lambda: open_own(file.parent, TableOptions(), tmp_path / "frozen")) > 0
    suite, frozen = open_own(file.parent, TableOptions(), tmp_path / "frozen")

    def read() -> None:
        _read.cache_clear()
        for task in open_frozen(frozen).tasks(frozen)[0]:
            suite.load(task.name, frozen)

    assert fuzz(frozen / "suite.toml", "toml", draw, read) > 0


@pytest.mark.slow
def test_damaged_frozen_folders_and_parquet_tables_are_refused_or_read(draw, tmp_path):
    """In a process of its own, which must not crash: Parquet is read by C++."""
    fuzz_apart("fuzz_parquet", tmp_path, draw)


def fuzz_parquet(folder: str, times: str, seed: str) -> None:
    place, draw = Path(folder), Draw(int(times), int(seed))
    (place / "t.csv").write_text("i,n,y\n" + "".join(f"{k},{'xyz'[k % 3]},{'ab'[k % 2]}\n" for k in range(30)))
    suite, frozen = open_own(place / "t.csv", TableOptions(target="y", keep=("i",)), place / "cache")

    def read() -> None:
        _read.cache_clear()
        suite.load("t", frozen)

    for file in sorted(frozen.rglob("*.parquet")):
        fuzz(file, "table", draw, read)
    file = place / "u.parquet"
    shutil.copy(frozen / "data" / "t.parquet", file)

    def read_table() -> None:
        shutil.rmtree(place / "other", ignore_errors=True)
        open_own(file, TableOptions(target="target", keep=("x1",)), place / "other")

    read_table()
    fuzz(file, "table", draw, read_table)


@pytest.mark.slow
def test_damaged_files_of_openml_are_refused_or_read(draw, tmp_path):
    texts = {
        "study.xml": (study_xml(99, [1, 2, 3]).decode(), read_study),
        "task.xml": (task_xml(31, "http://x/y", 1, 4), read_task),
        "data.xml": (data_xml("http://x/y", "z"), lambda text: read_data(text, features_xml())),
        "features.xml": (features_xml(), lambda text: read_data(data_xml("http://x/y", "z"), text)),
        "splits.arff": ("".join(splits_arff(1, 2).splitlines(True)[:65]), lambda text: read_splits(text, 60)),
    }
    n_read = 0
    for name, (text, read) in texts.items():
        file = tmp_path / name
        file.write_text(text)
        n_read += fuzz(file, "table", draw, lambda file=file, read=read: read(file.read_bytes().decode("utf-8", "replace")))
    assert n_read > 0


def write_py(place: Path) -> None:
    """Write iris in the layout of ``data_py.zip``."""
    rows = range(150)
    (place / "iris_py.dat").write_text("".join(f"{k % 7}.5,{k % 5},-{k % 3}e-1,{k}\n" for k in rows))
    (place / "labels_py.dat").write_text("".join(f"{k % 3}\n" for k in rows))
    (place / "folds_py.dat").write_text("".join("1,1,1,1\n" if k < 37 else "0,0,0,0\n" for k in rows))
    (place / "validation_folds_py.dat").write_text("".join("1,1,1,1\n" if 40 <= k < 60 else "0,0,0,0\n" for k in rows))


@pytest.mark.slow
def test_damaged_configs_are_refused_or_read(draw, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(
        'extends = "uci/quick"\n[training]\nn_epochs = 12\n[models.snn.grid]\nn_units = [8, 16]\nn_layers = 2\nform = "conic"\n'
        'learning_rate = 0.1\ndropout_rate = 0.0\n[models.svm]\nestimator = "sklearn.svm.SVC"\narguments = { tol = 1e-3 }\n'
        "grid = { C = [1.0, 10.0] }\n"
    )
    assert fuzz(file, "toml", draw, lambda: load_config("uci", file=file)) > 0


@pytest.mark.slow
def test_damaged_expectations_are_refused_or_read(draw, tmp_path):
    rows = [
        result(key, stage="evaluate", test_score=0.5, test_targets=(0, 1), test_outputs=(0.5, 0.5, 0.25, 0.75)) for key in "abc"
    ]
    for row in rows:
        provenance = {"preset": "ci", "grid": "g", "task_sha256": "s", "device": "cpu", "precision": "float32", "cpu": "x"}
        provenance |= {f"{name}_version": "1" for name in ("torch", "numpy", "scikit_learn")}
        row.provenance.update(provenance)
    write_results(tmp_path / "results", job_of(*"abc"), rows)
    scores = read_scores([tmp_path / "results"])
    file = tmp_path / "expected.json"
    record(scores, file)
    assert fuzz(file, "expected", draw, lambda: load_expected(str(file), "core")) > 0


@pytest.mark.parametrize("form", ["wide", "long"])
def test_damaged_tables_of_scores_are_refused_or_read(form, draw, tmp_path):
    wide = "task,snn,svm\niris,0.9,0.8\nwine,0.75,0.7\nzoo,,0.5\n"
    long = "dataset\tmodel\tseed\taccuracy\niris\tsnn\t1\t0.9\niris\tsvm\t1\t0.8\nwine\tsnn\t1\t0.7\nwine\tsvm\t1\t0.6\n"
    (tmp_path / "scores.csv").write_text(wide if form == "wide" else long)
    assert fuzz(tmp_path / "scores.csv", "scores", draw, lambda: read_score_table(str(tmp_path / "scores.csv"))) > 0


@pytest.mark.slow
def test_damaged_manifests_are_refused_or_read(draw, tmp_path):
    add_to_bundle(tmp_path, "uci", make_zip(tmp_path / "data.zip"), "data.zip", "somewhere")
    assert fuzz(tmp_path / "MANIFEST.json", "manifest", draw, lambda: find_in_bundle(tmp_path, "uci")) > 0
    folder = unpack(tmp_path / "data.zip", tmp_path / "unpacked", None, lambda message: None)

    def compare() -> None:
        if damage := find_damage(folder):
            raise DataError(damage)

    assert fuzz(folder / ".files.json", "manifest", draw, compare) > 0


@pytest.mark.slow
def test_damaged_archives_are_refused_or_read(draw, tmp_path):
    """Checksums notice nearly all damage to a compressed archive; without compression a part of it is what is inside."""
    n_read = {}
    for name in ("data.tar.gz", "data.tar", "data.zip"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        file = folder / name
        make_zip(file) if name.endswith("zip") else make_tar(file, mode="w:" + name[9:])

        def read(file=file) -> None:
            shutil.rmtree(file.with_name("unpacked"), ignore_errors=True)
            list_members(file)
            unpack(file, file.with_name("unpacked"), None, lambda message: None)
            outside = {path.name for path in file.parent.iterdir()} - {file.name, "unpacked"}
            assert not outside

        n_read[name] = fuzz(file, "archive", draw, read)
    assert n_read["data.tar"] > 0


@pytest.mark.slow
def test_damaged_results_are_refused_or_read(draw, tmp_path):
    """In a process of its own, which must not crash: Parquet is read by C++."""
    fuzz_apart("fuzz_results", tmp_path, draw)


def fuzz_apart(what: str, tmp_path: Path, draw: Draw) -> None:
    """Call a function of this module in another process, which must end well."""
    code = f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]; import test_fuzz; test_fuzz.{what}(*sys.argv[1:])"
    words = [sys.executable, "-c", code, str(tmp_path), str(draw.times), str(draw.seed)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300 * draw.times)
    print(done.stdout, end="")
    assert done.returncode == 0, done.stderr[-3000:]


def fuzz_results(folder: str, times: str, seed: str) -> None:
    results = Path(folder) / "results"
    write_results(results, job_of("a", "b"), [result("a", valid_score=0.5, train_loss=(1.0, 0.25)), result("b")])
    [file] = results.rglob("*.parquet")
    assert fuzz(file, "results", Draw(int(times), int(seed)), lambda: read_results([results])) > 0


def test_nothing_in_the_package_can_run_what_it_reads():
    """No module unpickles or evaluates, and torch loads nothing."""
    package = Path(import_module("snnbench").__file__).parent
    banned = ("import pickle", "import joblib", "cloudpickle", "torch.load", "allow_pickle", "read_pickle", "yaml")
    banned += ("eval(", "exec(", "os.system", "shell=True")
    for file in package.rglob("*.py"):
        text = file.read_text().replace(".eval()", "")
        assert [word for word in banned if word in text] == [], file


def test_the_strategy_damages():
    assert damaged(b"1 2 3", [("insert", 2, 0, b"nan")]) == b"1 nan2 3"
    assert damaged(b"1 2 3", [("end", 3, 0, b"")]) == b"1 2"
    assert damaged(b"1 2 3", [("replace", 2, 0, b"inf")]) == b"1 inf3"
    assert len({damaged(b"0123456789", [("flip", k, k, b"")]) for k in range(10)}) == 10
    assert {damaged(b"a5b", [("digit", 1, k, b"")]) for k in range(9)} == {f"a{k}b".encode() for k in range(10) if k != 5}
