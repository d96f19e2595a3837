"""Batch normalisation with what follows it: all rows of a tile of units stay on the chip, each is read and written once."""

import triton
import triton.language as tl

from snnbench.models.kernels.elements import finish, slope


@triton.jit
def _tile(n_rows, n_units, BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr):
    """Return a program's member, all of its rows, the tile's units, and where these and their numbers lie."""
    member = tl.program_id(1).to(tl.int64)
    rows = tl.arange(0, BLOCK_ROWS)[:, None]
    units = (tl.program_id(0) * BLOCK_UNITS + tl.arange(0, BLOCK_UNITS))[None, :]
    is_own, of_unit = units < n_units, member * n_units + units
    inside = (rows < n_rows) & is_own
    at = (member * n_rows + rows) * n_units + units
    return member, rows, units, is_own, of_unit, inside, at


@triton.jit
def _shares(share, member, rows, n_rows, like):
    """Return the share of each row in its member's mean; all zeros if the batch has no variance: one row, or none."""
    if share is not None:
        shares = tl.load(share + member * n_rows + rows, mask=rows < n_rows, other=0)
    else:
        shares = (rows < n_rows).to(like) / n_rows
    largest = tl.max(shares, axis=0, keep_dims=True)
    of_batch = (largest > 0) & (largest < 1)
    return tl.where(of_batch, shares, 0), of_batch, largest


@triton.jit
def forward(
    z, residual, gain, bias, running_mean, running_variance, share, y, mean_, reciprocal_,
    keys, counter, maps, is_unit, n_rows, n_units,
    DECAY: tl.constexpr, EPS: tl.constexpr, TRAINS: tl.constexpr, ACTIVATION: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Write ``y = dropout(activation(normalised z + residual))``; in training also its statistics and the running ones."""
    member, rows, units, is_own, of_unit, inside, at = _tile(n_rows, n_units, BLOCK_ROWS, BLOCK_UNITS)
    x = tl.load(z + at, mask=inside, other=0)
    mean = tl.load(running_mean + of_unit, mask=is_own, other=0)
    variance = tl.load(running_variance + of_unit, mask=is_own, other=1)
    if TRAINS:
        shares, of_batch, largest = _shares(share, member, rows, n_rows, x.dtype)
        old_mean, old_variance = mean, variance
        mean = tl.where(of_batch, tl.sum(x * shares, axis=0, keep_dims=True), mean)
        centred = x - mean
        variance = tl.where(of_batch, tl.sum(centred * centred * shares, axis=0, keep_dims=True), variance)
        weight = of_batch.to(x.dtype) * (1 - DECAY)
        unbiased = variance / tl.where(of_batch, 1 - largest, 1)
        tl.store(running_mean + of_unit, old_mean + weight * (mean - old_mean), mask=is_own)
        tl.store(running_variance + of_unit, old_variance + weight * (unbiased - old_variance), mask=is_own)
    reciprocal = 1 / tl.sqrt(variance + EPS)
    if TRAINS:
        tl.store(mean_ + of_unit, mean, mask=is_own)
        tl.store(reciprocal_ + of_unit, reciprocal, mask=is_own)
    scale = reciprocal * tl.load(gain + of_unit, mask=is_own, other=0)
    v = (x - mean) * scale + tl.load(bias + of_unit, mask=is_own, other=0)
    finish(v, residual, y, at, inside, keys, counter, maps, is_unit, member, rows, units, n_units, ACTIVATION)


@triton.jit
def backward(
    gradient, y, z, gain, bias, share, mean_, reciprocal_, of_z, of_gain, of_bias,
    keys, counter, maps, n_rows, n_units,
    ACTIVATION: tl.constexpr, UPDATE: tl.constexpr, KEEP: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Write the gradients of z, gain and bias; with ``UPDATE`` gain and bias descend by theirs instead.

    With ``KEEP`` the gradient of what a residual was added to takes the place of ``gradient``.
    """
    member, rows, units, is_own, of_unit, inside, at = _tile(n_rows, n_units, BLOCK_ROWS, BLOCK_UNITS)
    g = tl.load(gradient + at, mask=inside, other=0)
    out = tl.load(y + at, mask=inside, other=0)
    g *= slope(out, keys, counter, maps, member, rows, units, ACTIVATION)
    if KEEP:
        tl.store(gradient + at, g, mask=inside)
    mean = tl.load(mean_ + of_unit, mask=is_own, other=0)
    reciprocal = tl.load(reciprocal_ + of_unit, mask=is_own, other=0)
    centred = tl.load(z + at, mask=inside, other=0) - mean
    bias_sum = tl.sum(g, axis=0, keep_dims=True)
    gain_sum = tl.sum(g * centred, axis=0, keep_dims=True) * reciprocal
    shares, _, _ = _shares(share, member, rows, n_rows, g.dtype)
    old_gain = tl.load(gain + of_unit, mask=is_own, other=0)
    scale = reciprocal * old_gain
    of_x = g * scale - shares * (scale * bias_sum + centred * (scale * gain_sum * reciprocal))
    tl.store(of_z + at, of_x, mask=inside)
    if UPDATE:
        tl.store(gain + of_unit, old_gain - gain_sum, mask=is_own)
        tl.store(bias + of_unit, tl.load(bias + of_unit, mask=is_own, other=0) - bias_sum, mask=is_own)
    else:
        tl.store(of_gain + of_unit, gain_sum, mask=is_own)
        tl.store(of_bias + of_unit, bias_sum, mask=is_own)
