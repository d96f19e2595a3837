"""The options that tests share."""

from collections.abc import Iterable
from typing import get_args

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.records import Alternative
from snnbench.stats.correction import CORRECTIONS

ALTERNATIVES: tuple[str, ...] = get_args(Alternative)


def check_option(what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that does not exist, before anything is computed.

    Raises:
        UnknownNameError: If ``name`` is not in ``known``.
    """
    names = list(known)
    if name not in names:
        raise UnknownNameError(what, name, names)


def check_test_options(alternative: str, correction: str) -> None:
    """Refuse an alternative or a correction that does not exist.

    Raises:
        UnknownNameError: If one of them does not.
    """
    check_option("alternative", alternative, ALTERNATIVES)
    check_option("correction", correction, CORRECTIONS)


def check_share(what: str, value: float) -> None:
    """Refuse a number that is not between 0 and 1, ends excluded: a level of significance or confidence.

    Raises:
        SnnbenchError: If it is not.
    """
    if not 0 < value < 1:
        raise SnnbenchError(f"{what[0].upper()}{what[1:]} must lie between 0 and 1, found {value}; 0.05 and 0.95 are usual.")
