"""Published results as score tables, to be compared with one's own and to test the statistics against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snnbench.errors import DataError, UnknownNameError
from snnbench.resources import resource

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Published:
    """Where a published score table lies and where it comes from.

    Attributes:
        file: Name in ``results/published/``.
        suite: Whose tasks the rows are.
        metric: What the scores are, in the words of ``Task.metric``.
        source: Authors, title and table, to be printed beside the scores.
        address: Where the publication is.
        decimals: How many digits of a share are printed.
        search: What the published models were selected from, and what a score is of.
        models: Which of the file's models; none for all.
    """

    file: str
    suite: str
    metric: str
    source: str
    address: str
    decimals: int
    search: str
    models: tuple[str, ...] = ()


_DELGADO = Published(
    file="delgado2014.csv",
    suite="uci",
    metric="accuracy",
    source='Fernández-Delgado et al., "Do we Need Hundreds of Classifiers to Solve Real World Classification Problems?", '
    "JMLR 15 (2014)",
    address="https://jmlr.org/papers/v15/delgado14a.html",
    decimals=3,
    search="their authors' own settings and splits",
)
_REPRESENTATIVES = (
    "LibSVM_weka",
    "RRFglobal_caret",
    "SimpleLogistic_weka",
    "lvq_caret",
    "gcvEarth_caret",
    "mda_R",
    "LogitBoost_weka",
    "ctreeBag_R",
    "JRip_caret",
    "rpart2_caret",
    "Dagging_weka",
    "NNge_weka",
    "pam_caret",
    "simpls_R",
    "NaiveBayes_weka",
    "bayesglm_caret",
    "Stacking_weka",
)
"""One classifier of each group of methods, those of Tables A12 and A13 of Klambauer et al. (2017)."""

PUBLISHED: dict[str, Published] = {
    "snn2017": Published(
        file="snn2017.csv",
        suite="uci",
        metric="accuracy",
        source='Klambauer et al., "Self-Normalizing Neural Networks", NIPS 2017, Table A11',
        address="https://arxiv.org/abs/1706.02515",
        decimals=4,
        search="36 to 216 configurations (the paper's grids, one hold-out)",
    ),
    "delgado2014": _DELGADO,
    "delgado2014-groups": replace(_DELGADO, models=_REPRESENTATIVES),
}

PUBLISHED_RUNS: dict[str, str] = {
    "reference": "the runs of `make reference`: the models of the presets quick and modern on uci, htru2 and core"
}
"""Results folders that ship with the package, condensed (``condensing``); ``results/published/`` has each under its name."""

REFERENCES: dict[str, str] = {
    "table_1": "table_1.csv",
    "table_2": "table_2.csv",
    "table_3": "table_3.csv",
    "table_a12_a13": "table_a12_a13.csv",
}
"""What Klambauer et al. (2017) conclude from their scores: file by name; ``results/published/README.md`` has the columns."""


def check_published(names: Sequence[str]) -> None:
    """Check that what is compared beside one's own is published, or a file.

    Raises:
        UnknownNameError: If a name is neither.
    """
    for name in names:
        if name not in (known := [*PUBLISHED, *PUBLISHED_RUNS]) and name != "-" and not Path(name).is_file():
            raise UnknownNameError("published results", name, known, f"Known: {', '.join(known)}; or a file of scores.")


def published_runs(name: str) -> Path:
    """Return the results folder of published runs.

    Args:
        name: A key of ``PUBLISHED_RUNS``.

    Raises:
        DataError: If it is missing from the installation.
    """
    folder = resource("results", "published", name)
    if not folder.is_dir():
        raise DataError(f"Published results lie in {folder.parent}; {name} is missing. Install snnbench again.")
    return folder


def load_published(name: str) -> "pd.DataFrame":
    """Return a published score table.

    Args:
        name: A key of ``PUBLISHED``.

    Returns:
        (n_tasks, n_models) shares from 0 to 1, higher is better, NaN = missing; the index ``task`` holds the names of the
        suite's tasks, the columns ``model`` the models' names in the publication.

    Raises:
        UnknownNameError: If there is no such table.
        DataError: If its file is missing from the installation or is not a score table.
    """
    if name not in PUBLISHED:
        raise UnknownNameError("published results", name, PUBLISHED)
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    path = resource("results", "published", PUBLISHED[name].file)
    table = _read(path)
    scores = table.drop(columns="task", errors="ignore").rename_axis(columns="model")
    if "task" not in table or table["task"].duplicated().any() or not all(map(is_numeric_dtype, scores.dtypes)):
        raise DataError(f"Published scores must be numbers, one row a task; those in {path} are not. Install snnbench again.")
    scores = scores.set_index(pd.Index(table["task"])).astype(float)
    return scores[list(PUBLISHED[name].models)] if PUBLISHED[name].models else scores


def published_suite(names: Sequence[str]) -> str:
    """Return the suite whose tasks the first of the tables has.

    Raises:
        UnknownNameError: If there is no such table.
    """
    if names[0] not in PUBLISHED:
        raise UnknownNameError("published results", names[0], PUBLISHED)
    return PUBLISHED[names[0]].suite


def beside_published(
    scores: "pd.DataFrame",
    names: Sequence[str],
    suite: str,
    metric: str = "",
    tables: "Mapping[str, pd.DataFrame] | None" = None,
) -> "pd.DataFrame":
    """Put published and other score tables beside one's own, by task.

    Beside one's own, all are rounded to the digits of the published table that prints the fewest: 36 right of 37 must tie with
    a printed 0.9730.

    Args:
        scores: (n_tasks, n_models); may be empty.
        names: Keys of ``PUBLISHED``.
        suite: Whose tasks the scores are of.
        metric: What they are, if not the suite's own metric.
        tables: Score tables that the user has, by name.

    Returns:
        (n_tasks, n_models). Beside one's own a model that stands in a table is called ``model[table]``; tables alone keep
        their models' names, but for those that several have.

    Raises:
        UnknownNameError: If there is no such table.
        DataError: If a table is of another suite or metric.
    """
    for name in names:
        if published_suite([name]) != suite:
            raise DataError(f"--published must name results of suite {suite}, but {name} is of {published_suite([name])}.")
        if metric not in ("", PUBLISHED[name].metric):
            raise DataError(
                f"Published scores must be compared by their metric: {name} is {PUBLISHED[name].metric}, not {metric}."
            )
    own_tables = dict(tables or {})
    joined = {name: load_published(name) for name in names} | own_tables
    if not joined:
        return scores
    import pandas as pd  # late, so that names are known without it

    columns = pd.Series([column for table in joined.values() for column in table.columns], dtype=object)
    ambiguous = set(columns[columns.duplicated()]) if scores.empty else set(columns)
    renamed = [
        table.rename(columns={model: f"{model}[{name}]" for model in table.columns if model in ambiguous})
        for name, table in joined.items()
    ]
    together = pd.concat(renamed if scores.empty else [scores, *renamed], axis="columns")
    are_printed_alone = not names or (scores.empty and not own_tables)
    return together if are_printed_alone else together.round(min(PUBLISHED[name].decimals for name in names))


def load_reference(name: str) -> "pd.DataFrame":
    """Return a reference table of Klambauer et al. (2017) as it is printed, in the order of its rows.

    Args:
        name: A key of ``REFERENCES``.

    Raises:
        UnknownNameError: If there is no such table.
        DataError: If its file is missing from the installation.
    """
    if name not in REFERENCES:
        raise UnknownNameError("reference table", name, REFERENCES)
    return _read(resource("results", "published", REFERENCES[name]))


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        return pd.read_csv(path)
    except FileNotFoundError as error:
        raise DataError(f"Published tables lie in {path.parent}; {path.name} is missing. Install snnbench again.") from error
