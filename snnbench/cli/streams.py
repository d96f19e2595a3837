"""Standard output and standard error as any terminal, pipe or file offers them: narrow, in another encoding, closed or full."""

import codecs
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from snnbench.errors import SnnbenchError

MIN_WIDTH = 40
"""Columns that tables and help need; ``COLUMNS`` may say less, and some shells say 0."""
READER_LEFT = 141
"""The exit code of a program whose output nobody reads any more: 128 and the number of SIGPIPE."""

_PLAIN = {
    **{"─": "-", "━": "-", "│": "|", "┃": "|", "═": "=", "╸": "-", "╺": "-", "•": "*", "…": "~", "–": "-", "—": "-", "−": "-"},
    **{"×": "x", "±": "+/-", "·": "*", "→": "->", "≤": "<=", "≥": ">=", "≈": "~", "√": "sqrt", "∂": "d", "∫": "int", "∈": "in"},
    **{"α": "alpha", "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ξ": "xi", "τ": "tau", "φ": "phi", "Φ": "Phi", "χ": "chi"},
    **{"ω": "omega", "²": "^2", "³": "^3", "⁴": "^4", "⁻": "^-", "ᵏ": "^k", "ᵀ": "^T", "₀": "0", "₁": "1", "̃": "~"},
    **{"′": "'", "″": '"', "‘": "'", "’": "'", "“": '"', "”": '"', "\N{NO-BREAK SPACE}": " "},
    **{"á": "a", "í": "i", "š": "s"},
}
"""What stands for a character that an encoding lacks: rules keep their width, letters get their names."""
_ERRORS = "snnbench-plain"


class ReaderLeftError(Exception):
    """Whoever read standard output has closed it, as ``head`` does."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Make standard output and standard error fit to be written to, and put them back.

    A character that an encoding lacks becomes a plain one or an escape. What cannot be written to standard output is an error
    of ours; what cannot be written to standard error is left unsaid, for there is no other place to say it.

    Raises:
        ReaderLeftError: From any write, if the other end of a pipe is closed.
        SnnbenchError: From any write that fails otherwise.
    """
    _fit_columns()
    codecs.register_error(_ERRORS, _as_plain)
    before = sys.stdout, sys.stderr
    kept = [(stream, stream.errors) for stream in before if hasattr(stream, "reconfigure")]
    for stream, _ in kept:
        stream.reconfigure(errors=_ERRORS)
    nowhere = Path(os.devnull)
    output, errors = (nowhere.open("w", encoding="utf-8", newline="\n") if one is None else one for one in before)
    sys.stdout, sys.stderr = _Guarded(output, _refuse), _Guarded(errors, lambda error: None)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream, words in kept:
            with suppress(OSError):  # a stream that failed cannot be flushed, and changing it does that
                stream.reconfigure(errors=words)


class _Guarded:
    """A text stream that hands its failures to a function, and afterwards swallows what is written."""

    def __init__(self, stream: TextIO, on_failure: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._on_failure = on_failure

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            # What is left in its buffer would fail again when Python ends.
            with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
            self._on_failure(error)


def _refuse(error: OSError) -> None:
    if error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL):  # what Windows says of a closed pipe
        raise ReaderLeftError from error
    raise SnnbenchError(
        f"Standard output must take what is printed, but writing to it says: {error.strerror or error}. "
        "Make room, or send it elsewhere."
    ) from error


def _fit_columns() -> None:
    """Forget a ``COLUMNS`` that is no width, and widen one that has no room for a word."""
    said = os.environ.get("COLUMNS")
    if said is None:
        return
    columns = int(said) if said.isascii() and said.isdecimal() else 0
    if columns == 0:
        del os.environ["COLUMNS"]
    elif columns < MIN_WIDTH:
        os.environ["COLUMNS"] = str(MIN_WIDTH)


def _as_plain(error: UnicodeError) -> tuple[str, int]:
    """Handle an encoding error; see ``codecs.register_error``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    escaped = (_PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode() for character in lacking)
    return "".join(escaped), error.end
