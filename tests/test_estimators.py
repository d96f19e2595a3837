from operator import attrgetter

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from snnbench.config import ModelSettings, RunSettings
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.models import check_config
from snnbench.models.estimators.building import GROWN, build_estimator, families, resize
from snnbench.records import Config, Dataset, Job, Member, digest
from snnbench.suites import core
from snnbench.training.context import JobContext, RunSpec
from snnbench.training.estimators import fit_estimator
from snnbench.training.jobs import run_job
from snnbench.training.refusals import is_infeasible, is_last_word
from snnbench.training.stack import TaskRows

RNG = np.random.default_rng(0)
TRAIN = Dataset(RNG.normal(size=(90, 4)).astype(np.float32) + np.repeat([[0], [2], [4]], 30, axis=0), np.repeat([0, 1, 2], 30))
TEST = Dataset(RNG.normal(size=(30, 4)).astype(np.float32) + np.repeat([[0], [2], [4]], 10, axis=0), np.repeat([0, 1, 2], 10))
FOREST = ModelSettings(estimator="sklearn.ensemble.RandomForestClassifier", arguments={"n_estimators": 10}, grid={})
SVM = ModelSettings(estimator="sklearn.svm.SVC", grid={"C": 1.0})
STACKING = ModelSettings(
    estimator="sklearn.ensemble.StackingClassifier",
    arguments={
        "estimators": [
            ["lda", {"class": "sklearn.discriminant_analysis.LinearDiscriminantAnalysis"}],
            ["tree", {"class": "sklearn.tree.DecisionTreeClassifier", "max_depth": 2}],
        ],
        "final_estimator": {"class": "sklearn.linear_model.LogisticRegression"},
    },
    grid={"tree__max_depth": [1, 3]},
)


def fit(settings, train=TRAIN, values=(), seed=7):
    return fit_estimator(settings, Config("m", values), seed, TaskRows(train, TEST, 3))


def test_a_fit_is_scikit_learns_own_with_the_members_seed():
    plain = RandomForestClassifier(n_estimators=10, max_depth=2, random_state=7).fit(TRAIN.X, TRAIN.y)
    found = fit(FOREST, values=(("max_depth", 2),))
    assert found.score == plain.score(TEST.X, TEST.y)
    np.testing.assert_array_equal(found.outputs, plain.predict_proba(TEST.X))


def test_a_search_scores_validation_and_stores_no_outputs():
    settings = RunSettings(models={"forest": FOREST})
    context = JobContext(RunSpec("core", {task.name: task for task in core.tasks(None)[0]}, {}, settings), None)
    iris = Member("iris", "repetition-1", Config("forest", ()), 7, 0, "key")
    (search,), (evaluation,) = (run_job(Job(stage, "core", (iris,)), context) for stage in ("search", "evaluate"))
    assert 0.5 < search.valid_score <= 1
    assert np.isnan([search.test_score, evaluation.valid_score]).all()
    assert (search.test_outputs, search.train_loss, search.best_epoch) == ((), (), 0)
    assert 0.5 < evaluation.test_score <= 1
    assert len(evaluation.test_outputs) == 3 * len(evaluation.test_targets) > 0


def test_decision_values_stand_in_for_probabilities():
    run = fit(SVM, values=(("C", 1.0),))
    plain = SVC().fit(TRAIN.X, TRAIN.y)
    agree = plain.decision_function(TEST.X).argmax(axis=1) == plain.predict(TEST.X)
    np.testing.assert_array_equal(run.outputs[agree], plain.decision_function(TEST.X)[agree])
    np.testing.assert_array_equal(run.outputs.argmax(axis=1), plain.predict(TEST.X))
    two = Dataset(TRAIN.X[:60], TRAIN.y[:60])
    binary = fit_estimator(SVM, Config("svm", ()), 0, TaskRows(two, Dataset(TEST.X[:20], TEST.y[:20]), 2))
    assert binary.outputs.shape == (20, 2)
    assert (binary.outputs.argmax(axis=1) == TEST.y[:20]).mean() == binary.score


def test_classes_without_training_rows_come_last():
    without_one = Dataset(TRAIN.X[30:], TRAIN.y[30:])
    for settings in (FOREST, SVM):
        outputs = fit(settings, train=without_one).outputs
        assert (outputs[:, 0] <= outputs[:, 1:].min(axis=1)).all()
        assert not (outputs.argmax(axis=1) == 0).any()


