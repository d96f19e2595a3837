"""From what the user names with ``--source`` to a local folder with the files of a suite."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pooch

from snnbench.errors import DataError
from snnbench.suites.fetch.archive import CACHE_VARIABLE, list_members, sha256_of, unpack
from snnbench.suites.fetch.bundle import find_in_bundle
from snnbench.suites.fetch.download import fetch, file_name_of

__all__ = ["CACHE_VARIABLE", "MIRROR_VARIABLE", "OFFLINE_VARIABLE", "cache_folder", "find_archive", "locate", "sha256_of"]

MIRROR_VARIABLE = "SNNBENCH_MIRROR"
"""An address below which all archives lie under their official names; it is asked first."""
OFFLINE_VARIABLE = "SNNBENCH_OFFLINE"
"""Anything but "" or "0" keeps snnbench from using the network, as ``--offline`` does."""

_UNPACKED_DEPTHS = ("*", "*/*", "*/*/*")
"""Where unpacked files may lie below the user's folder: with a folder a task, and perhaps one around them all."""


def cache_folder() -> Path:
    """Return where downloads and unpacked files are kept: ``$SNNBENCH_CACHE``, or the user's cache directory."""
    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("snnbench")).expanduser().absolute()


def locate(
    suite: str,
    urls: tuple[str, ...],
    source: str | None = None,
    archives: tuple[str, ...] = (),
    wanted: re.Pattern[str] | None = None,
    cache: Path | None = None,
    report: Callable[[str], None] = lambda message: None,
    offline: bool = False,
) -> Path:
    """Return a local folder with the unpacked files of a suite, downloading and unpacking them if need be.

    What is in the cache already is used without the network, and without writing, so that a cache can be filled on one
    machine and be read from another.

    Args:
        suite: The name of the suite, for the cache and for messages.
        urls: The official addresses of its archive, the preferred one first.
        source: A folder, a bundle, an archive (zip, or tar with any compression) or the URL of one; None for ``urls``. A
            folder that directly holds one of ``archives`` stands for that archive, any other for its unpacked files; one of
            the unpacked files stands for its folder.
        archives: File names of the suite's archives, the preferred one first.
        wanted: Which files are needed, searched for in their paths relative to the archive or folder; None for all.
        cache: Overrides ``cache_folder()``.
        report: Is told what is being done; silent by default.
        offline: Whether the network must not be used; so does the environment variable ``SNNBENCH_OFFLINE``.

    Returns:
        The user's folder itself, or ``cache/<suite>/<name that follows from the archive's content and wanted>``.

    Raises:
        DataError: If the source is missing, damaged, unsafe or without files of the suite, if no address gives the
            archive, or if the cache cannot be written.
    """
    cache = cache or cache_folder()
    archive = find_archive(suite, urls, source, archives, wanted, cache, report, offline)
    if archive is None:
        path = Path(str(source)).expanduser()
        return path.parent if path.is_file() else path
    return unpack(archive, cache / suite, wanted, report)


def find_archive(
    suite: str,
    urls: tuple[str, ...],
    source: str | None,
    archives: tuple[str, ...],
    wanted: re.Pattern[str] | None,
    cache: Path,
    report: Callable[[str], None],
    offline: bool = False,
) -> Path | None:
    """Return the archive that ``locate`` unpacks, downloaded if need be; None if the source is unpacked files."""
    if source is None or "://" in source:
        addresses = _with_mirror(urls) if source is None else (source,)
        _check_addresses(suite, addresses)
        offline = offline or os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")
        return fetch(addresses, cache / suite / "downloads", partial(list_members, wanted=wanted), report, offline)
    path = Path(source).expanduser()
    if path.is_file():
        return None if wanted is not None and wanted.search(path.name) else path
    if not path.is_dir():
        raise DataError(
            f"The source of suite '{suite}' must be a folder, an archive or a URL, found nothing at {path}. "
            "Check the spelling, or leave --source out to download the official files."
        )
    held = find_in_bundle(path, suite) or next((path / name for name in archives if (path / name).is_file()), None)
    if held is None:
        _check_unpacked(suite, path, archives, wanted)
    return held


def found_deeper(folder: Path, name: str) -> str:
    """Return words that say where a file or folder lies that is too deep in an unpacked source, "" if nowhere near."""
    places = (place for depth in _UNPACKED_DEPTHS for place in sorted(folder.glob(f"{depth}/{name}")))
    place = next(places, None)
    if place is None:
        return ""
    found = place.relative_to(folder)
    return f"; found too deep, at {found.as_posix()}: unpack the archive and name its folder {found.parent.as_posix()}/ itself"


def _with_mirror(urls: tuple[str, ...]) -> tuple[str, ...]:
    """Put the user's mirror before the official addresses; what is known of their bytes holds for it too."""
    mirror = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    if not mirror:
        return urls
    return (*(f"{mirror}/{file_name_of(url)}{''.join(url.partition('#')[1:])}" for url in urls), *urls)


def _check_addresses(suite: str, addresses: tuple[str, ...]) -> None:
    if not addresses:
        raise DataError(f"Suite '{suite}' has no official address. Name its files with --source DIR|FILE|URL.")
    for address in addresses:
        if not re.match(r"https?://.", address):
            raise DataError(
                f"An address must begin with http:// or https://, found '{address}'. "
                "Download it with a tool of your choice and pass the file: --source FILE."
            )


def _check_unpacked(suite: str, folder: Path, archives: tuple[str, ...], wanted: re.Pattern[str] | None) -> None:
    """Notice a wrong folder here, where it can be said plainly, instead of as a list of missing tasks."""
    # Globbing by depth follows linked task folders, and cannot get lost in a home directory.
    files = (path for depth in _UNPACKED_DEPTHS for path in folder.glob(depth) if path.is_file())
    if not any(wanted is None or wanted.search(path.relative_to(folder).as_posix()) for path in files):
        accepted = " or ".join([*archives, "the unpacked files"])
        raise DataError(
            f"The source folder of suite '{suite}' must hold {accepted}, found none of these in {folder}. "
            "Name the folder that directly holds them with --source DIR."
        )
