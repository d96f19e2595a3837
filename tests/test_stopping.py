"""Estimators that stop by the validation rows: against the same by hand, and fitted again for the rounds that were found."""

import sys

import numpy as np
import pytest

from snnbench.cli import main
from snnbench.config import ModelSettings, RunSettings, expand_grid, load_config
from snnbench.errors import ConfigError
from snnbench.execution.plan import Stored, plan_search, search_member
from snnbench.models import check_config
from snnbench.models.code import code_of
from snnbench.models.estimators.building import build_estimator
from snnbench.models.estimators.stopping import STOPPING
from snnbench.records import Column, Config, Dataset, Task
from snnbench.training.context import RunSpec
from snnbench.training.estimators import fit_estimator
from snnbench.training.stack import TaskRows

pytestmark = pytest.mark.filterwarnings("default")  # packages warn while they are imported

RNG = np.random.default_rng(0)


def rows(n: int, classes=(0, 1, 2)) -> Dataset:
    y = RNG.choice(classes, n)
    return Dataset((RNG.normal(size=(n, 5)) + 0.7 * y[:, None]).astype(np.float32), y)


TRAIN, VALID, TEST = rows(150), rows(60), rows(60)
MODERN = load_config("core", "modern").models
RIVALS = {name: table for name, table in MODERN.items() if table.early_stopping}
SLOW = ("pytabkit.RealMLP_TD_Classifier",)
PARAMETERS = [pytest.param(name, marks=pytest.mark.slow if table.estimator in SLOW else ()) for name, table in RIVALS.items()]


def at_hand(name: str) -> tuple[ModelSettings, Config]:
    """Return a model of the preset and the first point of its grid, where its package is installed."""
    table = RIVALS[name]
    pytest.importorskip(str(table.estimator).partition(".")[0])
    return table, expand_grid(name, table)[0]


def test_lightgbm_stops_where_it_does_by_hand():
    lightgbm = pytest.importorskip("lightgbm")
    table, config = at_hand("lightgbm")
    by_hand = lightgbm.LGBMClassifier(**table.arguments, **dict(config.values), random_state=3, n_jobs=1, verbosity=-1)
    stop = lightgbm.early_stopping(table.early_stopping, verbose=False)
    by_hand.fit(TRAIN.X, TRAIN.y, eval_X=VALID.X, eval_y=VALID.y, callbacks=[stop])
    found = fit_estimator(table, config, 3, TaskRows(TRAIN, VALID, 3))
    assert found.n_rounds == by_hand.best_iteration_
    assert 1 < found.n_rounds < 480
    np.testing.assert_array_equal(found.outputs, by_hand.predict_proba(VALID.X))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_fit_of_the_rounds_that_were_found_is_the_model_of_the_search(name):
    table, config = at_hand(name)
    searched = fit_estimator(table, config, 3, TaskRows(TRAIN, VALID, 3))
    again = fit_estimator(table, config, 3, TaskRows(TRAIN, VALID, 3), n_rounds=searched.n_rounds)
    assert again.n_rounds == searched.n_rounds >= 1
    np.testing.assert_array_equal(again.outputs, searched.outputs)
    assert searched.score > 0.4


