"""Suites of the user's own, from tables to comparisons: ``snnbench run customers.csv --target churned``."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_tables import customers, write_customers

from snnbench.cli import main
from snnbench.errors import DataError, SnnbenchError, UnknownNameError
from snnbench.results.store import read_results
from snnbench.suites import SUITES, command_words, load_suite, split_numbers
from snnbench.suites.folder import _read, open_frozen, read_entry
from snnbench.suites.frozen import FrozenSuite, FrozenTask, write_suite, write_task
from snnbench.suites.own import TableOptions, open_own, remember, remember_results
from snnbench.training.job_rows import job_rows

OPTIONS = TableOptions(target="churned", drop=("joined",))
CONFIG = """
[training]
n_epochs = 4
[models.snn.grid]
n_units = 8
n_layers = 1
form = "rectangular"
learning_rate = [0.1, 0.01]
dropout_rate = 0.0
[models.tree]
estimator = "sklearn.tree.DecisionTreeClassifier"
[models.tree.grid]
max_depth = [2, 5]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache"))
    Path("small.toml").write_text(CONFIG)
    return tmp_path


def call(monkeypatch, capsys, *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["snnbench", *words])
    with pytest.raises(SystemExit) as left:
        main()
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


@pytest.fixture
def snnbench(place, monkeypatch, capsys):
    return lambda *words: call(monkeypatch, capsys, *words)


def run_words(*words: str) -> tuple[str, ...]:
    return ("run", *words, "--config", "small.toml", "--yes", "--progress", "none", "--workers", "1")


def test_a_table_is_run_audited_and_compared_without_its_data(place, snnbench):
    write_customers(place, 120)
    code, _, err = snnbench(*run_words("customers.csv", "--target", "churned"))
    assert (code, "Column 'joined' holds dates: choose the parts" in " ".join(err.split())) == (2, True)
    said = ("--target", "churned", "--date", "year,month")
    code, out, err = snnbench(*run_words("customers.csv", *said, "--repetition", "1..2"))
    assert code == 0, err
    assert "id is left out: it counts the rows. Use it with --keep id." in " ".join(err.split())
    rows = read_results([place / "results"])
    assert set(rows["status"]) == {"ok"}
    assert set(rows["suite"]) == {"customers"}
    assert set(rows["split"]) == {"repeat-1-fold-1", "repeat-1-fold-2"}
    again = run_words("customers.csv", *said, "--repetition", "2,1..1", "--repetition", "2", "--dry-run")
    planned = snnbench(*again)[1]
    assert "stored already" in planned
    assert "one-hot for snn, tree" in planned

    code, out, _ = snnbench("data", "audit", "customers.csv", *said)
    assert code == 0
    assert "missing-values" in out

    shutil.rmtree(place / "cache")
    Path("customers.csv").unlink()
    code, out, err = snnbench("compare", "results")
    assert (code, "tree" in out) == (0, True), err
    code, _, err = snnbench("report", "results", "--output", "page.html")
    assert code == 0, err
    page = Path("page.html").read_text()
    assert "customers" in page


def test_a_folder_of_tables_names_those_that_cannot_be_used(place, snnbench):
    Path("my-suite").mkdir()
    for number, (name, separator) in enumerate({"one.csv": ",", "two.tsv": "\t"}.items()):
        frame = customers(60, number).drop(columns="joined").rename(columns={"churned": "Class"})
        frame.to_csv(Path("my-suite", name), index=False, sep=separator)
    customers(60, 2).drop(columns="joined").rename(columns={"churned": "target"}).to_parquet("my-suite/three.parquet")
    Path("my-suite/bad.csv").write_text("a,b\n1,2\n")
    code, out, err = snnbench(*run_words("my-suite", "--model", "tree"))
    assert code == 0, err
    assert "3 of 4 tasks loaded; bad: The target of bad.csv must be named" in " ".join(out.split())
    assert set(read_results([place / "results"])["task"]) == {"one", "two", "three"}
    assert snnbench("compare", "results")[0] == 0
    code, _, err = snnbench("results", "merge", "results", "--to", "merged")
    shutil.rmtree("results")
    assert snnbench("compare", "merged")[0] == 0, err


