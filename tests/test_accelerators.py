import numpy as np
import pytest

from snnbench.config import ModelSettings, RunSettings, load_config
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.execution.plan import search_member
from snnbench.models import check_config, implementation
from snnbench.models.estimators import accelerators
from snnbench.models.estimators.accelerators import ACCELERATORS, Accelerator, accelerate, accelerator_version
from snnbench.models.estimators.building import build_estimator, families
from snnbench.records import Config
from snnbench.suites import core
from snnbench.training.context import RunSpec

FAKE = Accelerator("sklearn", "scikit-learn", {"sklearn.svm.SVC": "sklearn.svm.NuSVC"}, {"sklearn.svm.NuSVC": {"nu": 0.25}})
SVM = ModelSettings(estimator="sklearn.svm.SVC", grid={"gamma": 0.1})
FOREST = ModelSettings(estimator="sklearn.ensemble.RandomForestClassifier", grid={"n_estimators": 10})


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(ACCELERATORS, "fake", FAKE)
    return "fake"


def test_an_accelerated_model_is_another_class_with_another_key(fake):
    fast = SVM.model_copy(update={"accelerator": fake})
    assert implementation("svm", fast) == "sklearn.svm.NuSVC"
    model = build_estimator(fast, Config("svm", (("gamma", 0.1),)), seed=3)
    assert type(model).__name__ == "NuSVC"
    assert (model.gamma, model.nu, model.random_state) == (0.1, 0.25, 3)
    assert accelerator_version(fast).startswith("fake 1.")
    assert accelerator_version(SVM) == ""
    task = core.tasks(None)[0][0]
    split = core.splits(task.name, None)[0]
    specs = [RunSpec("core", {task.name: task}, {}, RunSettings(models={"svm": table})) for table in (SVM, fast)]
    keys = {search_member(spec, task.name, split.name, Config("svm", ())).key for spec in specs}
    assert len(keys) == 2


def test_on_request_all_models_that_can_be_are_accelerated(fake):
    settings = accelerate(RunSettings(models={"svm": SVM, "forest": FOREST, "snn": ModelSettings(grid={})}), fake)
    assert {name: table.accelerator for name, table in settings.models.items()} == {"svm": fake, "forest": None, "snn": None}


def test_what_cannot_be_accelerated_is_refused(fake):
    with pytest.raises(ConfigError, match=r"fake must have a version of sklearn.ensemble.RandomForestClassifier, but has only"):
        check_config(Config("forest", ()), FOREST.model_copy(update={"accelerator": fake}))
    with pytest.raises(UnknownNameError, match=r"accelerator 'fakee'. Did you mean 'fake'"):
        check_config(Config("svm", ()), SVM.model_copy(update={"accelerator": "fakee"}))
    with pytest.raises(UnknownNameError, match="Known: cuml, fake, sklearnex"):
        accelerate(RunSettings(models={"svm": SVM}), "other")


@pytest.mark.parametrize(
    ("name", "command"), [("sklearnex", "pip install scikit-learn-intelex"), ("cuml", "pip install cuml-")]
)
def test_a_missing_accelerator_says_how_to_install_it(name, command, monkeypatch):
    monkeypatch.setattr(accelerators, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=command):
        accelerate(load_config("core"), name)


def test_an_accelerator_of_gpus_needs_one(monkeypatch):
    monkeypatch.setattr(accelerators, "find_spec", lambda module: module)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="cuml needs a GPU, found none"):
        accelerate(load_config("core"), "cuml")


def test_only_an_estimator_is_accelerated(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('extends = "core/quick"\n[models.snn]\naccelerator = "sklearnex"')
    with pytest.raises(ConfigError, match="only an estimator has an accelerator"):
        load_config("core", file=file)


@pytest.mark.parametrize("path", ACCELERATORS["sklearnex"].classes)
def test_sklearnex_repeats_itself_and_agrees_with_scikit_learn(path):
    pytest.importorskip("sklearnex", reason="scikit-learn-intelex is not installed")
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 100)
    X = (rng.normal(size=(300, 6)) + y[:, None]).astype(np.float32)
    plain = ModelSettings(estimator=path, grid={})
    fast = plain.model_copy(update={"accelerator": "sklearnex"})
    check_config(Config("m", ()), fast)
    outputs = [build_estimator(table, Config("m", ()), 0).fit(X[::2], y[::2]).predict(X[1::2]) for table in (plain, fast, fast)]
    np.testing.assert_array_equal(outputs[1], outputs[2])
    assert (outputs[0] == outputs[1]).mean() > 0.8
    assert families(fast, []) == []
