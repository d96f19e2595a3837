"""What OpenML is sent of a search beside its predictions: the configurations that were tried, split by split, as a trace."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from snnbench.config import ModelSettings, RunSettings, TrainingSettings, expand_grid
from snnbench.errors import DataError
from snnbench.records import Value
from snnbench.results.store import load_settings, settings_file
from snnbench.suites.openml_files import OfficialSplit

SEARCH_COLUMNS = ("search_seed", "settings_digest", "status")
"""What the rows of a search need beside the columns of a comparison."""

_SAME_CODE = ("task_sha256", "code_digest", "code_versions")


@dataclass(frozen=True)
class Tried:
    """A configuration of a search: its values by the names of the grid, None for one that does not matter to it."""

    values: dict[str, Value | None]
    valid_score: float
    is_selected: bool


@lru_cache(maxsize=64)
def run_settings(results: Path, digest: str, model: str) -> RunSettings:
    """Return the settings whose digest a row of a model carries.

    Raises:
        DataError: If they are not in the results folder.
    """
    file = settings_file(results, digest)
    try:
        settings = RunSettings.model_validate(load_settings(file))
        settings.models[model]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file} must hold the settings of {model}, but reading it says: {error}.") from error
    return settings


def make_trace(searches: pd.DataFrame, by_split: pd.DataFrame, official: dict[str, OfficialSplit], results: Path) -> str:
    """Return the ARFF of a trace, made by OpenML's client: each configuration with its score, and which was selected.

    Args:
        searches: The searches of a suite.
        by_split: The evaluations of one of its tasks by a model and seed, by the names of the splits.
        official: The splits.
        results: The folder, for the settings.

    Returns:
        "" for a model without a grid, or if the results lack rows of its search.
    """
    import arff
    from openml.runs.trace import OpenMLRunTrace, OpenMLTraceIteration

    first = by_split.iloc[0]
    of_model = searches[(searches["task"] == first["task"]) & (searches["model"] == first["model"])]
    of_split = dict(iter(of_model[of_model["status"] == "ok"].groupby("split")))
    iterations = {}
    for name, split in official.items():
        rows = list(_tried(of_split.get(name, of_model.iloc[:0]), by_split.loc[name], results))
        if sum(row.is_selected for row in rows) != 1 or not rows[0].values:
            return ""
        for number, row in enumerate(rows):
            words: dict[str, str | int | float] = {
                f"parameter_{parameter}": json.dumps(value) for parameter, value in row.values.items()
            }
            place = split.repeat, split.fold, number
            iterations[place] = OpenMLTraceIteration(*place, row.valid_score, row.is_selected, parameters=words)
    return str(arff.dumps(OpenMLRunTrace(None, iterations).trace_to_arff()))


def _tried(searches: pd.DataFrame, evaluation: pd.Series, results: Path) -> Iterator[Tried]:
    """Yield what was tried for an evaluation, in the order of its grid; a training without a score is left out.

    Other grids and settings may have been run in the same folder: what counts is what was trained in the same way.
    """
    model, settings = evaluation["model"], run_settings(results, evaluation["settings_digest"], evaluation["model"])
    is_same = searches["seed"] == evaluation["search_seed"]
    for column in _SAME_CODE:
        is_same &= searches[column] == evaluation[column]
    of_config = {}
    for row in searches[is_same].itertuples():
        if _how(run_settings(results, row.settings_digest, model), model) == _how(settings, model):
            of_config[frozenset(json.loads(row.config).items())] = row
    for config in expand_grid(model, settings.models[model]):
        # Of configurations that make the same model one is trained; its row lacks the values that do not matter.
        values = next((values for values in of_config if values <= set(config.values)), None)
        if values is not None:
            row, stored = of_config.pop(values), dict(values)
            known = {name: stored.get(name) for name in settings.models[model].grid}
            yield Tried(known, float(row.valid_score), row.config_key == evaluation["config_key"])


def _how(settings: RunSettings, model: str) -> tuple[ModelSettings, TrainingSettings | None, str]:
    """Return what a search follows from beside its grid."""
    table = settings.models[model].model_copy(update={"grid": {}})
    return table, None if table.estimator else settings.training, settings.preprocessing
