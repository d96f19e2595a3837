"""From search results to the selected configuration, and from evaluations to the score table."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.metrics import METRICS, MULTILABEL_METRICS
from snnbench.records import Config, Member, Value, is_lasting

_TIE_RULES = (("depth", False), ("learning_rate", True), ("dropout_rate", False), ("n_units", False))
"""Among equal validation scores: more layers (of a residual network: blocks), then the lower learning rate, then the higher
dropout rate (the paper), then the wider network and the smaller config key (ours, so that a choice never depends on the order
of the grid)."""

SCORE_COLUMNS = (
    *("stage", "suite", "task", "split", "seed", "model", "preset", "grid", "config", "config_key"),
    *("task_sha256", "valid_score", "test_score", "error", "code_digest", "code_versions"),
)
_VERBS = {"diverged": "diverged", "infeasible": "cannot be fitted", "timeout": "ran out of time"}
"""What is said of a training without a score that is an outcome; one that failed is tried again."""
OUTPUT_COLUMNS = ("test_targets", "test_outputs", "task_n_outputs")
DESCRIPTION_COLUMNS = (*SCORE_COLUMNS, "best_epoch", "seconds")
"""The columns of the results that a comparison, another metric and a description of the models need."""


class SelectionGroup(NamedTuple):
    """The members of which one configuration is selected; where depths are compared, ``model`` also names the depth."""

    task: str
    split: str
    model: str
    seed: int


def select(
    members: Mapping[str, Member], rows: pd.DataFrame, by: str = "model"
) -> tuple[dict[str, int], dict[SelectionGroup, str]]:
    """Choose the best configuration of each task, split, model and seed.

    Args:
        members: The search members of a plan, by key.
        rows: Stored rows with key, status, valid_score, best_epoch and error.
        by: ``"depth"`` chooses the best of every depth of a model instead of one of all.

    Returns:
        The keys of the selected members with their stopping epochs; and for every (task, split, model, seed) that has no finite
        configuration, the reason. By depth, the depth is said behind the model's name.
    """
    found = rows.set_index("key")
    selected, unselected = {}, {}
    for group, keys in _groups(members, by).items():
        trained = found.loc[found.index.intersection(keys)]
        finite = trained[(trained["status"] == "ok") & trained["valid_score"].notna()]
        if finite.empty:
            unselected[group] = _why_none(trained)
            continue
        best = max(finite.index, key=lambda key: (finite.at[key, "valid_score"], _preference(members[key])))
        selected[best] = int(finite.at[best, "best_epoch"])
    return selected, unselected


RUN_COLUMNS = ("valid_score", "best_epoch", "error", "limit_seconds", "model", "code_digest", "code_versions")
"""The columns of the results that a run needs of what is stored."""


def finished(rows: pd.DataFrame, limit_seconds: float) -> set[str]:
    """Return the keys that need no training: what failed is tried again, and under a larger limit what ran out of time."""
    had_its_time = (rows["status"] == "timeout") & (rows["limit_seconds"].astype(float) >= limit_seconds)
    return set(rows.loc[rows["status"].map(is_lasting).astype(bool) | had_its_time, "key"])


def refused(members: Mapping[str, Member], rows: pd.DataFrame, by: str = "model") -> set[SelectionGroup]:
    """Return every (task, split, model, seed) that has configurations which are infeasible or ran out of time, and none failed.

    Such a model may be missing on a task without anything having gone wrong; see ``select`` for the arguments.
    """
    status_of = rows.set_index("key")["status"]
    status_of = status_of[~status_of.index.duplicated()]
    by_group = {group: set(status_of.reindex(keys).dropna()) for group, keys in _groups(members, by).items()}
    return {group for group, found in by_group.items() if found & {"infeasible", "timeout"} and "failed" not in found}


def _groups(members: Mapping[str, Member], by: str) -> dict[SelectionGroup, list[str]]:
    """Return the keys of the members that compete with each other, by task, split, model and seed."""
    groups: dict[SelectionGroup, list[str]] = {}
    for key, member in members.items():
        group = SelectionGroup(member.task, member.split, choice(member.config, by), member.seed)
        groups.setdefault(group, []).append(key)
    return groups


def choice(config: Config, by: str) -> str:
    """Name what a configuration competes in: the model, or the model at its depth."""
    depth = depth_of(dict(config.values))
    return config.model if by == "model" or np.isnan(depth) else f"{config.model} of depth {depth:g}"


def depth_of(values: Mapping[str, Value]) -> float:
    """Return the number of layers, of a residual network that of blocks; NaN for other models."""
    return _number(values.get("n_layers", values.get("n_blocks")))


def score_table(rows: pd.DataFrame, metric: str = "") -> pd.DataFrame:
    """Average the test scores of each task and model over seeds, then over splits.

    Several splits or seeds of a task are one task: they are averaged, never counted as more tasks. All models of a task are
    averaged over the same splits, those that most of them have a score on. Of several evaluations on one split from one seed
    (one for each depth; or the selection changed when a failed configuration was trained after all) the one with the best
    validation score counts, else the newest.

    Args:
        rows: Stored rows of a suite with stage, task, split, seed, model, preset, grid, config, config_key, task_sha256,
            status, finished_at, valid_score and test_score; those of the search tell which models there are, and how they
            validated.
        metric: Another metric than that of the stored scores; then test_targets, test_outputs and task_n_outputs are
            needed too.

    Returns:
        (n_tasks, n_models), NaN where a model has no score. A model that was run under more than one preset or grid becomes
        one column for each, named ``model[preset]``, with the grid's digest where that is not enough.

    Raises:
        SnnbenchError: If a task was evaluated on two versions of its data, or the metric is not one for its kind.
    """
    evaluated = rows["stage"] == "evaluate"
    models = sorted({*column_names(rows[evaluated]), *(set(rows["model"]) - set(rows.loc[evaluated, "model"]))})
    shared = on_shared_splits(scored_evaluations(rows, metric)).reindex(columns=models)
    # Rounded, because the mean of equal scores in another order differs in its last bits and would lose its ties.
    table = shared.groupby("task").agg(lambda scores: scores.mean(skipna=False)).round(12)
    return table.rename_axis(columns="model")


def count_averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what each score of a score table is the mean of.

    Args:
        rows: As for ``score_table``.

    Returns:
        Indexed by (column, task), without the models that lack one of the splits that the others share: n_splits, and min_seeds
        and max_seeds of a split.
    """
    scored = scored_evaluations(rows)
    shared = on_shared_splits(scored)
    complete = shared.notna().groupby("task").all().stack()
    n_seeds = scored.groupby(["task", "split", "column"])["seed"].nunique()
    n_seeds = n_seeds[n_seeds.index.droplevel("column").isin(shared.index)].groupby(["column", "task"])
    counts = pd.DataFrame({"n_splits": n_seeds.size(), "min_seeds": n_seeds.min(), "max_seeds": n_seeds.max()})
    return counts[[bool(complete.get((task, column), False)) for column, task in counts.index]]