def test_rows_have_the_flags_of_the_audit_and_flagged_tasks_can_be_left_out(place, snnbench):
    Path("clinic").mkdir()
    for number in range(4):
        frame = customers(100, number).drop(columns="joined").rename(columns={"churned": "target"})
        if number == 3:
            frame["leak"] = frame["target"]
        frame.to_csv(f"clinic/t{number}.csv", index=False)
    code, _, err = snnbench(*run_words("clinic"))
    assert code == 0, err
    rows = read_results([place / "results"])
    flags = {task: set(found) for task, found in rows.groupby("task")["task_flags"]}
    assert {task for task, (cell,) in flags.items() if "column-equals-target" in cell} == {"t3"}
    assert all("missing-values" in cell for (cell,) in flags.values())
    shutil.rmtree(place / "cache")
    _, out, err = snnbench("compare", "results")
    assert "Without the 1 task whose data the audit finds at fault" in " ".join((out + err).split())
    code, out, err = snnbench("compare", "results", "--exclude-flagged")
    assert (code, "on 3 tasks of clinic" in out) == (0, True), err
    _, out, _ = snnbench("data", "audit", "clinic", "--format", "csv")
    assert out.count("column-equals-target") == 1


def test_a_suite_toml_says_it_all_and_is_frozen_for_other_machines(place, snnbench):
    Path("own").mkdir()
    write_customers(Path("own"), 80)
    Path("own/suite.toml").write_text(
        'name = "shop"\n[tasks.churn]\nfile = "customers.csv"\ntarget = "churned"\ndrop = "joined"\ncategorical = "plan"\n'
        'metric = "auc"\nencoding = "ordinal"\nsplits = { folds = 4, repeats = 2 }\n'
    )
    code, _, err = snnbench("data", "fetch", "own", "--to", "bundle")
    assert code == 0, err
    shutil.rmtree("own")
    shutil.rmtree("cache")
    entry = read_entry(place / "bundle" / "shop").tasks["churn"]
    assert (entry.metric, entry.repetitions, entry.n_folds) == ("auc", 8, 4)
    code, _, err = snnbench(*run_words("bundle/shop", "--model", "tree"))
    assert code == 0, err
    rows = read_results([place / "results"])
    assert set(rows["metric"]) == {"auc"}
    assert sorted(set(rows["split"])) == [f"repeat-1-fold-{k}" for k in range(1, 5)]
    assert snnbench("data", "verify", "bundle/shop")[0] == 0
    assert "is a frozen suite" in snnbench(*run_words("bundle/shop", "--target", "churned"))[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.csv",), "found nothing at nowhere.csv"),
        (
            ("nowhere",),
            "Unknown suite 'nowhere'. Did you mean 'core'? Known: core, htru2, tox21, uci, a table, or a folder of tables.",
        ),
        (("core", "--target", "y"), "--target y is for tables of your own"),
        (("uci.csv", "--target", "y"), "must not be called 'uci'"),
        (("empty",), "must hold tables"),
        (("t.csv", "--target", "y", "--source", "x"), "--source is for suites of snnbench"),
        (("t.csv", "--target", "y", "--date", "era"), "Unknown part of dates 'era'"),
        (("t.csv", "--target", "z"), "Unknown column of t.csv 'z'"),
        (("openml/99",), "must be fetched first"),
        (("openml/cc19",), "Unknown suite of OpenML 'cc19'. Did you mean 'cc18'?"),
    ],
)
def test_what_is_typed_wrongly_is_said(words, said, place, snnbench):
    Path("empty").mkdir()
    for name in ("uci.csv", "t.csv"):
        Path(name).write_text("a,y\n" + "".join(f"{k % 7}.5,{'ab'[k % 2]}\n" for k in range(40)))
    code, _, err = snnbench(*run_words(*words))
    assert (code, said in " ".join(err.split())) == (2, True), err


