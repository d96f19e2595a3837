"""Initial weights by the import path of a function: of ``torch.nn.init``, or of one's own."""

from collections.abc import Callable
from typing import Any, cast

import torch

from snnbench.errors import ConfigError
from snnbench.models.registry import load_class

Fill = Callable[..., Any]
"""``fill(weight, generator=…)`` fills a tensor (n_out, n_in), as torch's own layers lay weights out, in place."""


def load_fill(path: str) -> Fill:
    """Return the function behind an import path.

    Raises:
        ConfigError: If there is none.
    """
    found = load_class(path)
    if not callable(found) or isinstance(found, type):
        raise ConfigError(f"init = '{path}' must be a function that fills a tensor, found {found!r}.")
    return cast(Fill, found)


@torch.no_grad()
def check_fill(path: str) -> None:
    """Check that a function fills a tensor with what follows from its generator alone.

    Raises:
        ConfigError: If it does not.
    """
    fill, drawn = load_fill(path), torch.full((2, 5, 3), torch.nan, device="cpu")
    try:
        for weight in drawn:
            fill(weight, generator=torch.Generator("cpu").manual_seed(0))
    except Exception as error:  # whatever a stranger's function raises
        raise ConfigError(
            f"init = '{path}' must fill a tensor in place, as torch.nn.init.orthogonal_(weight, generator=generator) does, but "
            f"says: {type(error).__name__}: {error}."
        ) from error
    if not drawn.isfinite().all() or not torch.equal(*drawn):
        raise ConfigError(f"init = '{path}' must fill the whole tensor with numbers that follow from its generator alone.")
