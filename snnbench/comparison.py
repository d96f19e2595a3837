"""A comparison as a Python user reads it: every number under the name of its model."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from snnbench import stats
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.records import Alternative, TestResult
from snnbench.report import FIGURES, FORMATS, Analysis, ComparisonOptions, ModelComparison, Runs, rank_models, render_page
from snnbench.report.options import choose_models
from snnbench.report.ranking import ScoreOrigin
from snnbench.report.summary import conclude, describe_comparison, describe_left_out, describe_test
from snnbench.report.tables import render_text
from snnbench.results.score_tables import describe_units, make_score_table
from snnbench.suites.audit.flags import task_flags


class ComparisonChoices(TypedDict, total=False):
    """What may be said of a comparison beside its scores and its baseline; ``ComparisonOptions`` has the defaults.

    ``models``: which are compared. ``missing``: ``"worst"``, ``"drop-task"``, ``"drop-model"`` or ``"impute"``, the latter with
    the mean of the other models or with the scores of ``impute_from``. ``alternative``: ``"two-sided"`` or ``"greater"``.
    ``correction``: ``"holm"``, ``"hochberg"``, ``"shaffer"`` or ``"none"``. ``zero_method``: ``"wilcox"``, ``"pratt"`` or
    ``"zsplit"``. ``alpha``: the level of significance. ``rope``: differences up to it are practically none, by the test
    ``bayes``, ``"signed-rank"`` or ``"hierarchical"``. ``index``: the column that names the tasks. ``lower_is_better``: the
    scores are errors or losses.
    """

    models: Sequence[str]
    missing: str
    impute_from: str
    alternative: Alternative
    correction: str
    zero_method: str
    alpha: float
    rope: float
    bayes: str
    index: str
    lower_is_better: bool


@dataclass(frozen=True)
class OmnibusTest:
    """A test of all models at once; NaN where there is nothing to test."""

    test: str
    statistic: float
    pvalue: float

    @staticmethod
    def of(result: TestResult) -> "OmnibusTest":
        """Return the two numbers of a result as numbers."""
        return OmnibusTest(result.test, float(result.statistic[0]), float(result.pvalue[0]))


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The models of a score table, ranked and tested. Tables have the models in their order, best first.

    In a notebook it shows its table and its conclusion; ``print`` gives the text of ``snnbench compare``.
    """

    result: ModelComparison

    @property
    def table(self) -> pd.DataFrame:
        """(n_models, 14), all numbers of the printed table; the columns are described in ``ModelComparison``."""
        return self.result.table

    @property
    def scores(self) -> pd.DataFrame:
        """(n_tasks, n_models), the scores that were compared."""
        return self.result.scores

    @property
    def baseline(self) -> str:
        """The model that the others are tested against."""
        return self.result.baseline

    @property
    def conclusion(self) -> str:
        """What can and cannot be concluded, in a sentence."""
        return conclude(self.result)

    @property
    def ranks(self) -> pd.DataFrame:
        """(n_models, 3): mean_rank, 1 = best, and its 95 % interval, low to high."""
        return self.table[["mean_rank", "low", "high"]]

    @cached_property
    def task_ranks(self) -> pd.DataFrame:
        """(n_tasks, n_models), the rank on every task."""
        return stats.rank(self.scores)

    @property
    def friedman(self) -> OmnibusTest:
        """The Friedman test of equal mean ranks."""
        return OmnibusTest.of(self.result.friedman)

    @property
    def iman_davenport(self) -> OmnibusTest:
        """Its F form, for few tasks."""
        return OmnibusTest.of(self.result.iman_davenport)

    @property
    def wilcoxon(self) -> pd.DataFrame:
        """(n_models, 5), the baseline against each model: statistic, pvalue, adjusted_pvalue, n_tests and verdict."""
        tested = self.table[["pvalue", "adjusted_pvalue", "n_tests", "verdict"]]
        return tested.assign(statistic=self.result.wilcoxon.statistic)[["statistic", *tested.columns]]

    @cached_property
    def nemenyi(self) -> pd.DataFrame:
        """(n_models, n_models), p-values of the Nemenyi test of all pairs; NaN on the diagonal."""
        return self._pairs(self.analysis.nemenyi.adjusted_pvalue)

    @cached_property
    def pairwise(self) -> pd.DataFrame:
        """(n_models, n_models), corrected p-values of the two-sided Wilcoxon tests of all pairs; NaN on the diagonal."""
        return self._pairs(self.analysis.pairwise.adjusted_pvalue)

    @property
    def effects(self) -> pd.DataFrame:
        """The baseline against each model: median difference with its interval, rank-biserial correlation, wins and losses."""
        return self.analysis.effects

    @property
    def bayesian(self) -> pd.DataFrame:
        """How probable it is that the baseline is better, practically equivalent or worse than each model."""
        return self.analysis.comparison.bayesian.droplevel(0)

    @property
    def elo(self) -> pd.DataFrame:
        """The Elo rating of every model with its interval."""
        return self.analysis.elo

    @cached_property
    def analysis(self) -> Analysis:
        """The statistics that take longer, each computed when it is first asked for."""
        return Analysis(self.result)

    def plot(self, figure: str = "cd") -> Any:
        """Return a figure as an Altair chart, which a notebook shows and whose ``save`` writes SVG, PNG, PDF or HTML.

        Args:
            figure: ``"cd"``, ``"cd-wilcoxon"``, ``"ranks"``, ``"heatmap"``, ``"scatter"`` or ``"bayes"``, those of
                ``snnbench figure``.

        Raises:
            UnknownNameError: If there is no such figure.
            SnnbenchError: If it needs more models than there are.
        """
        if figure not in FIGURES:
            raise UnknownNameError("figure of a comparison", figure, FIGURES)
        return FIGURES[figure](self.analysis)

    def to_html(self, file: str | Path | None = None) -> str:
        """Return the comparison as one page that needs no network, and write it if a file is named.

        Raises:
            ConfigError: If the file cannot be written.
        """
        page = render_page(self.analysis, Runs(tuple(map(str, self.table.index))), ())
        if file is not None:
            _write(Path(file), page)
        return page

    def to_text(self, form: str = "table") -> str:
        """Return the comparison as ``"table"``, ``"json"``, ``"csv"``, ``"markdown"`` or ``"latex"``.

        Raises:
            UnknownNameError: If there is no such form.
        """
        if form not in FORMATS:
            raise UnknownNameError("form of a comparison", form, FORMATS)
        return FORMATS[form](self.result)

    def __repr__(self) -> str:
        return render_text(self.result)

    def _repr_html_(self) -> str:
        shown = self.table.drop(columns=["rank_difference", "wins", "n_tests"])
        above, below = (
            "".join(f"<p>{html.escape(line)}</p>" for line in lines)
            for lines in (
                describe_comparison(self.result),
                [self.conclusion, *describe_test(self.result), *describe_left_out(self.result)],
            )
        )
        return f"{above}{shown.to_html(float_format='{:.3g}'.format, na_rep='–')}{below}"

    def _pairs(self, pvalues: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(pvalues, index=self.table.index, columns=self.table.index.rename("other"))


def compare_scores(scores: pd.DataFrame, choices: Mapping[str, Any]) -> Comparison:
    """Rank and test the models of a score table.

    Args:
        scores: A row a task and a column a model, or a row a score, see ``make_score_table``; NaN = missing. ``attrs`` may hold
            its ``suite`` and ``metric``.
        choices: Fields of ``ComparisonOptions`` by name.

    Raises:
        SnnbenchError: If the table is none of scores under distinct names.
        UnknownNameError: If a choice does not exist.
    """
    known = ("baseline", *ComparisonChoices.__annotations__)
    for name in choices:
        if name not in known:
            raise UnknownNameError("option of a comparison", name, known)
    models = choices.get("models", ())
    options = ComparisonOptions(**{**choices, "models": (models,) if isinstance(models, str) else tuple(models)})
    if not 0 < options.alpha < 1:
        raise ConfigError(f"alpha must lie between 0 and 1, found {options.alpha:g}; 0.05 is usual.")
    if not isinstance(scores, pd.DataFrame):
        raise ConfigError(f"Scores must be a pandas DataFrame, tasks × models, found {type(scores).__name__}.")
    if {"key", "stage", "task", "model"} <= set(scores.columns):
        raise ConfigError("Scores must be a table of tasks × models, found stored rows. Use compare(score_table(rows)).")
    found = make_score_table(scores, "the table", options.index, options.lower_is_better)
    suite = str(scores.attrs.get("suite", ""))
    if not suite and found.scores.shape[1] < 2:
        raise ConfigError(f"A table of scores must have two models to compare, found {found.scores.shape[1]}: add a column.")
    origin = ScoreOrigin(
        suite=suite,
        metric=str(scores.attrs.get("metric", "")) or found.metric,
        flags=task_flags(suite) if suite else {},
        averaged=found.averaged,
        notes=(*found.notes, *describe_units(found.scores)),
        splits=found.splits,
    )
    return Comparison(rank_models(choose_models(found.scores, options.models), options=options, origin=origin))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"The file must be one that can be written, but {file} says: {error.strerror}.") from error
