"""The leaderboard: where the models of published runs stand, as a page of Markdown."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.report.claims import Claim, Finding, ScoreClaim, examine_claims, examine_score_claims
from snnbench.report.compare import COVERAGE, choose_rows, compare_results
from snnbench.report.numbers import short_pvalue
from snnbench.report.options import DEFAULT, ComparisonOptions, choose_tasks
from snnbench.report.ranking import ModelComparison
from snnbench.report.shares import share_of_test
from snnbench.report.sources import Sources
from snnbench.report.summary import conclude, plural
from snnbench.report.tables import markdown_lines
from snnbench.results.published import PUBLISHED
from snnbench.results.selection import column_names, describe_models, scored_evaluations
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
        SnnbenchError: If there is nothing to compare, or there are scores without runs among the sources.
    """
    _check_runs(sources, options)
    rows, _ = choose_rows(sources.rows, options)
    _check_models(options, rows)
    parts = {title: _compare(rows, replace(options, **changes)) for title, changes in _PARTS.items()}  # type: ignore[arg-type]
    comparisons = {title: found for title, found in parts.items() if found is not None}
    if _WHOLE not in comparisons:
        raise SnnbenchError("A leaderboard needs evaluations on the tasks that are asked for, found none. Name other tasks.")
    whole = comparisons[_WHOLE]
    comparisons = {title: one for title, one in comparisons.items() if one is whole or one.n_tasks < whole.n_tasks}
    lines = [f"# Leaderboard of {whole.suite}", "", _provenance(rows), "", _CAN_TELL, ""]
    for title, comparison in comparisons.items():
        lines += [
            f"## {title}",
            "",
            _coverage(rows, comparison, options),
            "",
            *_ranking(rows, comparison),
            "",
            conclude(comparison),
            "",
        ]
    largest = max(comparisons.values(), key=lambda comparison: comparison.n_models)
    on = f"Of {largest.n_tasks} tasks, on how many the model of the row scores higher / equal / lower."
    lines += ["## Every pair", "", on, "", *_pairs(largest), ""]
    if whole.suite == "uci":
        findings = examine_claims(lambda subset: _scores(rows, replace(options, subset=subset)))
        findings += examine_score_claims(lambda claim: _unit_scores(sources.rows, claim))
        lines += ["## The paper's claims", "", _DIFFERENCES, "", *_claims(findings), ""]
    return "\n".join(lines)


_CAN_TELL = (
    "The page shows where models stand whose hyperparameters are searched as briefly as the presets say, on the splits that "
    "are named. It cannot tell which would win with a longer search, or on other splits. A mean rank depends on which models "
    "take part. Intervals are over tasks, not over seeds or splits, and the tasks are those that the suite's authors chose. "
    "Hours are those of all trainings of a model on these tasks by the clock, one after another, whatever else the machine did."
)


_DIFFERENCES = (
    "Differences are of mean ranks among the models of the paper's table; on tox21 and htru2 of mean scores, paired by seeds "
    "or folds. Intervals of folds allow for the training rows that these share (Nadeau and Bengio 2003). The features of "
    "tox21 are those of the source that was used, not necessarily the paper's."
)


def _compare(rows: pd.DataFrame, options: ComparisonOptions, coverage: float = COVERAGE) -> ModelComparison | None:
    """Compare the models that were run on that share of the tasks that any was run on; None if none was run on any."""
    try:
        tasks = choose_tasks(options, str(rows["suite"].iloc[0]))
    except UnknownNameError:
        raise
    except SnnbenchError:  # none of the tasks that are asked for is in this part
        return None
    evaluated = rows[(rows["stage"] == "evaluate") & rows["task"].isin(tasks)]
    if evaluated.empty:
        return None
    n_tasks = evaluated.groupby(column_names(evaluated))["task"].nunique()
    nearly_all = n_tasks.index[n_tasks >= coverage * n_tasks.max()]
    models = tuple(model for model in options.models or nearly_all if model in n_tasks)
    return compare_results(replace(options, models=models), rows) if models else None


def _check_runs(sources: Sources, options: ComparisonOptions) -> None:
    """Refuse scores of which nobody says what they cost."""
    found = [*(name for name in options.published if name in PUBLISHED), *(table.name for table in sources.tables)]
    if found:
        raise SnnbenchError(
            f"A leaderboard needs runs, which say what they cost, found scores alone: {', '.join(found)}. Leave them out; "
            "`snnbench compare` takes them."
        )


