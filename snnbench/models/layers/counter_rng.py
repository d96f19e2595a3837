"""Random numbers without a state: each is a hash of where it is used.

A member's dropout masks and orders of rows are functions of its seed, the step or epoch, and the place (row and unit). So they
do not depend on the member's neighbours, on how far a stack is padded, on the device, or on whether a step was replayed, and
no generator has to be stored to go on after a restart.

The hash is "lowbias32" (C. Wellons, "Prospecting for hash functions", 2018; public domain), computed in int32, whose products
wrap in torch on every device. Its shifts carry the sign, which keeps it a bijection.
"""

from collections.abc import Sequence

import torch

FIRST_FACTOR, SECOND_FACTOR = 0x7FEB352D, 0x846CA68B - 2**32
"""What a hash multiplies by, one after the other."""

_INCREMENT = 0x9E3779B9 - 2**32
"""2³² over the golden ratio: what keys grow by from one use to the next."""

_MOST_STEPS = 2**20
"""Steps of an epoch at most; another epoch's numbers begin that many ticks later."""

MAX_UNITS = 2**16
"""Units of a layer at most, and rows of a batch: a place's number is ``row * MAX_UNITS + unit``."""


def hash_(x: torch.Tensor) -> torch.Tensor:
    """Hash int32 numbers, in place."""
    x ^= x >> 16
    x *= FIRST_FACTOR
    x ^= x >> 15
    x *= SECOND_FACTOR
    x ^= x >> 16
    return x


def keys_of(seeds: Sequence[int]) -> torch.Tensor:
    """Return one int32 key a seed, (n_seeds,); all 64 bits of a seed count."""
    low = torch.tensor([seed & 0xFFFFFFFF for seed in seeds]).to(torch.int32)
    high = torch.tensor([seed >> 32 & 0xFFFFFFFF for seed in seeds]).to(torch.int32)
    return hash_(hash_(low) ^ high)


def new_counter(device: torch.device | str = "cpu") -> torch.Tensor:
    """Return a clock for ``start_epoch`` and ``advance``: one int32 number, added to all keys of a stack."""
    return torch.zeros((), dtype=torch.int32, device=device)


def start_epoch(counter: torch.Tensor, epoch: int) -> None:
    """Set a clock to the beginning of an epoch, whatever came before."""
    counter.fill_((epoch * _MOST_STEPS * _INCREMENT + 2**31) % 2**32 - 2**31)


def advance(counter: torch.Tensor) -> None:
    """Move a clock on by a step."""
    counter.add_(_INCREMENT)


def places(n_rows: int, n_units: int, device: torch.device) -> torch.Tensor:
    """Return a number for each row and unit, (n_rows, n_units) int32, the same in layers of every size.

    Raises:
        ValueError: If there are more rows or units than numbers.
    """
    if max(n_rows, n_units) > MAX_UNITS:
        raise ValueError(
            f"A layer with dropout must have at most {MAX_UNITS:,} units and rows, found {n_units:,} and {n_rows:,}."
        )
    rows = torch.arange(n_rows, device=device).mul_(MAX_UNITS).to(torch.int32)
    return hash_(rows.view(-1, 1) + torch.arange(n_units, dtype=torch.int32, device=device))


def bernoulli_mask(keys: torch.Tensor, numbers: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """Compare a random number of each place with its key's threshold.

    Args:
        keys: (n_keys, 1, 1) int32.
        numbers: (n_rows, n_units), of ``places``.
        thresholds: (n_keys, 1, 1), of ``threshold``.

    Returns:
        (n_keys, n_rows, n_units) booleans, each true with its threshold's probability.
    """
    x = numbers ^ keys
    # The first and last shift of hash_ are left out: the places are hashed already, and a comparison reads the high bits.
    x *= FIRST_FACTOR
    x ^= x >> 15
    x *= SECOND_FACTOR
    return x <= thresholds


def thresholds(probabilities: Sequence[float]) -> torch.Tensor:
    """Return the (n_keys, 1, 1) int32 numbers that uniform int32 numbers do not exceed with the probabilities given."""
    return torch.tensor([round(p * 2**32) - 2**31 - 1 for p in probabilities]).to(torch.int32).view(-1, 1, 1)


def permutations(keys: torch.Tensor, n: torch.Tensor, n_most: int) -> torch.Tensor:
    """Return a random order of the first ``n`` numbers for every key; numbers from ``n`` on stand behind, in their order.

    Args:
        keys: (n_keys,) int32.
        n: (n_keys,) int64, at most ``n_most``.
        n_most: Width of the answer.

    Returns:
        (n_keys, n_most) int64.
    """
    numbers = torch.arange(n_most, device=keys.device)
    draws = hash_(hash_(numbers.to(torch.int32)) ^ keys.view(-1, 1)).to(torch.int64)
    # Draws that are equal by chance are told apart by their place, so that the order does not depend on how a device sorts.
    draws.mul_(2**31).add_(numbers)
    return torch.where(numbers < n.view(-1, 1), draws, 2**62 + numbers).argsort(dim=1)
