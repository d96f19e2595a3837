"""What a step does between its matrix products: each a single pass over contiguous memory, for one member."""

import math

import numpy as np

from snnbench.models.layers.counter_rng import FIRST_FACTOR, SECOND_FACTOR
from snnbench.training.compiled.building import inlined, split_exp

SELU, RELU = 0, 1
"""What a layer's activation is called."""

_BLOCK = 8
_FIRST_FACTOR, _SECOND_FACTOR = np.uint32(FIRST_FACTOR), np.uint32(SECOND_FACTOR % 2**32)


@inlined
def fill_rows(y, row):
    """Set every row of y (n_rows, n_units)."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = row[j]


@inlined
def transpose(a, b):
    """Set b to the transpose of a: blocks that are vectorised, then what is left beside and below them."""
    n_rows, n_columns = a.shape
    whole_rows, whole_columns = n_rows - n_rows % _BLOCK, n_columns - n_columns % _BLOCK
    for row in range(0, whole_rows, _BLOCK):
        for column in range(0, whole_columns, _BLOCK):
            for i in range(_BLOCK):
                for j in range(_BLOCK):
                    b[column + j, row + i] = a[row + i, column + j]
    for i in range(n_rows):
        for j in range(whole_columns if i < whole_rows else 0, n_columns):
            b[j, i] = a[i, j]


@inlined
def activate(kind, y, selu):
    """Apply SELU or ReLU to y (n,), in place; ``selu`` holds λ and λα."""
    scale, scale_alpha, zero, one = selu[0], selu[1], y.dtype.type(0), y.dtype.type(1)
    if kind == SELU:
        for i in range(y.size):
            x = y[i]
            p, s = split_exp(zero if x > zero else x)
            y[i] = scale * x if x > zero else scale_alpha * (s * p + (s - one))
    else:
        for i in range(y.size):
            y[i] = zero if y[i] < zero else y[i]


@inlined
def activate_and_derive(kind, y, d, selu):
    """As ``activate``; sets d (n,) to the derivative."""
    scale, scale_alpha, zero, one = selu[0], selu[1], y.dtype.type(0), y.dtype.type(1)
    if kind == SELU:
        for i in range(y.size):
            x = y[i]
            p, s = split_exp(zero if x > zero else x)
            low = scale_alpha * (s * p + (s - one))
            y[i] = scale * x if x > zero else low
            d[i] = scale if x > zero else low + scale_alpha
    else:
        for i in range(y.size):
            x = y[i]
            y[i] = zero if x < zero else x
            d[i] = one if x > zero else zero


@inlined
def drop(y, d, places, key, threshold, affine):
    """Drop units of y (n,) and their derivatives d, as ``snnbench.models.layers.counter_rng.bernoulli_mask`` says.

    ``affine`` is what kept units are multiplied by, what is then added, and what dropped ones become.
    """
    scale, shift, dropped, zero = affine[0], affine[1], affine[2], y.dtype.type(0)
    for i in range(y.size):
        x = np.uint32((places[i] ^ key) * _FIRST_FACTOR)
        x = np.uint32(x ^ np.uint32(np.int32(x) >> np.int32(15)))
        x = np.uint32(x * _SECOND_FACTOR)
        is_kept = np.int32(x) <= threshold
        y[i] = y[i] * scale + shift if is_kept else dropped
        d[i] = d[i] * scale if is_kept else zero


@inlined
def pass_back(gradient, d, bias):
    """Multiply a gradient (n_rows, n_units) by the derivative d, in place, and subtract the sum of its rows from the bias."""
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            g = gradient[i, j] * d[i, j]
            gradient[i, j] = g
            bias[j] -= g


@inlined
def descend_bias(gradient, bias):
    """Subtract the sum of the rows from the bias."""
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            bias[j] -= gradient[i, j]


@inlined
def cross_entropy(logits, targets, rate):
    """Turn logits (n_rows, n_outputs) into ``rate`` times the gradient of the mean loss; return the sum of the rows' losses."""
    n_rows, n_outputs = logits.shape
    real = logits.dtype.type
    zero, share = real(0), rate / real(n_rows)
    total = 0.0
    for i in range(n_rows):
        highest = logits[i, 0]
        for j in range(1, n_outputs):
            highest = logits[i, j] if logits[i, j] > highest else highest
        total -= logits[i, targets[i]] - highest
        for j in range(n_outputs):
            logits[i, j] -= highest
    flat = logits.reshape(logits.size)
    for i in range(flat.size):
        p, s = split_exp(flat[i])
        flat[i] = s * p + s
    for i in range(n_rows):
        summed = zero
        for j in range(n_outputs):
            summed += logits[i, j]
        total += math.log(summed)
        factor = share / summed
        for j in range(n_outputs):
            logits[i, j] *= factor
        logits[i, targets[i]] -= share
    return total


@inlined
def binary_cross_entropy(logits, labels, rate):
    """As ``cross_entropy``, for labels of which some are not measured (NaN); returns the number of measured ones, too."""
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    n_measured, total = 0, 0.0
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            n_measured += not np.isnan(labels[i, j])
    share = rate / logits.dtype.type(max(n_measured, 1))
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            x, label = logits[i, j], labels[i, j]
            if np.isnan(label):
                logits[i, j] = zero
                continue
            p, s = split_exp(-abs(x))
            e = s * p + s
            total += (x if x > zero else zero) - x * label + math.log1p(e)
            logits[i, j] = ((one if x > zero else e) / (one + e) - label) * share
    return total, n_measured
