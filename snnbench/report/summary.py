"""A ranking in words: what was compared, what can be concluded, how it was tested, what was left out."""

import math
from collections.abc import Iterable

import numpy as np

from snnbench import stats
from snnbench.report.numbers import short_pvalue
from snnbench.report.options import BAYESIAN_TESTS
from snnbench.report.printed import find_printed
from snnbench.report.ranking import BETTER, UNDECIDED, WORSE, ModelComparison, group_by_reason
from snnbench.report.sensitivity import compare_without_flagged

UNCORRECTED = (
    "The baseline was chosen as the best on these very tasks and nothing is corrected: of 8 equal models on 121 tasks at least "
    "one would be called worse in 67 of 100 such comparisons."
)
EQUIVALENT = 0.95
"""The probability from which on two models are called practically equivalent."""
MAX_TASKS = 20
"""Tasks named for one reason; the JSON format names all."""
MAX_MODELS = 8
"""Models named in a sentence."""
MAX_OPEN = 3
"""Models named of which nothing is known but that no difference is shown; of more, their number."""


def conclude(comparison: ModelComparison) -> str:
    """Return in a sentence or two what can and what cannot be concluded from the tests against the baseline."""
    baseline = comparison.baseline
    if comparison.n_models == 1:
        return "There is nothing to compare a single model with: no tests, no p-values."
    if (comparison.table["tied"] == comparison.n_tasks).all():
        return (
            "All models score the same on every task: nothing tells them apart here, which does not make them equal elsewhere."
        )
    if comparison.n_tasks == 1:
        return describe_one_task(comparison)
    level = f"{comparison.options.alpha:.3g}"
    smallest = _smallest_pvalue(comparison)
    is_one_comparison = comparison.n_models == 2 and not (comparison.is_chosen and comparison.options.alternative == "greater")
    adjusted = "" if comparison.options.correction == "none" or is_one_comparison else "adjusted "
    if smallest >= comparison.options.alpha:
        return (
            f"Nothing can be concluded: on {plural(comparison.n_tasks, 'task')} no difference can reach p < {level}, "
            f"whatever the scores (the smallest possible {adjusted}p is {smallest:.2g})."
        )
    lower, higher = comparison.with_verdict(WORSE), comparison.with_verdict(BETTER)
    alike, apart = _untested(comparison)
    open_ = [model for model in comparison.with_verdict(UNDECIDED) if model not in alike + apart]
    untested = [f"{baseline} and {name_models(alike)} score the same on every task"] if alike else []
    untested += [f"no test is possible against {name_models(apart)}, without a task in common"] if apart else []
    shown = [f"{baseline} scores higher than {name_models(lower)}"] if lower else []
    shown += [f"{'' if lower else baseline + ' scores '}lower than {name_models(higher)}"] if higher else []
    corrected = "" if comparison.options.correction != "none" or comparison.n_models == 2 else " in each test by itself"
    parts = [f"{' and '.join(shown)} (p < {level}{corrected})"] if shown else []
    if open_:
        others = name_models(open_) if len(open_) <= MAX_OPEN else f"the other {len(open_)} models"
        none = f"a difference from {others} is neither shown nor excluded"
        ranks = comparison.table["mean_rank"].round(12)
        first = list(map(str, ranks.index[ranks == ranks.min()]))
        best = f"{baseline} ranks best" if first == [baseline] else f"{name_models(first)} share the best rank"
        best = f"{best}, but " if baseline in first else ""
        parts.append(none if shown else f"No difference is shown at p < {level}: {best}{none}")
    sentence = "; ".join(parts + untested) + "."
    sentence = sentence if shown or (alike and not open_) else sentence[0].upper() + sentence[1:]
    caution = f" {comparison.origin.caution}" if comparison.origin.caution else ""
    return sentence + _conclude_equivalence(comparison, alike) + caution


def _conclude_equivalence(comparison: ModelComparison, alike: list[str]) -> str:
    """Return a sentence on the models that are practically equivalent to the baseline; empty if none is shown to be."""
    probable = comparison.bayesian["p_equivalent"].droplevel(0)
    models = [str(model) for model in comparison.table.index.drop(comparison.baseline) if probable[model] >= EQUIVALENT]
    models = [model for model in models if model not in alike]
    if not models:
        return ""
    return (
        f" Practically equivalent to {comparison.baseline}, with a probability of at least {EQUIVALENT} that the difference is "
        f"at most {comparison.rope:.2g}: {name_models(models)}."
    )


def _untested(comparison: ModelComparison) -> tuple[list[str], list[str]]:
    """Return the models that score as the baseline does on every task, and those without a task in common with it."""
    others = comparison.table[comparison.table["verdict"] == UNDECIDED]
    alike = others.index[others["tied"] == comparison.n_tasks]
    return list(map(str, alike)), list(map(str, others.index[others["n_tests"] == 0]))


