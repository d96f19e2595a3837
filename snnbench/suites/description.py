"""``suite.toml``: what a user says of the tables of a suite."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from snnbench.command_line import as_typed
from snnbench.errors import DataError, UnknownNameError
from snnbench.records import TaskEncoding

DESCRIPTION = "suite.toml"
DATE_PARTS = ("year", "month", "day", "weekday", "hour")
TARGETS = ("target", "class")
"""Columns that are taken for the target where nobody names one, in any case of letters."""


def typed(option: str, column: str) -> str:
    """Return an option with the name of a column, as one types it in a shell."""
    return as_typed([option, column])


class SplitRule(BaseModel):
    """How the rows of a task are divided: drawn folds, a column that says it, or a second file whose rows test."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    folds: Annotated[int, Ge(2)] = 10
    repeats: Annotated[int, Ge(1)] = 1
    column: str | None = None
    test: str | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> "SplitRule":
        drawn = bool({"folds", "repeats"} & self.model_fields_set)
        if drawn + (self.column is not None) + (self.test is not None) > 1:
            raise ValueError("splits are folds and repeats, a column, or a test file, found two of these")
        return self


class TaskDescription(BaseModel):
    """One table: its file, its target, and what to do with its columns."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: str
    target: str | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    date: tuple[Literal["year", "month", "day", "weekday", "hour"], ...] = ()
    group: str | None = None
    time: str | None = None
    metric: str | None = None
    splits: SplitRule = SplitRule()
    encoding: TaskEncoding = "one-hot"
    max_levels: Annotated[int, Ge(2)] = 50
    min_rows: Annotated[int, Ge(1)] = 2
    charset: str = "utf-8"

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, tables: Any) -> Any:
        """TOML has lists; one name may stand alone."""
        if not isinstance(tables, dict):
            return tables
        names = {"drop", "keep", "categorical", "date"}
        as_list = {key: [value] if isinstance(value, str) else value for key, value in tables.items() if key in names}
        return tables | {key: tuple(value) if isinstance(value, list) else value for key, value in as_list.items()}

    @model_validator(mode="after")
    def _one_order(self) -> "TaskDescription":
        if self.time and self.group:
            raise ValueError("a task is divided by group or by time, found both")
        if self.time and self.splits.model_fields_set & {"folds", "repeats"}:
            raise ValueError("a task with time has one split, its last rows test: it has no folds or repeats")
        return self


class SuiteDescription(BaseModel):
    """The tables of a suite by the names of their tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str | None = None
    summary: str = ""
    tasks: Annotated[dict[str, TaskDescription], MinLen(1)]


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        DataError: If it is none.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{file} must be a readable TOML file, found: {error}.") from error


def read_description(tables: dict[str, Any], file: Path) -> SuiteDescription:
    """Validate what a ``suite.toml`` says.

    Raises:
        UnknownNameError: If a key does not exist.
        DataError: If a key lacks or has a wrong value.
    """
    try:
        return SuiteDescription.model_validate(tables)
    except ValidationError as error:
        findings = error.errors()
        finding = next((one for one in findings if one["type"] == "extra_forbidden"), findings[0])
        place = [str(part) for part in finding["loc"]]
        if finding["type"] == "extra_forbidden":
            schemas: tuple[type[BaseModel], ...] = (SuiteDescription, SuiteDescription, TaskDescription, SplitRule)
            schema = schemas[min(len(place), len(schemas)) - 1]
            where = ".".join(place[:-1]) or "top level"
            raise UnknownNameError(f"key in {file}, [{where}]", place[-1], schema.model_fields) from error
        found = "" if finding["type"] in ("missing", "value_error") else f", found {finding['input']!r}"
        raise DataError(f"{file}: {'.'.join(place)}: {finding['msg'].removeprefix('Value error, ')}{found}.") from error
