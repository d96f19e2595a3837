"""Scores of a suite's models by depth or by split: Tables 2 and 3 of Klambauer et al. (2017), for one's own results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from snnbench import stats
from snnbench.errors import SnnbenchError
from snnbench.records import Alternative, TestResult
from snnbench.results.published import load_reference
from snnbench.results.selection import SCORE_COLUMNS, scored_evaluations
from snnbench.stats.options import check_option
from snnbench.suites import load_suite

BREAKDOWN_COLUMNS: tuple[str, ...] = (*SCORE_COLUMNS, "metric", "task_source")
"""The columns of the results that a breakdown needs."""


@dataclass(frozen=True, eq=False)
class Breakdown:
    """A table with what it is and how it was made.

    ``values`` holds the numbers, scores as shares: by depth, indexed by (model, depth), mean, std and n_seeds; by split,
    indexed by model, mean, std, mean_rank, pvalue and adjusted_pvalue. Beside published results there are published_mean and
    published_std too.
    """

    heading: str
    values: pd.DataFrame
    cells: pd.DataFrame
    notes: tuple[str, ...]


def by_depth(rows: pd.DataFrame, metric: str = "", published: Sequence[str] = ()) -> Breakdown:
    """Average the test scores of the best configuration of every depth over the seeds.

    Args:
        rows: Stored rows of a suite with the columns ``BREAKDOWN_COLUMNS``.
        metric: Another metric than that of the stored scores.
        published: ``("snn2017",)`` to put the values of the paper beside them.

    Raises:
        SnnbenchError: If no model has a depth, or there are no published values by depth of this suite.
    """
    scored = scored_evaluations(rows, metric, by="depth")
    scored = scored[scored["depth"].notna()]
    if scored.empty:
        raise SnnbenchError("A comparison by depth needs evaluations of networks; found none. Run some with `snnbench run`.")
    by_seed = scored.groupby(["column", "depth", "seed"])["test_score"].mean()
    groups = by_seed.groupby(["column", "depth"])
    values = pd.DataFrame({"mean": groups.mean(), "std": groups.std(), "n_seeds": groups.size()})
    values.index = values.index.set_levels(values.index.levels[1].astype(int), level=1).set_names(["model", "depth"])
    if published:
        reference = _published(rows, "depth", published).set_index(["method", "depth"])[["auc_mean_percent", "auc_std_percent"]]
        reference = (reference / 100).set_axis(["published_mean", "published_std"], axis=1).rename_axis(["model", "depth"])
        values = values.join(reference[reference.index.get_level_values("model").isin(values.index.levels[0])], how="outer")
    cells = _pivot(values, "mean", "std")
    if published:
        beside = _pivot(values, "published_mean", "published_std")
        pairs = [(cells.loc[[model]], beside.loc[[model]].set_axis([" published"])) for model in cells.index]
        cells = pd.concat([row for pair in pairs for row in pair])
    seeds = values["n_seeds"].dropna().astype(int)
    n_seeds = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
    notes = (
        f"In percent, {'one seed' if n_seeds == '1' else f'mean ± standard deviation over {n_seeds} seeds'} of the best "
        "configuration of each depth by validation score. Depth: hidden layers, of resnet blocks."
        + (" One seed has no deviation: add some with `snnbench run --seeds 5`." if seeds.min() == 1 else ""),
        *(
            ["Published: Table 2 of the paper, on 801 dense features and the counts of the DeepTox download."]
            if published
            else []
        ),
    )
    return Breakdown(_heading(rows, metric), values, cells, notes)


def by_split(
    rows: pd.DataFrame,
    metric: str = "",
    published: Sequence[str] = (),
    baseline: str = "best",
    alternative: Alternative = "two-sided",
    correction: str = "holm",
    fold_test: str = "wilcoxon",
) -> Breakdown:
    """Compare models on the splits of one task, as paired units.

    Args:
        rows: Stored rows of a suite with the columns ``BREAKDOWN_COLUMNS``.
        metric: Another metric than that of the stored scores.
        published: ``("snn2017",)`` to put the values of the paper beside them.
        baseline: The model that the others are tested against, or ``"best"`` for the lowest mean rank.
        alternative: As in ``stats.wilcoxon``.
        correction: As in ``stats.wilcoxon``.
        fold_test: ``"wilcoxon"``, or ``"corrected-t"`` for ``stats.resampled_t``, which allows for shared training rows.

    Raises:
        SnnbenchError: If the results are not of one task, no split has a score of every model, or nothing was published.
        UnknownNameError: If the baseline, alternative, correction or test does not exist.
    """
    scored = scored_evaluations(rows, metric)
    if scored["task"].nunique() != 1:
        raise SnnbenchError(f"A comparison by split needs results of one task, found {scored['task'].nunique()}.")
    by_model = scored.pivot_table(index="split", columns="column", values="test_score").rename_axis(columns="model")
    scores = by_model.dropna().round(12)
    if scores.empty:
        raise SnnbenchError("A comparison by split needs a split with a score of every model; found none. Complete the run.")
    if by_model.shape[0] < 2:
        raise SnnbenchError("A comparison by split needs a task with several splits, found one, which no test can use.")
    scores = scores[stats.order_models(scores)]
    reference = stats.choose_baseline(scores, baseline)
    test, about = _test_folds(rows, scores, baseline, alternative, correction, fold_test)
    values = pd.DataFrame(
        {
            "mean": scores.mean(),
            "std": scores.std(),
            "mean_rank": scores.rank(axis="columns", ascending=False).mean(),
            "pvalue": test.pvalue,
            "adjusted_pvalue": test.adjusted_pvalue,
        }
    )
    cells = pd.DataFrame(
        {
            "mean ± std": [_plus_minus(row["mean"], row["std"], 4, 3) for _, row in values.iterrows()],
            "rank": [f"{rank:.2f}" for rank in values["mean_rank"]],
            "p": [_pvalue(p) for p in values["pvalue"]],
            f"p ({correction})": [_pvalue(p) for p in values["adjusted_pvalue"]],
        },
        index=values.index,
    )
    if published:
        table = _published(rows, "split", published)
        table = table.assign(method=table["method"].str.removesuffix(" (reference)").replace("c4.5", "decision_tree"))
        beside = table.set_index("method")[["auc_mean", "auc_std"]].set_axis(["published_mean", "published_std"], axis=1)
        values = values.join(beside)
        means, deviations = values["published_mean"], values["published_std"]
        cells["published"] = [_plus_minus(mean, std, 4, 3) for mean, std in zip(means, deviations, strict=True)]
    left_out = len(by_model) - len(scores)
    untested = describe_untested(scores, reference, fold_test)
    units = f"its {len(scores)} splits" if not left_out else f"{len(scores)} of its {len(by_model)} splits"
    notes = (
        f"One task: the paired units are {units}, not tasks. {about}",
        *_describe_seeds(scored),
        *(
            [f"Left out: {left_out} {'split' if left_out == 1 else 'splits'} without a score of every model."]
            if left_out
            else []
        ),
        *([untested] if untested else []),
        *(_describe_others(values.index[values["published_mean"].notna()]) if published else []),
    )
    return Breakdown(_heading(rows, metric), values, cells, notes)


def _test_folds(
    rows: pd.DataFrame, scores: pd.DataFrame, baseline: str, alternative: Alternative, correction: str, fold_test: str
) -> tuple[TestResult, str]:
    """Return a test on the splits of one task, and what it is in words."""
    check_option("test by split", fold_test, ("wilcoxon", "corrected-t"))
    reference = stats.choose_baseline(scores, baseline)
    chosen = (
        "" if correction == "none" or baseline in scores.columns else ", corrected for all pairs as it was chosen as the best"
    )
    if fold_test == "wilcoxon":
        return stats.FOLD_TESTS["wilcoxon"](scores, baseline, alternative, correction), (
            "They share most of their training rows, so p-values are smaller than independent data would give "
            f"(--fold-test corrected-t allows for it). p: {reference} against each model, Wilcoxon signed-rank "
            f"test, {alternative}{chosen}."
        )
    share = _test_share(rows)
    return stats.FOLD_TESTS["resampled_t"](scores, baseline, alternative, correction, share), (
        f"p: {reference} against each model, corrected resampled t-test (Nadeau and Bengio 2003), "
        f"{alternative}{chosen}; the variance "
        f"allows for shared training rows by n_test / n_train = {share:.3g}."
    )


_OTHERS = {"naive_bayes": "naive Bayes", "decision_tree": "C4.5 (here: decision_tree)", "svm": "SVM"}
"""Models of Table 3 whose scores the paper took from elsewhere."""


def _describe_others(models: pd.Index) -> list[str]:
    """Return a sentence on the published scores beside the table that are not the paper's own; none if all are."""
    named = [words for name, words in _OTHERS.items() if name in models]
    if not named:
        return []
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return [f"Published: {listed} {'is' if len(named) == 1 else 'are'} from other publications."]