@pytest.mark.parametrize("name", PARAMETERS)
def test_nothing_of_the_held_out_rows_moves_a_fit_of_given_rounds(name):
    table, config = at_hand(name)
    garbled = Dataset(TEST.X, RNG.permutation(TEST.y))
    found = [fit_estimator(table, config, 3, TaskRows(TRAIN, test, 3), n_rounds=5).outputs for test in (TEST, garbled)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", ["catboost", "lightgbm", "xgboost"])
def test_classes_may_be_missing_in_training(name):
    table, config = at_hand(name)
    train = rows(120, classes=(0, 2))
    found = fit_estimator(table, config, 3, TaskRows(train, VALID, 4))
    assert found.outputs.shape == (60, 4)
    assert (found.outputs[:, [1, 3]] == 0).all()
    assert 0.3 < found.score <= np.isin(VALID.y, (0, 2)).mean()
    alone = fit_estimator(table, config, 3, TaskRows(rows(20, classes=(2,)), VALID, 4))
    assert alone.score == (VALID.y == 2).mean()
    strangers = Dataset(VALID.X, np.full(60, 3))
    with pytest.raises(ValueError, match="found none"):
        fit_estimator(table, config, 3, TaskRows(train, strangers, 4))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_rival_has_one_thread_a_seed_and_its_versions_in_every_row(name):
    table, config = at_hand(name)
    parameters = build_estimator(table, config, seed=5).get_params()
    threads = [parameters[key] for key in ("n_jobs", "thread_count", "n_threads") if key in parameters]
    assert threads == [1]
    assert parameters["random_state"] == 5
    package = str(table.estimator).partition(".")[0]
    assert code_of(name, table).versions.startswith(package)
    assert ("torch" in code_of(name, table).versions) == (package == "pytabkit")


def test_threads_may_be_chosen_by_any_of_their_names():
    pytest.importorskip("lightgbm")
    table = ModelSettings(estimator="lightgbm.LGBMClassifier", arguments={"num_threads": 2}, grid={})
    parameters = build_estimator(table, Config("m", ()), seed=0).get_params()
    assert (parameters["num_threads"], parameters["n_jobs"], parameters["verbosity"]) == (2, None, -1)


def test_four_seeds_of_xgboost_are_four_outputs():
    table, config = at_hand("xgboost")
    found = [fit_estimator(table, config, seed, TaskRows(TRAIN, VALID, 3)).outputs for seed in (0, 1, 2, 3, 0)]
    assert len({outputs.tobytes() for outputs in found}) == 4


def test_models_that_the_preset_shares_with_quick_are_the_same():
    quick = load_config("core").models
    assert {name: table for name, table in MODERN.items() if name not in RIVALS} == {
        name: quick[name] for name in MODERN if name in quick
    }
    assert [str(table.estimator) for table in RIVALS.values()] == [
        "lightgbm.LGBMClassifier",
        "xgboost.XGBClassifier",
        "catboost.CatBoostClassifier",
        "pytabkit.RealMLP_TD_Classifier",
        "pytabkit.TabM_D_Classifier",
    ]
    assert {str(table.estimator) for table in RIVALS.values()} == set(STOPPING)


def test_what_was_stored_before_there_was_early_stopping_keeps_its_digest():
    table = ModelSettings(estimator="sklearn.svm.SVC", grid={"C": 1.0})
    assert table.model_dump() == {
        "network": None, "estimator": "sklearn.svm.SVC", "arguments": {}, "accelerator": None, "grid": {"C": 1.0}}  # fmt: skip
    assert table.model_copy(update={"early_stopping": 5}).model_dump()["early_stopping"] == 5


def test_patience_is_part_of_a_key():
    pytest.importorskip("lightgbm")
    task = Task("core", "toy", "binary", 100, 2, 2, "accuracy", "made", "0")
    tables = [ModelSettings(estimator="lightgbm.LGBMClassifier", early_stopping=n, grid={}) for n in (10, 20, None)]
    specs = [RunSpec("core", {"toy": task}, {"toy": {"one": 50}}, RunSettings(models={"m": table})) for table in tables]
    assert len({search_member(spec, "toy", "one", Config("m", ())).key for spec in specs}) == 3


def test_early_stopping_is_refused_where_it_cannot_be():
    forest = ModelSettings(estimator="sklearn.ensemble.RandomForestClassifier", early_stopping=5, grid={})
    with pytest.raises(ConfigError, match=r"must be left out of the table of sklearn\.ensemble\.RandomForestClassifier"):
        check_config(Config("m", ()), forest)
    with pytest.raises(ValueError, match="only an estimator has early_stopping"):
        ModelSettings(early_stopping=5, grid={})
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        ModelSettings(estimator="lightgbm.LGBMClassifier", early_stopping=0, grid={})
    pytest.importorskip("lightgbm")
    task = Task("tox21", "toy", "multilabel", 100, 2, 3, "mean_auc", "made", "0")
    table = ModelSettings(estimator="lightgbm.LGBMClassifier", early_stopping=5, grid={})
    spec = RunSpec("tox21", {"toy": task}, {"toy": {"one": 50}}, RunSettings(models={"m": table}))
    with pytest.raises(ConfigError, match="needs one target a row, found several labels in toy"):
        plan_search(spec, ["m"], Stored())


@pytest.mark.parametrize(("name", "extra"), [("xgboost", "boosting"), ("tabm", "tabular")])
def test_a_missing_package_is_an_error_that_names_the_extra(name, extra, monkeypatch, capsys):
    package = str(RIVALS[name].estimator).partition(".")[0]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", ["snnbench", "run", "core", "--preset", "modern", "--model", name, "--dry-run"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    words = " ".join(capsys.readouterr().err.split())
    assert f"found no package {package}. Install it with `pip install 'snnbench[{extra}]'`" in words


@pytest.mark.parametrize("name", ["catboost", "lightgbm", "xgboost"])
def test_levels_and_gaps_as_they_are_reach_the_validation_rows_too(name):
    table, config = load_config("own", "modern").models[name], at_hand(name)[1]
    assert table.encoding == "native"
    columns = (Column("level", tuple("abcdef"), has_gaps=True), Column("number", (), has_gaps=True))

    def with_levels(n: int) -> Dataset:
        level, number = RNG.integers(0, 6, n).astype(float), RNG.normal(size=n)
        y = ((level % 2 == 1) ^ (number > 1)).astype(np.int64) + 1  # class 0 is never seen
        level[::9], number[::7] = np.nan, np.nan
        return Dataset(np.column_stack([level, number]), y, columns)

    train, valid = with_levels(200), with_levels(80)
    searched = fit_estimator(table, config, 3, TaskRows(train, valid, 3))
    again = fit_estimator(table, config, 3, TaskRows(train, valid, 3), n_rounds=searched.n_rounds)
    assert searched.score > 0.75
    np.testing.assert_array_equal(again.outputs, searched.outputs)
