"""The leaderboard: where the models of published runs stand, as a page of Markdown."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from snnbench.report.claims import Finding, examine_claims
from snnbench.report.compare import choose_rows, compare_results
from snnbench.report.options import ComparisonOptions, choose_tasks
from snnbench.report.ranking import ModelComparison
from snnbench.report.sources import Sources
from snnbench.report.summary import conclude
from snnbench.report.tables import markdown_lines
from snnbench.results.selection import describe_models
from snnbench.stats.effects import count_wins

_WHOLE = "All tasks that were run"
_N_TASKS = {"all": 121, "small": 75, "large": 46}
"""Tasks of uci that the paper's claims are of."""
_PARTS: Mapping[str, Mapping[str, object]] = {
    _WHOLE: {},
    "Tasks with fewer than 1,000 rows": {"subset": "small"},
    "Tasks with at least 1,000 rows": {"subset": "large"},
    "Tasks whose data the audit does not flag": {"exclude_flagged": True},
}
LEADERBOARD_COLUMNS = ("cpu", "snnbench_version", "torch_version", "scikit_learn_version", "finished_at")
"""Columns of the stored rows that the page needs beyond those of a description."""


def render_leaderboard(sources: Sources, options: ComparisonOptions) -> str:
    """Return average ranks with intervals on four sets of tasks, all pairs, the cost of each model, and the paper's claims.

    Args:
        sources: Published runs, with the columns of a description and ``LEADERBOARD_COLUMNS``.
        options: The suite, and how models are compared.

    Raises:
        SnnbenchError: If there is nothing to compare.
    """
    rows, _ = choose_rows(sources.rows, options)
    parts = {title: replace(options, **changes) for title, changes in _PARTS.items()}  # type: ignore[arg-type]
    comparisons = {title: compare_results(asked, rows) for title, asked in parts.items() if _has_scores(rows, asked)}
    costs = describe_models(rows)
    whole = comparisons[_WHOLE]
    comparisons = {title: one for title, one in comparisons.items() if one is whole or one.n_tasks < whole.n_tasks}
    lines = [f"# Leaderboard of {whole.suite}", "", _provenance(rows, whole), "", _CAN_TELL, ""]
    for title, comparison in comparisons.items():
        lines += [f"## {title}", "", *_ranking(comparison, costs), "", conclude(comparison), ""]
    lines += ["## Every pair", "", "Tasks on which the model of the row scores higher / equal / lower.", "", *_pairs(whole), ""]
    if whole.suite == "uci":
        findings = examine_claims(lambda subset: _scores(rows, replace(options, subset=subset)))
        lines += ["## The paper's claims", "", *_claims(findings), ""]
    return "\n".join(lines)


_CAN_TELL = (
    "The page shows where models stand whose hyperparameters are searched as briefly as the presets say, on one hold-out of "
    "each task. It cannot tell which would win with a longer search, or on other hold-outs. A mean rank depends on which "
    "models take part. Intervals are over tasks, not over seeds or hold-outs, and the tasks are those that the suite's authors "
    "chose. Hours are those of all trainings of a model, one after another, on a busy machine."
)


def _has_scores(rows: pd.DataFrame, options: ComparisonOptions) -> bool:
    evaluated = rows[(rows["stage"] == "evaluate") & (rows["status"] == "ok")]
    return bool(set(evaluated["task"]) & set(choose_tasks(options, str(rows["suite"].iloc[0]))))


def _scores(rows: pd.DataFrame, options: ComparisonOptions) -> pd.DataFrame:
    return compare_results(options, rows).scores if _has_scores(rows, options) else pd.DataFrame()


def _provenance(rows: pd.DataFrame, comparison: ModelComparison) -> str:
    """Say what was run, on what and when."""
    evaluations = rows[rows["stage"] == "evaluate"]
    seeds = sorted(evaluations["seed"].unique())
    said = {name: ", ".join(sorted(set(evaluations[name].dropna().astype(str)))) for name in LEADERBOARD_COLUMNS[:-1]}
    days = evaluations["finished_at"].str[:10]
    return (
        f"{len(rows):,} trainings of {comparison.n_models} models on {comparison.n_tasks} tasks, of which {len(evaluations):,} "
        f"are final ones; preset {', '.join(sorted(evaluations['preset'].unique()))}, "
        f"{', '.join(sorted(evaluations['split'].unique()))}, seeds {', '.join(map(str, seeds))}. snnbench "
        f"{said['snnbench_version']}, torch {said['torch_version']}, scikit-learn {said['scikit_learn_version']}, "
        f"{said['cpu']}, {days.min()} to {days.max()}."
    )


def _ranking(comparison: ModelComparison, costs: pd.DataFrame) -> list[str]:
    cells = [["model", "mean rank", "95 %", "mean score", "wins", "adjusted p", "hours"]]
    for model, row in comparison.table.iterrows():
        pvalue = "" if pd.isna(row["adjusted_pvalue"]) else f"{row['adjusted_pvalue']:.2g}"
        interval = f"{row['low']:.2f}–{row['high']:.2f}"
        hours = f"{costs.at[model, 'seconds'] / 3600:.2f}"
        cells.append(
            [str(model), f"{row['mean_rank']:.2f}", interval, f"{row['mean_score']:.4f}", f"{row['wins']:.1f}", pvalue, hours]
        )
    return markdown_lines(cells)


def _pairs(comparison: ModelComparison) -> list[str]:
    wins, models = count_wins(comparison.scores), list(comparison.scores)
    n_tied = comparison.n_tasks - wins - wins.T
    cells = [["model", *map(str, models)]]
    for one in models:
        counts = [f"{wins.at[one, other]}/{n_tied.at[one, other]}/{wins.at[other, one]}" for other in models]
        cells.append([str(one), *("" if other == one else count for other, count in zip(models, counts, strict=True))])
    return markdown_lines(cells)


def _claims(findings: list[Finding]) -> list[str]:
    cells = [["claim", "tasks", "difference of mean ranks", "95 %", "found", "source"]]
    for found in findings:
        interval = f"{found.low:+.2f} to {found.high:+.2f}"
        cells.append(
            [
                str(found.claim),
                f"{found.n_tasks} of {_N_TASKS[found.claim.subset]}",
                f"{found.difference:+.2f}",
                interval,
                found.verdict,
                found.claim.source,
            ]
        )
    return markdown_lines(cells)
