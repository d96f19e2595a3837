"""Largest and smallest values of a function over a rectangle, proved by adaptive subdivision."""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from snnbench.paper.theory.balls import hull, load_flint, lower, upper

if TYPE_CHECKING:
    from flint import arb

Function = Callable[["arb", "arb"], "arb"]
"""From balls of m and v to a ball of all values on them."""

Objective = Callable[["arb", "arb"], tuple["arb", "arb", "arb"]]
"""The same with the derivatives by m and v."""

Report = Callable[[int, float, float], None]

MAX_BOXES = 2_000_000
_BOXES_BETWEEN_REPORTS = 256


@dataclass(frozen=True)
class Box:
    """A rectangle of m = μω and v = ντ."""

    m: tuple[float, float]
    v: tuple[float, float]

    @property
    def centre(self) -> tuple[float, float]:
        """The middle, as floats inside the box."""
        return (self.m[0] + self.m[1]) / 2, (self.v[0] + self.v[1]) / 2

    def halves(self) -> "tuple[Box, Box]":
        """Split the side along which z ~ N(m, v) changes more: m in standard deviations, v in proportion.

        A v of several orders of magnitude is split in the geometric middle.
        """
        low, high = self.v
        if (self.m[1] - self.m[0]) / math.sqrt(low) > math.log(high / low):
            middle = (self.m[0] + self.m[1]) / 2
            return Box((self.m[0], middle), self.v), Box((middle, self.m[1]), self.v)
        middle = (low + high) / 2 if high < 2 * low else math.sqrt(low * high)
        return Box(self.m, (low, middle)), Box(self.m, (middle, high))


@dataclass(frozen=True)
class Enclosure:
    """Where the largest value of a function over a rectangle lies.

    ``lower`` is a value that the function exceeds or has at ``at``; ``upper`` is exceeded nowhere, which every one of the
    ``n_boxes`` that cover the rectangle proves for itself. ``worst`` is the box of ``upper``.
    """

    lower: float
    upper: float
    at: tuple[float, float]
    worst: Box
    n_boxes: int


def enclose_maximum(
    pieces: "Sequence[tuple[Function, Box]]",
    tolerance: float,
    limit: float,
    max_boxes: int = MAX_BOXES,
    report: Report = lambda n_boxes, lower, upper: None,
) -> Enclosure:
    """Split the box with the largest bound until it is decided whether all values are below ``limit``, and by how much.

    Args:
        pieces: The function on each of the boxes that make up the rectangle: from balls of m and v to a ball of all values on
            them; a ball that is not finite bounds nothing.
        tolerance: Wanted ``upper - lower``; infinite to stop as soon as it is decided.
        limit: What the values must stay below. A point where they do not ends the search.
        max_boxes: Give up after so many, with the bound so far, which is still a proved one.
        report: Is told the boxes, ``lower`` and ``upper`` every now and then.
    """
    arb = load_flint().arb
    order = count()  # equal bounds are split in order of age
    best, at = -float("inf"), pieces[0][1].centre
    heap: list[tuple[float, int, int, Box]] = []

    def add(piece: int, box: Box) -> None:
        nonlocal best, at
        function = pieces[piece][0]
        m, v = box.centre
        value = lower(function(arb(m), arb(v)))
        if value > best:
            best, at = value, (m, v)
        heapq.heappush(heap, (-upper(function(hull(*box.m), hull(*box.v))), next(order), piece, box))

    for piece, (_, box) in enumerate(pieces):
        add(piece, box)
    while True:
        bound, _, piece, box = heap[0]
        decided = -bound < limit and -bound - best <= tolerance
        if decided or best >= limit or len(heap) >= max_boxes:
            report(len(heap), best, -bound)
            return Enclosure(best, -bound, at, box, len(heap))
        heapq.heappop(heap)
        for half in box.halves():
            add(piece, half)
        if len(heap) % _BOXES_BETWEEN_REPORTS == 0:
            report(len(heap), best, -bound)


def mean_value_form(objective: "Objective") -> "Function":
    """Return a function whose balls are tighter: F(c) + F′(box)·(box − c), and F(box) where that is narrower.

    Both contain all values on the box, so their intersection does. The error falls with the square of the box's width.
    """

    def function(m: "arb", v: "arb") -> "arb":
        value, by_m, by_v = objective(m, v)
        if m.is_exact() and v.is_exact():
            return value
        centre_m, centre_v = m.mid(), v.mid()
        centred = objective(centre_m, centre_v)[0] + by_m * (m - centre_m) + by_v * (v - centre_v)
        return value.intersection(centred) if value.is_finite() and centred.is_finite() else value

    return function
