"""What becomes of scores that are missing: a failed classifier, an NA in a published table, a job that did not finish."""

import pandas as pd

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.stats.options import check_option

# What can be done with a missing score, and how to say it.
MISSING = {
    "worst": "a missing score takes the worst rank on its task",
    "drop-task": "tasks without a score of every model are left out",
    "impute": "a missing score is taken for the mean of the other models' scores on its task",
    "drop-model": "models without a score on every task are left out",
}


def resolve_missing(
    scores: pd.DataFrame, missing: str = "worst", reference: str = ""
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Decide what becomes of the missing scores, and account for what is left out.

    ``"worst"`` keeps them as NaN. Whatever compares the order of the models then takes them as worse than any score: ranks,
    Friedman, Nemenyi, the sign test, wins and Elo. Whatever needs the size of a difference leaves the task out of the pairs
    that it belongs to: Wilcoxon, Bayesian, resampled t, median differences. Tables A12 and A13 of Klambauer et al. (2017) are
    reproduced by just that.

    ``"impute"`` takes the mean of the other models' scores on the task, as Fernández-Delgado et al. (2014) did; or the score of
    a reference model, as TabArena (Erickson et al. 2025), and the mean where that has none either.

    Tasks without any score and models without any score are left out in every case, as there is nothing to compare.

    Args:
        scores: (n_tasks, n_models), higher is better, NaN = missing.
        missing: A name in ``MISSING``.
        reference: The model whose scores are imputed; empty for the mean.

    Returns:
        The scores that remain, and the reason for every task and for every model that does not.

    Raises:
        UnknownNameError: If ``missing`` is not a name in ``MISSING``, or the reference not a model.
        SnnbenchError: If there is a reference and nothing is imputed.
    """
    check_option("handling of missing scores", missing, MISSING)
    if reference and missing != "impute":
        raise SnnbenchError(f"A model to impute from needs --missing impute, found {missing}. Leave one of them out.")
    if reference and reference not in scores.columns:
        raise UnknownNameError("model to impute from", reference, map(str, scores.columns))
    present = scores.notna()
    models = {str(model): "no score on any task" for model in scores.columns[~present.any(axis="index")]}
    tasks = {str(task): "no score of any model" for task in scores.index[~present.any(axis="columns")]}
    scores = scores.loc[present.any(axis="columns"), present.any(axis="index")]
    absent = scores.isna()
    if missing == "drop-task":
        incomplete = absent.any(axis="columns")
        tasks |= {str(task): f"no score of {_list(absent.columns[row])}" for task, row in absent[incomplete].iterrows()}
        scores = scores.loc[~incomplete]
    elif missing == "impute":
        means = scores.mean(axis="columns").round(12)
        values = scores[reference].fillna(means) if reference in scores else means
        scores = scores.apply(lambda of_model: of_model.fillna(values))
    elif missing == "drop-model":
        incomplete = absent.any(axis="index")
        models |= {str(model): f"no score on {_list(absent.index[absent[model]])}" for model in absent.columns[incomplete]}
        scores = scores.loc[:, ~incomplete]
    return scores, tasks, models


def _list(names: pd.Index) -> str:
    return ", ".join(map(str, names))
