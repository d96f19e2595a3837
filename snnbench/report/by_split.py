"""Models on the splits of one task, as paired units: Table 3 of Klambauer et al. (2017), for one's own results."""

from collections.abc import Sequence

import pandas as pd

from snnbench import stats
from snnbench.errors import SnnbenchError
from snnbench.records import Alternative, TestResult
from snnbench.report.breakdown_parts import Breakdown, cell_plus_minus, describe_scores, load_published_values
from snnbench.report.numbers import short_pvalue
from snnbench.report.shares import share_of_test
from snnbench.results.selection import scored_evaluations
from snnbench.stats.options import check_option

_OTHERS = {"naive_bayes": "naive Bayes", "decision_tree": "C4.5 (here: decision_tree)", "svm": "SVM"}
"""Models of Table 3 whose scores the paper took from elsewhere."""


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
        rows: Stored rows of a suite with the columns ``breakdown.BREAKDOWN_COLUMNS``.
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
    check_option("test by split", fold_test, ("wilcoxon", "corrected-t"))
    scored = scored_evaluations(rows, metric)
    by_model = _pair_splits(scored)
    scores = by_model.dropna().round(12)
    if scores.empty:
        raise SnnbenchError("A comparison by split needs a split with a score of every model; found none. Complete the run.")
    scores = scores[stats.order_models(scores)]
    if fold_test == "wilcoxon":
        test = stats.wilcoxon(scores, baseline, alternative, correction)
    else:
        test = stats.resampled_t(scores, baseline, alternative, correction, _share(rows))
    values = _tabulate(scores, test)
    cells = _write_cells(values, correction)
    others: list[str] = []
    if published:
        values = values.join(_load_published(rows, published))
        columns = values[["published_mean", "published_std"]].itertuples(index=False)
        cells["published"] = [cell_plus_minus(mean, std, 4, 3) for mean, std in columns]
        others = _describe_others(values.index[values["published_mean"].notna()])
    reference = stats.choose_baseline(scores, baseline)
    is_chosen = correction != "none" and baseline not in scores.columns
    notes = (
        f"{_describe_units(len(scores), len(by_model))} {_describe_test(rows, reference, alternative, fold_test, is_chosen)}",
        *_describe_seeds(scored),
        *_describe_incomplete(len(by_model) - len(scores)),
        *describe_untested(scores, reference, fold_test),
        *others,
    )
    return Breakdown(describe_scores(rows, metric), values, cells, notes)


def _pair_splits(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the scores (n_splits, n_models) of one task, means over the seeds.

    Raises:
        SnnbenchError: If there are several tasks, or one split.
    """
    if scored["task"].nunique() != 1:
        raise SnnbenchError(f"A comparison by split needs results of one task, found {scored['task'].nunique()}.")
    by_model = scored.pivot_table(index="split", columns="column", values="test_score").rename_axis(columns="model")
    if len(by_model) < 2:
        raise SnnbenchError("A comparison by split needs a task with several splits, found one, which no test can use.")
    return by_model


def _tabulate(scores: pd.DataFrame, test: TestResult) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "mean": scores.mean(),
            "std": scores.std(),
            "mean_rank": stats.mean_ranks(scores),
            "pvalue": test.pvalue,
            "adjusted_pvalue": test.adjusted_pvalue,
        }
    )


def _write_cells(values: pd.DataFrame, correction: str) -> pd.DataFrame:
    pvalues = {"p": values["pvalue"], f"p ({correction})": values["adjusted_pvalue"]}
    return pd.DataFrame(
        {
            "mean ± std": [cell_plus_minus(mean, std, 4, 3) for mean, std in zip(values["mean"], values["std"], strict=True)],
            "rank": [f"{rank:.2f}" for rank in values["mean_rank"]],
            **{name: [short_pvalue(p) for p in column] for name, column in pvalues.items()},
        },
        index=values.index,
    )


def _load_published(rows: pd.DataFrame, published: Sequence[str]) -> pd.DataFrame:
    """Return published_mean and published_std by model."""
    table = load_published_values(rows, "split", published)
    table = table.assign(method=table["method"].str.removesuffix(" (reference)").replace("c4.5", "decision_tree"))
    return table.set_index("method")[["auc_mean", "auc_std"]].set_axis(["published_mean", "published_std"], axis=1)


def _describe_units(n_compared: int, n_splits: int) -> str:
    units = f"its {n_compared} splits" if n_compared == n_splits else f"{n_compared} of its {n_splits} splits"
    return f"One task: the paired units are {units}, not tasks."


def _describe_test(rows: pd.DataFrame, reference: str, alternative: Alternative, fold_test: str, is_chosen: bool) -> str:
    """Return which test gave the p-values, and how it takes the training rows that splits share."""
    family = ", corrected for all pairs as it was chosen as the best" if is_chosen else ""
    if fold_test == "wilcoxon":
        return (
            "They share most of their training rows, so p-values are smaller than independent data would give "
            f"(--fold-test corrected-t allows for it). p: {reference} against each model, Wilcoxon signed-rank "
            f"test, {alternative}{family}."
        )
    return (
        f"p: {reference} against each model, corrected resampled t-test (Nadeau and Bengio 2003), {alternative}{family}; the "
        f"variance allows for shared training rows by n_test / n_train = {_share(rows):.3g}."
    )


def _describe_incomplete(n_left_out: int) -> list[str]:
    if not n_left_out:
        return []
    return [f"Left out: {n_left_out} {'split' if n_left_out == 1 else 'splits'} without a score of every model."]


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


def describe_untested(scores: pd.DataFrame, reference: str, fold_test: str) -> list[str]:
    """Return a sentence on the models that the test on the splits (n_splits, n_models) cannot compare; none if it can all."""
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
    return [sentence] if sentence else []


def _share(rows: pd.DataFrame) -> float:
    """Return n_test / n_train of the one task's splits."""
    return share_of_test(str(rows["suite"].iloc[0]), str(rows["task"].iloc[0]), pd.Index(rows["split"].unique()))
