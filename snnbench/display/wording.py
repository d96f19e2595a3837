"""Words and numbers as every output writes them, and the console for what goes on meanwhile."""

import sys

from rich.console import Console


def errors() -> Console:
    """Return the console for errors and progress (standard error)."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def duration(seconds: float) -> str:
    """Return seconds in the unit that a reader would choose: ``45 s``, ``12 min``, ``3.5 h``, ``4.2 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def quantity(number: float) -> str:
    """Return a count in words: ``840``, ``12.3 thousand``, ``256 million``, ``4.8e+17``."""
    for size, word in ((1e3, "thousand"), (1e6, "million"), (1e9, "billion")):
        if size <= number < 1000 * size:
            return f"{number / size:.3g} {word}"
    return f"{number:.0f}" if number < 1e3 else f"{number:.1e}"


def plural(n: int, noun: str) -> str:
    """Return ``1 job`` or ``2 jobs``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def name_some(names: list[str], limit: int) -> str:
    """Return the names, those beyond the limit as a number."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def missing_sentence(n_loaded: int, n_wanted: int, missing: dict[str, str], limit: int = sys.maxsize) -> str:
    """Account for every task: ``120 of 121 tasks loaded; miniboone: miniboone_R.dat is missing``."""
    sentence = f"{n_loaded} of {n_wanted} tasks loaded"
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        reasons.setdefault(reason.replace(name, "<task>") if len(missing) > 3 else reason, []).append(name)
    return "; ".join([sentence, *(f"{name_some(names, limit)}: {reason}" for reason, names in reasons.items())])
