"""In which precision matrix products are computed: of a process, as torch has it too.

``float32`` is IEEE single precision. ``tf32`` rounds the factors of a product to 10 bits and adds up in float32: for GPUs,
where it is several times faster. ``bfloat16`` rounds the factors and the product to 8 bits. Weights, updates, activations,
normalisation and losses are float32 in all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from snnbench.records import Precision

_factors: torch.dtype | None = None


@contextmanager
def precision(name: Precision) -> Iterator[None]:
    """Compute the matrix products of stacked layers in this precision."""
    global _factors
    before = _factors, torch.backends.cuda.matmul.allow_tf32
    _factors = torch.bfloat16 if name == "bfloat16" else None
    torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
    try:
        yield
    finally:
        _factors, torch.backends.cuda.matmul.allow_tf32 = before


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``a @ b``, (n_stack, n, k) and (n_stack, k, m)."""
    return torch.bmm(a, b) if _factors is None else torch.bmm(a.to(_factors), b.to(_factors)).to(a.dtype)


def add_product(summand: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``summand + a @ b``."""
    return torch.baddbmm(summand, a, b) if _factors is None else summand + product(a, b)


def add_product_(summand: torch.Tensor, a: torch.Tensor, b: torch.Tensor, alpha: float) -> None:
    """Add ``alpha * a @ b`` to ``summand``, in place."""
    if _factors is None:
        summand.baddbmm_(a, b, alpha=alpha)
    else:
        summand.add_(product(a, b), alpha=alpha)
