"""Where a result comes from: versions, hardware and code, as flat columns of every stored row."""

import os
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from snnbench import __version__
from snnbench.records import Compute, Value

_PACKAGES = ("numpy", "torch", "scikit-learn")


def describe_environment(compute: Compute) -> dict[str, Value]:
    """Return what the machine and the installed packages are; loads none of them.

    Args:
        compute: How networks are computed.
    """
    packages = {f"{name.replace('-', '_')}_version": _version(name) for name in _PACKAGES}
    return {
        "snnbench_version": __version__,
        "git_commit": _git_commit(),
        "python_version": platform.python_version(),
        **packages,
        "system": platform.platform(),
        "cpu": _cpu(),
        "n_cores": os.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
        **asdict(compute),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _git_commit() -> str:
    """Return the commit of the checkout that the package runs from, with "+" for changed files; "" for a wheel."""
    checkout = Path(__file__).parent.parent
    if not (checkout / ".git").exists():
        return ""
    commands = (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    try:
        commit, changes = (
            subprocess.run(["git", "-C", str(checkout), *command], capture_output=True, text=True, check=True).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("+" if changes else "")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
