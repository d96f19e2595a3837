"""The display of a run: what is done, what is training, how long it takes."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from snnbench.display.notebook import in_notebook, show_bars
from snnbench.display.wording import duration, errors, name_some, plural

if TYPE_CHECKING:
    from snnbench.execution.stage import Progress
    from snnbench.records import Job

_SECONDS_BETWEEN_LINES = 10.0


class Mode(StrEnum):
    """How progress is shown; ``auto`` is ``rich`` in a terminal, bars of its own in a notebook and ``plain`` elsewhere."""

    auto = "auto"
    rich = "rich"
    plain = "plain"
    none = "none"


@contextmanager
def display(mode: Mode) -> Iterator[Callable[["Progress"], None]]:
    """Yield the function that shows a run's progress on standard error."""
    if mode is Mode.auto and in_notebook():
        yield show_bars(_line)
        return
    if mode is Mode.auto:
        # Not rich's own guess: FORCE_COLOR asks for colours in a log, not for bars in it.
        mode = Mode.rich if sys.stderr.isatty() and errors().is_interactive else Mode.plain
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
    """Say what is training, in configurations: ``12 snn on abalone, 4 svm on wine and 2 more``."""
    words = [f"{len(job.members)} {job.members[0].config.model} on {job.members[0].task}" for job in jobs]
    return name_some(words, 2)


def _describe_workers(progress: "Progress") -> str:
    """Say who works and how fast, where that is not this machine alone: ``2 nodes, 8 workers, 120 jobs/min``."""
    if not progress.n_nodes:
        return ""
    speed = 60 * progress.n_done / progress.seconds if progress.seconds else 0.0
    return f"{plural(progress.n_nodes, 'node')}, {plural(progress.n_workers, 'worker')}, {speed:.0f} jobs/min"


def _lines() -> Callable[["Progress"], None]:
    console, last_line = errors(), 0.0

    def report(progress: "Progress") -> None:
        nonlocal last_line
        finished = progress.n_done == progress.n_jobs
        if not finished and time.monotonic() - last_line < _SECONDS_BETWEEN_LINES:
            return
        last_line = time.monotonic()
        console.print(_line(progress), soft_wrap=True)

    return report


def _line(progress: "Progress") -> str:
    """Say in one line how a stage stands."""
    left = remaining(progress)
    parts = [f"{progress.stage}: {progress.n_done}/{progress.n_jobs} jobs", f"{duration(progress.seconds)} elapsed"]
    parts += [workers] if (workers := _describe_workers(progress)) else []
    parts += [f"{duration(left)} left"] if left is not None and progress.n_done < progress.n_jobs else []
    parts += [f"{progress.n_failed} failed"] if progress.n_failed else []
    parts += [f"training {_training(progress.in_flight)}"] if progress.in_flight else []
    return ", ".join(parts)


@contextmanager
def _bars() -> Iterator[Callable[["Progress"], None]]:
    from rich import progress as rich_progress
    from rich.table import Column

    # What is training takes the rest of the line and is cut there, so that nothing else ever moves.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        rich_progress.TextColumn("{task.description:<8}", markup=False),
        rich_progress.BarColumn(bar_width=16),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("{task.fields[failed]}", style="red", markup=False),
        rich_progress.TextColumn("{task.fields[left]}", markup=False),
        rich_progress.TextColumn("{task.fields[workers]}", markup=False),
        rich_progress.TextColumn("{task.fields[training]}", style="dim", markup=False, table_column=rest),
    )
    with rich_progress.Progress(*columns, console=errors(), expand=True) as bars:
        rows: dict[str, rich_progress.TaskID] = {}

        def report(progress: "Progress") -> None:
            if progress.stage not in rows:
                rows[progress.stage] = bars.add_task(
                    progress.stage, total=progress.n_jobs, left="", failed="", workers="", training=""
                )
            left = remaining(progress)
            bars.update(
                rows[progress.stage],
                completed=progress.n_done,
                left=f"{duration(left)} left" if left is not None and progress.n_done < progress.n_jobs else "",
                failed=f"{progress.n_failed} failed" if progress.n_failed else "",
                workers=_describe_workers(progress),
                training=_training(progress.in_flight),
            )

        yield report
