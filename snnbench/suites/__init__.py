"""The suites: one module each, with the names of ``Suite``."""

from snnbench.suites.fetch.opening import bundle_source, open_source
from snnbench.suites.registry import SUITES, Suite, load_suite

__all__ = ["SUITES", "Suite", "bundle_source", "load_suite", "open_source"]
