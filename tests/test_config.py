from itertools import product

import pytest
from optional import lacks_package

from snnbench.config import expand_grid, load_config, presets
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.models import check_config
from snnbench.records import Config
from snnbench.suites import SUITES

TINY = """
[training]
n_epochs = 3
[models.snn.grid]
n_units = 8
n_layers = [1, 2]
form = "rectangular"
learning_rate = [0.01, 0.1]
dropout_rate = 0.0
"""


def config_file(tmp_path, text):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(("model", "dropout"), [("snn", 0.05), ("msrainit", 0.5)])
def test_the_paper_preset_is_the_grid_of_its_table(model, dropout):
    settings = load_config("uci", "paper")
    grid = expand_grid(model, settings.models[model])
    expected = product((1024, 512, 256), (2, 3, 4, 8, 16, 32), ("rectangular", "conic"), (0.01, 0.1, 1), (dropout, 0))
    names = ("n_units", "n_layers", "form", "learning_rate", "dropout_rate")
    assert len(grid) == 216
    assert {config.key for config in grid} == {Config(model, tuple(zip(names, point, strict=True))).key for point in expected}


PAPER_GRIDS = {"batchnorm": 108, "highway": 36, "layernorm": 108, "msrainit": 216, "resnet": 180, "snn": 216, "weightnorm": 108}


@pytest.mark.parametrize("model", PAPER_GRIDS)
def test_the_paper_preset_has_the_published_number_of_configurations(model):
    assert len(expand_grid(model, load_config("uci", "paper").models[model])) == PAPER_GRIDS[model]


@pytest.mark.parametrize("model", ["batchnorm", "weightnorm", "layernorm"])
def test_the_normalised_networks_have_the_grid_of_msrainit_without_dropout(model):
    models = load_config("uci", "paper").models
    assert models[model].grid == {name: axis for name, axis in models["msrainit"].grid.items() if name != "dropout_rate"}


def test_the_paper_preset_trains_as_the_protocol_says():
    training = load_config("uci", "paper").training
    protocol = {"n_epochs": 100, "batch_size": 128, "momentum": 0.0, "smoothing_window": 10, "smoothing": "trailing"}
    assert training.model_dump() == protocol


@pytest.mark.parametrize("suite", SUITES)
def test_every_preset_is_valid_to_its_last_configuration(suite):
    assert "quick" in presets(suite)  # the default of `snnbench run`
    for preset in presets(suite):
        settings = load_config(suite, preset)
        for model, table in settings.models.items():
            if lacks_package(table):
                continue  # test_stopping.py has a test for each of these packages, skipped where it is missing
            for config in expand_grid(model, table):
                check_config(config, table)


def test_a_scalar_is_a_list_of_one(tmp_path):
    settings = load_config("uci", file=config_file(tmp_path, TINY))
    assert len(expand_grid("snn", settings.models["snn"])) == 4


def test_a_file_extends_a_preset_key_by_key_and_grid_by_grid(tmp_path):
    text = 'extends = "uci/paper"\n[training]\nbatch_size = 64\n[models.snn.grid]\nn_units = 8\n'
    settings, paper = load_config("uci", file=config_file(tmp_path, text)), load_config("uci", "paper")
    assert settings.training.batch_size == 64
    assert settings.training.n_epochs == 100
    assert settings.models["snn"].grid == {"n_units": 8}
    assert settings.models["svm"] == paper.models["svm"]


