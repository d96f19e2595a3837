"""What follows a product of matrices in one kernel: a bias or a normalisation, perhaps a residual, an activation, dropout.

Each class keeps the layers that it stands for as its parts, so that whoever walks over a network's modules (to make a stack
smaller, to set clocks and shares of rows) finds them as before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
import triton
from torch import nn

from snnbench.models.kernels import batch_norm, elements, layer_norm, units
from snnbench.models.layers.normalisation import StackedBatchNorm, StackedLayerNorm
from snnbench.models.layers.stacked import SELU, ReLU

_TILE = 4096
"""Elements of a tile: 32 registers for each of 128 threads."""

_UNITS = 64
"""Units of a tile at most, a whole memory transaction for each row; more would leave too few programs for a chip."""

_ACTIVATIONS = {ReLU: elements.RELU, SELU: elements.SELU}

Sums = tuple[torch.Tensor, ...]
"""Gradients of parameters; none where the parameters have descended by them."""


def column_tile(n_rows: int, n_units: int) -> dict[str, int]:
    """Return the size of a tile that has all rows."""
    n_block = triton.next_power_of_2(n_rows)
    return {"BLOCK_ROWS": n_block, "BLOCK_UNITS": min(_UNITS, triton.next_power_of_2(n_units), max(8, _TILE // n_block))}


def row_tile(n_rows: int, n_units: int) -> dict[str, int]:
    """Return the size of a tile that has all units."""
    n_block = triton.next_power_of_2(n_units)
    return {"BLOCK_ROWS": min(triton.next_power_of_2(n_rows), max(1, _TILE // n_block)), "BLOCK_UNITS": n_block}


@dataclass(frozen=True, eq=False)
class Mask:
    """What kernels need of a dropout layer: keys (n_stack, 2) int32, the clock, maps (n_stack, 3), units (n_stack, n_units)."""

    keys: torch.Tensor | None = None
    counter: torch.Tensor | None = None
    maps: torch.Tensor | None = None
    is_unit: torch.Tensor | None = None

    @property
    def of_gradient(self) -> tuple[torch.Tensor | None, ...]:
        """What a derivative needs of it."""
        return self.keys, self.counter, self.maps

    @property
    def of_output(self) -> tuple[torch.Tensor | None, ...]:
        """What an output needs of it."""
        return self.keys, self.counter, self.maps, self.is_unit


class Elementwise(nn.Module):
    """An activation and dropout, either of which may be missing."""

    def __init__(self, activation: nn.Module | None, dropout: nn.Module | None) -> None:
        super().__init__()
        self.activation, self.dropout = activation, cast(Any, dropout)
        self.code = elements.LINEAR if activation is None else _ACTIVATIONS[type(activation)]
        self.known: tuple[torch.Tensor | None, Mask] = (None, Mask())

    def mask(self, x: torch.Tensor) -> Mask:
        """Return the mask of a step on a signal ``x``; its tables are made once and whenever members have left."""
        if self.dropout is None or not self.training or not any(self.dropout.masks.rates):
            return Mask()
        masks: Any = self.dropout.masks
        of_keys, tables = self.known
        if of_keys is not masks.keys or tables.maps is None or tables.maps.dtype != x.dtype:
            for name in ("keys", "keep", "thresholds", "member_of", "counter"):
                setattr(masks, name, getattr(masks, name).to(x.device))
            keys = torch.stack([masks.keys.flatten(), masks.thresholds.flatten()], dim=1)
            tables = Mask(keys[masks.member_of], None, self.dropout.affine(x.dtype))
            self.known = masks.keys, tables
        # The trainer may have given the layer another clock.
        return Mask(tables.keys, masks.counter, tables.maps, getattr(self.dropout, "is_unit", None))


class Following(Protocol):
    """What a product needs of what follows it."""

    def output(self, z: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        """Return the output (n_stack, n_rows, n_units) for a product ``z``, which may be overwritten."""
        ...

    def of_product(
        self, gradient: torch.Tensor, y: torch.Tensor, updates: bool, keeps: bool = False
    ) -> tuple[torch.Tensor, Sums]:
        """Return the gradient of the product, and those of the parameters unless they descend by them.

        With ``keeps`` the gradient of the residual takes the place of ``gradient``.
        """
        ...


class Biased(nn.Module):
    """A bias and what follows it. ``bias`` returns the parameter, which belongs to the layer with the weights."""

    def __init__(self, bias: Callable[[], torch.Tensor], then: Elementwise) -> None:
        super().__init__()
        self.bias, self.then = bias, then

    def output(self, z: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        n_stack, n_rows, n_units = z.shape
        tile = {"BLOCK_ROWS": min(16, triton.next_power_of_2(n_rows)), "BLOCK_UNITS": min(128, triton.next_power_of_2(n_units))}
        grid = (triton.cdiv(n_units, tile["BLOCK_UNITS"]), triton.cdiv(n_rows, tile["BLOCK_ROWS"]), n_stack)
        mask = self.then.mask(z)
        units.forward[grid](z, self.bias(), residual, z, *mask.of_output, n_rows, n_units, ACTIVATION=self.then.code, **tile)
        return z

    def of_product(
        self, gradient: torch.Tensor, y: torch.Tensor, updates: bool, keeps: bool = False
    ) -> tuple[torch.Tensor, Sums]:
        n_stack, n_rows, n_units = y.shape
        bias, of_z = self.bias(), gradient if keeps else torch.empty_like(gradient)
        sums = () if updates else (torch.empty_like(bias),)
        tile = column_tile(n_rows, n_units)
        units.backward[(triton.cdiv(n_units, tile["BLOCK_UNITS"]), n_stack)](
            gradient, y, bias, *(sums or (None,)), of_z, *self.then.mask(y).of_gradient, n_rows, n_units,
            ACTIVATION=self.then.code, UPDATE=updates, **tile,
        )  # fmt: skip
        return of_z, sums


class BatchNormed(nn.Module):
    """Batch normalisation and what follows it."""

    def __init__(self, normalise: StackedBatchNorm, then: Elementwise) -> None:
        super().__init__()
        self.normalise, self.then = normalise, then

    def output(self, z: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        n_stack, n_rows, n_units = z.shape
        layer, y = self.normalise, torch.empty_like(z)
        share = layer.row_share if self.training else None
        mean, reciprocal = (torch.empty_like(layer.running_mean) for _ in range(2)) if self.training else (None, None)
        tile, mask = column_tile(n_rows, n_units), self.then.mask(z)
        batch_norm.forward[(triton.cdiv(n_units, tile["BLOCK_UNITS"]), n_stack)](
            z, residual, layer.gain, layer.bias, layer.running_mean, layer.running_variance, share, y, mean, reciprocal,
            *mask.of_output, n_rows, n_units,
            DECAY=layer.decay, EPS=layer.eps, TRAINS=self.training, ACTIVATION=self.then.code, **tile,
        )  # fmt: skip
        if self.training:
            self.__dict__["saved"] = z, share, mean, reciprocal
        return y

    def of_product(
        self, gradient: torch.Tensor, y: torch.Tensor, updates: bool, keeps: bool = False
    ) -> tuple[torch.Tensor, Sums]:
        z, share, mean, reciprocal = self.__dict__.pop("saved")
        n_stack, n_rows, n_units = z.shape
        layer, of_z = self.normalise, torch.empty_like(z)
        sums = () if updates else (torch.empty_like(layer.gain), torch.empty_like(layer.bias))
        tile = column_tile(n_rows, n_units)
        batch_norm.backward[(triton.cdiv(n_units, tile["BLOCK_UNITS"]), n_stack)](
            gradient, y, z, layer.gain, layer.bias, share, mean, reciprocal, of_z, *(sums or (None, None)),
            *self.then.mask(z).of_gradient, n_rows, n_units,
            ACTIVATION=self.then.code, UPDATE=updates, KEEP=keeps, **tile,
        )  # fmt: skip
        return of_z, sums


class LayerNormed(nn.Module):
    """Layer normalisation and what follows it; a residual cannot."""

    def __init__(self, normalise: StackedLayerNorm, then: Elementwise) -> None:
        super().__init__()
        self.normalise, self.then = normalise, then

    def output(self, z: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        assert residual is None, "no network adds to what layer normalisation gives"
        n_stack, n_rows, n_units = z.shape
        layer, y, mask = self.normalise, torch.empty_like(z), self.then.mask(z)
        mean, reciprocal = (z.new_empty(n_stack, n_rows) for _ in range(2))
        tile = row_tile(n_rows, n_units)
        layer_norm.forward[(triton.cdiv(n_rows, tile["BLOCK_ROWS"]), n_stack)](
            z, layer.gain, layer.bias, layer.is_unit, y, mean, reciprocal, *mask.of_output, n_rows, n_units,
            EPS=layer.eps, ACTIVATION=self.then.code, **tile,
        )  # fmt: skip
        if self.training:
            self.__dict__["saved"] = z, mean, reciprocal
        return y

    def of_product(
        self, gradient: torch.Tensor, y: torch.Tensor, updates: bool, keeps: bool = False
    ) -> tuple[torch.Tensor, Sums]:
        z, mean, reciprocal = self.__dict__.pop("saved")
        n_stack, n_rows, n_units = z.shape
        layer, of_z, tile = self.normalise, torch.empty_like(z), row_tile(n_rows, n_units)
        n_tiles = triton.cdiv(n_rows, tile["BLOCK_ROWS"])
        of_tiles = z.new_empty(n_stack, n_tiles, 2, n_units)
        layer_norm.backward[(n_tiles, n_stack)](
            gradient, y, z, layer.gain, layer.is_unit, mean, reciprocal, of_z, of_tiles,
            *self.then.mask(z).of_gradient, n_rows, n_units, n_tiles, ACTIVATION=self.then.code, **tile,
        )  # fmt: skip
        sums = () if updates else (torch.empty_like(layer.gain), torch.empty_like(layer.bias))
        block = min(128, tile["BLOCK_UNITS"])
        layer_norm.add_tiles[(triton.cdiv(n_units, block), n_stack)](
            of_tiles, layer.gain, layer.bias, *(sums or (None, None)), n_tiles, n_units, UPDATE=updates, BLOCK_UNITS=block
        )
        return of_z, sums
