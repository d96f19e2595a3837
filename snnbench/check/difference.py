"""What a check finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One thing that is not as expected: where, what was expected and found, and what would have been allowed."""

    place: str
    model: str
    expected: str
    found: str
    allowed: str
