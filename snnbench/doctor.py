"""What ``snnbench doctor`` says: the environment, the data at hand, and what is missing."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path

from snnbench.records import ON_CPU, Compute, Value
from snnbench.results.provenance import describe_environment
from snnbench.suites import SUITES, load_suite
from snnbench.suites.fetch.source import MIRROR_VARIABLE, OFFLINE_VARIABLE, cache_folder

MIN_FREE_BYTES = 2**30
"""Less room in the cache than this is a problem: the archives and what is unpacked of them need about half of it."""

_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Diagnosis:
    """The environment as results carry it and more, where the data of each suite is, and what must be mended.

    ``bits`` says whether networks that are trained on the CPU have the bits that they have alone.
    """

    environment: dict[str, Value]
    bits: str
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
    return Diagnosis(environment, examine_machine().words, {suite: _where(suite, cache) for suite in SUITES}, tuple(problems))


def _where(suite: str, cache: Path) -> str:
    if not load_suite(suite).URLS:
        return "embedded"
    unpacked = [folder for folder in (cache / suite).glob("*") if folder.is_dir() and folder.name != "downloads"]
    if unpacked:
        return f"in the cache: {', '.join(str(folder) for folder in unpacked if not folder.name.startswith('.'))}"
    return f"not in the cache; snnbench data fetch {suite}, or --source"


def _missing_packages() -> list[str]:
    """Return the requirements of snnbench that are not installed; versions are pip's to check."""
    problems = []
    for requirement in requires("snnbench") or ():
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].strip().split(">")[0].split("=")[0].split("<")[0].split("[")[0].strip()
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
