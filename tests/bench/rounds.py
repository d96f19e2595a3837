"""Ratios that a busy machine does not bend: the sides of a comparison take turns, and the median of the rounds counts."""

from collections.abc import Callable, Mapping

import numpy as np


def interleave(sides: Mapping[str, Callable[[], float]], n_rounds: int) -> dict[str, list[float]]:
    """Let each side measure its seconds in turn, once to warm up and then ``n_rounds`` times."""
    for measure in sides.values():
        measure()
    rounds = [{name: measure() for name, measure in sides.items()} for _ in range(n_rounds)]
    return {name: [seconds[name] for seconds in rounds] for name in sides}


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Return the median of the rounds' ratios, and the lowest and the highest."""
    ratios = np.array(slow) / np.array(fast)
    return {"ratio": float(np.median(ratios)), "lowest": float(ratios.min()), "highest": float(ratios.max())}
