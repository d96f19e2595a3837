"""Which processor of this machine a command uses."""

from enum import StrEnum
from typing import Literal

from snnbench.errors import ConfigError


class Device(StrEnum):
    """Where networks are trained; ``auto`` takes a GPU if there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


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
