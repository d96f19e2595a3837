"""Declared levels decide the columns, training rows decide the numbers."""

import numpy as np
import pytest

from snnbench.errors import DataError
from snnbench.records import Column, Dataset, Encoding, Split
from snnbench.suites.encoding import column_parts, encode, encoded_width
from snnbench.suites.features import split_features
from snnbench.suites.splits import standardise

NAN = np.nan
TRAIN = np.arange(6)
NUMBERS = Column("n", (), True)
COLOURS = Column("colour", ("blue", "green", "red"), True)
ONE_ROW_EACH = Encoding(min_rows=1)


def encoded(column: Column, values: list[float], encoding: Encoding = ONE_ROW_EACH) -> list[list[float]]:
    dataset = Dataset(np.array(values)[:, np.newaxis], np.zeros(len(values), dtype=np.int64), (column,), encoding)
    X = encode(dataset, TRAIN)
    assert X.shape[1] == encoded_width(column, encoding)
    return X.tolist()


def test_gaps_of_numbers_become_the_training_median_and_are_marked():
    assert encoded(NUMBERS, [1, 2, NAN, 9, 9, 100, NAN, -5]) == [
        [1, 0], [2, 0], [9, 1], [9, 0], [9, 0], [100, 0], [9, 1], [-5, 0],
    ]  # fmt: skip
    assert encoded(NUMBERS, [NAN] * 6 + [7.0]) == [[0, 1]] * 6 + [[7, 0]]
    assert encoded(Column("n"), [1, 2, 3, 4, 5, 6]) == [[1], [2], [3], [4], [5], [6]]


def test_levels_have_a_column_each_and_missing_is_one():
    assert encoded(COLOURS, [0, 1, 2, NAN, 0, 0]) == [
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0],
    ]  # fmt: skip


def test_two_levels_are_one_column():
    assert encoded(Column("b", ("no", "yes")), [0, 1, 1, 0, 0, 0]) == [[0], [1], [1], [0], [0], [0]]
    assert encoded(Column("b", ("yes",), True), [0, NAN, 0, 0, 0, 0]) == [[0], [1], [0], [0], [0], [0]]


def test_levels_that_are_rare_in_training_or_only_tested_share_a_column():
    few = encoded(COLOURS, [0, 0, 0, 1, 1, NAN, 2], Encoding(min_rows=2))
    assert few[5] == few[6]  # one training row is missing, none is red
    assert few[0] != few[3] != few[5]
    assert [row[3] for row in few] == [0] * 7  # the column that is not needed


def test_beyond_max_levels_the_rarest_share_a_column():
    column = Column("c", tuple("abcdef"))
    rows = encoded(column, [0, 0, 1, 1, 2, 3, 4, 5], Encoding(max_levels=3, min_rows=1))
    assert len(rows[0]) == 3
    assert rows[4] == rows[5] == rows[6] == rows[7]
    assert rows[0] != rows[2]


def test_ordinal_levels_are_their_numbers():
    assert encoded(COLOURS, [0, 1, 2, NAN, 0, 0], Encoding("ordinal")) == [[0], [1], [2], [3], [0], [0]]


def test_no_test_row_moves_a_number_of_a_training_or_validation_row():
    rng = np.random.default_rng(0)
    columns = (NUMBERS, COLOURS, Column("m"), Column("many", tuple("abcdefghij"), True))
    split = Split("s", np.arange(40), np.arange(40, 60), np.arange(60, 100))

    def draw(n: int) -> np.ndarray:
        X = np.column_stack([rng.normal(size=n), rng.integers(3, size=n), rng.normal(size=n), rng.integers(10, size=n)])
        X[:, [0, 1, 3]] = np.where(rng.random((n, 3)) < 0.2, NAN, X[:, [0, 1, 3]])
        return X

    X, y = draw(100), np.zeros(100, dtype=np.int64)
    whole = split_features(Dataset(X, y, columns, Encoding(max_levels=4)), split, True, "as-published")
    for _ in range(5):
        garbled = np.concatenate([X[:60], 1e6 * draw(40)])
        garbled[60:, [1, 3]] = draw(40)[:, [1, 3]]
        other = split_features(Dataset(garbled, y, columns, Encoding(max_levels=4)), split, True, "as-published")
        assert other.shape == whole.shape
        assert other[:60].tobytes() == whole[:60].tobytes()
    assert whole[:40].mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert np.isin(np.round(whole[:40].std(axis=0), 5), (0, 1)).all()


@pytest.mark.parametrize("n_numbers", [1, 2, 99, 100, 101, 102, 250])
def test_features_made_a_part_at_a_time_have_the_bits_of_the_whole(n_numbers):
    rng = np.random.default_rng(n_numbers)
    numbers = [Column(f"n{k}", (), k % 3 == 1) for k in range(n_numbers)]
    columns = (Column("many", tuple(map(str, range(40))), True), *numbers)
    X = np.column_stack(
        [rng.integers(40, size=300), rng.gamma(2, size=(300, n_numbers)) * 10.0 ** rng.integers(-3, 9, n_numbers)]
    )
    X[:, [column.has_gaps for column in columns]] = np.where(
        rng.random((300, 1)) < 0.2, NAN, X[:, [column.has_gaps for column in columns]]
    )
    for dataset in (Dataset(X, np.zeros(300), columns), Dataset(X[:, 1:], np.zeros(300), columns[1:])):
        widths = [encoded_width(column, dataset.encoding) for column in dataset.columns]
        parts = list(column_parts(widths))
        assert [number for part in parts for number in range(len(widths))[part]] == list(range(len(widths)))
        assert len(parts) == 1 or min(sum(widths[part]) for part in parts) > 1
        split = Split("s", np.arange(200), np.arange(200, 250), np.arange(250, 300))
        whole = standardise(encode(dataset, split.train), split.train).astype(np.float32)
        assert split_features(dataset, split, True, "as-published").tobytes() == whole.tobytes()


def test_a_column_that_cannot_be_represented_is_named():
    columns = (*(Column(f"n{k}") for k in range(120)), COLOURS, Column("far"))
    X = np.random.default_rng(0).normal(size=(60, 122))
    X[:, 120] = 1
    X[:, 121] += 1e15
    with pytest.raises(DataError, match=r"^Column 'far' must vary by more than numbers of type float64 are rounded by"):
        split_features(Dataset(X, np.zeros(60), columns), Split("s", TRAIN, TRAIN + 6, TRAIN + 12), True, "as-published")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (Column("c", ("a", "b")), 2.0, "Column 'c' must hold level numbers below 2, found 2.0."),
        (Column("c", ("a", "b")), 0.5, "level numbers below 2, found 0.5"),
        (Column("c", ("a", "b")), NAN, "level numbers below 2, found nan"),
        (Column("c"), NAN, "Column 'c' must hold finite numbers, found nan"),
        (Column("c", (), True), np.inf, "finite numbers, found inf"),
    ],
)
def test_a_dataset_holds_what_its_columns_declare(column, value, words):
    with pytest.raises(ValueError, match=words):
        Dataset(np.array([[0.0], [value]]), np.zeros(2), (column,))
    with pytest.raises(ValueError, match="Every column of X must be declared, found 1 for 2"):
        Dataset(np.zeros((2, 2)), np.zeros(2), (column,))