def _describe_seeds(scored: pd.DataFrame) -> list[str]:
    """Return a sentence on the seeds that a score on a split is the mean of; none if it is one."""
    by_model = scored.groupby(["column", "split"])["seed"].nunique().groupby("column").agg(["min", "max"])
    if by_model["max"].max() == 1:
        return []
    ranges = {str(model): f"{low}" if low == high else f"{low} to {high}" for model, low, high in by_model.itertuples()}
    if len(set(ranges.values())) == 1:
        return [f"The score on a split is the mean of {next(iter(ranges.values()))} seeds."]
    listed = ", ".join(f"{model} {count}" for model, count in ranges.items())
    return [f"The score on a split is the mean of unlike numbers of seeds ({listed}), so scores are not equally precise."]


def describe_untested(scores: pd.DataFrame, reference: str, fold_test: str) -> str:
    """Return a sentence on the models that the test on the splits (n_splits, n_models) cannot compare; empty if it can all."""
    reasons: dict[str, list[str]] = {}
    for model in scores.columns.drop(reference):
        differences = stats.paired_differences(scores, reference, model)
        reason = stats.why_untestable(differences) if fold_test == "corrected-t" else ""
        if not differences.any():
            reason = "the same score on every split"
        if reason:
            reasons.setdefault(reason, []).append(str(model))
    clauses = [f"{', '.join(models)} ({reason})" for reason, models in reasons.items()]
    sentence = f"No test is possible of {reference} against {'; '.join(clauses)}." if clauses else ""
    smallest = 0.5 ** (len(scores) - 1)
    if fold_test == "wilcoxon" and smallest > 0.05:
        few = f"On {len(scores)} splits no difference can reach p < {smallest:.2g} two-sided, whatever the scores."
        sentence = f"{sentence} {few}".strip()
    return sentence