def describe_one_task(comparison: ModelComparison) -> str:
    """Return why one task cannot be tested, and what can be looked at instead."""
    sentence = (
        "Nothing can be concluded about other tasks: the tests compare models across tasks, and one task is no sample of them."
    )
    if "repetitions" in comparison.averaged or "folds" in comparison.averaged:
        return f"{sentence} Its splits are compared by `snnbench compare --by split`."
    if "seeds" in comparison.averaged:
        return f"{sentence} Seeds repeat the training on the same rows and are no further tasks."
    return sentence


def describe_comparison(comparison: ModelComparison) -> list[str]:
    """Return the lines above a table: how much was compared, what is missing, and whether the models differ at all."""
    options = comparison.options
    subset = "" if options.subset == "all" else f"{options.subset} "
    n_asked = comparison.n_tasks + len(comparison.left_out)
    n_tasks = f"{comparison.n_tasks}" if n_asked == comparison.n_tasks else f"{comparison.n_tasks} of {n_asked}"
    name = comparison.suite or ", ".join(comparison.origin.tables)
    of_suite = f" of {name}" if name else ""
    metric = f", by {comparison.metric}" if comparison.metric else ""
    counts = f"{plural(comparison.n_models, 'model')} on {n_tasks} {subset}task{'' if n_asked == 1 else 's'}{of_suite}{metric}."
    if comparison.averaged:
        counts += f" The score of a task is the mean of {comparison.averaged}; a task counts once."
    lines = [counts, *comparison.notes, *describe_missing(comparison)]
    if comparison.n_models == 1:
        return lines
    if comparison.n_tasks == 1:
        return [*lines, "Friedman test: none, it needs at least 2 tasks."]
    if (comparison.table["tied"] == comparison.n_tasks).all():
        return [*lines, "Friedman test: no test possible, all models tie on every task."]
    statistic, pvalue = comparison.friedman.statistic[0], comparison.friedman.pvalue[0]
    degrees = comparison.n_models - 1
    text = f"Friedman test of equal ranks: chi-square = {statistic:.2f} ({degrees} d.f.), p = {short_pvalue(pvalue)}; "
    statistic, pvalue = comparison.iman_davenport.statistic[0], comparison.iman_davenport.pvalue[0]
    if math.isinf(statistic):
        return [*lines, f"{text}Iman-Davenport: all tasks rank the models alike, p = {short_pvalue(pvalue)}."]
    degrees_of_error = degrees * (comparison.n_tasks - 1)
    text += f"Iman-Davenport: F = {statistic:.2f} ({degrees}, {degrees_of_error} d.f.), p = {short_pvalue(pvalue)}."
    return [*lines, text]


def describe_missing(comparison: ModelComparison) -> list[str]:
    """Return a line on the scores that are missing and yet compared; none if there is none."""
    if not comparison.n_missing:
        return []
    some = _list_some(f"{model} {count}" for model, count in comparison.n_missing.items())
    total = sum(comparison.n_missing.values())
    if comparison.options.missing == "impute":
        reference = comparison.options.impute_from
        taken = f"the score of {reference}" if reference else "the mean of the other models' scores"
        return [f"{plural(total, 'missing score')} taken for {taken} on the task: {some}."]
    if total == 1:
        return [f"1 missing score takes the worst rank on its task and is in no pair of a Wilcoxon test: {some}."]
    return [f"{total} missing scores take the worst rank on their tasks and are in no pair of a Wilcoxon test: {some}."]


def describe_columns(comparison: ModelComparison) -> str:
    """Return what the columns of the table mean."""
    mean = (comparison.n_models + 1) / 2
    text = "rank: mean over the tasks, 1 = best, ties share; 95%: interval over the tasks; "
    text += f"diff.: rank - {mean:g}; score: mean"
    n_scores = comparison.scores.notna().sum(axis="index")
    some = [f"{model} on {count}" for model, count in n_scores.items() if count < comparison.n_tasks]
    if some:
        text += (
            f" of the tasks with a score (tasks), so not of the same tasks for all ({_list_some(some)} of {comparison.n_tasks})"
        )
    if comparison.n_models == 1:
        return "rank: mean over the tasks, 1 = best, ties share; 95%: interval over the tasks."
    return (
        f"{text}; w/t/l: tasks on which {comparison.baseline} scores higher, equal, lower; equiv.: probability that the two "
        f"differ by at most {comparison.rope:.2g} ({BAYESIAN_TESTS[comparison.options.bayes]})."
    )


def describe_test(comparison: ModelComparison) -> list[str]:
    """Return the lines below a table that say what its columns mean and which test gave the p-values."""
    if comparison.n_models == 1 or comparison.n_tasks == 1:
        return [describe_columns(comparison)]
    options = comparison.options
    lines = [describe_columns(comparison), f"p: {describe_baseline_test(comparison)}"]
    printed = find_printed(comparison)
    if comparison.is_chosen and options.correction == "none" and comparison.n_models > 2:
        lines[-1] += f" {UNCORRECTED}"
    if printed:
        lines.append(f"paper: diff. and p as {printed.source} of Klambauer et al. (2017) prints them.")
    # A reason for caution is said above the table; models of one preset have grids of unlike sizes as a rule.
    grids = comparison.origin.grids
    return [*lines, *([grids] if grids and not comparison.origin.caution else [])]


