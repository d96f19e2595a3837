"""Small corners of a run: equal numbers, impossible values, large seeds, odd files."""

import pytest

from snnbench.config import ModelSettings, expand_grid, load_config
from snnbench.errors import ConfigError, DataError
from snnbench.execution.plan import search_grid
from snnbench.models import canonical, check_config
from snnbench.records import Config
from snnbench.seeds import MAX_SEED
from snnbench.suites import SUITES, load_suite

NETWORK = "snnbench.models.networks.snn.SNN"
SHAPE = {"n_units": 8, "n_layers": 2, "form": "rectangular"}


def test_whole_numbers_of_a_network_are_one_value():
    one, same = (ModelSettings(grid=SHAPE | {"n_units": units, "learning_rate": rate}) for units, rate in ((8, 1), (8.0, 1.0)))
    assert one.model_dump_json() == same.model_dump_json()
    assert [config.key for config in expand_grid("snn", one)] == [config.key for config in expand_grid("snn", same)]
    assert search_grid("snn", same)[0].to_json() == '{"form": "rectangular", "learning_rate": 1, "n_layers": 2, "n_units": 8}'
    with pytest.raises(ValueError, match="none twice"):
        ModelSettings(grid=SHAPE | {"learning_rate": [1, 1.0]})


@pytest.mark.parametrize(
    ("path", "name", "values", "expected"),
    [
        ("sklearn.svm.SVC", "C", [1, 1.0], ["1.0"]),
        ("sklearn.neighbors.KNeighborsClassifier", "n_neighbors", [9.0, 9], ["9"]),
        ("sklearn.ensemble.RandomForestClassifier", "max_features", [1, 1.0], ["1", "1.0"]),
        ("sklearn.ensemble.HistGradientBoostingClassifier", "learning_rate", [1.0, 1, 0.5], ["1.0", "0.5"]),
    ],
)
def test_equal_numbers_of_an_estimator_are_one_value_unless_they_mean_two_things(path, name, values, expected):
    grid = search_grid("m", ModelSettings(estimator=path, grid={name: values}))
    assert [repr(config[name]) for config in grid] == expected


@pytest.mark.parametrize("suite", SUITES)
def test_every_configuration_of_a_preset_passes(suite):
    settings = load_config(suite, "quick")
    for model, table in settings.models.items():
        if table.estimator:
            assert search_grid(model, table)


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ({"estimator": "sklearn.neighbors.KNeighborsClassifier"}, {"n_neighbors": -1}, "must be an int in the range .* Got -1"),
        ({"estimator": "sklearn.svm.SVC"}, {"C": 0.0}, "Got 0.0"),
        (
            {
                "estimator": "sklearn.pipeline.Pipeline",
                "arguments": {"steps": [["knn", {"class": "sklearn.neighbors.KNeighborsClassifier"}]]},
            },
            {"knn__n_neighbors": 0},
            "Got 0",
        ),
    ],
)
def test_an_impossible_value_is_refused_before_training(table, values, words):
    settings = ModelSettings(**table, grid={})
    with pytest.raises(ConfigError, match=f"The values of m must be possible, .*{words}"):
        check_config(Config("m", tuple(values.items())), settings)


def test_numbers_of_a_part_are_judged_by_the_part():
    table = {"steps": [["knn", {"class": "sklearn.neighbors.KNeighborsClassifier"}]]}
    settings = ModelSettings(estimator="sklearn.pipeline.Pipeline", arguments=table, grid={})
    assert repr(canonical(Config("m", (("knn__n_neighbors", 3.0),)), settings)["knn__n_neighbors"]) == "3"


def test_a_config_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('extends = "core/quick"\n', encoding="utf-8-sig")
    assert load_config("core", file=file) == load_config("core", "quick")


def test_the_largest_seed_is_the_largest_that_can_be_stored():
    assert MAX_SEED.bit_length() == 63


def test_a_folder_that_lies_too_deep_is_named(tmp_path):
    (tmp_path / "a" / "b" / "iris").mkdir(parents=True)
    (tmp_path / "a" / "b" / "iris" / "iris.txt").write_text("n_clases= 3")
    with pytest.raises(DataError, match=r"there is no folder iris/; found too deep, at a/b/iris: unpack the archive and name"):
        load_suite("uci").load("iris", tmp_path)
