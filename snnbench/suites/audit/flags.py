"""What may be wrong with a task, and the stored findings of the audit.

``datasets/<suite>_flags.csv`` is written by ``snnbench data audit SUITE --format csv --output FILE``, and tests hold it to that
computation. It travels with the package: a comparison can name or leave out flagged tasks where the data is not at hand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pandas as pd

from snnbench.errors import UnknownNameError
from snnbench.resources import resource
from snnbench.suites.folder import FolderSuite
from snnbench.suites.registry import SUITES, load_suite

Severity = Literal["fault", "caution", "note"]
SEVERITIES: tuple[Severity, ...] = ("fault", "caution", "note")
COLUMNS = ["task", "flag", "detail"]


@dataclass(frozen=True)
class Flag:
    """A kind of finding.

    A ``fault`` makes a score say something else than its task promises; a ``caution`` makes it uncertain or too good; a
    ``note`` is true of most tasks and should be known.
    """

    severity: Severity
    meaning: str


@dataclass(frozen=True)
class Finding:
    """One finding of the audit."""

    task: str
    flag: str
    detail: str


FLAGS: dict[str, Flag] = {
    "test-not-standardised": Flag("fault", "training rows are standardised, test rows are on another scale"),
    "train-not-standardised": Flag("fault", "test rows are standardised, training rows are on another scale"),
    "not-standardised": Flag("fault", "features are used as published and are not standardised"),
    "standardised-separately": Flag("fault", "training and test rows were each standardised with numbers of their own"),
    "standardised-together": Flag("note", "features were standardised with the test rows among the others"),
    "class-not-in-train": Flag("fault", "a class has no training row"),
    "class-not-in-valid": Flag("caution", "a class has no validation row"),
    "class-not-in-test": Flag("fault", "a class has no test row"),
    "duplicated-rows": Flag("caution", "rows with equal features and equal class"),
    "contradicting-rows": Flag("caution", "rows with equal features and different classes: no model can be right on all"),
    "rows-in-train-and-test": Flag("caution", "test rows whose features and class stand among the training rows"),
    "column-equals-target": Flag("fault", "a column tells the class of every row"),
    "group-in-train-and-test": Flag("fault", "test rows are of groups that train, too"),
    "times-overlap": Flag("caution", "test rows are not all later than the others"),
    "identifier-column": Flag("caution", "a column that is different in every row: it names rows"),
    "missing-values": Flag("note", "cells of the table are empty"),
    "level-not-in-train": Flag("caution", "a level of a column has no training row"),
    "constant-features": Flag("note", "features with one value on all training rows"),
    "duplicated-features": Flag("note", "features that equal another one up to scale and sign"),
    "overlapping-hold-outs": Flag("note", "test rows of the repetitions overlap: their scores are not independent"),
    "imbalanced": Flag("caution", "one class has most of the rows, or hardly any"),
    "tiny-test-set": Flag("caution", "so few test rows that an accuracy on them is uncertain"),
}
"""Every flag that the audit can raise, by name."""


def task_flags(suite: str, severity: Severity = "fault") -> dict[str, list[str]]:
    """Return what the audit found, for every task with a finding of at least this severity; quick, without the suite's files.

    Returns:
        Findings by task, each as ``"flag: detail"``; the tasks are those that ``--exclude-flagged`` leaves out. No task for a
        suite without stored findings.

    Raises:
        UnknownNameError: If there is no such severity.
    """
    if severity not in SEVERITIES:
        raise UnknownNameError("severity", severity, SEVERITIES)
    table = stored_findings(suite)
    serious = table[table["severity"].isin(SEVERITIES[: SEVERITIES.index(severity) + 1])]
    flags: dict[str, list[str]] = {}
    for row in serious.itertuples():
        flags.setdefault(str(row.task), []).append(f"{row.flag}: {row.detail}")
    return flags


def stored_findings(suite: str, folder: Path | None = None) -> pd.DataFrame:
    """Return the stored findings of a suite's audit; those of a suite of the user's lie in its catalogue.

    Args:
        suite: Name of the suite.
        folder: Where the files of a suite of the user's lie, if they are at hand.

    Returns:
        One row a finding with ``task``, ``flag``, ``detail`` and ``severity`` (one of ``SEVERITIES``), in the order of the
        catalogue; no rows for a suite without stored findings.
    """
    if suite in SUITES:
        return _stored(resource("datasets", f"{suite}_flags.csv")).copy()
    try:
        own = load_suite(suite, folder)
    except UnknownNameError:  # results of an earlier version, without a catalogue
        return as_table([])
    assert isinstance(own, FolderSuite)
    found = [Finding(task, flag, detail) for task in own.entry.tasks for flag, detail in own.findings(task)]
    return as_table(one for one in found if one.flag in FLAGS)


@lru_cache(maxsize=512)
def flags_of(suite: str, task: str, folder: Path | None = None) -> str:
    """Return the stored flags of one task in one cell: ``"standardised-separately, tiny-test-set"``."""
    table = stored_findings(suite, folder)
    return ", ".join(table.loc[table["task"] == task, "flag"])


def as_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as the table that ``stored_findings`` returns."""
    table = pd.DataFrame([(found.task, found.flag, found.detail) for found in findings], columns=COLUMNS, dtype=str)
    return _with_severity(table)


@lru_cache(maxsize=8)
def _stored(file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, dtype=str, keep_default_na=False) if file.is_file() else pd.DataFrame(columns=COLUMNS, dtype=str)
    return _with_severity(table)


def _with_severity(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(severity=[FLAGS[flag].severity for flag in table["flag"]])
