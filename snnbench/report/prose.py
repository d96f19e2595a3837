"""A comparison as a paragraph of methods and one of results, for a paper, with its references."""

import math
import textwrap

from snnbench import __version__
from snnbench.report.numbers import write_pvalue
from snnbench.report.ranking import BASELINE, ModelComparison
from snnbench.report.summary import conclude, describe_missing, plural
from snnbench.stats.signed_rank import N_EXACT

WIDTH = 100
REFERENCES = {
    "Demšar 2006": "J. Demšar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.",
    "Wilcoxon 1945": "F. Wilcoxon. Individual Comparisons by Ranking Methods. Biometrics Bulletin 1, 1945.",
    "Friedman 1937": (
        "M. Friedman. The Use of Ranks to Avoid the Assumption of Normality Implicit in the Analysis of Variance. JASA 32, "
        "1937."
    ),
    "Iman and Davenport 1980": (
        "R. L. Iman and J. M. Davenport. Approximations of the Critical Region of the Friedman Statistic. Communications in "
        "Statistics A9, 1980."
    ),
    "Holm 1979": "S. Holm. A Simple Sequentially Rejective Multiple Test Procedure. Scand. J. Statistics 6, 1979.",
    "Hochberg 1988": "Y. Hochberg. A Sharper Bonferroni Procedure for Multiple Tests of Significance. Biometrika 75, 1988.",
    "Shaffer 1986": "J. P. Shaffer. Modified Sequentially Rejective Multiple Test Procedures. JASA 81, 1986.",
    "Benavoli et al. 2017": (
        "A. Benavoli, G. Corani, J. Demšar and M. Zaffalon. Time for a Change: a Tutorial for Comparing Multiple Classifiers "
        "Through Bayesian Analysis. JMLR 18, 2017."
    ),
    "Corani et al. 2017": (
        "G. Corani, A. Benavoli, J. Demšar, F. Mangili and M. Zaffalon. Statistical Comparison of Classifiers through Bayesian "
        "Hierarchical Modelling. Machine Learning 106, 2017."
    ),
}
"""What the paragraphs cite."""
_BAYESIAN = {
    "signed-rank": "Bayesian signed-rank test (Benavoli et al. 2017)",
    "hierarchical": "hierarchical Bayesian test of tasks and splits (Corani et al. 2017)",
}
_CORRECTIONS = {"holm": "Holm 1979", "hochberg": "Hochberg 1988", "shaffer": "Shaffer 1986"}


def render_prose(comparison: ModelComparison) -> str:
    """Return the paragraphs and the references that they cite."""
    text = [f"Methods. {_methods(comparison)}", f"Results. {_results(comparison)}"]
    cited = [f"({key}) {words}" for key, words in REFERENCES.items() if key in text[0]]
    paragraphs = [*text, *(["References."] if cited else [])]
    body = "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)
    return "\n".join([body, *(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in cited)]) + "\n"


def _methods(comparison: ModelComparison) -> str:
    n_models = comparison.n_models
    of_what = comparison.suite or ", ".join(comparison.origin.tables)
    sentences = [
        f"We compared {plural(n_models, 'model')} on {plural(comparison.n_tasks, 'task')}"
        f"{' of ' + of_what if of_what else ''}{' by ' + comparison.metric if comparison.metric else ''}. Models were ranked "
        "on every task (1 is best, ties share their mean rank), and ranks averaged over the tasks."
    ]
    if comparison.averaged:
        sentences.append(f"The score of a task is the mean of {comparison.averaged}; a task counts once.")
    sentences += [*describe_missing(comparison), *comparison.notes]
    if n_models == 1 or comparison.n_tasks == 1:
        return " ".join(sentences)
    sentences += [
        "Whether the models differ at all was tested by the Friedman test (Friedman 1937) in the form of Iman and Davenport "
        "(Iman and Davenport 1980), as Demšar advises (Demšar 2006).",
        _describe_tests(comparison),
        f"How probable practical equivalence is, differences of at most {comparison.rope:.2g}, was computed by the "
        f"{_BAYESIAN[comparison.options.bayes]}.",
        f"All numbers are those of snnbench {__version__}.",
    ]
    return " ".join(sentences)


def _describe_tests(comparison: ModelComparison) -> str:
    """Return which tests compare the baseline with each model, and how their p-values are adjusted."""
    options = comparison.options
    baseline = "the model of the best mean rank" if comparison.is_chosen else comparison.baseline
    sides = "one" if options.alternative == "greater" else "two"
    family = "the comparisons with it"
    if comparison.is_chosen:
        family = "all pairs of models, as the baseline was chosen on these tasks"
    source = _CORRECTIONS.get(options.correction)
    adjusted = f"p-values adjusted by {options.correction.capitalize()}'s method ({source}) over {family}"
    return (
        f"We then compared {baseline} with each other model by {sides}-sided Wilcoxon signed-rank tests (Wilcoxon 1945) across "
        f"the tasks, exact for up to {N_EXACT} differences, "
        f"{'without a correction for multiple comparisons' if options.correction == 'none' else 'with ' + adjusted}; "
        f"p < {options.alpha:g} is called significant."
    )


def _results(comparison: ModelComparison) -> str:
    table, n_models = comparison.table, comparison.n_models
    first = table.iloc[0]
    sentences = [
        f"{table.index[0]} has the best mean rank ({first['mean_rank']:.2f}, 95% interval {first['low']:.2f} to "
        f"{first['high']:.2f}; mean score {first['mean_score']:.4f})."
    ]
    if n_models == 1 or comparison.n_tasks == 1:
        return " ".join([*sentences, conclude(comparison)])
    statistic, pvalue = comparison.iman_davenport.statistic[0], comparison.iman_davenport.pvalue[0]
    degrees = f"{n_models - 1}, {(n_models - 1) * (comparison.n_tasks - 1)}"
    if not math.isnan(pvalue):
        differ = "differ" if pvalue < comparison.options.alpha else "cannot be told apart as a whole"
        sentences.append(f"The models {differ} (F({degrees}) = {statistic:.2f}, p {write_pvalue(pvalue)}).")
    others = [
        f"{model} (rank {row['mean_rank']:.2f}; {row['won']} wins, {row['tied']} ties, {row['lost']} losses of "
        f"{comparison.baseline}; p {write_pvalue(row['adjusted_pvalue'])})"
        for model, row in table.iterrows()
        if row["verdict"] != BASELINE
    ]
    sentences.append(f"{comparison.baseline} was compared with {'; '.join(others)}.")
    return " ".join([*sentences, conclude(comparison)])
