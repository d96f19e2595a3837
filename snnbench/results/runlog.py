"""The log of a run: one file of JSON lines, one event a line, and the warnings gathered until the end.

``<results>/_logs/<start>-<process>.jsonl``; Parquet readers ignore the folder. Without an open log nothing happens.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from snnbench.errors import StoreError


@dataclass
class RunLog:
    """A file that is being written, and how often each warning came, by source and message.

    One that is not ``kept`` goes at the end of a run that had nothing to do.
    """

    file: TextIO
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: bool = True


_open_logs: list[RunLog] = []


def log_event(name: str, /, **fields: object) -> None:
    """Tell the run's log that something happened."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": time, "event": name, **fields}, default=str) + "\n"
    for log in _open_logs:
        with suppress(OSError):  # a full disk ends the run where results are stored, with words on how to go on
            log.file.write(line)


def log_warning(source: str, message: str) -> None:
    """Tell the run's log of a warning; equal ones are gathered and shown once."""
    log_event("warning", source=source, message=message)
    for log in _open_logs:
        log.warnings[source, message] += 1


@contextmanager
def open_log(results: Path) -> Iterator[RunLog]:
    """Log events into a new file of a results folder.

    Raises:
        StoreError: If the file cannot be written.
    """
    folder = results / "_logs"
    name = f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%f')}-{os.getpid()}.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log = RunLog((folder / name).open("a", encoding="utf-8", newline="\n", buffering=1))
    except OSError as error:
        raise StoreError(
            f"The results folder must be writable, but writing to {results} says: {error.strerror or error}. "
            "Make room or name another one with --results; what is stored already stays."
        ) from error
    _open_logs.append(log)
    try:
        yield log
    except BaseException as error:
        log_event("run ended", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        _open_logs.remove(log)
        with suppress(OSError):
            log.file.close()
            if not log.kept:
                (folder / name).unlink()
                folder.rmdir()  # unless there are other logs
