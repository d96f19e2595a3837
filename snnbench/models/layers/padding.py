"""Networks of different tasks in one stack: each padded with zeros to the size of its class.

A task has its own numbers of features and outputs, so networks of one configuration differ in shape from task to task. Filled
up with zeros they agree, and compute what they computed before: a unit of the padding gives 0 (ReLU, SELU and tanh keep 0), so
the weights behind it get no gradient, and the weights before it get none because nothing listens. What is not kept by zeros
alone is masked: the logits of classes that a task does not have, rows that fill up a batch, means over units (layer
normalisation), and alpha dropout, which would put its own value into the padding.

The size depends on the member's own class alone, never on its neighbours: otherwise its rounding would.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from snnbench.models.layers.stacked import reset
from snnbench.records import Compute, Config, StackSize

_OUTPUTS = (4, 16, 128)
"""Output layers are narrow beside the others, so a few sizes do."""

_SMALLEST_BATCH = 32


def can_be_padded(network: type[nn.Module]) -> bool:
    """Say whether a class of networks promises what this module needs: zeros in, zeros out, and masks where that fails."""
    return bool(getattr(network, "can_be_padded", False))


def stacks_across_tasks(network: type[nn.Module], compute: Compute) -> bool:
    """Say whether stacks of these networks go across tasks: where that is asked for, and if they can be padded."""
    return compute.stacking == "across-tasks" and can_be_padded(network)


def padded_size(config: Config, n_features: int, n_outputs: int) -> tuple[int, int]:
    """Return the class of a network: its padded numbers of features and outputs.

    The features are padded to 2ᵏ or 3·2ᵏ, and at least to a quarter of the width, since the first layer is one of many. A
    network without a width of its own is as wide as its features.
    """
    outputs = next((size for size in _OUTPUTS if n_outputs <= size), n_outputs)
    return max(_round_up(n_features), int(config.get("n_units", 0)) // 4), outputs


def stack_size(config: Config, n_features: int, n_outputs: int, n_train: int, batch_size: int) -> StackSize:
    """Return the size of a stack across tasks that a network belongs to."""
    return StackSize(*padded_size(config, n_features, n_outputs), batch_class(n_train, batch_size))


def batch_class(n_train: int, batch_size: int) -> int:
    """Return the rows of a batch, padding included: a power of two for tasks with fewer rows than a whole batch."""
    return min(batch_size, max(_SMALLEST_BATCH, 1 << (n_train - 1).bit_length()))


def steps_class(n_train: int, batch_size: int) -> int:
    """Return the class of tasks that may wait for each other at the end of an epoch: about √2 apart in their steps."""
    return _round_up(-(-n_train // batch_size))


def _round_up(n: int) -> int:
    """Return the next of 1, 2, 3, 4, 6, 8, 12, 16 and so on."""
    power = 1 << (n - 1).bit_length()
    return power * 3 // 4 if n <= power * 3 // 4 and power >= 4 else power


def build_padded(
    network: Any,
    configs: Sequence[Config],
    sizes: Sequence[tuple[int, int]],
    padded: tuple[int, int],
    seeds: Sequence[int],
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """Build a stack of networks of different sizes, each with the initial weights that it has in its own size.

    Args:
        network: The class, built as ``network(configs, n_features, n_outputs)``.
        configs: (n_stack,) configurations of one shape.
        sizes: (n_stack,) each member's own numbers of features and outputs.
        padded: Those of the stack, not smaller than any.
        seeds: (n_stack,) of the initial weights and the dropout.
        device: Where it is built.
        dtype: Of its numbers.
    """
    with torch.device(device):
        stack = network(configs, *padded).to(dtype)
    for values in (*stack.parameters(), *stack.buffers()):
        values.data.zero_()
    widths = torch.zeros(len(list(stack.modules())), len(configs), dtype=torch.int64)
    with torch.device("meta"):
        narrowest, widest = (_widths(network(configs[:1], *size), size[0]) for size in ((1, 1), padded))
    for size in dict.fromkeys(sizes):
        members = [member for member, own_size in enumerate(sizes) if own_size == size]
        with torch.device(device):
            own = network([configs[member] for member in members], *size).to(dtype)
        reset(own, [seeds[member] for member in members])
        _copy_corners(stack, own, torch.tensor(members, device=device))
        widths[:, members] = torch.tensor(_widths(own, size[0])).view(-1, 1)
    reset(stack, seeds, draw=False)
    for layer, least, n_units, own_widths in zip(stack.modules(), narrowest, widest, widths, strict=True):
        # Not only where a member of this stack is narrower: with and without a mask numbers are rounded in other ways.
        if hasattr(layer, "is_unit") and least < n_units:
            cast(Any, layer).is_unit = (torch.arange(n_units) < own_widths.view(-1, 1, 1)).to(device, dtype)
    return stack


def _copy_corners(stack: nn.Module, own: nn.Module, members: torch.Tensor) -> None:
    """Give members of a zero stack their own smaller network's numbers."""
    for layer, own_layer in zip(stack.modules(), own.modules(), strict=True):
        n_parts = getattr(layer, "n_parts", 1)
        own_values = dict((*own_layer.named_parameters(recurse=False), *own_layer.named_buffers(recurse=False)))
        for name, values in own_values.items():
            source = values.data.unflatten(-1, (n_parts, -1))
            target = getattr(layer, name).data.unflatten(-1, (n_parts, -1))
            target[(members, *map(slice, source.shape[1:]))] = source


def _widths(network: nn.Module, n_features: int) -> list[int]:
    """Return how many units come out of each of a network's modules, in their order."""
    widths: dict[nn.Module, int] = {}

    def note(layer: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            widths[layer] = output.shape[-1]

    hooks = [layer.register_forward_hook(note) for layer in network.modules()]
    first = next(network.parameters())
    network.eval()
    with torch.inference_mode():
        network(first.new_zeros(len(first), 1, n_features))
    for hook in hooks:
        hook.remove()
    return [widths.get(layer, 0) for layer in network.modules()]
