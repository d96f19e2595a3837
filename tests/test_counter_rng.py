"""The stateless random numbers: each mask and each order a function of seed, time and place."""

import numpy as np
import pytest
import torch
from scipy import stats

from snnbench.models.layers import counter_rng

SIZE = 128, 256


def masks(seed: int, probability: float, n_steps: int, epoch: int = 1, size=SIZE) -> np.ndarray:
    """Return (n_steps, n_rows, n_units) booleans."""
    keys, counter = counter_rng.keys_of([seed]).view(-1, 1, 1), counter_rng.new_counter()
    places, thresholds = counter_rng.places(*size, torch.device("cpu")), counter_rng.thresholds([probability])
    counter_rng.start_epoch(counter, epoch)
    found = []
    for _ in range(n_steps):
        counter_rng.advance(counter)
        found.append(counter_rng.bernoulli_mask(keys + counter, places, thresholds)[0])
    return torch.stack(found).numpy()


def standardised(found: np.ndarray, probability: float) -> np.ndarray:
    return (found - probability) / np.sqrt(probability * (1 - probability))


def correlation_z(one: np.ndarray, other: np.ndarray) -> float:
    """Return a standard normal number if the two are independent."""
    return float((one * other).mean() * np.sqrt(one.size))


@pytest.mark.parametrize("probability", [0.5, 0.95])
def test_masks_keep_their_rate_in_every_direction(probability):
    z = standardised(masks(7, probability, 100), probability)
    for axes in [(0, 1, 2), (1, 2), (0, 2), (0, 1), 0]:
        means = np.atleast_1d(z.mean(axis=axes))
        n = z.size / means.size
        # Sums of squares of means are chi-square: neither more nor less even than chance.
        pvalue = stats.chi2.cdf((means**2).sum() * n, means.size)
        assert 1e-4 < pvalue < 1 - 1e-4


def test_masks_of_steps_epochs_and_seeds_are_independent():
    z = standardised(masks(7, 0.5, 60), 0.5)
    pairs = [(z[lag:], z[:-lag]) for lag in (1, 2, 3, 7, 20)]
    pairs += [(z, standardised(masks(seed, 0.5, 60, epoch), 0.5)) for seed, epoch in ((7, 2), (7, 100), (8, 1), (7 + 2**32, 1))]
    pairs += [(z[:, 1:], z[:, :-1]), (z[..., 1:], z[..., :-1]), (z[:, 1:, 1:] * z[:, 1:, :-1], z[:, :-1, 1:] * z[:, :-1, :-1])]
    assert max(abs(correlation_z(*pair)) for pair in pairs) < 4


def test_a_mask_does_not_depend_on_how_far_the_layer_is_padded():
    np.testing.assert_array_equal(masks(3, 0.3, 5)[:, :37, :33], masks(3, 0.3, 5, size=(37, 33)))


def test_a_mask_does_not_depend_on_what_came_before_its_epoch():
    counter = counter_rng.new_counter()
    for epoch, n_steps in ((1, 5), (2, 9), (3, 1)):
        counter_rng.start_epoch(counter, epoch)
        for _ in range(n_steps):
            counter_rng.advance(counter)
    fresh = counter_rng.new_counter()
    counter_rng.start_epoch(fresh, 3)
    counter_rng.advance(fresh)
    assert torch.equal(counter, fresh)


def test_thresholds_reach_never_and_always():
    keys, places = counter_rng.keys_of([1, 2]).view(-1, 1, 1), counter_rng.places(*SIZE, torch.device("cpu"))
    assert counter_rng.bernoulli_mask(keys, places, counter_rng.thresholds([1.0, 1.0])).all()
    assert not counter_rng.bernoulli_mask(keys, places, counter_rng.thresholds([1e-9, 1e-9])).any()


def test_a_layer_with_too_many_units_is_refused():
    with pytest.raises(ValueError, match="at most 65,536 units and rows, found 70,000 and 1"):
        counter_rng.places(1, 70_000, torch.device("cpu"))


def test_orders_are_permutations_of_a_members_own_rows():
    keys, n = counter_rng.keys_of(range(50)), torch.arange(1, 51)
    found = counter_rng.permutations(keys, n, 60)
    for member in range(50):
        assert sorted(found[member, : member + 1].tolist()) == list(range(member + 1))
        assert found[member, member + 1 :].tolist() == list(range(member + 1, 60))
    alone = counter_rng.permutations(keys[39:40], n[39:40], 40)
    assert torch.equal(alone[0], found[39, :40])


def test_orders_are_uniform():
    found = counter_rng.permutations(counter_rng.keys_of(range(24_000)), torch.full((24_000,), 4), 4)
    counts = np.bincount((found * torch.tensor([64, 16, 4, 1])).sum(dim=1).numpy(), minlength=256)
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-4
    assert (counts > 0).sum() == 24
