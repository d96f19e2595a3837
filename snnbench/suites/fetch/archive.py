"""Zip and tar archives, unpacked once into the cache.

An archive comes from the network or from the user, so all of it is read and every member is checked before the first
byte is written. Files are written by plain copies, which cannot make links, devices or odd permissions.
"""

import hashlib
import json
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import IO

from snnbench.errors import DataError
from snnbench.records import digest

CACHE_VARIABLE = "SNNBENCH_CACHE"
MAX_UNPACKED_BYTES = 20 * 2**30
"""More than any suite needs by a wide margin; a declared total above it is taken for a decompression bomb."""

MAX_EXPANSION = 500
"""Times an archive's own size that it may unpack to, beyond ``MIN_SUSPECT_BYTES``; the suites' archives unpack to 10 times."""
MIN_SUSPECT_BYTES = 100 * 2**20

LISTING = ".files.json"
"""In an unpacked folder: the size, time and SHA-256 of each of its files."""

_BLOCK_BYTES = 2**20
_READ_ERRORS = (
    # What the standard library raises on damaged archives; bz2 and gzip use OSError, encrypted zips RuntimeError.
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, NotImplementedError, ValueError),
)


@dataclass(frozen=True)
class Member:
    """A file of an archive: ``path`` is relative, with forward slashes and without a leading ``./``."""

    path: str
    info: zipfile.ZipInfo | tarfile.TarInfo
    size_bytes: int
    is_folder: bool
    is_regular: bool


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses below ``folder`` into a ``DataError`` that says how to go on."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"The cache folder {folder} must be writable and have room, found: {error.strerror or error}. "
            f"Free some space, or set the environment variable {CACHE_VARIABLE} to another folder."
        ) from error


def unpacked_name(archive: Path, wanted: re.Pattern[str] | None) -> str:
    """Return the name of an archive's unpacked folder: another archive, or other wanted files, have another."""
    return digest([sha256_of(archive), wanted.pattern if wanted else ""])


def unpack(archive: Path, folder: Path, wanted: re.Pattern[str] | None, report: Callable[[str], None]) -> Path:
    """Unpack the wanted files of an archive, unless that was done before.

    The folder appears complete or not at all, so an interrupted run leaves nothing half done and several processes may unpack
    the same archive at once.

    Args:
        archive: A zip file, or a tar file with any compression.
        folder: Where the unpacked folder is put.
        wanted: Which members to unpack, searched for in their paths; None for all.
        report: Is told what is being done.

    Returns:
        ``folder/<unpacked_name(archive, wanted)>``.

    Raises:
        DataError: If the archive is damaged or unsafe, or the folder cannot be written.
    """
    try:
        unpacked = folder / unpacked_name(archive, wanted)
        if unpacked.is_dir():
            damage = find_damage(unpacked)
            if not damage:
                return unpacked
            report(f"The unpacked folder {unpacked} is damaged and is unpacked again: {damage}")
        members = list_members(archive, wanted)
    except OSError as error:
        raise DataError(
            f"The archive {archive} must be readable, found: {error.strerror or error}. "
            "Mend its permissions, or name another with --source DIR|FILE|URL."
        ) from error
    except DataError as error:
        raise DataError(
            f"The archive {archive} ({archive.stat().st_size} bytes) cannot be used: {error}. "
            "Download it again, or name another with --source DIR|FILE|URL."
        ) from error
    report(f"Unpacking {len(members)} files of {archive} into {unpacked}")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".unpack-") as scratch:
            # A folder inside the scratch folder, because that one is private to the user and caches may be shared.
            complete = Path(scratch) / "files"
            _write(archive, members, complete)
            _publish(complete, unpacked, Path(scratch) / "damaged")
    return unpacked


def list_members(archive: Path, wanted: re.Pattern[str] | None = None) -> list[Member]:
    """Read an archive from end to end and return its wanted files.

    Raises:
        DataError: With the bare reason (no file, no advice) why the archive is damaged, unsafe, too large or without
            a wanted file.
    """
    try:
        with _opened(archive) as opened:
            members = _check(opened, max_bytes(archive))
            _read_to_end(opened)
    except _READ_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"it must be a complete zip or tar archive, found: {reason}") from error
    files = [member for member in members if not member.is_folder and (wanted is None or wanted.search(member.path))]
    for member in files:
        if not member.is_regular:
            raise DataError(f"its members must be plain files, found the link or device {member.path!r}")
    if not files:
        raise DataError(f"it must hold files of the suite, found none among {len(members)} members")
    return files


def max_bytes(archive: Path) -> int:
    """Return how many bytes an archive or a compressed file may unpack to before it is taken for a bomb."""
    return min(MAX_UNPACKED_BYTES, max(MIN_SUSPECT_BYTES, MAX_EXPANSION * archive.stat().st_size))


