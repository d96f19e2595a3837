"""Layer normalisation with what follows it: all units of a tile of rows stay on the chip."""

import triton
import triton.language as tl

from snnbench.models.kernels.elements import finish, slope


@triton.jit
def _count(is_unit, member, units, n_units, like):
    """Return which units of the tile are a member's own, as numbers, and how many they are."""
    own = (units < n_units).to(like)
    if is_unit is not None:
        own = tl.load(is_unit + member * n_units + units, mask=units < n_units, other=0)
    return own, tl.sum(own, axis=1, keep_dims=True)


@triton.jit
def forward(
    z, gain, bias, own_units, y, mean_, reciprocal_, keys, counter, maps, is_unit, n_rows, n_units,
    EPS: tl.constexpr, ACTIVATION: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Write ``y = dropout(activation(normalised z))``, and the mean and reciprocal deviation of every row.

    ``own_units`` (n_stack, n_units), or None, is 0 in the padding, where z holds zeros.
    """
    member = tl.program_id(1).to(tl.int64)
    rows = (tl.program_id(0) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS))[:, None]
    units = tl.arange(0, BLOCK_UNITS)[None, :]
    is_own, of_unit, of_row = units < n_units, member * n_units + units, member * n_rows + rows
    inside, at = (rows < n_rows) & is_own, of_row * n_units + units
    x = tl.load(z + at, mask=inside, other=0)
    own, n = _count(own_units, member, units, n_units, x.dtype)
    mean = tl.sum(x, axis=1, keep_dims=True) / n
    centred = (x - mean) * own
    reciprocal = 1 / tl.sqrt(tl.sum(centred * centred, axis=1, keep_dims=True) / n + EPS)
    tl.store(mean_ + of_row, mean, mask=rows < n_rows)
    tl.store(reciprocal_ + of_row, reciprocal, mask=rows < n_rows)
    v = centred * reciprocal * tl.load(gain + of_unit, mask=is_own, other=0)
    v += tl.load(bias + of_unit, mask=is_own, other=0)
    finish(v, None, y, at, inside, keys, counter, maps, is_unit, member, rows, units, n_units, ACTIVATION)


@triton.jit
def backward(
    gradient, y, z, gain, own_units, mean_, reciprocal_, of_z, sums, keys, counter, maps, n_rows, n_units, n_tiles,
    ACTIVATION: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Write the gradient of z, and gain's and bias's sums over the rows of the tile: (n_stack, n_tiles, 2, n_units)."""
    tile, member = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows = (tile * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS))[:, None]
    units = tl.arange(0, BLOCK_UNITS)[None, :]
    is_own, of_row = units < n_units, member * n_rows + rows
    inside = (rows < n_rows) & is_own
    at = of_row * n_units + units
    g = tl.load(gradient + at, mask=inside, other=0)
    out = tl.load(y + at, mask=inside, other=0)
    g *= slope(out, keys, counter, maps, member, rows, units, ACTIVATION)
    x = tl.load(z + at, mask=inside, other=0)
    own, n = _count(own_units, member, units, n_units, g.dtype)
    mean = tl.load(mean_ + of_row, mask=rows < n_rows, other=0)
    reciprocal = tl.load(reciprocal_ + of_row, mask=rows < n_rows, other=0)
    normal = (x - mean) * reciprocal * own
    of_normal = g * tl.load(gain + member * n_units + units, mask=is_own, other=0)
    of_mean = tl.sum(of_normal, axis=1, keep_dims=True) / n
    along = tl.sum(of_normal * normal, axis=1, keep_dims=True) / n
    tl.store(of_z + at, (of_normal - of_mean - normal * along) * reciprocal * own, mask=inside)
    here = ((member * n_tiles + tile) * 2) * n_units + units
    tl.store(sums + here, tl.sum(g * normal, axis=0, keep_dims=True), mask=is_own)
    tl.store(sums + here + n_units, tl.sum(g, axis=0, keep_dims=True), mask=is_own)


@triton.jit
def add_tiles(
    sums, gain, bias, of_gain, of_bias, n_tiles, n_units,
    UPDATE: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Add up the sums of all tiles, in their order; with ``UPDATE`` gain and bias descend by them."""
    member = tl.program_id(1).to(tl.int64)
    units = tl.program_id(0) * BLOCK_UNITS + tl.arange(0, BLOCK_UNITS)
    is_own, of_unit = units < n_units, member * n_units + units
    gain_sum = tl.zeros([BLOCK_UNITS], sums.dtype.element_ty)
    bias_sum = tl.zeros([BLOCK_UNITS], sums.dtype.element_ty)
    for tile in range(n_tiles):
        here = ((member * n_tiles + tile) * 2) * n_units + units
        gain_sum += tl.load(sums + here, mask=is_own, other=0)
        bias_sum += tl.load(sums + here + n_units, mask=is_own, other=0)
    if UPDATE:
        tl.store(gain + of_unit, tl.load(gain + of_unit, mask=is_own, other=0) - gain_sum, mask=is_own)
        tl.store(bias + of_unit, tl.load(bias + of_unit, mask=is_own, other=0) - bias_sum, mask=is_own)
    else:
        tl.store(of_gain + of_unit, gain_sum, mask=is_own)
        tl.store(of_bias + of_unit, bias_sum, mask=is_own)
