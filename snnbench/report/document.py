"""A ranking as a JSON document, for programs; ``schema`` says what its fields mean."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd

from snnbench import __version__
from snnbench.records import TestResult
from snnbench.report import analysis as settings
from snnbench.report import schema
from snnbench.report.analysis import Analysis
from snnbench.report.printed import find_printed
from snnbench.report.ranking import PRIOR, SEED, ModelComparison
from snnbench.report.sensitivity import compare_without_flagged
from snnbench.report.summary import conclude, describe_baseline_test


def render_json(comparison: ModelComparison) -> str:
    """Return everything at full precision, the scores of every task among it; NaN becomes null."""
    return build_document(comparison).model_dump_json(indent=2) + "\n"


def build_document(comparison: ModelComparison) -> schema.ComparisonDocument:
    """Return the document of a ranking."""
    analysis = Analysis(comparison)
    several = comparison.n_models > 1
    sensitivity = compare_without_flagged(comparison) if comparison.flags else None
    options, printed = comparison.options, find_printed(comparison)
    return schema.ComparisonDocument(
        snnbench_version=__version__,
        suite=comparison.suite,
        tables=list(comparison.origin.tables),
        metric=comparison.metric,
        conclusion=conclude(comparison),
        options=schema.Options(
            published=list(options.published),
            index=options.index,
            lower_is_better=options.lower_is_better,
            models=list(options.models),
            tasks=list(options.tasks),
            subset=_known(options.subset),
            min_samples=options.min_samples,
            exclude_flagged=options.exclude_flagged,
            data=list(options.data),
            missing=_known(options.missing),
            impute_from=options.impute_from,
            alpha=options.alpha,
            rope=comparison.rope,
        ),
        n_tasks=comparison.n_tasks,
        n_models=comparison.n_models,
        averaged=comparison.averaged,
        grids=comparison.origin.grids,
        notes=list(comparison.notes),
        baseline=comparison.baseline,
        models=list(_models(analysis)),
        omnibus=[_omnibus(comparison.friedman, comparison), _omnibus(comparison.iman_davenport, comparison)],
        baseline_tests=[_baseline_test(test, comparison) for test in (comparison.wilcoxon, analysis.sign)] if several else [],
        pair_tests=[_pair_test(test, analysis) for test in (analysis.nemenyi, analysis.pairwise)] if several else [],
        pairs=list(_pairs(analysis)),
        bayesian=_bayesian(analysis) if several else None,
        win_rates=_by_row(analysis.win_rates),
        resampling=schema.Resampling(
            confidence=settings.CONFIDENCE,
            n_resamples_rank=settings.N_RESAMPLES_RANK,
            n_resamples_effect=analysis.n_resamples,
            n_resamples_elo=settings.N_RESAMPLES_ELO,
            elo_games="splits" if comparison.splits is not None else "tasks",
            seed=SEED,
        ),
        left_out=dict(comparison.left_out),
        models_left_out=dict(comparison.models_left_out),
        n_missing=dict(comparison.n_missing),
        flags={task: list(flags) for task, flags in comparison.flags.items()},
        sensitivity=schema.Sensitivity(**vars(sensitivity)) if sensitivity else None,
        printed=schema.Printed(source=printed.source, models=_by_row(printed.table)) if printed else None,
        scores=_by_row(comparison.scores),
    )


def _models(analysis: Analysis) -> Iterator[schema.Model]:
    table, summary, elo, effects = analysis.comparison.table, analysis.summary, analysis.elo, analysis.effects
    for model in table.index:
        row, rating, effect, score = table.loc[model], elo.loc[model], effects.loc[model], summary.loc[model]
        counts = {name: None if math.isnan(effect["wins"]) else int(row[name]) for name in ("won", "tied", "lost")}
        sizes = {name: _number(effect[name]) for name in ("median_difference", "low", "high", "rank_biserial", "win_rate")}
        measured = schema.Effect.model_validate({**sizes, **counts})
        yield schema.Model(
            model=str(model),
            verdict=row["verdict"],
            mean_rank=row["mean_rank"],
            mean_rank_low=row["low"],
            mean_rank_high=row["high"],
            rank_difference=row["rank_difference"],
            n_scores=int(score["n_scores"]),
            mean_score=score["mean_score"],
            median_score=score["median_score"],
            mean_shifted_score=score["mean_shifted_score"],
            improvability=_number(score["improvability"]),
            rescaled_loss=score["rescaled_loss"],
            wins=row["wins"],
            elo=rating["rating"],
            elo_low=rating["low"],
            elo_high=rating["high"],
            effect=measured,
        )


def _omnibus(test: TestResult, comparison: ModelComparison) -> schema.Omnibus:
    degrees = [comparison.n_models - 1]
    if test.test == "iman_davenport":
        degrees.append((comparison.n_models - 1) * (comparison.n_tasks - 1))
    return schema.Omnibus(
        test=_known(test.test),
        statistic=_number(test.statistic[0]),
        degrees_of_freedom=degrees,
        pvalue=_number(test.pvalue[0]),
    )


def _baseline_test(test: TestResult, comparison: ModelComparison) -> schema.BaselineTest:
    options, is_wilcoxon = comparison.options, test.test == "wilcoxon"
    description = (
        describe_baseline_test(comparison)
        if is_wilcoxon
        else f"Sign test of {comparison.baseline} against each model: on how many tasks it scores higher; exact, ties dropped."
    )
    results = [
        schema.BaselineResult(
            model=model,
            statistic=_number(test.statistic[position]),
            pvalue=_number(test.pvalue[position]),
            adjusted_pvalue=_number(test.adjusted_pvalue[position]),
            n_tasks=int(comparison.table.at[model, "n_tests"]),
        )
        for position, model in enumerate(test.models)
        if model != comparison.baseline
    ]
    return schema.BaselineTest(
        test=_known(test.test),
        description=description,
        baseline=comparison.baseline,
        alternative=options.alternative,
        correction=_known(options.correction),
        zero_method=_known(options.zero_method) if is_wilcoxon else None,
        results=results,
    )


def _pair_test(test: TestResult, analysis: Analysis) -> schema.PairTest:
    is_nemenyi = test.test == "nemenyi"
    pairs = [
        schema.PairResult(
            model=test.models[first],
            other=test.models[second],
            statistic=_number(test.statistic[first, second]),
            pvalue=_number(test.pvalue[first, second]),
            adjusted_pvalue=_number(test.adjusted_pvalue[first, second]),
        )
        for first, second in combinations(range(len(test.models)), 2)
    ]
    return schema.PairTest(
        test=_known(test.test),
        correction=_known("none" if is_nemenyi else analysis.pairwise_correction),
        critical_difference=_number(analysis.comparison.critical_difference) if is_nemenyi else None,
        pairs=pairs,
    )


def _pairs(analysis: Analysis) -> Iterator[schema.Pair]:
    pairs, places = analysis.pairs, {model: place for place, model in enumerate(analysis.comparison.table.index)}
    probabilities = analysis.bayesian_pairs.reindex(pairs.index) if len(pairs) else pairs
    for (model, other), row in pairs.iterrows():
        if places[model] < places[other]:
            probable = probabilities.loc[(model, other)]
            counts = {name: int(row[name]) for name in ("won", "tied", "lost", "n_tasks")}
            sizes = {name: _number(row[name]) for name in ("mean_difference", "rank_biserial", "pvalue", "adjusted_pvalue")}
            probable = probabilities.loc[(model, other)]
            shares = {name: _number(probable[name]) for name in ("p_higher", "p_equivalent", "p_lower")}
            yield schema.Pair.model_validate({"model": str(model), "other": str(other), **counts, **sizes, **shares})


def _bayesian(analysis: Analysis) -> schema.Bayesian:
    results = [
        schema.BayesianResult(
            model=str(other),
            p_higher=_number(row["p_higher"]),
            p_equivalent=_number(row["p_equivalent"]),
            p_lower=_number(row["p_lower"]),
            n_tasks=int(row["n_tasks"]),
            **{name: _number(row.get(name, math.nan)) for name in ("difference", "low", "high")},
        )
        for (_, other), row in analysis.comparison.bayesian.iterrows()
    ]
    return schema.Bayesian(
        test=_known(analysis.comparison.options.bayes),
        baseline=analysis.comparison.baseline,
        rope=analysis.comparison.rope,
        prior=PRIOR if analysis.comparison.options.bayes == "signed-rank" else None,
        n_samples=analysis.comparison.n_samples,
        seed=SEED,
        results=results,
    )


def _by_row(table: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    rows = table.to_dict(orient="index")
    return {str(name): {str(column): _number(value) for column, value in row.items()} for name, row in rows.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _known(name: str) -> Any:
    """Return a name that pydantic checks against those that the schema knows."""
    return name
