"""Features are read and standardised in float64 and cut to float32 last."""

import numpy as np
import pytest
from archives import write_delgado, write_htru2

from snnbench.errors import DataError
from snnbench.records import Dataset, Split
from snnbench.suites import htru2, uci
from snnbench.suites.features import split_features
from snnbench.suites.loading import load_tasks
from snnbench.training.job_rows import job_rows

RNG = np.random.default_rng(0)
N = 200
ROWS = np.arange(N)
SPLIT = Split("r", ROWS[:120], ROWS[120:150], ROWS[150:])
X = RNG.normal(size=(N, 3)) * [1, 5, 2]


def features(X, is_raw=True, preprocessing="as-published"):
    return split_features(Dataset(X, ROWS % 2), SPLIT, is_raw, preprocessing)


@pytest.mark.parametrize(("is_raw", "preprocessing"), [(True, "as-published"), (False, "restandardise")])
@pytest.mark.parametrize(("shift", "atol"), [(1e4, 1e-6), (1e8, 1e-6), (1e10, 1e-5)])
def test_a_constant_added_to_every_feature_changes_nothing(is_raw, preprocessing, shift, atol):
    found = features(X + shift, is_raw, preprocessing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, features(X, is_raw, preprocessing), rtol=0, atol=atol)


def test_published_features_keep_the_bits_of_float32():
    assert features(X, is_raw=False).tobytes() == X.astype(np.float32).tobytes()


@pytest.mark.parametrize("is_raw", [True, False])
def test_a_feature_that_varies_less_than_its_type_resolves_is_named(is_raw):
    shifted = X + np.array([0, 0, 1e15 if is_raw else 1e10])
    with pytest.raises(DataError, match=r"^Feature 3 must vary by more than numbers of type float(64|32) are rounded by"):
        features(shifted, is_raw)


def test_a_feature_that_overflows_float32_is_named():
    for is_raw in (True, False):
        large = X.copy()
        large[199, 1] = 1e300  # of a test row
        with pytest.raises(DataError, match=r"^Feature 2 must be at most 3.4e\+38 as float32, found .*e\+\d+ in row 200"):
            features(large, is_raw)


def test_large_and_constant_features_are_no_error():
    found = features(np.concatenate([X * 1e100, np.full((N, 1), 1e17)], axis=1))
    np.testing.assert_allclose(found[:, :3], features(X), rtol=0, atol=1e-6)
    assert not found[:, 3].any()


def test_a_file_with_shifted_features_gives_the_rows_of_the_original(tmp_path):
    (tmp_path / "original").mkdir()
    folder = write_htru2(tmp_path / "original").parent
    lines = (folder / "HTRU_2.csv").read_text().split()
    shifted = tmp_path / "HTRU_2.csv"
    numbers = [[float(value) for value in line.split(",")] for line in lines]
    shifted.write_text("".join(",".join([*(repr(v + 1e10) for v in row[:-1]), str(int(row[-1]))]) + "\n" for row in numbers))
    for found, original in zip(
        job_rows("search", "htru2", "htru2", "fold-1", tmp_path),
        job_rows("search", "htru2", "htru2", "fold-1", folder),
        strict=True,
    ):
        scale = htru2.load("htru2", folder).X.std(axis=0).min()
        np.testing.assert_allclose(found.X, original.X, rtol=0, atol=4e-6 / scale)


def test_what_cannot_be_represented_is_found_before_training(tmp_path):
    X, y = RNG.normal(size=(178, 13)), np.arange(178) % 3
    X[:, 4] = 1e10 * (1 + 1e-5 * (np.arange(178) % 2))
    write_delgado(tmp_path, "wine", X, y, 44)
    with pytest.raises(DataError, match=r"^Task 'wine', repetition-1: Feature 5 must vary .* --preprocessing restandardise"):
        load_tasks("uci", tmp_path, ["wine"])
    assert uci.load("wine", tmp_path).X.dtype == np.float64