def _check(opened: zipfile.ZipFile | tarfile.TarFile, limit_bytes: int) -> list[Member]:
    members = []
    total_bytes = 0
    for member in _iterate(opened):
        path = member.path
        if PureWindowsPath(path).anchor or ".." in PurePosixPath(path).parts or "\0" in path:
            raise DataError(f"its members must stay inside its folder, found {path!r}")
        # While reading the headers, because a bomb's are slow to reach.
        total_bytes += member.size_bytes
        if total_bytes > limit_bytes:
            raise DataError(f"it may unpack to {limit_bytes} bytes at most, found more up to {path!r}")
        members.append(member)
    return members


def _opened(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    # By content, not by name: servers may undo the gzip compression, and mirrors may rename.
    with archive.open("rb") as file:
        beginning = file.read(16)
    if beginning.startswith(b"PK"):
        if not zipfile.is_zipfile(archive):
            raise DataError("it must be a complete zip archive, found no directory at its end")
        return zipfile.ZipFile(archive)
    if not tarfile.is_tarfile(archive):
        raise DataError(f"it must be a zip or tar archive, found a file that begins with {beginning!r}")
    return tarfile.open(archive)


def _iterate(opened: zipfile.ZipFile | tarfile.TarFile) -> Iterator[Member]:
    if isinstance(opened, zipfile.ZipFile):
        for info in opened.infolist():
            # No type at all is what tools without Unix permissions write.
            is_regular = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
            yield Member(_tidy(info.filename), info, info.file_size, info.is_dir(), is_regular)
    else:
        for entry in opened:
            yield Member(_tidy(entry.name), entry, entry.size, entry.isdir(), entry.isreg())


def _tidy(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")))


def _read_to_end(opened: zipfile.ZipFile | tarfile.TarFile) -> None:
    """Compare the checksums, and tell the end of a tar archive from a place where its headers became unreadable."""
    if isinstance(opened, zipfile.ZipFile):
        damaged = opened.testzip()
        if damaged is not None:
            raise DataError(f"its members must match their checksums, {damaged!r} does not")
        return
    stream = opened.fileobj
    assert stream is not None, "an open TarFile has a file"
    stream.seek(opened.offset)
    end = stream.read(tarfile.BLOCKSIZE)
    if len(end) < tarfile.BLOCKSIZE or any(end):
        raise DataError(f"it must end with an end-of-archive mark, found none after {opened.offset} unpacked bytes")
    while stream.read(_BLOCK_BYTES):
        pass


def _write(archive: Path, members: list[Member], folder: Path) -> None:
    with _opened(archive) as opened:
        for member in members:
            target = folder / member.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with _content(opened, member) as content, target.open("wb") as file:
                shutil.copyfileobj(content, file, _BLOCK_BYTES)
    files = [folder / member.path for member in members]
    listing = {member.path: _describe_file(file) for member, file in zip(members, files, strict=True)}
    (folder / LISTING).write_text(json.dumps(listing), encoding="utf-8", newline="\n")


def _describe_file(file: Path) -> tuple[int, int, str]:
    return file.stat().st_size, file.stat().st_mtime_ns, sha256_of(file)


def _content(opened: zipfile.ZipFile | tarfile.TarFile, member: Member) -> IO[bytes]:
    if isinstance(opened, zipfile.ZipFile):
        assert isinstance(member.info, zipfile.ZipInfo)
        return opened.open(member.info)
    assert isinstance(member.info, tarfile.TarInfo)
    content = opened.extractfile(member.info)
    assert content is not None, "a plain file has content"
    return content


def _publish(complete: Path, unpacked: Path, aside: Path) -> None:
    with suppress(OSError):
        if unpacked.is_dir() and find_damage(unpacked):
            unpacked.replace(aside)
    try:
        complete.replace(unpacked)
    except OSError:
        # Another process was faster with the same archive, and its folder is as good.
        if not unpacked.is_dir():
            raise


def find_damage(unpacked: Path, every_byte: bool = False) -> str:
    """Compare an unpacked folder with the list that was made when it was unpacked; return what is wrong, or "".

    Args:
        unpacked: The folder; one without a list (of an earlier version, or made by other means) is taken as it is.
        every_byte: Whether to read files whose size and time are as they were, too.
    """
    try:
        listing = json.loads((unpacked / LISTING).read_text(encoding="utf-8"))
        files = [(str(path), size_bytes, time_ns, sha256) for path, (size_bytes, time_ns, sha256) in listing.items()]
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return f"{LISTING} cannot be read: {error}"
    for path, size_bytes, time_ns, sha256 in files:
        file = unpacked / path
        try:
            stat_ = file.stat()
        except (OSError, ValueError):
            return f"{path} is missing"
        if stat_.st_size != size_bytes:
            return f"{path} must have {size_bytes} bytes, found {stat_.st_size}"
        if (every_byte or stat_.st_mtime_ns != time_ns) and (found := sha256_of(file)) != sha256:
            return f"the SHA-256 of {path} must be {sha256}, found {found}"
    return ""
