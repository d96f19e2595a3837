import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnbench.errors import DataError
from snnbench.suites import splits


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@st.composite
def divisions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Class indices, the rows to divide and a seed, with classes of every size down to one row."""
    y = np.array(draw(st.lists(st.integers(0, 6), min_size=2, max_size=60)))
    rows = np.array(draw(st.lists(st.integers(0, len(y) - 1), min_size=2, max_size=len(y), unique=True)))
    return y, rows, draw(st.integers(0, 2**64 - 1))


@given(divisions(), st.floats(0.05, 0.95))
def test_validation_keeps_rows_and_classes(division: tuple[np.ndarray, np.ndarray, int], fraction: float) -> None:
    y, rows, seed = division
    train, valid = splits.draw_validation(y, rows, rng(seed), fraction)
    assert len(valid) == min(max(1, round(fraction * len(rows))), len(rows) - 1)
    assert np.array_equal(np.sort(np.concatenate([train, valid])), np.sort(rows))
    assert len(train) >= 1
    for indices in (train, valid):
        assert indices.dtype == np.int64
        assert (np.diff(indices) > 0).all()
    n_classes = len(np.unique(y[rows]))
    assert len(np.unique(y[train])) == min(n_classes, len(train))


@given(divisions())
def test_validation_is_a_plain_draw_unless_a_class_is_emptied(division: tuple[np.ndarray, np.ndarray, int]) -> None:
    y, rows, seed = division
    _, valid = splits.draw_validation(y, rows, rng(seed))
    order = rows[rng(seed).permutation(len(rows))]
    plain_train, plain_valid = order[: -len(valid)], order[-len(valid) :]
    emptied = set(y[rows]) - set(y[plain_train])
    assert np.array_equal(valid, np.sort(plain_valid)) or emptied


@pytest.mark.parametrize(("n_rows", "n_valid"), [(112, 22), (134, 27), (210, 42), (3133, 627), (32561, 6512), (2, 1), (5, 1)])
def test_validation_has_a_fifth_of_the_rows(n_rows: int, n_valid: int) -> None:
    train, valid = splits.draw_validation(np.zeros(n_rows, dtype=int), np.arange(n_rows), rng())
    assert (len(train), len(valid)) == (n_rows - n_valid, n_valid)


def test_validation_never_takes_the_only_row_of_a_class() -> None:
    y = np.array([0] * 20 + [1])
    draws = [splits.draw_validation(y, np.arange(21), rng(seed))[1] for seed in range(200)]
    assert all(20 not in valid for valid in draws)
    taken = np.bincount(np.concatenate(draws), minlength=21)
    assert taken[:20].min() >= 20, "every other row is drawn now and then: 4 of 20 rows, 200 times, is 40 on average"


def test_validation_is_not_stratified() -> None:
    y = np.repeat([0, 1], 50)
    counts = {int(y[splits.draw_validation(y, np.arange(100), rng(seed))[1]].sum()) for seed in range(50)}
    assert len(counts) > 3


def test_validation_needs_two_rows() -> None:
    with pytest.raises(DataError, match=r"At least two rows .* found 1"):
        splits.draw_validation(np.array([0, 1]), np.array([1]), rng())


@pytest.mark.parametrize(("n_rows", "n_test"), [(150, 37), (178, 44), (625, 156), (7400, 1850), (4, 1)])
def test_test_rows_are_a_quarter_rounded_down(n_rows: int, n_test: int) -> None:
    test = splits.draw_test(np.zeros(n_rows), rng())
    assert test.shape == (n_test,)
    assert test.dtype == np.int64
    assert (np.diff(test) > 0).all()
    assert 0 <= test[0] <= test[-1] < n_rows


def test_test_rows_cover_everything_in_the_long_run() -> None:
    drawn = np.concatenate([splits.draw_test(np.zeros(8), rng(seed)) for seed in range(400)])
    assert np.bincount(drawn, minlength=8) == pytest.approx(100, abs=35)


def test_test_needs_a_row() -> None:
    with pytest.raises(DataError, match=r"0\.25 of 3 rows is none"):
        splits.draw_test(np.zeros(3), rng())


def test_split_seed_is_the_same_everywhere() -> None:
    assert splits.split_seed("core", "iris", 1, "test") == 14485784345159543854
    assert splits.split_seed("core", "iris", 1, "test") < 2**64


def test_split_seed_depends_on_each_argument() -> None:
    seeds = {
        splits.split_seed(suite, task, repetition, purpose)
        for suite in ("core", "uci")
        for task in ("iris", "wine")
        for repetition in (0, 1, 2, 3, 4)
        for purpose in ("data", "test", "validation")
    }
    assert len(seeds) == 2 * 2 * 5 * 3


def test_repetition_names() -> None:
    assert [splits.repetition_name(k) for k in range(1, splits.N_REPETITIONS + 1)] == [
        "repetition-1",
        "repetition-2",
        "repetition-3",
        "repetition-4",
    ]


def test_standardise_by_hand() -> None:
    X = np.array([[1.0, 0.1, 5.0], [3.0, 0.1, 5.0], [6.0, 0.7, 5.0]], dtype=np.float32)
    scaled = splits.standardise(X, np.array([0, 1]))
    assert scaled.dtype == np.float64
    assert scaled.tolist() == [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [4.0, 0.0, 0.0]]


def test_standardise_uses_training_rows_only() -> None:
    X = rng().standard_normal((30, 4)) * [1, 10, 100, 1e-3] + 7
    train = np.arange(0, 30, 2)
    scaled = splits.standardise(X, train)
    assert scaled[train].mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert scaled[train].std(axis=0) == pytest.approx(1, abs=1e-6)
    changed = X.copy()
    changed[1::2] = rng(1).standard_normal((15, 4)) * 1000
    assert np.array_equal(splits.standardise(changed, train)[train], scaled[train])
    assert not np.array_equal(splits.standardise(changed, train), scaled)


def test_standardise_computes_in_float64() -> None:
    X = np.array([[100_000_000], [100_000_008], [100_000_016]], dtype=np.float32)
    assert splits.standardise(X, np.arange(3)).ravel() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5], abs=1e-6)


def test_standardise_zeroes_constants_that_float_arithmetic_blurs() -> None:
    X = np.full((7, 1), 0.1)
    assert X.std(axis=0) > 0, "the case is there: the rounded mean differs from every value"
    assert not splits.standardise(X, np.arange(7)).any()


def test_standardise_needs_training_rows() -> None:
    with pytest.raises(DataError, match="at least one training row"):
        splits.standardise(np.zeros((3, 2)), np.array([], dtype=int))
