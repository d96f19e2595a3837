"""Weight normalisation: the weights of a tile of output units from their directions, and the directions' descent."""

import triton
import triton.language as tl


@triton.jit
def forward(direction, gain, weight, norms, n_in, n_out, TINY: tl.constexpr, BLOCK_IN: tl.constexpr, BLOCK_OUT: tl.constexpr):
    """Write ``weight = gain * direction / |direction|`` and the lengths, which are at least ``TINY``."""
    member = tl.program_id(1).to(tl.int64)
    units = (tl.program_id(0) * BLOCK_OUT + tl.arange(0, BLOCK_OUT))[None, :]
    is_own, of_unit = units < n_out, member * n_out + units
    squares = tl.zeros([BLOCK_IN, BLOCK_OUT], direction.dtype.element_ty)
    for start in range(0, n_in, BLOCK_IN):
        inputs = (start + tl.arange(0, BLOCK_IN))[:, None]
        d = tl.load(direction + (member * n_in + inputs) * n_out + units, mask=(inputs < n_in) & is_own, other=0)
        squares += d * d
    norm = tl.sqrt(tl.sum(squares, axis=0, keep_dims=True))
    norm = tl.where(norm < TINY, TINY + norm * 0, norm)
    tl.store(norms + of_unit, norm, mask=is_own)
    scale = tl.load(gain + of_unit, mask=is_own, other=0) / norm
    for start in range(0, n_in, BLOCK_IN):
        inputs = (start + tl.arange(0, BLOCK_IN))[:, None]
        at, inside = (member * n_in + inputs) * n_out + units, (inputs < n_in) & is_own
        tl.store(weight + at, tl.load(direction + at, mask=inside, other=0) * scale, mask=inside)


@triton.jit
def backward(
    of_weight, direction, gain, norms, shrink, of_gain, n_in, n_out,
    UPDATE: tl.constexpr, BLOCK_IN: tl.constexpr, BLOCK_OUT: tl.constexpr,
):  # fmt: skip
    """Turn the gradient of the weights into that of the directions, in place, and write that of the gains.

    With ``UPDATE`` directions and gains descend by theirs, the gains after they were multiplied by ``shrink`` (n_stack,).
    """
    member = tl.program_id(1).to(tl.int64)
    units = (tl.program_id(0) * BLOCK_OUT + tl.arange(0, BLOCK_OUT))[None, :]
    is_own, of_unit = units < n_out, member * n_out + units
    products = tl.zeros([BLOCK_IN, BLOCK_OUT], direction.dtype.element_ty)
    for start in range(0, n_in, BLOCK_IN):
        inputs = (start + tl.arange(0, BLOCK_IN))[:, None]
        at, inside = (member * n_in + inputs) * n_out + units, (inputs < n_in) & is_own
        products += tl.load(of_weight + at, mask=inside, other=0) * tl.load(direction + at, mask=inside, other=0)
    norm = tl.load(norms + of_unit, mask=is_own, other=1)
    old_gain = tl.load(gain + of_unit, mask=is_own, other=0)
    gain_sum = tl.sum(products, axis=0, keep_dims=True) / norm
    along, scale = gain_sum / norm, old_gain / norm
    for start in range(0, n_in, BLOCK_IN):
        inputs = (start + tl.arange(0, BLOCK_IN))[:, None]
        at, inside = (member * n_in + inputs) * n_out + units, (inputs < n_in) & is_own
        d = tl.load(direction + at, mask=inside, other=0)
        of_direction = (tl.load(of_weight + at, mask=inside, other=0) - d * along) * scale
        if UPDATE:
            tl.store(direction + at, d - of_direction, mask=inside)
        else:
            tl.store(of_weight + at, of_direction, mask=inside)
    if UPDATE:
        if shrink is not None:
            old_gain *= tl.load(shrink + member)
        tl.store(gain + of_unit, old_gain - gain_sum, mask=is_own)
    else:
        tl.store(of_gain + of_unit, gain_sum, mask=is_own)
