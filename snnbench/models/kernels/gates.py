"""The highway layer behind its product: transform, gate and dropout, found again backward from what the product gave."""

import triton
import triton.language as tl

from snnbench.models.kernels.elements import RELU, activate, drop, slope

_RELU = tl.constexpr(RELU)


@triton.jit
def _gate(v):
    return 1 / (1 + tl.exp(-v))


@triton.jit
def forward(z, bias, x, y, keys, counter, maps, n_rows, n_units, BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr):
    """Write ``y = x + gate * (dropout(transform) - x)``; z (n_stack, n_rows, 2 * n_units) holds transforms, then gates."""
    member = tl.program_id(2).to(tl.int64)
    rows = (tl.program_id(1) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS))[:, None]
    units = (tl.program_id(0) * BLOCK_UNITS + tl.arange(0, BLOCK_UNITS))[None, :]
    is_own, of_row, of_unit = units < n_units, member * n_rows + rows, member * 2 * n_units + units
    inside = (rows < n_rows) & is_own
    of_z = of_row * 2 * n_units + units
    t = tl.load(z + of_z, mask=inside, other=0) + tl.load(bias + of_unit, mask=is_own, other=0)
    v = tl.load(z + of_z + n_units, mask=inside, other=0) + tl.load(bias + of_unit + n_units, mask=is_own, other=0)
    t = activate(t, _RELU)
    if keys is not None:
        t = drop(t, keys, counter, maps, None, member, rows, units, n_units)
    carried = tl.load(x + of_row * n_units + units, mask=inside, other=0)
    tl.store(y + of_row * n_units + units, carried + _gate(v) * (t - carried), mask=inside)


@triton.jit
def backward(
    gradient, z, bias, x, of_bias, keys, counter, maps, n_rows, n_units,
    UPDATE: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_UNITS: tl.constexpr,
):  # fmt: skip
    """Put the gradient of z in its place and, in place of ``gradient``, what goes past the product to x; sum up the biases'."""
    member = tl.program_id(1).to(tl.int64)
    units = (tl.program_id(0) * BLOCK_UNITS + tl.arange(0, BLOCK_UNITS))[None, :]
    is_own, of_unit = units < n_units, member * 2 * n_units + units
    old_t = tl.load(bias + of_unit, mask=is_own, other=0)
    old_v = tl.load(bias + of_unit + n_units, mask=is_own, other=0)
    of_t = tl.zeros([BLOCK_ROWS, BLOCK_UNITS], z.dtype.element_ty)
    of_v = tl.zeros([BLOCK_ROWS, BLOCK_UNITS], z.dtype.element_ty)
    for start in range(0, n_rows, BLOCK_ROWS):
        rows = (start + tl.arange(0, BLOCK_ROWS))[:, None]
        inside, of_row = (rows < n_rows) & is_own, member * n_rows + rows
        at, of_z = of_row * n_units + units, of_row * 2 * n_units + units
        t = activate(tl.load(z + of_z, mask=inside, other=0) + old_t, _RELU)
        if keys is not None:
            t = drop(t, keys, counter, maps, None, member, rows, units, n_units)
        gate = _gate(tl.load(z + of_z + n_units, mask=inside, other=0) + old_v)
        g = tl.load(gradient + at, mask=inside, other=0)
        through = g * gate
        g_t = through * slope(t, keys, counter, maps, member, rows, units, _RELU)
        g_v = through * (t - tl.load(x + at, mask=inside, other=0)) * (1 - gate)
        tl.store(z + of_z, g_t, mask=inside)
        tl.store(z + of_z + n_units, g_v, mask=inside)
        tl.store(gradient + at, g - through, mask=inside)
        of_t += g_t
        of_v += g_v
    sum_t, sum_v = tl.sum(of_t, axis=0, keep_dims=True), tl.sum(of_v, axis=0, keep_dims=True)
    if UPDATE:
        tl.store(bias + of_unit, old_t - sum_t, mask=is_own)
        tl.store(bias + of_unit + n_units, old_v - sum_v, mask=is_own)
    else:
        tl.store(of_bias + of_unit, sum_t, mask=is_own)
        tl.store(of_bias + of_unit + n_units, sum_v, mask=is_own)
