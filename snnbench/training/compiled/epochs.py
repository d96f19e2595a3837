"""Some epochs of some members, one member after the other: all that one of them needs stays in the processor's cache."""

from typing import NamedTuple

import numpy as np

from snnbench.training.compiled import passes
from snnbench.training.compiled.building import (
    add_product,
    compiled,
    inlined,
    set_product,
    subtract_transposed_product,
)


class Shape(NamedTuple):
    """What members have in common.

    Shapes:
        widths: (n_layers + 1,) int64, of the inputs and of each layer.
        offsets: (n_layers, 2) int64, where a layer's weights and its biases begin in a member's parameters.
        selu: (2,), λ and λα.

    ``activation`` is one of ``passes``, ``gemm`` the address of ``building.gemm_address``.
    """

    widths: np.ndarray
    offsets: np.ndarray
    activation: int
    selu: np.ndarray
    gemm: int


class Members(NamedTuple):
    """What each member has of its own.

    Shapes:
        parameters: (n_stack, n_parameters).
        rates, shrink: (n_stack,), the learning rate, and what an L2 penalty leaves of the weights in a step.
        keys: (n_stack, n_hidden) int32, of each layer's dropout; none where no network has dropout.
        thresholds: (n_stack,) int32, see ``snnbench.models.layers.counter_rng.bernoulli_mask``.
        affine: (n_stack, 3), see ``passes.drop``.
        is_noisy: (n_stack,), whether there is any dropout.
        order_of: (n_stack,) int64, which of the orders of rows is the member's.
        is_active: (n_stack,), whether it is trained.
    """

    parameters: np.ndarray
    rates: np.ndarray
    shrink: np.ndarray
    keys: np.ndarray
    thresholds: np.ndarray
    affine: np.ndarray
    is_noisy: np.ndarray
    order_of: np.ndarray
    is_active: np.ndarray


class Rows(NamedTuple):
    """The rows of a task.

    Shapes:
        X: (n_samples, n_features).
        classes: (n_samples,) int64; none if there are labels.
        labels: (n_samples, n_outputs), NaN = not measured; (0, 0) if there are classes.
        held_out: (n_held_out, n_features).
    """

    X: np.ndarray
    classes: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray


class Epochs(NamedTuple):
    """Some epochs, and what comes of them.

    Shapes:
        orders: (n_epochs, n_orders, n_samples) int64.
        clocks: (n_epochs,) int32, at the beginning, see ``snnbench.models.layers.counter_rng``.
        losses: (n_epochs, n_stack) float64, set to the mean losses.
        outputs: (n_epochs, n_stack, n_held_out, n_outputs), set to the logits of the held-out rows; no epochs if nobody asks.
    """

    orders: np.ndarray
    clocks: np.ndarray
    losses: np.ndarray
    outputs: np.ndarray


class Workspace(NamedTuple):
    """Memory for one member and a batch.

    Shapes:
        signals, derivatives: (n_batch * sum of the widths,), of the layers one after the other.
        gradients: (2, n_batch * the widest layer).
        transposed: (the largest matrix,).
        places: those of ``counter_rng.places`` for each width, uint32; a layer's begin at its ``place_offsets``.
        classes: (n_batch,) int64; their number is that of the rows of a batch.
        labels: (n_batch, n_outputs).
    """

    signals: np.ndarray
    derivatives: np.ndarray
    gradients: np.ndarray
    transposed: np.ndarray
    places: np.ndarray
    place_offsets: np.ndarray
    classes: np.ndarray
    labels: np.ndarray


_INCREMENT = np.int64(0x9E3779B9 - 2**32)


@inlined
def _matrix(values, start, n_rows, n_columns):
    return values[start : start + n_rows * n_columns].reshape((n_rows, n_columns))


@inlined
def _affine(shape, parameters, layer, x, y):
    """Set y to a layer's ``x @ weight + bias``."""
    n_in, n_out = shape.widths[layer], shape.widths[layer + 1]
    bias = shape.offsets[layer, 1]
    passes.fill_rows(y, parameters[bias : bias + n_out])
    add_product(shape.gemm, y, x, _matrix(parameters, shape.offsets[layer, 0], n_in, n_out))


@inlined
def _predict(shape, parameters, X, work, outputs):
    """Compute the outputs of rows, a batch after the other, without dropout."""
    n_layers, n_batch = shape.widths.size - 1, work.classes.size
    for first in range(0, X.shape[0], n_batch):
        x = X[first : first + n_batch]
        n_rows = x.shape[0]
        for layer in range(n_layers):
            y = _matrix(work.gradients[layer % 2], 0, n_rows, shape.widths[layer + 1])
            _affine(shape, parameters, layer, x, y)
            if layer < n_layers - 1:
                passes.activate(shape.activation, y.reshape(y.size), shape.selu)
            x = y
        outputs[first : first + n_rows] = x


