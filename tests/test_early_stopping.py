import numpy as np
import pytest

from snnbench.training.early_stopping import best_epoch


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float).reshape(-1, 1)


def test_trailing_full_windows_and_the_first_maximum():
    # Means of three trailing epochs: 2, 3, 3, 2 at epochs 3, 4, 5, 6.
    epoch, score = best_epoch(column(0, 3, 3, 3, 3, 0), window=3)
    assert epoch.tolist() == [4]
    assert score.tolist() == [3.0]


def test_equal_sums_in_another_order_tie():
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in floating point.
    epoch, _ = best_epoch(column(0.1, 0.2, 0.3, 0.0, 0.3, 0.2, 0.1), window=3)
    assert epoch.tolist() == [3]
    epoch, _ = best_epoch(column(0.3, 0.2, 0.1, 0.0, 0.1, 0.2, 0.3), window=3)
    assert epoch.tolist() == [3]


def test_members_do_not_mix():
    curves = np.hstack([column(1, 2, 3, 4), column(4, 3, 2, 1), column(1, np.nan, 3, 4)])
    epoch, score = best_epoch(curves, window=2)
    assert epoch.tolist() == [4, 2, 4]
    assert score[:2].tolist() == [3.5, 3.5]
    assert np.isnan(score[2])


@pytest.mark.parametrize("n_epochs", [1, 4, 10])
def test_a_short_training_has_one_window(n_epochs):
    epoch, score = best_epoch(column(*range(n_epochs)), window=10)
    assert epoch.tolist() == [n_epochs]
    assert score[0] == pytest.approx(np.mean(range(n_epochs)))


def test_agrees_with_pandas():
    import pandas as pd

    rng = np.random.default_rng(0)
    curves = rng.integers(0, 30, size=(100, 50)) / 30
    smoothed = pd.DataFrame(curves).rolling(10).mean().round(12)
    epoch, score = best_epoch(curves, window=10)
    np.testing.assert_array_equal(epoch, smoothed.idxmax().to_numpy() + 1)
    np.testing.assert_allclose(score, smoothed.max().to_numpy(), atol=1e-12)


def test_a_centred_window_stands_for_its_middle():
    curve = column(0, 3, 3, 3, 3, 0)
    assert best_epoch(curve, window=3, centred=True)[0].tolist() == [3]
    assert best_epoch(column(0, 0, 1, 1, 0), window=2, centred=True)[0].tolist() == [3]


def test_a_window_of_one_does_not_smooth():
    assert best_epoch(column(0, 2, 1, 2), window=1)[0].tolist() == [2]
    assert best_epoch(column(0, 2, 1, 2), window=1, centred=True)[0].tolist() == [2]
