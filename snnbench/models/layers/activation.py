"""Activations by their import path as layers of a stack: those of torch with their derivative, all others by autograd.

Many of torch's kernels round the last elements of a tensor, which fill no vector register, in another way than the rest. So
that a member has the bits that it has alone, its rows are filled up with zeros until every register is full.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from snnbench.errors import ConfigError
from snnbench.models.activations import known_name
from snnbench.models.layers.manual_backward import manual_backward, manual_forward
from snnbench.models.layers.stacked import ALPHA, SCALE, SELU, Gradients, ReLU
from snnbench.models.registry import load_class

_VECTOR = 64
"""Numbers of any precision in the vectors that a kernel takes at once, or a multiple of that (AVX-512 in pairs: 32)."""

_FAR = 1e8
"""Below zero, where an activation that saturates has done so: softsign is there within 1e-8."""

_aten = torch.ops.aten

_Derivative = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

DERIVATIVES: dict[str, _Derivative] = {
    "elu": lambda gradient, x, y: _aten.elu_backward(gradient, 1.0, 1.0, 1.0, False, x),
    "gelu": lambda gradient, x, y: _aten.gelu_backward(gradient, x),
    "hardtanh": lambda gradient, x, y: _aten.hardtanh_backward(gradient, x, -1.0, 1.0),
    "leaky_relu": lambda gradient, x, y: _aten.leaky_relu_backward(gradient, x, 0.01, False),
    "mish": lambda gradient, x, y: _aten.mish_backward(gradient, x),
    "relu": lambda gradient, x, y: _aten.threshold_backward(gradient, x, 0),
    "selu": lambda gradient, x, y: _aten.elu_backward(gradient, ALPHA, SCALE, 1.0, False, x),
    "sigmoid": lambda gradient, x, y: _aten.sigmoid_backward(gradient, y),
    "silu": lambda gradient, x, y: _aten.silu_backward(gradient, x),
    "softplus": lambda gradient, x, y: _aten.softplus_backward(gradient, x, 1.0, 20.0),
    "tanh": lambda gradient, x, y: _aten.tanh_backward(gradient, y),
}
"""(gradient of y, x, y = f(x)) → gradient of x, by the kernels that autograd calls."""


class Activation(nn.Module):
    """``scale * function(x) + shift``, differentiated by autograd.

    Shape:
        (n_stack, n_batch, n_units), unchanged.
    """

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.function, self.scale, self.shift = function, scale, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._cut(self._affine(self.function(_filled(x))), x)

    def _affine(self, y: torch.Tensor) -> torch.Tensor:
        return y if (self.scale, self.shift) == (1, 0) else y * self.scale + self.shift

    def _cut(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return y[:, : x.shape[1]].contiguous() if y.shape[1] > x.shape[1] else y


class KnownActivation(Activation):
    """The same for a function of ``DERIVATIVES``, whose derivative it calls itself."""

    def __init__(self, name: str, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__(getattr(nn.functional, name), scale, shift)
        self.derivative = DERIVATIVES[name]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return manual_forward(self, x)

    def backward(self, gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Gradients:
        return manual_backward(self, gradient)

    def compute(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """As ``ManualBackward.compute``."""
        filled = _filled(x)
        y = self.function(filled)
        return self._cut(self._affine(y), x), (filled, y)

    def derive(self, gradient: torch.Tensor, *saved: torch.Tensor) -> Gradients:
        """As ``ManualBackward.derive``."""
        filled = _filled(gradient if self.scale == 1 else gradient * self.scale)
        return self._cut(self.derivative(filled, *saved), gradient), ()


def _filled(x: torch.Tensor) -> torch.Tensor:
    """Add rows of zeros until a member's numbers fill whole vectors."""
    n_batch, n_units = x.shape[1:]
    step = _VECTOR // math.gcd(_VECTOR, n_units)
    return nn.functional.pad(x, (0, 0, 0, -n_batch % step)) if n_batch % step else x


