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


def factors_are_exact() -> bool:
    """Say whether the factors of products are not rounded on a CPU: those of tf32 are on a GPU only."""
    return _factors is None


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``a @ b``, (n_stack, n, k) and (n_stack, k, m)."""
    if _is_lone_unit(a, b):
        return product(_twice(a), _twice(b))[:1]
    return torch.bmm(a, b) if _factors is None else torch.bmm(a.to(_factors), b.to(_factors)).to(a.dtype)


def add_product(summand: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``summand + a @ b``."""
    if _is_lone_unit(a, b):
        return add_product(_twice(summand), _twice(a), _twice(b))[:1]
    return torch.baddbmm(summand, a, b) if _factors is None else summand + product(a, b)


def add_product_(summand: torch.Tensor, a: torch.Tensor, b: torch.Tensor, alpha: float) -> None:
    """Add ``alpha * a @ b`` to ``summand``, in place."""
    if _factors is not None:
        summand.add_(product(a, b), alpha=alpha)
    elif _is_lone_unit(a, b):
        summand.copy_(torch.baddbmm(_twice(summand), _twice(a), _twice(b), alpha=alpha)[:1])
    else:
        summand.baddbmm_(a, b, alpha=alpha)


def _is_lone_unit(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Say whether a product, or one of its derivatives, is a single column for a stack of one.

    Such a product is computed as one of two: a library may sum a lone column in another way than those of a larger stack.
    """
    return len(a) == 1 and 1 in (a.shape[2], b.shape[2])


def _twice(member: torch.Tensor) -> torch.Tensor:
    """Return a stack of two of a stack of one, without a copy."""
    return member.expand(2, -1, -1)