def _test_share(rows: pd.DataFrame) -> float:
    """Return n_test / n_train of a task's splits: one fold more validates, or a fifth of the rows that do not test."""
    row = load_suite(str(rows["suite"].iloc[0])).catalogue().loc[str(rows["task"].iloc[0])]
    n_samples, n_test = int(row["n_samples"]), int(row["n_test"])
    are_folds = rows["split"].astype(str).str.startswith("fold-").all()
    return n_test / (n_samples - 2 * n_test if are_folds else 0.8 * (n_samples - n_test))


BREAKDOWNS: dict[str, Callable[..., Breakdown]] = {"depth": by_depth, "split": by_split}
"""What ``snnbench compare --by`` offers."""

_TABLES = {("tox21", "depth", "snn2017"): "table_2", ("htru2", "split", "snn2017"): "table_3"}
"""The published tables: their names in ``published.REFERENCES`` by suite, kind of breakdown and publication."""


def natural_breakdown(rows: pd.DataFrame) -> str:
    """Return ``"split"`` for results of one task on several splits, which no test across tasks can compare; else nothing."""
    evaluations = rows[rows["stage"] == "evaluate"]
    return "split" if evaluations["task"].nunique() == 1 and evaluations["split"].nunique() > 1 else ""


def render_breakdown(breakdown: Breakdown) -> RenderableType:
    """Return a breakdown for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for column in breakdown.cells.columns:
        table.add_column(str(column), justify="right", no_wrap=True)
    for name, row in breakdown.cells.iterrows():
        table.add_row(Text(str(name)), *map(str, row))
    notes = [Text(note, style="dim") for note in breakdown.notes]
    return Group(Text(breakdown.heading), Text(""), table, Text(""), *notes)


def _published(rows: pd.DataFrame, kind: str, names: Sequence[str]) -> pd.DataFrame:
    suite = str(rows["suite"].iloc[0])
    found = [table for name in names if (table := _TABLES.get((suite, kind, name)))]
    if len(found) != len(names):
        known = ", ".join(f"{name} for {suite} by {kind}" for suite, kind, name in _TABLES)
        raise SnnbenchError(f"--published must name results of {suite} by {kind}, found {', '.join(names)}. There is: {known}.")
    return load_reference(found[0])


def _heading(rows: pd.DataFrame, metric: str) -> str:
    evaluations = rows[rows["stage"] == "evaluate"]
    sources, n_tasks = evaluations["task_source"].dropna().unique(), evaluations["task"].nunique()
    of_what = sources[0] if n_tasks == 1 and len(sources) == 1 else f"{n_tasks} {'task' if n_tasks == 1 else 'tasks'}"
    metrics = metric or " or ".join(sorted(evaluations["metric"].unique()))
    return f"{rows['suite'].iloc[0]} ({of_what}): {metrics} of the test rows."


def _pivot(values: pd.DataFrame, mean: str, std: str) -> pd.DataFrame:
    cells = [_plus_minus(100 * m, 100 * s, 1, 1) for m, s in values[[mean, std]].itertuples(index=False)]
    return pd.Series(cells, index=values.index).unstack("depth", fill_value="-")


def _plus_minus(mean: float, std: float, digits: int, std_digits: int) -> str:
    if np.isnan(mean):
        return "-"
    return f"{mean:.{digits}f}" + ("" if np.isnan(std) else f"±{std:.{std_digits}f}")


def _pvalue(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1e}"