def make_activation(path: str, n_stack: int, scale: float = 1.0, shift: float = 0.0) -> nn.Module:
    """Return the layer of an activation.

    Args:
        path: A function of a tensor; a module of ``torch.nn``, made without arguments; or a module class of one's own, made
            with ``n_stack``, whose parameters have that many entries along their first axis.
        n_stack: Members.
        scale: Of its output.
        shift: Added to that.

    Raises:
        ConfigError: If there is no such function or class, or it cannot be made.
    """
    name = known_name(path)
    if name in ("selu", "relu") and (scale, shift) == (1, 0):
        return SELU() if name == "selu" else ReLU()
    return KnownActivation(name, scale, shift) if name else Activation(load_function(path, n_stack), scale, shift)


def load_function(path: str, n_stack: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function or module behind an import path, see ``make_activation``."""
    found = load_class(path)
    if not callable(found):
        raise ConfigError(f"The activation {path} must be a function of a tensor or a module class, found {found!r}.")
    if not isinstance(found, type):
        return cast(Callable[[torch.Tensor], torch.Tensor], found)
    if not issubclass(found, nn.Module):
        raise ConfigError(f"The activation {path} must be a function or a class of torch.nn.Module, found {found!r}.")
    try:
        return cast(Any, found()) if found.__module__.startswith("torch.") else found(n_stack)
    except Exception as error:  # whatever a stranger's class raises
        wanted = "without arguments" if found.__module__.startswith("torch.") else "with the number of members alone"
        raise ConfigError(f"The activation {path} must be made {wanted}, but says: {type(error).__name__}: {error}.") from error


@torch.no_grad()
def check_activation(path: str, dropout: str) -> None:
    """Check that an activation does to every row of every member what it would do to it alone.

    Raises:
        ConfigError: If it does not, changes the shape, has a parameter without the axis of the stack, or does not saturate
            where alpha dropout asks for it.
    """
    x = torch.linspace(-3, 3, 2 * 4 * 5, dtype=torch.float64, device="cpu").view(2, 4, 5)
    layer = load_function(path, 2)
    if isinstance(layer, nn.Module):
        layer = layer.double()
        if flat := [name for name, parameter in layer.named_parameters() if parameter.shape[:1] != (2,)]:
            raise ConfigError(
                f"Every parameter of {path} must have a leading axis of one entry a member; {flat[0]} has none. "
                "Write a module class of your own: docs/activation.md has one."
            )
    other = x.flip(0, 1) + 0.1
    other[0, 0] = x[0, 0]
    try:
        y, beside = layer(x.clone()), layer(other.clone())
        found = tuple(y.shape)
        same = found == tuple(x.shape) and torch.equal(y[0, 0], beside[0, 0])
        if same and not isinstance(layer, nn.Module):
            same = torch.allclose(layer(x.flatten()), y.flatten(), rtol=1e-12, atol=1e-12)
    except Exception as error:  # whatever a stranger's function raises
        raise ConfigError(f"The activation {path} must map (2, 4, 5) to (2, 4, 5), but says: {error}.") from error
    if found != tuple(x.shape):
        raise ConfigError(f"The activation {path} must map (2, 4, 5) to (2, 4, 5), found {found}.")
    if not same:
        raise ConfigError(
            f"The activation {path} must do to every number what it does to it alone, but what it does depends on others, "
            "or on chance."
        )
    if dropout == "alpha":
        saturation(path)


@torch.no_grad()
def saturation(path: str) -> float:
    """Return the value of an activation far below zero, to which alpha dropout sets what it drops.

    Raises:
        ConfigError: If there is none.
    """
    with torch.device("cpu"):
        x = torch.tensor([[[-_FAR]], [[-2 * _FAR]]], dtype=torch.float64)
        function = load_function(path, 2)
        near, far = (function.double() if isinstance(function, nn.Module) else function)(x).flatten().tolist()
    if not math.isclose(near, far, rel_tol=1e-6, abs_tol=1e-6):
        raise ConfigError(
            f"dropout = 'alpha' needs an activation with a limit far below zero, but {path} is {near:.6g} at {-_FAR:g} and "
            f"{far:.6g} at {-2 * _FAR:g}. Use dropout = 'plain'."
        )
    return far if abs(far) > 1e-7 else 0.0