def on_shared_splits(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the mean scores (task and split, column) on the splits of each task that most models have a score on."""
    by_split = scored.pivot_table(index=["task", "split"], columns="column", values="test_score")
    n_scores = by_split.notna().sum(axis="columns")
    return by_split[n_scores == n_scores.groupby("task").transform("max")]


def scored_evaluations(rows: pd.DataFrame, metric: str = "", by: str = "model") -> pd.DataFrame:
    """Return the evaluations that count, with their ``column`` in a score table; by depth also their ``depth``.

    Args:
        rows: As for ``score_table``.
        metric: Another metric than that of the stored scores.
        by: ``"depth"`` for one evaluation of every depth.

    Raises:
        SnnbenchError: If a task was evaluated on two versions of its data, or the metric is not one for its kind.
    """
    evaluations = rows[rows["stage"] == "evaluate"]
    evaluations = evaluations.assign(column=column_names(evaluations))
    n_versions = evaluations.groupby("task")["task_sha256"].nunique()
    if (n_versions > 1).any():
        raise SnnbenchError(
            f"The results of {n_versions.idxmax()} must be of one version of its data, found two. Choose one with --data."
        )
    scored = _chosen(evaluations, rows[rows["stage"] == "search"], by)
    return scored.assign(test_score=[_rescore(row, metric) for row in scored.itertuples()]) if metric else scored


def _chosen(evaluations: pd.DataFrame, searches: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return of each (task, split, seed, column), by depth of each depth, the evaluation that validated best."""
    once = ["task", "split", "seed", "column"]
    if by == "model" and not evaluations.duplicated(once).any():
        return evaluations[(evaluations["status"] == "ok") & evaluations["test_score"].notna()]
    once += ["depth"] * (by == "depth")
    values = evaluations["config"].map(json.loads)
    numbers = {f"tie_{name}": [_sign(lower) * _tie_value(of, name) for of in values] for name, lower in _TIE_RULES}
    evaluations, searches = (side.assign(code_digest=_own_code(side)) for side in (evaluations, searches))
    same = ["task", "split", "model", "config_key", "grid", "code_digest"]
    best_search = searches.groupby(same)["valid_score"].max().rename("validated")
    ranked = evaluations.assign(depth=[depth_of(of) for of in values], **numbers).join(best_search, on=same)
    # Validation scores are rounded where they are made, so equal ones tie as they did in the selection.
    order = ["validated", *numbers, "finished_at"]
    chosen = ranked.sort_values(order, kind="stable", na_position="first").drop_duplicates(once, keep="last")
    return chosen[(chosen["status"] == "ok") & chosen["test_score"].notna()].drop(columns=list(numbers))


def describe_models(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what was selected and what it took, by model.

    Args:
        rows: All rows of a suite with stage, task, split, seed, model, preset, grid, config, status, test_score, best_epoch and
            seconds.

    Returns:
        Indexed by model as in ``score_table``: n_evaluations; n_seeds; mean_score and seed_std, the standard deviation over
        seeds averaged over tasks and splits (NaN for one seed); mean_depth in layers or blocks (NaN for other models);
        mean_epoch, the stopping epoch; seconds, of all trainings; share_diverged of the search.
    """
    named = rows.assign(column=column_names(rows[rows["stage"] == "evaluate"]).reindex(rows.index))
    trained = named[named["column"].notna() & (named["status"] == "ok")]
    evaluations = _chosen(trained, rows[rows["stage"] == "search"], by="model")
    depths = [depth_of(json.loads(config)) for config in evaluations["config"]]
    groups = evaluations.assign(depth=depths).groupby("column")
    by_task = evaluations.groupby(["column", "task", "split"])["test_score"]
    searches = rows[rows["stage"] == "search"].groupby("model")
    model_of = groups["model"].first()
    diverged = searches["status"].apply(lambda status: float((status == "diverged").mean()))
    return pd.DataFrame(
        {
            "n_evaluations": groups.size(),
            "n_seeds": groups["seed"].nunique(),
            "mean_score": by_task.mean().groupby("column").mean(),
            "seed_std": by_task.std().groupby("column").mean(),
            "mean_depth": groups["depth"].mean(),
            "mean_epoch": groups["best_epoch"].mean(),
            "seconds": training_seconds(trained, rows),
            "share_diverged": model_of.map(diverged),
        }
    ).rename_axis(index="model")


def training_seconds(evaluations: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return the seconds of all trainings of each model: of its evaluations, and of the searches behind them.

    Args:
        evaluations: Rows with the ``column`` of a score table, model and seconds.
        rows: All rows of a suite with stage, model and seconds.
    """
    of_column = evaluations.groupby("column")
    searched = rows[rows["stage"] == "search"].groupby("model")["seconds"].sum()
    return of_column["seconds"].sum() + of_column["model"].first().map(searched).fillna(0)


def _rescore(row: Any, metric: str) -> float:
    y = np.asarray(row.test_targets)
    if len(y) == 0:
        return float("nan")  # a row from before outputs were stored
    outputs = np.asarray(row.test_outputs).reshape(-1, row.task_n_outputs)
    is_multilabel = len(y) == outputs.size
    if is_multilabel != (metric in MULTILABEL_METRICS):
        raise SnnbenchError(
            f"Of a task with {'several labels' if is_multilabel else 'classes'}, which {row.task} is, --metric must be one of "
            f"{', '.join(name for name in METRICS if (name in MULTILABEL_METRICS) == is_multilabel)}, found {metric}."
        )
    return float(METRICS[metric](y.reshape(outputs.shape) if is_multilabel else y, outputs))


def column_names(rows: pd.DataFrame) -> pd.Series:
    """Return the name of each row's model in a score table: with the preset, or a digest, where there are several.

    The digest is that of the grid, or that of the user's own code where the same grid was run by several versions of it.
    """
    names = rows["model"].astype(str)
    code = _own_code(rows)
    for detail, differs in ((rows["preset"], rows["grid"]), (rows["grid"], rows["grid"]), (code, code)):
        several = differs.groupby(names).transform("nunique") > 1
        names = names.where(~several, names + "[" + detail.astype(str) + "]")
    return names


def _own_code(rows: pd.DataFrame) -> pd.Series:
    """Return the digest of the user's own code behind each row; "" where there is none, or an old row does not say."""
    said = rows["code_digest"] if "code_digest" in rows else pd.Series(None, rows.index)
    return said.astype(object).where(said.notna(), "")


def _preference(member: Member) -> tuple[object, ...]:
    values = dict(member.config.values)
    signed = [_sign(lower) * _tie_value(values, name) for name, lower in _TIE_RULES]
    return (*np.nan_to_num(signed).tolist(), _reversed(member.config.key))


def _sign(lower_wins: bool) -> int:
    return -1 if lower_wins else 1


def _tie_value(values: Mapping[str, Value], name: str) -> float:
    return depth_of(values) if name == "depth" else _number(values.get(name))


def _number(value: object) -> float:
    """Return a number, NaN for what is none: an estimator may have a ``learning_rate`` that is a word."""
    return float(value) if isinstance(value, int | float) else float("nan")


def _reversed(key: str) -> int:
    """Return a number that is larger for a smaller key."""
    return -int(key, 16)


def _why_none(trained: pd.DataFrame) -> str:
    if trained.empty:
        return "nothing was trained"
    errors = trained.loc[trained["status"] == "failed", "error"]
    if not errors.empty:
        return f"{len(errors)} of {len(trained)} configurations failed: {errors.min()}"
    reasons = trained[trained["status"].isin(_VERBS)].groupby("status")["error"].agg(["size", "min"])
    if len(reasons) < 2:
        subject = "its one configuration" if len(trained) == 1 else f"all {len(trained)} configurations"
        return f"{subject} {_ended(reasons.index[0], reasons['min'].iloc[0])}" if len(reasons) else f"{subject} diverged"
    parts = [f"{size} {_ended(str(status), error)}" for status, size, error in reasons.itertuples()]
    return f"of {len(trained)} configurations {', '.join(parts)}"


def _ended(status: str, error: str) -> str:
    """Return how trainings ended that have no score, with the reason where the status does not say it all."""
    return _VERBS[status] if status == "diverged" else f"{_VERBS[status]} ({error})"


def only_suite(rows: pd.DataFrame, suite: str | None) -> str:
    """Return the suite that was named, or the only one in the results.

    Raises:
        SnnbenchError: If none was named and the results hold none or several.
    """
    found = sorted(rows["suite"].unique()) if len(rows) else []
    if suite is None and len(found) != 1:
        if not found:
            raise SnnbenchError("The folders must hold results, found none. Train models with `snnbench run` first.")
        raise SnnbenchError(f"The results must be of one suite, found {', '.join(found)}. Choose with --suite.")
    return suite or found[0]


def left_out(rows: pd.DataFrame, table: pd.DataFrame, tasks: Iterable[str]) -> dict[str, str]:
    """Say why tasks have no score, or not of every model.

    Args:
        rows: All stored rows of a suite with stage, task, model, status and error.
        table: The score table made from them.
        tasks: The tasks that were asked for.

    Returns:
        The reason for every task that a comparison of all models must leave out.
    """
    reasons = {}
    said = rows[[name for name in ("task", "model", "stage", "status", "error", "test_score") if name in rows]]
    by_task = dict(iter(said.groupby("task")))
    for task in tasks:
        of_task = by_task.get(task, said.iloc[:0])
        if of_task.empty:
            reasons[task] = "no results"
        elif task not in table.index or table.loc[task].isna().any():
            columns = table.columns if len(table.columns) else pd.Index(sorted(of_task["model"].unique()))
            missing = columns if task not in table.index else columns[table.loc[task].isna()]
            reasons[task] = "; ".join(f"{model}: {_why_missing(of_task, model)}" for model in missing)
    return reasons


def _why_missing(of_task: pd.DataFrame, model: str) -> str:
    trained = of_task[of_task["model"] == model.partition("[")[0]]
    evaluations = trained[trained["stage"] == "evaluate"]
    if trained.empty:
        return "no results"
    if not evaluations.empty:
        if evaluations.loc[evaluations["status"] == "ok", "test_score"].notna().any():
            return "no score on all the splits that models are compared on"
        if (evaluations["status"] == "ok").any():
            return "its test score is not a number"
        status, error = evaluations["status"].iloc[0], evaluations["error"].iloc[0]
        return f"evaluation {_VERBS.get(status, status)}: {error}"
    return "not evaluated yet" if (trained["status"] == "ok").any() else _why_none(trained)
