"""The published accuracies are whole numbers of test rows, if the catalogue of the UCI suite has the right test rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from snnbench.suites import uci

pytestmark = pytest.mark.shared_data


@pytest.fixture
def table_a11(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "paper" / "table_a11_uci_accuracy.csv", index_col="dataset")


def test_the_catalogue_has_the_121_tasks_with_the_published_sizes(table_a11: pd.DataFrame) -> None:
    catalogue = uci.catalogue()
    assert len(catalogue) == 121
    assert set(catalogue.index) == set(table_a11.index)
    sizes = catalogue.loc[table_a11.index]
    pd.testing.assert_series_equal(sizes["n_samples"], table_a11["n_samples"], check_names=False)
    # M in Table A11 counts the class column.
    pd.testing.assert_series_equal(sizes["n_features"] + 1, table_a11["n_features_plus_1"], check_names=False)


def test_46_tasks_are_large_and_75_small(table_a11: pd.DataFrame) -> None:
    size = uci.catalogue()["size"]
    assert size.value_counts().to_dict() == {"small": 75, "large": 46}
    large = table_a11.index[table_a11["n_samples"] >= 1000]
    assert set(size.index[size == "large"]) == set(large)


def test_every_accuracy_of_table_a11_is_a_multiple_of_one_test_row(table_a11: pd.DataFrame) -> None:
    accuracies = table_a11.drop(columns=["n_samples", "n_features_plus_1"])
    n_test = uci.catalogue().loc[accuracies.index, "n_test"].to_numpy()[:, np.newaxis]
    nearest = np.round(accuracies * n_test) / n_test
    errors = (accuracies - nearest).abs()
    assert int(accuracies.notna().to_numpy().sum()) == 121 * 7 - 4
    # Half of the last printed digit, and the last bit of a float.
    assert errors.max().max() <= 0.5e-4 + 1e-12, errors.max(axis="columns").nlargest(5)