FAULTS = {
    "no TOML": ("[training", ConfigError, "must be a readable TOML file"),
    "unknown table": (TINY + "[trainign]\n", UnknownNameError, "Did you mean 'training'"),
    "unknown key": (TINY.replace("n_epochs", "n_epoch"), UnknownNameError, "Did you mean 'n_epochs'"),
    "unknown key of a model": (TINY.replace("snn.grid", "snn.gird"), UnknownNameError, "Did you mean 'grid'"),
    "wrong type": (
        TINY.replace("n_epochs = 3", 'n_epochs = "3"'),
        ConfigError,
        "training.n_epochs: Input should be a valid integer",
    ),
    "wrong value": (TINY.replace("n_epochs = 3", "n_epochs = 0"), ConfigError, "greater than or equal to 1, found 0"),
    "no models": ("[training]\nn_epochs = 3\n", ConfigError, "models: Field required"),
    "empty axis": (TINY.replace("[0.01, 0.1]", "[]"), ConfigError, "at least one value and none twice"),
    "double value": (TINY.replace("[0.01, 0.1]", "[0.1, 0.1]"), ConfigError, "at least one value and none twice"),
    "table as value": (
        TINY.replace("dropout_rate = 0.0", "dropout_rate = {a = 1}"),
        ConfigError,
        "models.snn.grid.dropout_rate",
    ),
    "both sources": (TINY + '[models.m]\nnetwork = "a.B"\nestimator = "c.D"\ngrid = {}\n', ConfigError, "found both"),
    "unknown parent": ('extends = "uci/papr"\n', UnknownNameError, "Did you mean 'uci/paper'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_refused_with_its_name_and_place(fault, tmp_path):
    text, error, words = FAULTS[fault]
    with pytest.raises(error) as caught:
        load_config("uci", file=config_file(tmp_path, text))
    assert words in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_an_unknown_preset_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'paper'"):
        load_config("uci", "papr")


GRID_FAULTS = {
    "unknown": (("n_layer", 2), UnknownNameError, "Did you mean 'n_layers'"),
    "type": (("n_layers", 2.5), ConfigError, "n_layers of snn is 2.5"),
    "range": (("dropout_rate", 1.0), ConfigError, "less than 1"),
    "choice": (("form", "round"), ConfigError, "'rectangular' or 'conic'"),
}


@pytest.mark.parametrize("fault", GRID_FAULTS)
def test_a_grid_is_checked_against_its_network(fault):
    change, error, words = GRID_FAULTS[fault]
    table = load_config("uci", "quick").models["snn"]
    values = {**dict(expand_grid("snn", table)[0].values), **dict([change])}
    with pytest.raises(error) as caught:
        check_config(Config("snn", tuple(values.items())), table)
    assert words in str(caught.value)


def test_a_grid_must_be_complete():
    table = load_config("uci", "quick").models["snn"]
    with pytest.raises(ConfigError, match="must give form, learning_rate, n_layers"):
        check_config(Config("snn", (("n_units", 8),)), table)


def test_an_estimator_is_checked_against_its_parameters(tmp_path):
    table = load_config("uci", "quick").models["svm"]
    with pytest.raises(UnknownNameError, match="Did you mean 'gamma'"):
        check_config(Config("svm", (("gama", 1.0),)), table)


def test_a_config_may_bring_an_estimator_by_import_path(tmp_path):
    text = '[models.knn]\nestimator = "sklearn.neighbors.KNeighborsClassifier"\ngrid = {n_neighbors = [1, 3]}\n'
    table = load_config("uci", file=config_file(tmp_path, text)).models["knn"]
    for config in expand_grid("knn", table):
        check_config(config, table)
    wrong = config_file(tmp_path, text.replace("KNeighborsClassifier", "KNeighbours"))
    with pytest.raises(ConfigError, match="must be the import path of a class or a function"):
        check_config(config, load_config("uci", file=wrong).models["knn"])


def test_digests_follow_what_a_result_depends_on(tmp_path):
    one = load_config("uci", file=config_file(tmp_path, TINY))
    other = load_config("uci", file=config_file(tmp_path, TINY.replace("n_epochs = 3", "n_epochs = 4")))
    assert one.digest != other.digest
    assert one.grid_digest("snn") != other.grid_digest("snn")
    paper = load_config("uci", "paper")
    assert paper.grid_digest("svm") == load_config("core", "paper").grid_digest("svm")
