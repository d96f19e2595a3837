"""What ``snnbench doctor`` says: the environment, the data at hand, and what is missing."""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path

from snnbench.errors import DataError
from snnbench.models.code import has_numba
from snnbench.records import ON_CPU, Compute, Value
from snnbench.results.provenance import describe_environment
from snnbench.suites import SUITES, load_suite
from snnbench.suites.fetch.source import MIRROR_VARIABLE, OFFLINE_VARIABLE, cache_folder, find_archive

MIN_FREE_BYTES = 2**30
"""Less room in the cache than this is a problem: the archives and what is unpacked of them need about half of it."""

_ENGINES = ("ray", "slurm")
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Diagnosis:
    """The environment as results carry it and more, what is at hand, and what must be mended.

    ``bits`` says whether networks that are trained on the CPU have the bits that they have alone, ``at_hand`` which GPUs,
    engines and extras there are, ``data`` where the data of each suite is for a run without ``--source``.
    """

    environment: dict[str, Value]
    bits: str
    at_hand: dict[str, str]
    data: dict[str, str]
    problems: tuple[str, ...]


def diagnose() -> Diagnosis:
    """Look at the installation, the machine and the cache; nothing is downloaded. Sets one thread, as in a worker."""
    import torch

    from snnbench.training.exactness import describe_exactness, examine_machine
    from snnbench.training.process import prepare_process

    prepare_process()
    cache = cache_folder()
    environment = describe_environment(Compute("cuda", "tf32", "across-tasks") if torch.cuda.is_available() else ON_CPU)
    environment |= describe_exactness(ON_CPU)
    environment |= {"cache_folder": str(cache), "cache_free_bytes": shutil.disk_usage(_existing(cache)).free}
    for name in (*_NETWORK, MIRROR_VARIABLE, OFFLINE_VARIABLE):
        if name in os.environ:
            environment[name] = _without_password(os.environ[name])
    problems = [*_missing_packages(), *_cache_problems(cache, int(environment["cache_free_bytes"]))]
    data = {suite: _where(suite, cache) for suite in SUITES}
    return Diagnosis(environment, examine_machine().words, _at_hand(), data, tuple(problems))


def _where(suite: str, cache: Path) -> str:
    """Return where ``snnbench run --offline`` would find a suite, by asking as it does."""
    module = load_suite(suite)
    if not module.URLS:
        return "embedded"
    try:
        archive = find_archive(suite, module.URLS, None, module.ARCHIVES, module.WANTED, cache, lambda words: None, True)
    except DataError:
        unpacked = [str(place) for place in (cache / suite).glob("[!.]*") if place.is_dir() and place.name != "downloads"]
        from_source = f" (unpacked of a --source, and used with it alone: {', '.join(unpacked)})" if unpacked else ""
        return f"not in the cache{from_source}; snnbench data fetch {suite}, or --source"
    return f"in the cache: {archive}"


def _at_hand() -> dict[str, str]:
    import torch
    from threadpoolctl import threadpool_info

    gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    blind = " (nvidia-smi is there, but this torch is built without CUDA)" if shutil.which("nvidia-smi") else ""
    blas = {
        f"{found['internal_api']} {found['version'] or ''}".strip()
        for found in threadpool_info()
        if found["user_api"] == "blas"
    }
    sbatch = shutil.which("sbatch")
    return {
        "gpus": ", ".join(gpus) or f"none that torch can use{blind}",
        "compiled step": f"numba {version('numba')}"
        if has_numba()
        else "none without numba: torch trains all networks; pip install numba",
        "blas of numpy and scipy": ", ".join(sorted(blas)) or "none that threadpoolctl knows",
        "engine ray": _installed("ray", f"; cluster at {os.environ['RAY_ADDRESS']}" if "RAY_ADDRESS" in os.environ else ""),
        "engine slurm": f"{_installed('slurm')}; {f'sbatch at {sbatch}' if sbatch else 'no sbatch on the PATH'}",
        **{f"extra {name}": _installed(name) for name in sorted(_extras()) if name not in (*_ENGINES, "dev")},
    }


def _extras() -> dict[str, list[str]]:
    """Return the packages of every extra of snnbench."""
    extras: dict[str, list[str]] = {}
    for requirement in requires("snnbench") or ():
        if found := re.search(r"extra == ['\"]([\w-]+)['\"]", requirement):
            extras.setdefault(found[1], []).append(_package(requirement))
    return extras


def _installed(extra: str, more: str = "") -> str:
    """Return which packages of an extra are installed, or the command that installs them."""
    found = []
    for package in _extras()[extra]:
        try:
            found.append(f"{package} {version(package)}")
        except ImportError:
            return f"not installed; pip install 'snnbench[{extra}]'"
    return ", ".join(found) + more


def _package(requirement: str) -> str:
    return re.split(r"[\s;><=!\[(~]", requirement.strip(), maxsplit=1)[0]


def _missing_packages() -> list[str]:
    """Return the requirements of snnbench that are not installed; versions are pip's to check."""
    problems = []
    for requirement in requires("snnbench") or ():
        if "extra ==" in requirement:
            continue
        name = _package(requirement)
        try:
            version(name)
        except ImportError:
            problems.append(f"The package {name} must be installed, found none. Install snnbench again: pip install snnbench.")
    return problems


def _cache_problems(cache: Path, free_bytes: int) -> list[str]:
    place, problems = _existing(cache), []
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        problems.append(
            f"The cache folder {cache} must be writable, found: {error.strerror}. Set SNNBENCH_CACHE to another one."
        )
    if free_bytes < MIN_FREE_BYTES:
        problems.append(
            f"The cache folder {cache} must have 1 GiB free, found {free_bytes / 2**20:.0f} MiB. "
            "Set SNNBENCH_CACHE to another one."
        )
    return problems


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _without_password(address: str) -> str:
    """Leave out what stands between the scheme and the host of a proxy's address."""
    scheme, separator, rest = address.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
