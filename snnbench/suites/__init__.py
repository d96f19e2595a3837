"""The suites: one module each, with the names of ``Suite``."""

from snnbench.suites.fetch.opening import bundle_source, open_source
from snnbench.suites.registry import SUITES, Suite, command_words, keep_catalogue, know_suites, load_suite, split_numbers

__all__ = [
    "SUITES",
    "Suite",
    "bundle_source",
    "command_words",
    "keep_catalogue",
    "know_suites",
    "load_suite",
    "open_source",
    "split_numbers",
]
