"""Two paths that trade places in one step, where the system can do that."""

import ctypes
import os
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of linux/fcntl.h and linux/fs.h


def exchange(one: Path, other: Path) -> bool:
    """Let two paths of one file system trade places at once; False if this system or file system cannot.

    Python offers no ``renameat2``; the C library of Linux does.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)
