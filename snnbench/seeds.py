"""Which seeds there are; of its own, so that the options of a command know it before anything is imported."""

from snnbench.errors import ConfigError

MAX_SEED = 2**63 - 1
"""The largest seed that can be stored."""


def check_seeds(seed: int, n_seeds: int) -> None:
    """Check the seeds of a search and of its final trainings.

    Raises:
        ConfigError: If there is none, or one that cannot be stored.
    """
    if n_seeds < 1:
        raise ConfigError(f"There must be at least 1 seed, found {n_seeds}.")
    if seed < 0 or seed + n_seeds - 1 > MAX_SEED:
        raise ConfigError(f"Seeds must be 0 to {MAX_SEED}, found {n_seeds} from {seed} on. Take another first one.")
