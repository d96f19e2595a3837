"""Commands as somebody types them into a shell."""

import os
import shlex
import subprocess
from collections.abc import Sequence


def as_typed(words: Sequence[str]) -> str:
    """Return words as one line of a shell of this system; on Windows PowerShell and cmd share only double quotes."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
