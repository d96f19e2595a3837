"""What kernels do with one element: the activation, and dropout by the hashes of ``snnbench.models.layers.counter_rng``.

Numbers of Python take the type of the tensor that they meet, so that float64 stays exact; on their own they would be float32.
"""

import os

import triton
import triton.language as tl

from snnbench.models.layers import counter_rng, stacked

# Triton 3.9 asks for a choice, and 3.10 would change it: a product and a sum are rounded once, as by the compilers of CUDA.
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

LINEAR, RELU, SELU = 0, 1, 2
"""Activations, as kernels are told of them."""

_RELU, _SELU = tl.constexpr(RELU), tl.constexpr(SELU)
_SCALE, _SCALE_ALPHA = tl.constexpr(stacked.SCALE), tl.constexpr(stacked.SCALE * stacked.ALPHA)
_FIRST_FACTOR, _SECOND_FACTOR = tl.constexpr(counter_rng.FIRST_FACTOR), tl.constexpr(counter_rng.SECOND_FACTOR)
_MAX_UNITS = tl.constexpr(counter_rng.MAX_UNITS)


@triton.jit
def is_kept(keys, counter, member, rows, units):
    """Say which units a member keeps: ``counter_rng.places`` and ``bernoulli_mask`` in one, bit for bit.

    ``keys`` (n_stack, 2) int32 holds each member's key and threshold; rows and units broadcast to the tile.
    """
    x = rows * _MAX_UNITS + units
    x ^= x >> 16
    x *= _FIRST_FACTOR
    x ^= x >> 15
    x *= _SECOND_FACTOR
    x ^= x >> 16
    x ^= tl.load(keys + 2 * member) + tl.load(counter)
    x *= _FIRST_FACTOR
    x ^= x >> 15
    x *= _SECOND_FACTOR
    return x <= tl.load(keys + 2 * member + 1)


@triton.jit
def activate(v, ACTIVATION: tl.constexpr):
    """Return the activation of ``v``; what is not a number stays so, for a diverged member must be seen."""
    if ACTIVATION == _RELU:
        v = tl.where(v <= 0, 0, v)
    if ACTIVATION == _SELU:
        v = tl.where(v <= 0, (tl.exp(v) - 1) * _SCALE_ALPHA, v * _SCALE)
    return v


@triton.jit
def drop(v, keys, counter, maps, is_unit, member, rows, units, n_units):
    """Return ``scale * v + shift`` of what is kept and a constant in place of what is dropped.

    ``maps`` (n_stack, 3) holds each member's scale, shift and constant. ``is_unit`` (n_stack, n_units), or None, is 0 in the
    padding, into which nothing may be put.
    """
    shift, constant = tl.load(maps + 3 * member + 1), tl.load(maps + 3 * member + 2)
    kept = is_kept(keys, counter, member, rows, units)
    added = tl.where(kept, shift, constant)
    if is_unit is not None:
        added *= tl.load(is_unit + member * n_units + units, mask=units < n_units, other=0)
    return tl.where(kept, v * tl.load(maps + 3 * member), 0) + added


@triton.jit
def finish(v, residual, y, at, inside, keys, counter, maps, is_unit, member, rows, units, n_units, ACTIVATION: tl.constexpr):
    """Store ``y = dropout(activation(v + residual))`` of a tile: the end of a forward kernel."""
    if residual is not None:
        v += tl.load(residual + at, mask=inside, other=0)
    v = activate(v, ACTIVATION)
    if keys is not None:
        v = drop(v, keys, counter, maps, is_unit, member, rows, units, n_units)
    tl.store(y + at, v, mask=inside)


@triton.jit
def slope(y, keys, counter, maps, member, rows, units, ACTIVATION: tl.constexpr):
    """Return what a gradient of ``y`` is multiplied by to be one of what went into activation and dropout.

    The activation is found again from ``y`` and the mask from its hash, so that neither is stored.
    """
    s = y
    if keys is not None:
        s = (y - tl.load(maps + 3 * member + 1)) / tl.load(maps + 3 * member)
    found = tl.full(y.shape, 1, y.dtype)
    if ACTIVATION == _RELU:
        found = tl.where(s <= 0, 0, found)
    if ACTIVATION == _SELU:
        found = tl.where(s <= 0, s + _SCALE_ALPHA, found * _SCALE)
    if keys is not None:
        kept = is_kept(keys, counter, member, rows, units)
        found = tl.where(kept, found * tl.load(maps + 3 * member), 0)
    return found
