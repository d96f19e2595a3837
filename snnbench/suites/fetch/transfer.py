"""One file over HTTP: gone on with where it broke off, tried again with growing waits, never larger than allowed.

pooch, which snnbench used before, begins a broken download again from its first byte and takes whatever size a server sends.
"""

import json
import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests

from snnbench import __version__

TIMEOUT_SECONDS = 30.0
"""Without a byte from the server, not for the whole file."""
RETRY_WAITS_SECONDS = (1.0, 3.0, 9.0)
"""The waits before the second attempt and those after it; up to half as much again is added at random."""
MAX_WAIT_SECONDS = 60.0
"""Of what a busy server asks for with Retry-After."""
MAX_DOWNLOAD_BYTES = 4 * 2**30
"""More than any suite needs by a wide margin."""

_CHUNK_BYTES = 2**16
_PROGRESS_BYTES = 2**20
"""An attempt that gains this much does not count: a long download may break any number of times."""
_SECONDS_BETWEEN_REPORTS = 5.0
_WORTH_A_RETRY = (408, 425, 429)


class _TransferError(Exception):
    """What the server sent cannot be used; the words are the reason."""

    def __init__(self, reason: str, worth_a_retry: bool) -> None:
        super().__init__(reason)
        self.worth_a_retry = worth_a_retry


def transfer(url: str, part: Path, report: Callable[[str], None]) -> str | None:
    """Bring the content of ``url`` into the file ``part``; return the reason if that failed, or None.

    What an earlier attempt left in ``part`` is kept if the server says that its file is still the same one (ETag or
    Last-Modified); what it cannot vouch for is not left behind.

    Raises:
        OSError: If ``part`` cannot be written.
    """
    waits = list(RETRY_WAITS_SECONDS)
    while True:
        before = _size(part)
        try:
            _attempt(url, part, report)
            _state_file(part).unlink(missing_ok=True)
            return None
        except (requests.RequestException, _TransferError) as error:
            reason, is_final, response = _describe(error), not _is_worth_a_retry(error), getattr(error, "response", None)
            if not _validator(part) or isinstance(error, _TransferError):
                discard(part)
            gained = _size(part) - before
        if gained >= _PROGRESS_BYTES:
            waits = list(RETRY_WAITS_SECONDS)
        if not waits or is_final:
            return reason
        wait_seconds = _wait(waits.pop(0), response)
        kept = f", {_megabytes(_size(part))} are kept" if _size(part) else ""
        report(f"{url} failed ({reason}){kept}; next attempt in {wait_seconds:.0f} seconds")
        time.sleep(wait_seconds)


def discard(part: Path) -> None:
    """Remove what ``transfer`` left."""
    part.unlink(missing_ok=True)
    _state_file(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, report: Callable[[str], None]) -> None:
    start = _size(part) if _validator(part) else 0
    # Ranges and lengths count compressed bytes, so the server is asked for the file as it is.
    headers = {"Accept-Encoding": "identity", "User-Agent": f"snnbench/{__version__}"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": _validator(part)}
    with requests.get(url, stream=True, timeout=TIMEOUT_SECONDS, headers=headers) as response:
        if response.status_code == 416:
            raise _TransferError("the server answered 416: it has no such part of the file", worth_a_retry=bool(start))
        response.raise_for_status()
        if response.status_code == 206 and not re.match(rf"bytes {start}-", response.headers.get("Content-Range", "")):
            raise _TransferError("the server sent another part of the file than it was asked for", worth_a_retry=True)
        start = start if response.status_code == 206 else 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if total is not None and total > MAX_DOWNLOAD_BYTES:
            raise _too_large(total)
        _remember(part, response)
        _receive(response, part, start, total, report)


def _receive(response: requests.Response, part: Path, start: int, total: int | None, report: Callable[[str], None]) -> None:
    n_bytes, last_report = start, time.monotonic()
    with part.open("ab" if start else "wb") as file:
        for chunk in response.iter_content(_CHUNK_BYTES):
            n_bytes += len(chunk)
            if n_bytes > MAX_DOWNLOAD_BYTES:
                raise _too_large(n_bytes)
            file.write(chunk)
            if time.monotonic() - last_report > _SECONDS_BETWEEN_REPORTS:
                last_report = time.monotonic()
                report(f"{_megabytes(n_bytes)}{f' of {_megabytes(total)}' if total else ''}")


def _too_large(n_bytes: int) -> _TransferError:
    reason = f"it must have {MAX_DOWNLOAD_BYTES:,} bytes at most, found {n_bytes:,} or more"
    return _TransferError(reason, worth_a_retry=False)


def _remember(part: Path, response: requests.Response) -> None:
    """Note what identifies the server's file, if it can be gone on with: the bytes must be the file's own."""
    etag = response.headers.get("ETag", "")
    # A weak ETag says that two files mean the same, not that their bytes are equal.
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    if not validator or "Content-Encoding" in response.headers:
        _state_file(part).unlink(missing_ok=True)
    else:
        _state_file(part).write_text(json.dumps({"validator": validator}), encoding="ascii", newline="\n")


def _validator(part: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(_state_file(part).read_text(encoding="ascii"))["validator"])
    return ""


def _state_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _wait(seconds: float, response: requests.Response | None) -> float:
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    if asked.isdecimal():
        return min(float(asked), MAX_WAIT_SECONDS)
    # Processes that were cut off together should not all come back together.
    return seconds * (1 + random.random() / 2)


def _is_worth_a_retry(error: requests.RequestException | _TransferError) -> bool:
    if isinstance(error, _TransferError):
        return error.worth_a_retry
    if error.response is not None:
        status = error.response.status_code
        return status >= 500 or status in _WORTH_A_RETRY
    # Addresses that cannot be parsed are ValueErrors as well.
    return not isinstance(error, ValueError)


def _describe(error: requests.RequestException | _TransferError) -> str:
    if isinstance(error, _TransferError):
        return str(error)
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
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


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
