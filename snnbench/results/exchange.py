"""A suite's folder that takes the place of another: in one step, where the system can do that.

Elsewhere the old folder is moved away first and the new one into its place; whoever comes between the two, or after a kill
there, moves the old one back (``recover``). The new folder lies beside the results folder until it has its place, and so
tells which of the two is complete.
"""

import ctypes
import glob
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of linux/fcntl.h and linux/fs.h
_PATIENCE_SECONDS = 10.0


def exchange(one: Path, other: Path) -> bool:
    """Let two paths of one file system trade places at once; False if this system or file system cannot.

    Python offers no ``renameat2``; the C library of Linux does.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def take_place(fresh: Path, folder: Path) -> None:
    """Put a new folder into the place of a suite's folder, which is gone then, or lies where the new one was.

    Raises:
        OSError: If that cannot be; the suite's folder is where it was then.
    """
    if exchange(fresh, folder):
        return
    old = beside(folder, "old")
    move(folder, old)
    try:
        move(fresh, folder)
    except OSError:
        with suppress(OSError):  # a reader may have brought it back already
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def move(path: Path, place: Path) -> None:
    """Move a file to a place where another may be, or a folder to one where nothing is, in one step.

    On Windows nothing that somebody reads can be moved or replaced; so there it is tried for ten seconds.

    Raises:
        OSError: If that cannot be.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            path.replace(place)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() > until:
                raise
            time.sleep(0.05)


def recover(results: Path) -> None:
    """Bring back a suite's folder that was moved away by a process that was killed then, and forget what was replaced."""
    place = results.resolve()
    for old in place.parent.glob(f".{glob.escape(place.name)}.*.old"):
        folder = place / old.name.removeprefix(f".{place.name}.").removesuffix(".old")
        with suppress(OSError):
            if folder.exists() and not beside(folder, "new").exists():
                shutil.rmtree(old)
                continue
            with suppress(OSError):  # it may be there, but empty, and Windows renames nothing to what is there
                folder.rmdir()
            old.rename(folder)


def beside(folder: Path, state: str) -> Path:
    """Return where a suite's folder lies that is new or old: beside the results folder."""
    results = folder.parent
    return results.parent / f".{results.name}.{folder.name}.{state}"
