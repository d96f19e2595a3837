"""The display of a proof: the bound at work, its boxes, and what is known so far."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from snnbench.cli.output import errors
from snnbench.display.progress import Mode

if TYPE_CHECKING:
    from snnbench.paper.theory.subdivision import Report
    from snnbench.paper.theory.theorems import Claim

_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def display(mode: Mode, claims: "list[Claim]") -> Iterator["Callable[[Claim], Report]"]:
    """Yield what makes the function that shows a claim's progress on standard error."""
    if mode is Mode.auto:
        mode = Mode.rich if sys.stderr.isatty() and errors().is_interactive else Mode.plain
    if mode is Mode.rich:
        with errors().status("") as status:

            def on_line(claim: "Claim") -> "Report":
                return lambda n_boxes, low, high: status.update(_line(claim, claims, n_boxes, low, high))

            yield on_line
    elif mode is Mode.plain:
        yield lambda claim: _lines(claim, claims)
    else:
        yield lambda claim: lambda n_boxes, low, high: None


def _lines(claim: "Claim", claims: "list[Claim]") -> "Report":
    last_line = time.monotonic()

    def report(n_boxes: int, low: float, high: float) -> None:
        nonlocal last_line
        if time.monotonic() - last_line >= _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            errors().print(_line(claim, claims, n_boxes, low, high), soft_wrap=True)

    return report


def _line(claim: "Claim", claims: "list[Claim]", n_boxes: int, low: float, high: float) -> str:
    low, high = (low, high) if claim.side == "largest" else (-high, -low)
    place = f"bound {claims.index(claim) + 1} of {len(claims)}"
    return f"{place}, {claim.side} {claim.quantity}: in [{low:.6f}, {high:.6f}], {n_boxes:,} boxes"
