"""Which processor of this machine a command uses."""

from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from snnbench.records import Compute
    from snnbench.training.context import GpuUse


class Device(StrEnum):
    """Where networks are trained; ``auto`` takes a GPU if there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Kernels(StrEnum):
    """What computes on a GPU between two matrix products: torch's kernels, or one for all that stands there."""

    plain = "plain"
    fused = "fused"


def choose_device(device: Device) -> Literal["cpu", "cuda"]:
    """Return where networks are trained.

    Raises:
        ConfigError: If a GPU is asked for and there is none.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if device is Device.cuda and not has_gpu:
        raise ConfigError("--device cuda needs a GPU that torch can use, found none. Use --device cpu or auto.")
    return "cuda" if has_gpu and device is not Device.cpu else "cpu"


def use_gpu(kernels: Kernels, stacks_at_once: int, compute: "Compute", is_remote: bool) -> "GpuUse":
    """Return how a GPU is filled; a node of a cluster finds out by itself whether it has Triton."""
    from snnbench.training.context import GpuUse

    if compute.device != "cuda":
        if kernels is Kernels.fused or stacks_at_once > 1:
            asked = "--kernels fused" if kernels is Kernels.fused else f"--stacks-at-once {stacks_at_once}"
            raise ConfigError(f"{asked} needs networks to be trained on a GPU. Leave it out, or use --device cuda.")
    elif kernels is Kernels.fused and not is_remote and find_spec("triton") is None:
        raise ConfigError("--kernels fused needs Triton, found none. Use `pip install 'snnbench[triton]'` or --kernels plain.")
    return GpuUse(kernels.value, stacks_at_once)
