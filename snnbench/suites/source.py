"""From what the user names with ``--source`` to a local folder with the files of a suite."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pooch

from snnbench.errors import DataError
from snnbench.suites.archive import CACHE_VARIABLE, list_members, sha256_of, unpack
from snnbench.suites.download import fetch

__all__ = ["CACHE_VARIABLE", "cache_folder", "locate", "sha256_of"]

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
) -> Path:
    """Return a local folder with the unpacked files of a suite, downloading and unpacking them if need be.

    What is in the cache already is used without the network, and without writing, so that a cache can be filled on one
    machine and be read from another.

    Args:
        suite: The name of the suite, for the cache and for messages.
        urls: The official addresses of its archive, the preferred one first.
        source: A folder, an archive (zip, or tar with any compression) or the URL of one; None for ``urls``. A folder
            that directly holds one of ``archives`` stands for that archive, any other for its unpacked files; one of the
            unpacked files stands for its folder.
        archives: File names of the suite's archives, the preferred one first.
        wanted: Which files are needed, searched for in their paths relative to the archive or folder; None for all.
        cache: Overrides ``cache_folder()``.
        report: Is told what is being done; silent by default.

    Returns:
        The user's folder itself, or ``cache/<suite>/<name that follows from the archive's content and wanted>``.

    Raises:
        DataError: If the source is missing, damaged, unsafe or without files of the suite, if no address gives the
            archive, or if the cache cannot be written.
    """
    folder = (cache or cache_folder()) / suite
    if source is None or "://" in source:
        addresses = urls if source is None else (source,)
        _check_addresses(suite, addresses)
        archive = fetch(addresses, folder / "downloads", partial(list_members, wanted=wanted), report)
    else:
        path = Path(source).expanduser()
        if path.is_dir():
            held = next((path / name for name in archives if (path / name).is_file()), None)
            if held is None:
                _check_unpacked(suite, path, archives, wanted)
                return path
            archive = held
        elif path.is_file() and wanted is not None and wanted.search(path.name):
            return path.parent
        elif path.is_file():
            archive = path
        else:
            raise DataError(
                f"The source of suite '{suite}' must be a folder, an archive or a URL, found nothing at {path}. "
                "Check the spelling, or leave --source out to download the official files."
            )
    return unpack(archive, folder, wanted, report)


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
