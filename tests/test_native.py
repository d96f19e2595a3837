"""Levels and gaps as they are: what the estimators that take them are given, and what their rows say of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_tables import write_customers
from sklearn.ensemble import HistGradientBoostingClassifier
from test_own import call, place  # noqa: F401

from snnbench.config import ModelSettings, RunSettings, TrainingSettings, load_config, presets
from snnbench.errors import ConfigError
from snnbench.execution.plan import Stored, plan_search, search_member
from snnbench.models import check_config, load_class
from snnbench.models.cost.memory import process_bytes
from snnbench.models.cost.network_cost import member_seconds
from snnbench.models.estimators.native import NATIVE, take_native
from snnbench.models.estimators.stopping import STOPPING
from snnbench.records import Column, Config, Dataset, Task
from snnbench.results.store import read_results
from snnbench.suites.loading import load_tasks
from snnbench.suites.own import TableOptions, open_own
from snnbench.training.context import RunSpec, specify_run
from snnbench.training.estimators import fit_estimator
from snnbench.training.job_rows import job_rows
from snnbench.training.stack import TaskRows

N_ROWS, SPLIT = 300, "repeat-1-fold-1"
HIST = "sklearn.ensemble.HistGradientBoostingClassifier"
QUIET = {
    "catboost.CatBoostClassifier": {"iterations": 20, "verbose": False, "thread_count": 1, "allow_writing_files": False},
    "lightgbm.LGBMClassifier": {
        "n_estimators": 20,
        "n_jobs": 1,
        "verbose": -1,
        "min_child_samples": 5,
        "min_data_per_group": 5,
    },
    HIST: {"max_iter": 20, "early_stopping": False},
    "xgboost.XGBClassifier": {"n_estimators": 20, "n_jobs": 1},
}


def table(n_classes: int = 2) -> tuple[Dataset, Dataset]:
    """Return rows whose class is told by a level and by a gap; the last level of the second column is tested alone."""
    rng = np.random.default_rng(0)
    level, many = rng.integers(0, 6, N_ROWS).astype(float), rng.integers(0, 9, N_ROWS).astype(float)
    number = np.where(rng.random(N_ROWS) < 0.3, np.nan, rng.normal(size=N_ROWS))
    y = ((level % 2 == 1) | np.isnan(number)).astype(np.int64) + (n_classes == 3) * (level == 4)
    level[rng.random(N_ROWS) < 0.1] = np.nan
    many[200:] = np.where(many[200:] == 0, 9, many[200:])
    columns = (Column("level", tuple("abcdef"), True), Column("many", tuple("0123456789")), Column("number", (), True))
    X = np.column_stack([level, many, number])
    return Dataset(X[:200], y[:200], columns), Dataset(X[200:], y[200:], columns)


def fit(path: str, train: Dataset, test: Dataset, n_outputs: int = 2):
    settings = ModelSettings(estimator=path, arguments=QUIET[path], encoding="native", grid={})
    check_config(Config("m", ()), settings)
    return fit_estimator(settings, Config("m", ()), 3, TaskRows(train, test, n_outputs))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("path", NATIVE)
def test_a_class_learns_from_levels_and_gaps_as_they_are(path, n_classes):
    pytest.importorskip(path.partition(".")[0])
    train, test = table(n_classes)
    found = fit(path, train, test, n_classes)
    assert found.score > 0.8
    again = fit(path, train, test, n_classes)
    np.testing.assert_array_equal(found.outputs, again.outputs)
    # No held-out row moves the outputs of another.
    half = Dataset(test.X[:30], test.y[:30], test.columns)
    np.testing.assert_allclose(fit(path, train, half, n_classes).outputs, found.outputs[:30], atol=1e-6)


def test_histogram_boosting_has_the_bits_of_scikit_learns_own_fit():
    train, test = table()
    frames = [pd.DataFrame(rows.X).astype({0: "category", 1: "category"}) for rows in (train, test)]
    for number in (0, 1):
        every = pd.CategoricalDtype([float(level) for level in range(len(train.columns[number].levels))])
        frames = [frame.astype({number: every}) for frame in frames]
    frames = [frame.rename(columns=str) for frame in frames]
    plain = HistGradientBoostingClassifier(max_iter=20, early_stopping=False, random_state=3).fit(frames[0], train.y)
    np.testing.assert_array_equal(fit(HIST, train, test).outputs, plain.predict_proba(frames[1]))


def test_levels_beyond_what_a_class_takes_share_one_by_the_training_rows_alone():
    levels = tuple(map(str, range(400)))
    rng = np.random.default_rng(1)
    codes = np.concatenate([np.repeat(np.arange(250.0), 2), np.arange(250.0, 390.0)])
    train = Dataset(codes[:, np.newaxis], rng.integers(0, 2, len(codes)), (Column("zip", levels),))
    test = Dataset(np.arange(400.0)[:, np.newaxis], rng.integers(0, 2, 400), train.columns)
    model = load_class(HIST)(max_iter=2)
    model, *rows = take_native(model, HIST, train, test)
    frame, other = (part.X for part in rows)
    assert len(frame["x1"].cat.categories) == 255
    assert frame["x1"].cat.categories.equals(other["x1"].cat.categories)
    assert list(other["x1"].iloc[:250]) == list(range(250))
    assert set(other["x1"].iloc[254:]) == {254}
    assert not other["x1"].isna().any()
    model.fit(frame, train.y).predict(other)


def test_what_takes_no_levels_is_refused():
    with pytest.raises(ConfigError, match=r"SVC does not\. Those that do: catboost"):
        check_config(Config("m", ()), ModelSettings(estimator="sklearn.svm.SVC", encoding="native", grid={}))
    with pytest.raises(ValueError, match="only an estimator takes levels and gaps as they are"):
        ModelSettings(encoding="native", grid={})


def test_a_key_has_an_encoding_only_where_it_differs_from_the_tasks():
    def key(encoding, of_task):
        task = Task("toy", "t", "binary", 9, 2, 2, "accuracy", "", "0" * 64, encoding=of_task)
        settings = RunSettings(models={"m": ModelSettings(estimator=HIST, encoding=encoding, grid={})})
        return search_member(RunSpec("toy", {"t": task}, {}, settings), "t", "s", Config("m", ())).key

    assert key("native", "") == key(None, "") == key(None, "one-hot") == key("one-hot", "one-hot")
    assert len({key(None, "one-hot"), key("native", "one-hot"), key("ordinal", "one-hot")}) == 3
    assert "encoding" not in ModelSettings(grid={}).model_dump()


CONFIG = """
[models.hist]
estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
encoding = "native"
arguments = { early_stopping = false }
[models.hist.grid]
max_iter = [3, 6]
[models.tree]
estimator = "sklearn.tree.DecisionTreeClassifier"
encoding = "ordinal"
[models.tree.grid]
max_depth = 2
[models.plain]
estimator = "sklearn.tree.DecisionTreeClassifier"
[models.plain.grid]
max_depth = 2
"""


def test_rows_say_which_encoding_their_model_had(place, monkeypatch, capsys):  # noqa: F811
    write_customers(place, 120)
    Path("three.toml").write_text(CONFIG)
    words = ("run", "customers.csv", "--target", "churned", "--drop", "joined", "--repetition", "1", "--config", "three.toml")
    code, _, err = call(monkeypatch, capsys, *words, "--yes", "--progress", "none", "--workers", "1")
    assert code == 0, err
    rows = read_results([place / "results"])
    assert set(rows["status"]) == {"ok"}
    assert rows.groupby("model")["encoding"].unique().map(list).to_dict() == {
        "hist": ["native"],
        "plain": ["one-hot"],
        "tree": ["ordinal"],
    }


def test_a_plan_counts_the_features_that_a_model_gets(tmp_path):
    options = TableOptions(target="churned", drop=("joined",))
    _, folder = open_own(write_customers(tmp_path, 120), options, tmp_path / "cache")
    loaded = load_tasks("customers", folder, repetitions=(1,))
    models = {kind: ModelSettings(estimator=HIST, encoding=kind, grid={}) for kind in ("one-hot", "ordinal", "native")}
    spec = specify_run("customers", loaded, RunSettings(models=models))
    widths = {kind: job_rows("search", "customers", "customers", SPLIT, folder, encoding=kind)[0].X.shape[1] for kind in models}
    assert widths == dict(loaded.tasks[0].widths) == {"one-hot": 19, "ordinal": 11, "native": 9}
    for kind, n_features in widths.items():
        (job,) = plan_search(spec, [kind], Stored()).jobs
        task = replace(loaded.tasks[0], n_features=n_features)
        n_train = spec.splits["customers"][SPLIT]
        assert spec.task(job.members[0]) == task
        assert job.seconds == member_seconds([Config(kind, ())], models[kind], task, n_train, 0, TrainingSettings())
        assert job.memory_bytes == process_bytes([Config(kind, ())], models[kind], task, 128)


@pytest.mark.parametrize("path", sorted(NATIVE.keys() & STOPPING.keys()))
def test_levels_and_gaps_as_they_are_and_early_stopping_go_together(path):
    pytest.importorskip(path.partition(".")[0])
    train, test = table(3)
    settings = ModelSettings(estimator=path, arguments=QUIET[path], encoding="native", early_stopping=5, grid={})
    searched = fit_estimator(settings, Config("m", ()), 3, TaskRows(train, test, 3))
    evaluated = fit_estimator(settings, Config("m", ()), 3, TaskRows(train, test, 3), n_rounds=searched.n_rounds)
    assert searched.n_rounds > 0
    np.testing.assert_array_equal(searched.outputs, evaluated.outputs)


@pytest.mark.parametrize("preset", presets("no-such-suite"))
def test_presets_of_own_suites_let_what_can_take_levels_and_gaps(preset):
    models = load_config("no-such-suite", preset).models
    assert {table.estimator for table in models.values() if table.encoding == "native"} == {
        table.estimator for table in models.values() if table.estimator in NATIVE
    }