def describe_baseline_test(comparison: ModelComparison) -> str:
    """Return which test gave the p-values of the baseline, and for how many comparisons they are corrected and why."""
    options, n_models = comparison.options, comparison.n_models
    family = f"over the {plural(n_models - 1, 'comparison')} with {comparison.baseline}"
    if comparison.is_chosen:
        n_pairs = n_models * (n_models - 1) // 2
        directions = " in both directions" if options.alternative == "greater" else ""
        family = f"over all {plural(n_pairs, 'pair')}{directions}, as the baseline was chosen as the best on these very tasks"
    return stats.describe_wilcoxon(comparison.baseline, options.alternative, options.correction, options.zero_method, family)


def describe_sensitivity(comparison: ModelComparison) -> list[str]:
    """Return a line that says whether the ranking changes without the tasks that the audit of the data flags."""
    if comparison.options.exclude_flagged:
        return ["Tasks whose data the audit finds at fault are left out."]
    if not comparison.flags or comparison.n_models == 1:
        return []
    without = compare_without_flagged(comparison)
    n_flagged = len(comparison.flags)
    start = f"Without the {plural(n_flagged, 'task')} whose data the audit finds at fault (--exclude-flagged)"
    if without is None:
        return [f"{start} no task is left to compare."]
    start = f"{start}, on {without.n_tasks},"
    if not without.moved and not without.changed:
        return [f"{start} order and verdicts are the same."]
    order = "the order is the same"
    if without.moved:
        order = "the order changes: " + _list_some(f"{name} {old} to {new}" for name, (old, new) in without.moved.items())
    verdicts = "the verdicts are the same"
    if without.baseline != comparison.baseline:
        verdicts = f"the best is {without.baseline}"
    elif without.changed:
        changes = (f"{name} from {old} to {new}" for name, (old, new) in without.changed.items())
        verdicts = "verdicts change: " + _list_some(changes)
    return [f"{start} {order}; {verdicts}."]


def describe_left_out(comparison: ModelComparison) -> list[str]:
    """Return the lines that name every task that was not compared, tasks of one reason together; none if all were."""
    if not comparison.left_out and not comparison.models_left_out:
        return []
    counts = [plural(len(comparison.left_out), "task")] if comparison.left_out else []
    counts += [plural(len(comparison.models_left_out), "model")] if comparison.models_left_out else []
    lines = [f"Left out: {' and '.join(counts)}."]
    lines += [f"{model}: {reason}" for model, reason in comparison.models_left_out.items()]
    for reason, tasks in group_by_reason(comparison.left_out).items():
        count = f" ({len(tasks)} tasks)" if len(tasks) > 1 else ""
        if len(tasks) > MAX_TASKS and reason == "no results":  # never asked for, most likely
            lines.append(f"{len(tasks)} tasks: no results")
            continue
        more = f" and {len(tasks) - MAX_TASKS} more" if len(tasks) > MAX_TASKS else ""
        lines.append(f"{reason}{count}: {', '.join(tasks[:MAX_TASKS])}{more}")
    return lines


def name_models(models: list[str]) -> str:
    """Return names as a sentence has them: ``a, b and c``; of many, the first and their number."""
    if len(models) > MAX_MODELS:
        return f"{', '.join(models[: MAX_MODELS - 2])} and {len(models) - MAX_MODELS + 2} more"
    return models[0] if len(models) == 1 else f"{', '.join(models[:-1])} and {models[-1]}"


def plural(count: int, noun: str) -> str:
    """Return ``1 task`` or ``2 tasks``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _list_some(changes: Iterable[str]) -> str:
    listed = list(changes)
    return ", ".join(listed[:MAX_MODELS]) + (f" and {len(listed) - MAX_MODELS} more" if len(listed) > MAX_MODELS else "")


def _smallest_pvalue(comparison: ModelComparison) -> float:
    """Return the smallest p-value that a signed-rank test of so many tasks can give, corrected."""
    options = comparison.options
    sides = 2 if options.alternative == "two-sided" else 1
    present = comparison.scores.notna().to_numpy(dtype=float)
    # All comparisons at their smallest at once: corrections then give the smallest of all, and need not be told apart here.
    pvalues = np.minimum(sides * 0.5 ** (present.T @ present), 1.0)
    position = comparison.scores.columns.get_loc(comparison.baseline)
    others = np.arange(comparison.n_models) != position
    if not comparison.is_chosen:
        return float(stats.CORRECTIONS[options.correction](pvalues[position, others]).min())
    if sides == 1:
        # Only one direction of a pair can be shown.
        pvalues[np.tril_indices(comparison.n_models, -1)] = 1.0
    return float(np.nanmin(stats.adjust_pairs(pvalues, options.alternative, options.correction)[position]))