def test_tables_whose_names_are_one_or_none_on_some_system_are_refused(tmp_path):
    for name in ("a.csv", "a.tsv"):
        (tmp_path / name).write_text("x,y\n1,a\n")
    with pytest.raises(SnnbenchError, match="must have names of their own, found a and a"):
        open_own(tmp_path, TableOptions(), tmp_path / "cache")
    (tmp_path / "LPT1.csv").write_text("x,y\n1,a\n")
    with pytest.raises(SnnbenchError, match="must be that of a file on every system, found 'LPT1'"):
        open_own(tmp_path / "LPT1.csv", TableOptions(), tmp_path / "cache")


def test_an_audit_counts_a_task_once_whatever_its_columns_are_called(place, snnbench):
    text = "".join(f"{k},{k},{k % 7}.5,{'ab'[k % 2]}\n" for k in range(40))
    Path("t.csv").write_text("a b,[/bold],x,y\n" + text)
    words = ("data", "audit", "t.csv", "--target", "y", "--keep", "a b", "--keep", "[/bold]")
    code, out, err = snnbench(*words)
    assert (code, "caution identifier-column 1 t " in " ".join(out.split())) == (0, True), err
    out = " ".join(snnbench(*words, "--details")[1].split())
    assert "t identifier-column a b is different in every row" in out
    assert "t identifier-column [/bold] is different in every row" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tasks.t]\nfile = 't.csv'\ntargt = 'y'\n", r"Unknown key in .*, \[tasks.t\] 'targt'. Did you mean 'target'"),
        ("[tasks.t]\ntarget = 'y'\n", "tasks.t.file: Field required"),
        ("[tasks.t]\nfile = 't.csv'\nsplits = { folds = 1 }\n", "splits.folds"),
        ("[tasks.t]\nfile = 't.csv'\nsplits = { folds = 3, column = 'c' }\n", "found two of these"),
        ("[tasks.t]\nfile = 't.csv'\ngroup = 'c'\ntime = 'd'\n", "by group or by time, found both"),
        ("[tasks.t]\nfile = 't.csv'\ntime = 'd'\nsplits = { folds = 3 }\n", "has one split"),
        ("[tasks.'a b']\nfile = 't.csv'\n", "names may have letters"),
        ("[tasks.Con]\nfile = 't.csv'\n", "be those of files on every system, found 'Con'"),
        ("[tasks.'nul.1']\nfile = 't.csv'\n", "be those of files on every system, found 'nul.1'"),
        ("name = 'x.'\n[tasks.t]\nfile = 't.csv'\n", "be those of files on every system, found 'x.'"),
        ("[tasks.t]\nfile = 't.csv'\n[tasks.T]\nfile = 't.csv'\n", "must have names of their own, found t and T"),
        ("[tasks\n", "must be a readable TOML file"),
        ("name = 'x'\n", "tasks: Field required"),
        ("format = 7\n", "must say format = 1, found 7"),
    ],
)
def test_a_wrong_suite_toml_is_refused(text, said, tmp_path):
    (tmp_path / "suite.toml").write_text(text)
    with pytest.raises(SnnbenchError, match=said):
        open_own(tmp_path, TableOptions(), tmp_path / "cache")


def test_a_table_is_read_again_only_when_it_or_its_options_change(tmp_path):
    file, said = write_customers(tmp_path, 60), []

    def opened(options: TableOptions) -> tuple[Path, str]:
        suite, folder = open_own(file, options, tmp_path / "cache", report=said.append)
        [task] = suite.tasks(folder)[0]
        return folder, task.sha256

    first = opened(OPTIONS)
    assert opened(OPTIONS) == first
    assert len(said) == 1
    others = [
        opened(replace(OPTIONS, **change)) for change in ({"keep": ("id",)}, {"metric": "auc"}, {"categorical": ("age",)})
    ]
    file.write_text(file.read_text().replace("51.89", "51.88"))
    others.append(opened(OPTIONS))
    assert len({first, *others}) == len({sha256 for _, sha256 in (first, *others)}) == 5


