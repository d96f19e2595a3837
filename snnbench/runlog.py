"""The log of a run: one file of JSON lines, one event a line, and the warnings gathered until the end.

``<results>/_logs/<start>-<process>.jsonl``; Parquet readers ignore the folder. Events go to the logger ``snnbench.run``, with
their fields in ``extra={"event": {...}}``; without an open log nothing happens.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from snnbench.errors import StoreError

_LOGGER = logging.getLogger("snnbench.run")
_LOGGER.propagate = False
_LOGGER.addHandler(logging.NullHandler())


def log_event(name: str, /, **fields: object) -> None:
    """Tell the run's log that something happened."""
    _LOGGER.info(name, extra={"event": fields})


def log_warning(source: str, message: str) -> None:
    """Tell the run's log of a warning; equal ones are gathered and shown once."""
    _LOGGER.warning("warning", extra={"event": {"source": source, "message": message}})


class _Lines(logging.Handler):
    """Appends each event to a file, as one line in one write, and counts the warnings."""

    def __init__(self, file: Path) -> None:
        super().__init__(logging.INFO)
        self.file = file.open("a", encoding="utf-8", buffering=1)
        self.warnings: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        fields: Mapping[str, object] = getattr(record, "event", {})
        if record.levelno >= logging.WARNING and "message" in fields:
            self.warnings[str(fields.get("source", "")), str(fields["message"])] += 1
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        with suppress(OSError):  # a full disk ends the run where results are stored, with words on how to go on
            self.file.write(json.dumps({"time": time, "event": record.getMessage(), **fields}, default=str) + "\n")

    def close(self) -> None:
        with suppress(OSError):
            self.file.close()
        super().close()


@contextmanager
def open_log(results: Path) -> Iterator[Counter[tuple[str, str]]]:
    """Log events into a new file of a results folder; yield the warnings as they are counted, by source and message.

    Raises:
        StoreError: If the file cannot be written.
    """
    folder = results / "_logs"
    name = f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lines = _Lines(folder / name)
    except OSError as error:
        raise StoreError(
            f"The results folder must be writable, but writing to {results} says: {error.strerror or error}. "
            "Make room or name another one with --results; what is stored already stays."
        ) from error
    level = _LOGGER.level
    _LOGGER.addHandler(lines)
    _LOGGER.setLevel(logging.INFO)
    try:
        yield lines.warnings
    except BaseException as error:
        log_event("run ended", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        _LOGGER.removeHandler(lines)
        _LOGGER.setLevel(level)
        lines.close()
