"""What a comparison is made of: the rows of results folders, and the user's own tables of scores."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.report.options import ComparisonOptions
from snnbench.results.published import PUBLISHED, PUBLISHED_RUNS, check_published, published_runs
from snnbench.results.score_tables import ScoreTable, read_score_tables
from snnbench.results.selection import OUTPUT_COLUMNS
from snnbench.results.store import load_settings, read_results, settings_file
from snnbench.results.table_files import STANDARD_INPUT
from snnbench.suites import know_suites


@dataclass(frozen=True, eq=False)
class Sources:
    """Everything that was read for a comparison.

    Attributes:
        folders: The results folders that were named, published runs among them.
        rows: Their rows; of published runs beside one's own, those on the same tasks, with ``model[reference]`` for a model
            that is among one's own, too. Their column ``published`` names the published run; it is "" for one's own.
        tables: The user's own tables of scores.
    """

    folders: tuple[Path, ...]
    rows: pd.DataFrame
    tables: tuple[ScoreTable, ...]


def read_sources(sources: Sequence[Path], options: ComparisonOptions, columns: Sequence[str]) -> Sources:
    """Read the results folders and the tables of scores that are named, each once.

    Args:
        sources: Results folders, files of scores, ``-`` for standard input.
        options: What is asked; its ``published`` may name files of scores, too.
        columns: The columns of the stored rows that are needed.

    Raises:
        SnnbenchError: If something cannot be read, or is neither a table nor published.
    """
    folders = tuple(source for source in sources if not is_table(source))
    files = [str(source) for source in sources if is_table(source)]
    check_published(options.published)
    runs = [name for name in options.published if name in PUBLISHED_RUNS]
    files += [name for name in options.published if name not in PUBLISHED and name not in PUBLISHED_RUNS]
    if runs and options.metric:
        raise SnnbenchError("--metric needs stored outputs, which published runs have not. Leave one of them out.")
    tables = read_score_tables(files, options.index, options.lower_is_better)
    know_suites(folders)
    columns = [*columns, *(OUTPUT_COLUMNS if options.metric else ())]
    rows = read_results(folders, [*columns, *_SAME] if runs else columns).assign(published="")
    for name in runs:
        published = read_results([published_runs(name)], [*columns, *_SAME]).assign(published=name)
        rows = _beside(rows, published, name, options.other_settings, folders) if folders else published
        folders = (*folders, published_runs(name))
    return Sources(folders, rows, tables)


_SAME = ("suite", "task", "model", "stage", "preset", "settings_digest")
"""The columns that tell whether one's own rows and published ones can be compared."""


def _beside(
    own: pd.DataFrame, published: pd.DataFrame, name: str, other_settings: bool, folders: Sequence[Path]
) -> pd.DataFrame:
    """Return one's own rows and the published ones on the same tasks.

    Raises:
        SnnbenchError: If they have no task in common, or networks were trained with other settings and that is not asked for.
    """
    places = set(zip(own["suite"], own["task"], strict=True))
    published = published[[place in places for place in zip(published["suite"], published["task"], strict=True)]]
    if published.empty:
        raise SnnbenchError(f"The runs of {name} must have tasks that are among one's own, found none. Leave --published out.")
    if not other_settings:
        _check_settings(own, published, name, folders)
    both = set(own["model"]) & set(published["model"])
    renamed = published["model"].where(~published["model"].isin(both), published["model"] + f"[{name}]")
    together = pd.concat([own, published.assign(model=renamed)], ignore_index=True)
    together.attrs = own.attrs
    return together


def _check_settings(own: pd.DataFrame, published: pd.DataFrame, name: str, folders: Sequence[Path]) -> None:
    """Refuse networks that were trained for longer, say, than the published ones."""
    expected = {preset: _training(digest, [published_runs(name)]) for preset, digest in _runs(published)}
    for preset, digest in _runs(own):
        training = _training(digest, folders)
        if training and training not in expected.values():
            other = next(iter(expected.values()))
            differing = [f"{key} {value} ({other.get(key)})" for key, value in training.items() if value != other.get(key)]
            raise SnnbenchError(
                f"Networks must be trained with the settings of {name}, but those of preset {preset} have "
                f"{', '.join(differing)}. Run the preset {next(iter(expected))}, or say --other-settings."
            )


def _runs(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the presets and settings of the evaluations."""
    runs = rows.loc[rows["stage"] == "evaluate", ["preset", "settings_digest"]].dropna().drop_duplicates()
    return sorted(runs.itertuples(index=False, name=None))


def _training(digest: str, folders: Sequence[Path]) -> dict[str, Any]:
    """Return how a run's networks were trained; empty if its settings are not stored."""
    for folder in folders:
        with suppress(OSError, ValueError, KeyError):
            return dict(load_settings(settings_file(folder, digest))["training"])
    return {}


def is_table(source: Path) -> bool:
    """Return whether a source is a file of scores, or standard input."""
    return str(source) == STANDARD_INPUT or source.is_file()
