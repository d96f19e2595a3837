"""What the documentation says of a user's own models, done as written."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from pages import read_blocks

from snnbench.cli import app
from snnbench.config import load_config
from snnbench.errors import ConfigError
from snnbench.models import check_config, check_network, code
from snnbench.models.code import code_of
from snnbench.records import Config

FILES = {block.title: block.body for block in read_blocks("docs/models.md") if block.title}
NETWORK = FILES["mine.py"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    code._trace.cache_clear()
    (tmp_path / "mine.py").write_text(NETWORK)
    networks = FILES["networks.toml"].replace("n_layers = [2, 8]", "n_layers = 2").replace('extends = "core/quick"\n', "")
    (tmp_path / "mine.toml").write_text(FILES["mine.toml"] + networks + "\n[training]\nn_epochs = 5\n")
    return tmp_path


def train(folder: Path, model: str) -> pd.DataFrame:
    words = ["run", "core", "--config", folder / "mine.toml", "--model", model, "--task", "iris", "--workers", "1"]
    words += ["--results", folder / "results", "--progress", "none", *(["--allow-import", "mine"] if model == "tanh" else [])]
    app([str(word) for word in words], standalone_mode=False)
    return pd.read_parquet(folder / "results" / "core")


def test_the_estimator_and_the_network_of_the_documentation_run_as_written(folder, capsys):
    assert len(train(folder, "knn").query("stage == 'evaluate'")) == 1
    rows = train(folder, "tanh").query("model == 'tanh'")
    assert rows["status"].tolist() == ["ok"] * 4
    assert "1 evaluation" in capsys.readouterr().out


def test_an_edited_network_is_not_taken_for_the_old_one(folder):
    settings = load_config("core", file=folder / "mine.toml").models["tanh"]
    before = code_of("tanh", settings)
    (folder / "mine.py").write_text(NETWORK.replace("Tanh()", "Sigmoid()"))
    code._trace.cache_clear()  # another process would read the file anew
    after = code_of("tanh", settings)
    assert after.digest != before.digest != ""
    assert after.name == before.name == settings.network == "mine.TanhNet"


WRONG = {
    "output": ("[layers[-1]]", "[]", r"must map \(2, 3, 4\) to \(2, 3, 5\), found \(2, 3, 8\)"),
    "stack axis": ("layers[-1])", "layers[-1], nn.BatchNorm1d(3))", "Every parameter of .* must have a leading axis"),
    "hyperparameters": ("hyperparameters = HYPERPARAMETERS", "hyperparameters = {}", "learning_rate among them"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_network_that_breaks_the_contract_is_refused_before_training(fault, folder):
    old, new, message = WRONG[fault]
    source = NETWORK.replace("layers[-1])", "*[layers[-1]])") if fault == "output" else NETWORK
    assert old in source
    name = f"wrong_{fault.replace(' ', '_')}"
    (folder / f"{name}.py").write_text(source.replace(old, new))
    settings = load_config("core", file=folder / "mine.toml").models["tanh"].model_copy(update={"network": f"{name}.TanhNet"})
    values = {"n_units": 8, "n_layers": 2, "form": "rectangular", "learning_rate": 0.1}
    config = Config("tanh", tuple(values.items()))
    with pytest.raises(ConfigError, match=message):
        check_config(config, settings) if fault == "hyperparameters" else check_network(config, settings, 4, 5)