def test_what_is_frozen_is_what_was_read(tmp_path):
    frame = customers(60)
    suite, folder = open_own(write_customers(tmp_path, 60), OPTIONS, tmp_path / "cache")
    dataset, splits = suite.load("customers", folder), suite.splits("customers", folder)
    names = [column.name for column in dataset.columns]
    assert names == ["age", "income", "spend", "visits", "tenure", "score", "plan", "region", "member"]
    np.testing.assert_array_equal(dataset.X[:, :6], frame[names[:6]].to_numpy(dtype=float))
    plan = dataset.columns[6]
    assert plan.levels == ("basic", "plus", "pro")
    assert [None if np.isnan(v) else plan.levels[int(v)] for v in dataset.X[:, 6]] == frame["plan"].astype(object).where(
        frame["plan"].notna(), None
    ).tolist()
    np.testing.assert_array_equal(dataset.y, frame["churned"] == "stayed")
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(60))
    [task] = suite.tasks(folder)[0]
    X = job_rows("search", "customers", "customers", "repeat-1-fold-1", folder)[0].X
    assert X.shape == (len(splits[0].train), task.n_features)
    assert not np.isnan(X).any()
    dataset.X[:] = -1
    assert not (suite.load("customers", folder).X == -1).all()


def test_a_search_has_the_same_numbers_whatever_the_test_rows_hold(place, snnbench):
    """Of networks and trees, of columns with gaps and levels: the whole search stage, bit by bit."""
    _, folder = open_own(write_customers(place, 120), OPTIONS, place / "cache")
    found = _read("customers", "customers", folder)
    rng = np.random.default_rng(1)
    scores = {}
    for name in ("sound", "garbled"):
        X = found.X.copy()
        test = found.splits[0].test
        if name == "garbled":
            for number, column in enumerate(found.columns):
                drawn = rng.integers(len(column.levels), size=len(test)) if column.levels else rng.normal(0, 1e5, len(test))
                gaps = (rng.random(len(test)) < 0.5) & column.has_gaps
                X[test, number] = np.where(gaps, np.nan, drawn)
        y = np.where(np.isin(np.arange(len(X)), test), 1 - found.y, found.y) if name == "garbled" else found.y
        task = replace(found, X=X, y=y)
        place_of = place / name
        place_of.mkdir()
        write_suite(place_of, FrozenSuite("customers", "", ("x",)), {"customers": write_task(place_of, "customers", task)})
        code, _, err = snnbench(*run_words(name, "--repetition", "1", "--results", f"r-{name}"))
        assert code == 0, err
        rows = read_results([place / f"r-{name}"]).query("stage == 'search'").sort_values(["model", "config"])
        scores[name] = rows
        assert len(rows) == 4
    for column in ("valid_score", "train_loss", "valid_curve", "best_epoch"):
        bits = [[np.asarray(value).tobytes() for value in scores[name][column]] for name in scores]
        assert bits[0] == bits[1]
    assert scores["sound"]["task_sha256"].iloc[0] != scores["garbled"]["task_sha256"].iloc[0]


@pytest.mark.parametrize("harm", ["data", "splits", "no splits", "sha256", "missing", "level"])
def test_a_frozen_folder_that_was_changed_is_refused(harm, tmp_path):
    suite, folder = open_own(write_customers(tmp_path, 60), OPTIONS, tmp_path / "cache")
    entry = suite.entry.tasks["customers"]
    _read.cache_clear()
    if harm == "missing":
        (folder / entry.file).unlink()
        assert suite.tasks(folder)[1] == {"customers": "there is no data/customers.parquet"}
        return
    if harm == "sha256":
        file = folder / "suite.toml"
        file.write_text(file.read_text().replace(entry.sha256, "0" * 64))
    else:
        file = folder / (entry.splits if "splits" in harm else entry.file)
        import pyarrow.parquet as pq

        table = pq.read_table(file)
        if harm == "level":
            schema = json.loads(table.schema.metadata[b"snnbench"])
            schema["columns"][6][1] = ["basic", "plus"]
            pq.write_table(table.replace_schema_metadata({b"snnbench": json.dumps(schema)}), file)
        else:
            rows = {"data": [1, 0, *range(2, len(table))], "splits": range(1, len(table)), "no splits": []}[harm]
            pq.write_table(table.take(np.array(rows, dtype=np.int64)), file)
    words = {"splits": "every split must name each of 60 rows once", "level": "a level is not declared"}
    expected = words.get(harm.removeprefix("no "), "not those that the folder was made with")
    with pytest.raises(DataError, match=expected):
        open_frozen(folder).load("customers", folder)


