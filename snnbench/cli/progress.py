"""The display of a run: what is done, what is training, how long it takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from snnbench.cli.output import duration, errors

if TYPE_CHECKING:
    from snnbench.records import Job
    from snnbench.stage import Progress

_SECONDS_BETWEEN_LINES = 10.0


class Mode(StrEnum):
    """How progress is shown; ``auto`` is ``rich`` in a terminal and ``plain`` elsewhere."""

    auto = "auto"
    rich = "rich"
    plain = "plain"
    none = "none"


@contextmanager
def display(mode: Mode) -> Iterator[Callable[["Progress"], None]]:
    """Yield the function that shows a run's progress on standard error."""
    if mode is Mode.auto:
        mode = Mode.rich if errors().is_terminal else Mode.plain
    if mode is Mode.rich:
        with _bars() as report:
            yield report
    else:
        yield _lines() if mode is Mode.plain else lambda progress: None


def remaining(progress: "Progress") -> float | None:
    """Estimate the seconds left: the plan's proportions, at the speed seen so far. None while nothing is done."""
    if progress.n_done == 0:
        return None
    return progress.seconds * progress.planned_left / progress.planned_done


def _training(jobs: "tuple[Job, ...]") -> str:
    """Say what is training: ``abalone snn n_layers=8 n_units=32 form=rectangular``."""
    words = []
    for job in jobs[:2]:
        member = job.members[0]
        words.append(f"{member.task} {member.config.model} ({len(job.members)})")
    return ", ".join(words) + (f" and {len(jobs) - 2} more" if len(jobs) > 2 else "")


def _lines() -> Callable[["Progress"], None]:
    console, last_line = errors(), 0.0

    def report(progress: "Progress") -> None:
        nonlocal last_line
        finished = progress.n_done == progress.n_jobs
        if not finished and time.monotonic() - last_line < _SECONDS_BETWEEN_LINES:
            return
        last_line = time.monotonic()
        left = remaining(progress)
        parts = [f"{progress.stage}: {progress.n_done}/{progress.n_jobs} jobs", f"{duration(progress.seconds)} elapsed"]
        parts += [f"{duration(left)} left"] if left is not None and not finished else []
        parts += [f"{progress.n_failed} failed"] if progress.n_failed else []
        parts += [f"training {_training(progress.in_flight)}"] if progress.in_flight else []
        console.print(", ".join(parts), markup=False, soft_wrap=True)

    return report


@contextmanager
def _bars() -> Iterator[Callable[["Progress"], None]]:
    from rich import progress as rich_progress

    columns = (
        rich_progress.TextColumn("{task.description:<8}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[clock]}"),
        rich_progress.TextColumn("[dim]{task.fields[training]}", table_column=None),
    )
    with rich_progress.Progress(*columns, console=errors()) as bars:
        rows: dict[str, rich_progress.TaskID] = {}

        def report(progress: "Progress") -> None:
            if progress.stage not in rows:
                rows[progress.stage] = bars.add_task(progress.stage, total=progress.n_jobs, clock="", training="")
            left = remaining(progress)
            clock = duration(progress.seconds)
            if left is not None and progress.n_done < progress.n_jobs:
                clock += f", {duration(left)} left"
            if progress.n_failed:
                clock += f", [red]{progress.n_failed} failed[/]"
            training = _training(progress.in_flight)
            bars.update(rows[progress.stage], completed=progress.n_done, clock=clock, training=training)

        yield report
