"""What a config may import: classifiers, and what the user names."""

import sys

import pytest
from optional import lacks_package

from snnbench.config import RunSettings, load_config, presets
from snnbench.errors import ConfigError
from snnbench.models.import_policy import check_imports

TRAP = "from pathlib import Path\nPath(__file__).with_name('sprung').touch()\n\nclass Trap:\n    pass\n"


def settings_of(**model: object) -> RunSettings:
    return RunSettings.model_validate({"models": {"m": {"grid": {}, **model}}})


@pytest.mark.parametrize("suite", ["core", "uci"])
def test_the_presets_are_allowed(suite):
    for preset in presets(suite):
        settings = load_config(suite, preset)
        check_imports(settings, [name for name, table in settings.models.items() if not lacks_package(table)])


@pytest.mark.parametrize(
    "model",
    [
        {"network": "trap.Trap"},
        {"estimator": "trap.Trap"},
        {"estimator": "sklearn.ensemble.BaggingClassifier", "arguments": {"estimator": {"class": "trap.Trap"}}},
        {"estimator": "sklearn.pipeline.Pipeline", "arguments": {"steps": [["a", {"class": "trap.Trap"}]]}},
    ],
)
def test_other_code_is_not_imported_unless_it_is_named(tmp_path, monkeypatch, model):
    (tmp_path / "trap.py").write_text(TRAP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "trap", raising=False)
    with pytest.raises(ConfigError, match=r"trap\.Trap' names code that may do anything .* say --allow-import trap"):
        check_imports(settings_of(**model), ["m"])
    assert not (tmp_path / "sprung").exists()
    check_imports(settings_of(**model), [])
    assert not (tmp_path / "sprung").exists()
    check_imports(settings_of(**model), ["m"], ["trap"])
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("path", ["os.system", "subprocess.Popen", "builtins.eval", "torch.load", "pickle.loads", "eval", ""])
def test_what_runs_commands_is_refused(path):
    with pytest.raises(ConfigError, match="may do anything"):
        check_imports(settings_of(estimator="sklearn.svm.SVC", arguments={"kernel": {"class": path}}), ["m"])


@pytest.mark.parametrize(
    "path", ["sklearn.utils._joblib.joblib", "sklearn.datasets._base.Path", "snnbench.results.provenance.subprocess"]
)
def test_what_an_allowed_module_merely_imports_is_refused(path):
    with pytest.raises(ConfigError, match="must be"):
        check_imports(settings_of(estimator=path), ["m"])