def test_a_single_class_is_predicted_always():
    run = fit(SVM, train=Dataset(TRAIN.X[:30], TRAIN.y[:30]))
    assert run.score == pytest.approx(1 / 3)


def test_tables_with_a_class_become_objects_and_every_part_gets_the_seed():
    model = build_estimator(STACKING, Config("stacking", (("tree__max_depth", 3),)), seed=5)
    assert isinstance(model.estimators[0][1], LinearDiscriminantAnalysis)
    assert model.get_params()["tree__max_depth"] == 3
    assert model.get_params()["tree__random_state"] == 5
    assert model.final_estimator.random_state == 5
    assert fit(STACKING).score > 0.7


def test_nested_hyperparameters_are_checked():
    check_config(Config("stacking", (("tree__max_depth", 3),)), STACKING)
    with pytest.raises(UnknownNameError, match="Did you mean 'tree__max_depth'"):
        check_config(Config("stacking", (("tree__max_dept", 3),)), STACKING)
    wrong = FOREST.model_copy(update={"arguments": {"n_trees": 3}})
    with pytest.raises(ConfigError, match="arguments of m must suit sklearn"):
        check_config(Config("m", ()), wrong)


def test_a_regressor_is_refused_before_training():
    for path, kind in (("linear_model.Ridge", "a regressor"), ("cluster.KMeans", "a clusterer")):
        with pytest.raises(ConfigError, match=f"must be a classifier, but sklearn.{path} is {kind}"):
            check_config(Config("m", ()), ModelSettings(estimator=f"sklearn.{path}", grid={}))
    with pytest.raises(ConfigError, match=r"StandardScaler is a transformer|has no predict"):
        check_config(Config("m", ()), ModelSettings(estimator="sklearn.preprocessing.StandardScaler", grid={}))


def member(values, seed=7):
    config = Config("m", tuple(values.items()))
    return Member("toy", "repetition-1", config, seed, 0, digest([config.key, seed]))


OPTIONS = {
    "BaggingClassifier": {"max_features": 0.5},
    "ExtraTreesClassifier": {"bootstrap": True},
    "GradientBoostingClassifier": {"subsample": 0.5},
    "HistGradientBoostingClassifier": {"early_stopping": False, "max_features": 0.5},
    "RandomForestClassifier": {"max_samples": 0.5, "oob_score": False},
}


@pytest.mark.parametrize("path", GROWN)
def test_a_grown_ensemble_has_the_bits_of_one_fitted_at_once(path):
    size = GROWN[path][0]
    settings = ModelSettings(estimator=path, arguments=OPTIONS[path.rpartition(".")[2]], grid={})
    (family,) = families(settings, [member({size: n}) for n in (12, 3, 7)])
    assert [m.config[size] for m in family] == [3, 7, 12]
    grown = build_estimator(settings, family[0].config, 7)
    for m in family:
        of_member = (settings, m.config, 7, TaskRows(TRAIN, TEST, 3))
        found = fit_estimator(*of_member, grown=resize(grown, settings, m.config))
        alone = fit_estimator(*of_member)
        np.testing.assert_array_equal(found.outputs, alone.outputs)
    assert len(grown.estimators_ if hasattr(grown, "estimators_") else grown._predictors) == 12


def test_only_members_of_one_growth_are_a_family():
    forests = [member({"n_estimators": n, "max_depth": depth}) for n in (5, 10) for depth in (1, 2)]
    assert [len(family) for family in families(FOREST, [*forests, member({"n_estimators": 20, "max_depth": 1}, seed=8)])] == [
        2, 2, 1]  # fmt: skip
    boosting = "sklearn.ensemble.HistGradientBoostingClassifier"  # stops early by itself in large tasks unless told not to
    sizes = [member({"max_iter": n}) for n in (5, 10)]
    assert [len(f) for f in families(ModelSettings(estimator=boosting, grid={}), sizes)] == [1, 1]
    sizes = [member({"n_estimators": n, "n_iter_no_change": 3}) for n in (5, 10)]
    stopping = ModelSettings(estimator="sklearn.ensemble.GradientBoostingClassifier", grid={})
    assert [len(f) for f in families(stopping, sizes)] == [1, 1]
    assert [len(f) for f in families(SVM, [member({"C": c}) for c in (1.0, 2.0)])] == [1, 1]
    wrong = [member({"n_estimators": n}) for n in ("many", 10)]
    assert [len(f) for f in families(FOREST, wrong)] == [1, 1]


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """Return an error as it is when it was raised, from another one if there is one."""
    try:
        raise error from cause
    except Exception as caught:
        return caught


