"""The errors a user can cause; only ``cli`` catches them (one red line, exit code 2)."""

from collections.abc import Iterable
from difflib import get_close_matches


class SnnbenchError(Exception):
    """Something the user can mend: says what must hold, what was found and what to do next."""


class UnknownNameError(SnnbenchError):
    """A suite, task, model, preset or setting that does not exist.

    Args:
        what: What kind of thing was named, for example ``"model"``.
        name: The name as given.
        known: The names that exist.
        hint: What to do next; by default the known names are listed when they fit on a line.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(known)
        nearest = get_close_matches(name, known, n=1, cutoff=0.5)
        guess = f" Did you mean '{nearest[0]}'?" if nearest else ""
        names = ", ".join(known)
        if not hint and len(names) <= 300:
            hint = f"Known: {names or 'none'}."
        super().__init__(f"Unknown {what} '{name}'.{guess} {hint}".strip())


class ConfigError(SnnbenchError):
    """A config file with a wrong key, type or value."""


class DataError(SnnbenchError):
    """Data that is missing, damaged, or not what the catalogue says."""


class DownloadError(DataError):
    """Data that no address gave; ``lines`` say what must hold, what was tried and what to do, each on a line of its own."""

    def __init__(self, *lines: str) -> None:
        super().__init__(" ".join(lines))
        self.lines = lines


class StoreError(SnnbenchError):
    """A results folder that cannot be written or a results file that cannot be read."""


class LeftAsideWarning(UserWarning):
    """A file in a results folder that holds no results: it is named and left aside."""