def test_a_suite_is_known_by_its_folder_or_its_results_alone(tmp_path):
    suite, folder = open_own(write_customers(tmp_path, 60).rename(tmp_path / "un-known.csv"), OPTIONS, tmp_path / "cache")
    with pytest.raises(UnknownNameError, match=r"Unknown suite 'un-known'"):
        load_suite("un-known")
    assert load_suite("un-known", folder).catalogue().index.tolist() == ["un-known"]
    results = tmp_path / "results" / "_suites"
    results.mkdir(parents=True)
    (results / "un-known.json").write_text("{")
    with pytest.raises(DataError, match="must be the catalogue of a suite"):
        remember_results([tmp_path / "results"], SUITES)
    assert tuple(range(1, 11)) == suite.REPETITIONS


def test_a_frozen_task_says_everything_in_its_digest(monkeypatch):
    rng = np.random.default_rng(0)
    from snnbench.records import Column, Encoding, Split

    rows = np.arange(9)
    task = FrozenTask(
        "t", rng.random((9, 1)), (Column("a"),), rows % 2, ("x", "y"), [Split("s", rows[:3], rows[3:6], rows[6:])]
    )
    others = [
        replace(task, X=task.X + 1),
        replace(task, columns=(Column("b"),)),
        replace(task, columns=(Column("a", (), True),)),
        replace(task, y=1 - task.y),
        replace(task, classes=("x", "z")),
        replace(task, splits=[Split("s", rows[:4], rows[4:6], rows[6:])]),
        replace(task, metric="auc"),
        replace(task, encoding=Encoding("ordinal")),
        replace(task, encoding=Encoding(max_levels=7)),
    ]
    assert len({task.sha256, *(other.sha256 for other in others)}) == 1 + len(others)
    assert replace(task, source="elsewhere", notes=("x",)).sha256 == task.sha256
    before = task.sha256
    monkeypatch.setattr("snnbench.suites.frozen.FORMAT", 99)
    assert task.sha256 != before


def test_a_suite_says_how_it_is_run_again(tmp_path):
    options = replace(OPTIONS, date=("year", "month"), charset="latin-1")
    suite, _ = open_own(write_customers(tmp_path, 60), options, tmp_path / "cache")
    remember(suite)
    said = ["--target", "churned", "--drop", "joined", "--date", "year,month", "--encoding", "latin-1"]
    assert list(command_words("customers")) == [str(tmp_path / "customers.csv"), *said]
    assert command_words("core") == ("core",)
    assert split_numbers("customers", ["repeat-1-fold-3", "repeat-2-fold-1", "repeat-1-fold-10"]) == [3, 10, 11]
    assert split_numbers("customers", ["hold-out"]) == []
    assert split_numbers("core", ["repetition-4", "repetition-2"]) == [2, 4]


def test_pandas_reads_the_frozen_files(tmp_path):
    suite, folder = open_own(write_customers(tmp_path, 60), OPTIONS, tmp_path / "cache")
    entry = suite.entry.tasks["customers"]
    assert pd.read_parquet(folder / entry.file)["target"].isin(["left", "stayed"]).all()
    splits = pd.read_parquet(folder / entry.splits)
    assert splits.columns.tolist() == ["split", "row", "part"]
    assert len(splits) == 600