def test_an_estimators_refusal_of_its_rows_is_told_from_what_may_go_well_another_time():
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6) % 2
    with pytest.raises(ValueError, match="n_neighbors") as few:
        KNeighborsClassifier(9).fit(X, y).predict(X)
    with pytest.raises(np.linalg.LinAlgError) as singular:
        QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.0).fit(X, y)
    with pytest.raises(ValueError, match="must be an int") as wrong:
        KNeighborsClassifier(-1).fit(X, y)
    assert is_last_word(few.value)
    assert is_last_word(singular.value)
    assert is_last_word(raised(ZeroDivisionError("division by zero")))
    assert not is_last_word(wrong.value)  # whatever the rows: the config is wrong
    for error in (MemoryError(), OSError("disk full"), RuntimeError("can't start new thread"), TypeError("no"), KeyError(1)):
        assert not is_last_word(raised(error))
    assert not is_last_word(raised(ValueError("cannot be"), MemoryError()))
    assert not is_last_word(raised(ValueError("outer"), raised(ValueError("inner"), OSError("gone"))))
    assert not is_last_word(raised(ValueError("All the 5 fits failed.\nnumpy._core._exceptions._ArrayMemoryError: Unable")))


def refusal(path: str, X: np.ndarray, **arguments: object) -> tuple[str, bool]:
    """Fit a boosting package's classifier to what it refuses; return its words, and whether that is the rows."""
    pytest.importorskip(path.partition(".")[0])
    settings, config = ModelSettings(estimator=path, arguments=arguments, grid={}), Config("m", ())
    rows = TaskRows(Dataset(X.astype(np.float32), np.arange(len(X)) % 2), TEST, 2)
    try:
        fit_estimator(settings, config, 0, rows)
    except Exception as error:
        return str(error), is_infeasible(error, settings, config, rows)
    raise AssertionError(f"{path} refuses nothing")


@pytest.mark.filterwarnings("default")  # packages warn while they are imported
def test_a_boosting_packages_refusal_of_its_rows_is_told_from_a_wrong_config():
    noise = RNG.normal(size=(20, 4))
    for path, X, arguments, words, is_refusal in (
        ("catboost.CatBoostClassifier", np.ones((20, 4)), {"iterations": 10**7}, "constant", True),  # and that at once
        ("catboost.CatBoostClassifier", noise, {"depth": 20}, "depth", False),
        ("catboost.CatBoostClassifier", noise, {"task_type": "GPU"}, "", False),
        ("lightgbm.LGBMClassifier", noise, {"num_leaves": 1}, "num_leaves", False),
        ("lightgbm.LGBMClassifier", noise, {"objective": "cross_entropy", "n_estimators": "many"}, "", False),
        ("xgboost.XGBClassifier", noise, {"max_depth": -1}, "max_depth", False),
    ):
        found, said = refusal(path, X, **arguments)
        assert words in found
        assert said == is_refusal, found


@pytest.mark.filterwarnings("default")  # packages warn while they are imported
@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("catboost.CatBoostClassifier", "CatBoostError"),
        ("lightgbm.LGBMClassifier", "basic.LightGBMError"),
        ("xgboost.XGBClassifier", "core.XGBoostError"),
    ],
)
def test_a_boosting_packages_want_of_memory_may_go_well_another_time(path, error):
    package = pytest.importorskip(path.partition(".")[0])
    settings, rows = ModelSettings(estimator=path, arguments={"n_estimators": 2}, grid={}), TaskRows(TRAIN, TEST, 3)
    for words, is_refusal in (("std::bad_alloc", False), ("Out of memory", False), ("labels must be in [0, 3)", True)):
        raised = attrgetter(error)(package)(words)
        assert is_infeasible(raised, settings, Config("m", ()), rows) == is_refusal
