"""Progress in a notebook: a bar a stage in the output of the cell, replaced as it moves; nothing is needed but IPython."""

import html
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnbench.execution.stage import Progress

_SECONDS_BETWEEN_BARS = 0.2


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def show_bars(describe: Callable[["Progress"], str]) -> Callable[["Progress"], None]:
    """Return the function that shows a run's progress below the cell.

    Args:
        describe: Says in one line how a stage stands.
    """
    from IPython.display import HTML, display  # there wherever a notebook's kernel is

    shown: dict[str, Any] = {}
    last = 0.0

    def report(progress: "Progress") -> None:
        nonlocal last
        moves = progress.n_done < progress.n_jobs and progress.stage in shown
        if moves and time.monotonic() - last < _SECONDS_BETWEEN_BARS:
            return
        last = time.monotonic()
        bar = HTML(render_bar(progress.n_done, progress.n_jobs, describe(progress)))
        if progress.stage in shown:
            shown[progress.stage].update(bar)
        else:
            shown[progress.stage] = display(bar, display_id=True)

    return report


def render_bar(n_done: int, n_all: int, words: str) -> str:
    """Return a bar with words beside it, as HTML that screen readers understand, too."""
    bar = f'<progress value="{n_done}" max="{max(n_all, 1)}" style="width: 12em; vertical-align: middle"></progress>'
    return f"<div>{bar} <span>{html.escape(words)}</span></div>"
