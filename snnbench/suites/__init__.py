"""The suites: one module each, with the names of ``Suite``.

What opens their files is imported when it is first asked for: to know the names of the suites takes no package of downloads.
"""

from typing import TYPE_CHECKING, Any

from snnbench.suites.registry import SUITES, Suite, command_words, keep_catalogue, know_suites, load_suite, split_numbers

if TYPE_CHECKING:
    from snnbench.suites.fetch.opening import bundle_source, open_source

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


def __getattr__(name: str) -> Any:
    if name not in ("bundle_source", "open_source"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from snnbench.suites.fetch import opening

    return getattr(opening, name)
