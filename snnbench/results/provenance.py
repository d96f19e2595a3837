"""Where a result comes from: versions, hardware and code, as flat columns of every stored row."""

import hashlib
import os
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import psutil

from snnbench import __version__, mkl
from snnbench.records import Compute, Value, digest

_PACKAGES = ("numpy", "torch", "scikit-learn", "scipy", "pandas", "pyarrow")


def describe_environment(compute: Compute) -> dict[str, Value]:
    """Return what the machine and the installed packages are; loads none of them but torch.

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
        **_describe_libraries(),
    }


def package_digest() -> str:
    """Return a digest of this package's Python files: equal where the same code is installed, however it got there."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return digest([[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in files])


def installed_packages() -> dict[str, str]:
    """Return the version of every installed package, by name."""
    return dict(sorted((package.metadata["Name"], package.version) for package in distributions() if package.metadata["Name"]))


def _describe_libraries() -> dict[str, Value]:
    """Return what torch computes with: the flags behind which two machines give different bits."""
    import torch

    has_gpu, has_mkl = torch.cuda.is_available(), torch.backends.mkl.is_available()
    return {
        "gpu": torch.cuda.get_device_name() if has_gpu else "",
        "n_gpus": torch.cuda.device_count(),
        "cuda_version": (torch.version.cuda or "") if has_gpu else "",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "n_threads": 1,  # of every worker, see ``training.process``
        "blas": "mkl" if has_mkl else "other",
        "mkl_cbwr": os.environ.get(mkl.VARIABLE, "") if has_mkl else "",
        "onednn": torch.backends.mkldnn.is_available(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _git_commit() -> str:
    """Return the commit of the checkout that the package runs from, with "+" for changed files; "" for a wheel."""
    checkout = Path(__file__).parents[2]
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
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