def _check_models(options: ComparisonOptions, rows: pd.DataFrame) -> None:
    known = sorted(set(column_names(rows[rows["stage"] == "evaluate"])))
    for model in options.models:
        if model not in known:
            raise UnknownNameError("model", model, known)


def _coverage(rows: pd.DataFrame, comparison: ModelComparison, options: ComparisonOptions) -> str:
    """Say how many tasks a comparison is of, and which models were run on too few of them to take part."""
    evaluated = rows[(rows["stage"] == "evaluate") & rows["task"].isin(comparison.scores.index)]
    known = {*column_names(evaluated), *(set(rows["model"]) - set(evaluated["model"]))}
    absent = sorted((set(options.models) or known) - set(comparison.scores))
    others = f"; not run on all of them, and left out: {', '.join(absent)}" if absent else ""
    return f"{comparison.n_models} models on {comparison.n_tasks} tasks{others}."


def _scores(rows: pd.DataFrame, options: ComparisonOptions) -> pd.DataFrame:
    """Return the scores of all models on the tasks that are asked for, NaN where a model was not run."""
    comparison = _compare(rows, options, coverage=0)
    return pd.DataFrame() if comparison is None else comparison.scores


def _unit_scores(rows: pd.DataFrame, claim: ScoreClaim) -> tuple[pd.DataFrame, float]:
    """Return the scores (n_units, n_models) that a claim is about, and n_test / n_train of its units."""
    if not (rows["suite"] == claim.suite).any():
        return pd.DataFrame(), 0.0
    scored = scored_evaluations(choose_rows(rows, DEFAULT, claim.suite)[0])
    unit = {"folds": "split", "seeds": "seed"}[claim.units]
    scores = scored.pivot_table(index=unit, columns="column", values="test_score")
    is_fold = claim.units == "folds" and len(scores) > 0
    return scores, share_of_test(claim.suite, str(scored["task"].iloc[0]), scores.index) if is_fold else 0.0


def _provenance(rows: pd.DataFrame) -> str:
    """Say what was run, on what and when."""
    evaluations = rows[rows["stage"] == "evaluate"]
    seeds = sorted(evaluations["seed"].unique())
    said = {name: ", ".join(sorted(set(evaluations[name].dropna().astype(str)))) for name in LEADERBOARD_COLUMNS[:-1]}
    days = evaluations["finished_at"].str[:10]
    return (
        f"{len(rows):,} trainings of {rows['model'].nunique()} models on {rows['task'].nunique()} tasks, of which "
        f"{len(evaluations):,} are final ones; preset {', '.join(sorted(evaluations['preset'].unique()))}, "
        f"{', '.join(sorted(evaluations['split'].unique()))}, seeds {', '.join(map(str, seeds))}. snnbench "
        f"{said['snnbench_version']}, torch {said['torch_version']}, scikit-learn {said['scikit_learn_version']}, "
        f"{said['cpu']}, {days.min()} to {days.max()}."
    )


def _ranking(rows: pd.DataFrame, comparison: ModelComparison) -> list[str]:
    costs = describe_models(rows[rows["task"].isin(comparison.scores.index)])
    cells = [["model", "mean rank", "95 %", "mean score", "wins", "adjusted p", "hours"]]
    for model, row in comparison.table.iterrows():
        pvalue = "" if pd.isna(row["adjusted_pvalue"]) else short_pvalue(row["adjusted_pvalue"])
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
    """Return a table of the claims that the results say something of, and how many the others are, by the reason."""
    cells = [["claim", "on", "difference", "95 %", "found", "source"]]
    silent: dict[tuple[str, str], int] = {}
    for found in findings:
        if found.reason:
            place = found.claim.source, found.reason
            silent[place] = silent.get(place, 0) + 1
            continue
        digits = 2 if isinstance(found.claim, Claim) else 4
        difference, interval = f"{found.difference:+.{digits}f}", f"{found.low:+.{digits}f} to {found.high:+.{digits}f}"
        cells.append([str(found.claim), _units(found), difference, interval, found.verdict, found.claim.source])
    others = [f"- {plural(count, 'claim')} of {source}: {reason}." for (source, reason), count in silent.items()]
    return markdown_lines(cells) + (["", "Open, as nothing can be said:", "", *others] if others else [])


def _units(found: Finding) -> str:
    """Return what a claim was looked at on: ``75 of 121 tasks``, ``10 folds``."""
    if isinstance(found.claim, Claim):
        return f"{found.n_units} of {_N_TASKS[found.claim.subset]} tasks"
    return f"{found.n_units} {found.claim.units}"
