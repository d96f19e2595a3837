"""Downloads into the cache: the first address that gives a sound archive, fetched once.

A finished download has its SHA-256 beside it, so that a file damaged later is noticed and fetched again.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch
import requests

from snnbench.errors import DataError
from snnbench.suites.archive import sha256_of, writing

TIMEOUT_SECONDS = 30.0
"""Without a byte from the server, not for the whole file."""
RETRY_WAITS_SECONDS = (1.0, 3.0)
"""The waits before the second and the third attempt at an address."""

_WORTH_A_RETRY = (408, 425, 429)


def fetch(urls: tuple[str, ...], folder: Path, check: Callable[[Path], object], report: Callable[[str], None]) -> Path:
    """Return the file behind the first address that gives a sound one, from the cache if possible.

    Args:
        urls: Addresses of the same content, the preferred one first.
        folder: Where downloads are kept; a file appears there complete or not at all.
        check: Raises a ``DataError`` with a bare reason if a download is unsound; then the next address is tried.
        report: Is told what is being done.

    Raises:
        DataError: If no address gives a sound file (every one is named with its reason), or the folder cannot be
            written.
    """
    paths = [folder / _file_name(url) for url in urls]
    for path in paths:
        if path.is_file() and _is_sound(path, check, report):
            return path
    reasons = []
    for url, path in zip(urls, paths, strict=True):
        reason = _download(url, path, check, report)
        if reason is None:
            return path
        report(f"No download from {url}: {reason}")
        reasons.append(f"{url} ({reason})")
    raise DataError(
        f"The data must be downloaded once, and no address gave it: {'; '.join(reasons)}. "
        "Try again later, or use --source DIR|FILE|URL: a folder, an archive downloaded elsewhere, or a mirror."
    )


def _file_name(url: str) -> str:
    name = re.split(r"[?#]", url)[0].rsplit("/", 1)[-1]
    readable = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[-100:]
    return f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{readable or 'archive'}"


def _is_sound(path: Path, check: Callable[[Path], object], report: Callable[[str], None]) -> bool:
    record = _record_of(path)
    fault = ""
    with writing(path.parent):
        found = sha256_of(path)
        if record.is_file():
            expected = record.read_text(encoding="ascii", errors="replace").strip()
            if found != expected:
                fault = f"its SHA-256 must be {expected}, found {found}"
        else:
            # The process that downloaded it ended before it wrote the record, or somebody put the file there.
            try:
                check(path)
                _write_record(path, found)
            except DataError as error:
                fault = str(error)
    if fault:
        report(f"The cached download {path} is damaged and is fetched again: {fault}")
    return not fault


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _write_record(path: Path, digest: str) -> None:
    with TemporaryDirectory(dir=path.parent, prefix=".record-") as scratch:
        record = Path(scratch) / "sha256"
        record.write_text(digest + "\n", encoding="ascii")
        record.replace(_record_of(path))


def _download(url: str, path: Path, check: Callable[[Path], object], report: Callable[[str], None]) -> str | None:
    """Put the content of ``url`` at ``path``; return why that failed, or None.

    A damaged file at ``path`` stays until it is replaced: another process may be at the same work.
    """
    report(f"Downloading {url}")
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".part-") as scratch:
            reason = _retrieve(url, Path(scratch), path.name, report)
            if reason is not None:
                return reason
            part = Path(scratch) / path.name
            try:
                check(part)
            except DataError as error:
                return f"{part.stat().st_size} bytes arrived, which cannot be used: {error}"
            part.chmod(0o644)  # pooch makes it private to the user, but caches may be shared
            digest = sha256_of(part)
            part.replace(path)
            _write_record(path, digest)
    return None


def _retrieve(url: str, folder: Path, name: str, report: Callable[[str], None]) -> str | None:
    """Download with retries; return the reason of the last failure, or None."""
    # Progress and Content-Length count compressed bytes, so the server is asked for the file as it is.
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS, headers={"Accept-Encoding": "identity"})
    for wait_seconds in (*RETRY_WAITS_SECONDS, None):
        try:
            with _quiet_pooch():
                pooch.retrieve(url, known_hash=None, fname=name, path=folder, downloader=downloader)
            return None
        except requests.RequestException as error:
            reason = _describe(error)
            if wait_seconds is None or not _is_worth_a_retry(error):
                return reason
            report(f"{url} failed ({reason}); next attempt in {wait_seconds:g} seconds")
            time.sleep(wait_seconds)
    return None


def _is_worth_a_retry(error: requests.RequestException) -> bool:
    if error.response is not None:
        status = error.response.status_code
        return status >= 500 or status in _WORTH_A_RETRY
    # Addresses that cannot be parsed are ValueErrors as well.
    return not isinstance(error, ValueError)


def _describe(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_SECONDS:g} seconds"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"the connection was cut before the end of the file: {_innermost(error)}"
    return _innermost(error)


def _innermost(error: object) -> str:
    """Find the sentence that matters in requests' errors around urllib3's around the socket's."""
    while isinstance(error, Exception):
        said = getattr(error, "reason", None) or getattr(error, "strerror", None)
        error = said or (error.args[0] if error.args else type(error).__name__)
    return str(error)


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
