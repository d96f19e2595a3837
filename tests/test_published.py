"""The published tables as data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from snnbench.errors import DataError, UnknownNameError
from snnbench.resources import resource
from snnbench.results import published
from snnbench.results.published import PUBLISHED, PUBLISHED_RUNS, REFERENCES, beside_published, load_published, load_reference
from snnbench.suites import uci


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_table_is_a_score_table_of_its_suite(name: str) -> None:
    scores = load_published(name)
    assert PUBLISHED[name].suite == "uci"
    assert set(scores.index) == set(uci.catalogue().index)
    assert (scores.index.name, scores.columns.name) == ("task", "model")
    assert scores.columns.is_unique
    assert (scores.dtypes == "float64").all()
    assert scores.min().min() >= 0
    assert scores.max().max() <= 1
    for text in (PUBLISHED[name].source, PUBLISHED[name].address, PUBLISHED[name].metric):
        assert text


def test_table_a11_has_seven_networks_and_four_gaps() -> None:
    scores = load_published("snn2017")
    assert list(scores.columns) == ["snn", "msrainit", "highway", "resnet", "batchnorm", "weightnorm", "layernorm"]
    assert scores.loc["abalone"].tolist() == [0.6657, 0.6284, 0.6427, 0.6466, 0.6303, 0.6351, 0.6178]
    gaps = scores.isna()
    assert int(gaps.to_numpy().sum()) == 4
    assert list(gaps.columns[gaps.loc["trains"]]) == ["snn", "msrainit", "highway", "resnet"]


def test_the_179_classifiers_are_shares() -> None:
    scores = load_published("delgado2014")
    assert scores.shape == (121, 179)
    assert int(scores.isna().to_numpy().sum()) == 449
    assert scores.loc["abalone", "elm_kernel_matlab"] == 0.661
    assert scores.loc["acute-inflammation", "Bagging_DecisionStump_weka"] == 0.825
    # One decimal of a percent.
    np.testing.assert_array_equal(scores, scores.round(3))


@pytest.mark.parametrize(("name", "shape"), [("table_1", (13, 4)), ("table_2", (49, 4)), ("table_3", (10, 4))])
def test_the_reference_tables_are_complete(name: str, shape: tuple[int, int]) -> None:
    assert load_reference(name).shape == shape


def test_the_reference_of_24_methods_names_classifiers_that_exist() -> None:
    table = load_reference("table_a12_a13")
    assert table["subset"].value_counts().to_dict() == {"small_75": 24, "large_46": 24}
    models = {model.lower() for name in PUBLISHED for model in load_published(name).columns}
    assert set(table["method"].str.lower()) <= models


def test_every_file_is_registered_and_described() -> None:
    folder = resource("results", "published")
    registered = {entry.file for entry in PUBLISHED.values()} | set(REFERENCES.values())
    assert {path.name for path in folder.iterdir()} == registered | {"README.md", *PUBLISHED_RUNS}
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"`{file}`" in text for file in registered)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown published results 'snn2018'\. Did you mean 'snn2017'"):
        load_published("snn2018")
    with pytest.raises(UnknownNameError, match="Unknown reference table 'table_4'"):
        load_reference("table_4")


def test_a_missing_or_changed_file_is_a_plain_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(published, "resource", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(DataError, match=r"snn2017\.csv is missing"):
        load_published("snn2017")
    folder = tmp_path / "results" / "published"
    folder.mkdir(parents=True)
    for text in ("task,snn\niris,good\n", "task,snn\niris,0.9\niris,0.8\n", "dataset,snn\niris,0.9\n"):
        (folder / "snn2017.csv").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="one row a task"):
            load_published("snn2017")


@pytest.mark.shared_data
def test_the_tables_are_those_they_were_copied_from(shared: Path) -> None:
    table = pd.read_csv(shared / "paper" / "table_a11_uci_accuracy.csv", index_col="dataset")
    np.testing.assert_array_equal(load_published("snn2017"), table.drop(columns=["n_samples", "n_features_plus_1"]))
    percent = pd.read_csv(shared / "paper" / "delgado_2014_accuracy_percent_179x121.csv", index_col="dataset")
    assert list(percent.columns) == list(load_published("delgado2014").columns)
    np.testing.assert_allclose(load_published("delgado2014"), percent / 100, rtol=0, atol=1e-15)
    for name in ("table_1_uci_rank_differences", "table_2_tox21_auc", "table_3_htru2_auc", "table_a12_a13_uci_24_methods"):
        reference = "table_a12_a13" if "a12" in name else name[: len("table_1")]
        pd.testing.assert_frame_equal(load_reference(reference), pd.read_csv(shared / "paper" / f"{name}.csv"))


def test_own_scores_are_rounded_as_the_published_ones_are_printed():
    own = pd.DataFrame({"snn": [36 / 37]}, index=pd.Index(["iris"], name="task"))
    together = beside_published(own, ["snn2017"], "uci").loc["iris"]
    assert together["snn"] == together["snn[snn2017]"] == 0.973
    assert beside_published(own, [], "uci").loc["iris", "snn"] == 36 / 37
    assert beside_published(own, ["delgado2014", "snn2017"], "uci").at["wine", "snn[snn2017]"] == round(0.9773, 3)
