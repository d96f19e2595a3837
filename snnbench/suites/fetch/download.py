"""Downloads into the cache: the first address that gives a sound archive, fetched once.

A finished download has its SHA-256 beside it. A file damaged later is noticed and fetched again, and an address that serves
other bytes than the first time is not believed. An address may also say which bytes it must give: ``URL#sha256=DIGEST``.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from snnbench.errors import DataError, DownloadError
from snnbench.suites.fetch.archive import sha256_of, writing
from snnbench.suites.fetch.transfer import discard, transfer

Check = Callable[[Path], object]
Report = Callable[[str], None]


def fetch(urls: tuple[str, ...], folder: Path, check: Check, report: Report, offline: bool = False) -> Path:
    """Return the file behind the first address that gives a sound one, from the cache if possible.

    Several processes may ask at once: one of them downloads, the others wait for it.

    Args:
        urls: Addresses of the same content, the preferred one first.
        folder: Where downloads are kept; a file appears there complete or not at all.
        check: Raises a ``DataError`` with a bare reason if a download is unsound; then the next address is tried.
        report: Is told what is being done.
        offline: Whether the network must not be used.

    Raises:
        DataError: If no address gives a sound file (every one is named with its reason), the folder cannot be written, or
            ``offline`` is set and no address is in the cache.
    """
    paths = [folder / _file_name(url) for url in urls]
    cached = _cached(urls, paths, check, report)
    if cached is not None:
        return cached
    if offline:
        raise DataError(
            f"Without the network the data must be in the cache already, found none of {', '.join(urls)} in {folder}. "
            "Fetch it elsewhere by `snnbench data fetch all --to bundle` and name that folder: --source bundle."
        )
    reasons = []
    for url, path in zip(urls, paths, strict=True):
        with _locked(path, report):
            reason = None if _cached((url,), [path], check, report) else _download(url, path, check, report)
        if reason is None:
            return path
        report(f"No download from {url}: {reason}")
        reasons.append(f"{url} ({reason})")
    raise DownloadError(
        "The data must be downloaded once, and no address gave it.",
        f"Tried: {'; '.join(reasons)}.",
        "Try again later, or use --source DIR|FILE|URL: a folder, an archive downloaded elsewhere, or a mirror.",
    )


def file_name_of(url: str) -> str:
    """Return the name that an address ends with, in plain characters."""
    name = re.split(r"[?#]", url)[0].rsplit("/", 1)[-1]
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[-100:] or "archive"


def _file_name(url: str) -> str:
    return f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{file_name_of(url)}"


def _cached(urls: tuple[str, ...], paths: list[Path], check: Check, report: Report) -> Path | None:
    for url, path in zip(urls, paths, strict=True):
        if path.is_file() and _is_sound(url, path, check, report):
            return path
    return None


def _is_sound(url: str, path: Path, check: Check, report: Report) -> bool:
    fault = ""
    with writing(path.parent):
        found, expected = sha256_of(path), _expected(url, path)
        if expected:
            fault = "" if found == expected else f"its SHA-256 must be {expected}, found {found}"
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


def _expected(url: str, path: Path) -> str:
    """Return the SHA-256 that is known from the address or from the first download; "" for neither."""
    known = re.search(r"#(?:.*&)?sha256=([0-9a-fA-F]{64})$", url)
    if known:
        return known[1].lower()
    record = _record_of(path)
    return record.read_text(encoding="ascii", errors="replace").strip() if record.is_file() else ""


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _write_record(path: Path, digest: str) -> None:
    with TemporaryDirectory(dir=path.parent, prefix=".record-") as scratch:
        record = Path(scratch) / "sha256"
        record.write_text(digest + "\n", encoding="ascii", newline="\n")
        record.replace(_record_of(path))


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    """Let one process at a time work on a download; a lock ends with its process, however that ends."""
    with writing(path.parent):
        locks = path.parent.parent / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{path.name}.lock", mode=0o666)
        with suppress(NotImplementedError):  # some file systems have no locks; a file still appears whole or not at all
            try:
                lock.acquire(timeout=0)
            except Timeout:
                report(f"Another process is downloading {path.name}; waiting for it")
                lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(url: str, path: Path, check: Check, report: Report) -> str | None:
    """Put the content of ``url`` at ``path``; return why that failed, or None.

    A damaged file at ``path`` stays until it is replaced. A broken download stays beside it, for the next attempt.
    """
    report(f"Downloading {url}")
    part = path.with_name(f".{path.name}.part")
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        reason = transfer(url, part, report)
        if reason is not None:
            return reason
        digest, expected = sha256_of(part), _expected(url, path)
        try:
            if expected and digest != expected:
                raise DataError(
                    f"their SHA-256 must be {expected}, found {digest}; "
                    f"if the new content is to be trusted, remove {_record_of(path)}"
                    if "#" not in url
                    else f"their SHA-256 must be {expected}, found {digest}"
                )
            check(part)
        except DataError as error:
            n_bytes = part.stat().st_size
            discard(part)
            return f"{n_bytes} bytes arrived, which cannot be used: {error}"
        part.replace(path)
        _write_record(path, digest)
    return None
