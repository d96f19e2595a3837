"""What a comparison is made of: the rows of results folders, and the user's own tables of scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from snnbench.report.options import ComparisonOptions
from snnbench.results.published import PUBLISHED, check_published
from snnbench.results.score_tables import ScoreTable, read_score_tables
from snnbench.results.selection import OUTPUT_COLUMNS
from snnbench.results.store import read_results
from snnbench.results.table_files import STANDARD_INPUT
from snnbench.suites import know_suites


@dataclass(frozen=True, eq=False)
class Sources:
    """Everything that was read for a comparison.

    Attributes:
        folders: The results folders that were named.
        rows: Their rows.
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
    files += [name for name in options.published if name not in PUBLISHED]
    tables = read_score_tables(files, options.index, options.lower_is_better)
    know_suites(folders)
    return Sources(folders, read_results(folders, [*columns, *(OUTPUT_COLUMNS if options.metric else ())]), tables)


def is_table(source: Path) -> bool:
    """Return whether a source is a file of scores, or standard input."""
    return str(source) == STANDARD_INPUT or source.is_file()
