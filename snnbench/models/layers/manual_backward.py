"""Layers that state their own derivative, where it needs more than their input and output.

Such a layer defines ``compute(x)``, which returns its output and the tensors that its derivative needs, and
``derive(gradient, *saved)``, which returns ``Gradients``. Both ways of differentiating a network then run the same few kernels
and give the same bits; autograd on the formulas would run two or three times as many.
"""

from typing import Any, Protocol, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from snnbench.models.layers.stacked import Gradients


class ManualBackward(Protocol):
    """What a layer needs for ``manual_forward`` and ``manual_backward``, besides being an ``nn.Module``."""

    def compute(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Return the output, and what ``derive`` needs; the output itself, which the next layer may overwrite, is not of it."""
        ...

    def derive(self, gradient: torch.Tensor, *saved: torch.Tensor) -> Gradients:
        """Return the gradients of the input and of ``parameters()``, in their order."""
        ...


def manual_forward(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Compute a layer's output and keep what its derivative needs: in autograd's graph, or else in the layer."""
    if torch.is_grad_enabled():
        return _ManualBackward.apply(layer, x, *layer.parameters())
    y, saved = cast(ManualBackward, layer).compute(x)
    if layer.training:
        layer.__dict__["saved"] = saved
    return y


def manual_backward(layer: nn.Module, gradient: torch.Tensor) -> Gradients:
    """Differentiate the last output that ``manual_forward`` gave in training mode, and free what was kept for it."""
    return cast(ManualBackward, layer).derive(gradient, *layer.__dict__.pop("saved"))


class _ManualBackward(torch.autograd.Function):
    """What autograd needs to know of such a layer."""

    @staticmethod
    def forward(ctx: Any, layer: ManualBackward, x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        y, saved = layer.compute(x)
        ctx.layer = layer
        ctx.save_for_backward(*saved)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        of_x, of_parameters = ctx.layer.derive(gradient, *ctx.saved_tensors)
        return None, of_x, *of_parameters
