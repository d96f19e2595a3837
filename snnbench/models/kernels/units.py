"""A bias, a residual, an activation and dropout, all at once; and their derivative with the bias gradient's sum."""

import triton
import triton.language as tl

from snnbench.models.kernels.elements import finish, slope


@triton.jit
def forward(
    z, bias, residual, y, keys, counter, maps, is_unit, n_rows, n_units,
    ACTIVATION: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Write ``y = dropout(activation(z + bias + residual))``; a program has a tile of rows and units of one member."""
    member = tl.program_id(2).to(tl.int64)
    rows = (tl.program_id(1) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS))[:, None]
    units = (tl.program_id(0) * BLOCK_UNITS + tl.arange(0, BLOCK_UNITS))[None, :]
    inside = (rows < n_rows) & (units < n_units)
    at = (member * n_rows + rows) * n_units + units
    v = tl.load(z + at, mask=inside, other=0)
    v += tl.load(bias + member * n_units + units, mask=units < n_units, other=0)
    finish(v, residual, y, at, inside, keys, counter, maps, is_unit, member, rows, units, n_units, ACTIVATION)


@triton.jit
def backward(
    gradient, y, bias, of_bias, of_z, keys, counter, maps, n_rows, n_units,
    ACTIVATION: tl.constexpr, UPDATE: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Write the gradient of what went in, and its sum over the rows, in their order; a program has a tile of units.

    With ``UPDATE`` the bias descends by the sum; otherwise ``of_bias`` gets it.
    """
    member = tl.program_id(1).to(tl.int64)
    units = (tl.program_id(0) * BLOCK_UNITS + tl.arange(0, BLOCK_UNITS))[None, :]
    added = tl.zeros([BLOCK_ROWS, BLOCK_UNITS], gradient.dtype.element_ty)
    for start in range(0, n_rows, BLOCK_ROWS):
        rows = (start + tl.arange(0, BLOCK_ROWS))[:, None]
        inside = (rows < n_rows) & (units < n_units)
        at = (member * n_rows + rows) * n_units + units
        g = tl.load(gradient + at, mask=inside, other=0)
        out = tl.load(y + at, mask=inside, other=0)
        g *= slope(out, keys, counter, maps, member, rows, units, ACTIVATION)
        tl.store(of_z + at, g, mask=inside)
        added += g
    total = tl.sum(added, axis=0, keep_dims=True)
    of_unit = member * n_units + units
    if UPDATE:
        total = tl.load(bias + of_unit, mask=units < n_units, other=0) - total
        tl.store(bias + of_unit, total, mask=units < n_units)
    else:
        tl.store(of_bias + of_unit, total, mask=units < n_units)
