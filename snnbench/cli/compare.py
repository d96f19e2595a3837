"""``snnbench compare``."""


def compare() -> None:
    """Rank the models."""