@inlined
def _forward(shape, members, member, clock, n_rows, work):
    """Compute all signals of a batch, which is the first of them, and the derivatives; return where the last signal begins."""
    parameters = members.parameters[member]
    n_layers = shape.widths.size - 1
    start = 0
    for layer in range(n_layers):
        n_in, n_out = shape.widths[layer], shape.widths[layer + 1]
        following = start + n_rows * n_in
        y = _matrix(work.signals, following, n_rows, n_out)
        _affine(shape, parameters, layer, _matrix(work.signals, start, n_rows, n_in), y)
        if layer < n_layers - 1:
            flat = y.reshape(y.size)
            d = work.derivatives[following : following + y.size]
            passes.activate_and_derive(shape.activation, flat, d, shape.selu)
            if members.is_noisy[member]:
                key = np.uint32(np.int64(members.keys[member, layer]) + clock)
                first = work.place_offsets[layer]
                places = work.places[first : first + y.size]
                passes.drop(flat, d, places, key, members.thresholds[member], members.affine[member])
        start = following
    return start


@inlined
def _backward(shape, members, member, n_rows, start, work):
    """Descend along the gradient, which has the learning rate in it and lies where the last signal did."""
    parameters, shrink = members.parameters[member], members.shrink[member]
    n_layers = shape.widths.size - 1
    gradient = _matrix(work.signals, start, n_rows, shape.widths[n_layers])
    for layer in range(n_layers - 1, -1, -1):
        n_in, n_out = shape.widths[layer], shape.widths[layer + 1]
        bias = shape.offsets[layer, 1]
        biases = parameters[bias : bias + n_out]
        if layer == n_layers - 1:
            passes.descend_bias(gradient, biases)
        else:
            passes.pass_back(gradient, _matrix(work.derivatives, start, n_rows, n_out), biases)
        start -= n_rows * n_in
        weight = _matrix(parameters, shape.offsets[layer, 0], n_in, n_out)
        of_x = _matrix(work.gradients[layer % 2], 0, n_rows, n_in)
        if layer:
            transposed = _matrix(work.transposed, 0, n_out, n_in)
            passes.transpose(weight, transposed)
            set_product(shape.gemm, of_x, gradient, transposed)
        if shrink != 1:
            for i in range(n_in):
                for j in range(n_out):
                    weight[i, j] *= shrink
        subtract_transposed_product(shape.gemm, weight, _matrix(work.signals, start, n_rows, n_in), gradient)
        gradient = of_x


@inlined
def _gather(rows, order, work):
    """Copy the rows of a batch to the beginning of the signals, and their targets."""
    n_features = rows.X.shape[1]
    for place in range(order.size):
        row = order[place]
        for j in range(n_features):
            work.signals[place * n_features + j] = rows.X[row, j]
        if rows.labels.shape[1]:
            for j in range(rows.labels.shape[1]):
                work.labels[place, j] = rows.labels[row, j]
        else:
            work.classes[place] = rows.classes[row]


@inlined
def _epoch(shape, members, member, rows, order, clock, work):
    """Train a member for an epoch; return its mean loss."""
    total, weight = 0.0, 0
    rate, n_batch = members.rates[member], work.classes.size
    for first in range(0, order.size, n_batch):
        clock += _INCREMENT
        n_rows = min(n_batch, order.size - first)
        _gather(rows, order[first : first + n_rows], work)
        start = _forward(shape, members, member, clock, n_rows, work)
        logits = _matrix(work.signals, start, n_rows, shape.widths[-1])
        if rows.labels.shape[1]:
            loss, n_measured = passes.binary_cross_entropy(logits, work.labels[:n_rows], rate)
            weight += n_measured
        else:
            loss = passes.cross_entropy(logits, work.classes[:n_rows], rate)
            weight += n_rows
        total += loss
        _backward(shape, members, member, n_rows, start, work)
    return total / max(weight, 1)


@compiled
def train(shape, members, rows, epochs, work):
    """Train the active members for all of the epochs; one whose loss is not finite is left as it then is.

    Args:
        shape: ``Shape``.
        members: ``Members``; their parameters are changed.
        rows: ``Rows``.
        epochs: ``Epochs``; the losses and outputs are set, what belongs to no epoch that was trained is left.
        work: ``Workspace``.
    """
    for member in range(members.rates.size):
        if not members.is_active[member]:
            continue
        for epoch in range(epochs.clocks.size):
            order = epochs.orders[epoch, members.order_of[member]]
            clock = np.int64(epochs.clocks[epoch])
            loss = _epoch(shape, members, member, rows, order, clock, work)
            epochs.losses[epoch, member] = loss
            if not np.isfinite(loss):
                break
            if epochs.outputs.shape[0]:
                _predict(shape, members.parameters[member], rows.held_out, work, epochs.outputs[epoch, member])
