"""Of which version of its data the results of a task are compared: one, the newest unless another is named."""

from collections.abc import Sequence

import pandas as pd

from snnbench.errors import UnknownNameError

OLDEST = "oldest"
"""A word in the place of a digest: of each task the version that was evaluated first."""
DIGITS = 8
"""Digits of a digest that are printed."""
_NAMED = 4
"""Tasks that a sentence names."""
VERSIONED = ("suite", "task", "task_sha256", "task_source", "stage")
"""The columns that tell versions apart and how new they are, beside those that are always read."""
_LISTED = ["suite", "task", "data", "n_rows", "finished_at", "source"]


def list_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the versions of the data of each task, the newest first.

    A version is as new as its latest successful evaluation; those without one come after the others.

    Args:
        rows: Stored rows with suite, task, task_sha256, stage, status and finished_at; task_source is listed if it is there.

    Returns:
        One row a suite, task and version: suite, task, data (the digest), n_rows, finished_at (of the latest evaluation, else
        of the latest row) and source.
    """
    known = rows[rows["task_sha256"].notna()] if len(rows) else rows
    if known.empty:
        return pd.DataFrame(columns=_LISTED)
    evaluated = (known["stage"] == "evaluate") & (known["status"] == "ok")
    times = known["finished_at"].fillna("").astype(str)
    source = known["task_source"].fillna("").astype(str) if "task_source" in known else ""
    groups = known.assign(_any=times, _evaluated=times.where(evaluated, ""), _source=source)
    versions = groups.groupby(["suite", "task", "task_sha256"], as_index=False).agg(
        n_rows=("_any", "size"), _any=("_any", "max"), _evaluated=("_evaluated", "max"), source=("_source", "max")
    )
    order = ["suite", "task", "_evaluated", "_any", "task_sha256"]
    versions = versions.sort_values(order, ascending=[True, True, False, False, True], kind="stable")
    finished_at = versions["_evaluated"].where(versions["_evaluated"] != "", versions["_any"])
    listed = versions.assign(finished_at=finished_at).rename(columns={"task_sha256": "data"})
    return listed[_LISTED].reset_index(drop=True)


def check_versions(rows: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Check that every digest that was named begins that of a stored version.

    Raises:
        UnknownNameError: If one does not.
    """
    known = set(list_versions(rows)["data"])
    for name in wanted:
        if name != OLDEST and not (name and any(digest.startswith(name) for digest in known)):
            hint = "`snnbench results ls --rows` shows the version of every row."
            raise UnknownNameError("version of the data", name, {digest[:DIGITS] for digest in known}, hint)


def choose_versions(rows: pd.DataFrame, wanted: Sequence[str] = ()) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows of one version of each task's data, and sentences on the others.

    Args:
        rows: Stored rows of a suite, as for ``list_versions``, with model. Rows that do not say their version stay.
        wanted: Beginnings of digests, or ``OLDEST``; a task that none of them names has its newest version.
    """
    by_task = {str(task): list(versions) for task, versions in list_versions(rows).groupby("task", sort=True)["data"]}
    chosen = {task: _choose(versions, wanted) for task, versions in by_task.items()}
    if all(len(versions) == 1 for versions in by_task.values()):
        return rows, ()
    counts = rows["task_sha256"].isna() | (rows["task_sha256"] == rows["task"].map(chosen))
    others = {task: [digest for digest in by_task[task] if digest != digest_] for task, digest_ in chosen.items()}
    others = {task: digests for task, digests in others.items() if digests}
    is_newest = all(chosen[task] == by_task[task][0] for task in others)
    return rows[counts], (_describe(chosen, others, is_newest), *_describe_lost(rows, counts))


def _choose(versions: Sequence[str], wanted: Sequence[str]) -> str:
    named = [digest for digest in versions if any(name != OLDEST and digest.startswith(name) for name in wanted)]
    return named[0] if named else versions[-1 if OLDEST in wanted else 0]


def _describe(chosen: dict[str, str], others: dict[str, list[str]], is_newest: bool) -> str:
    words = [
        f"{task} {chosen[task][:DIGITS]} (not {', '.join(digest[:DIGITS] for digest in digests)})"
        for task, digests in list(others.items())[:_NAMED]
    ]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    tasks = "1 task" if len(others) == 1 else f"{len(others)} tasks"
    which = "the newest counts" if is_newest else "of each one counts"
    return (
        f"There are results on several versions of the data of {tasks}; {which}: {', '.join(words)}{more}. "
        f"--data DIGEST or --data {OLDEST} chooses."
    )


def _describe_lost(rows: pd.DataFrame, counts: pd.Series) -> tuple[str, ...]:
    """Name the models that were evaluated on a task, but not on the version that counts."""
    evaluated = (rows["stage"] == "evaluate") & (rows["status"] == "ok")
    kept = set(map(tuple, rows.loc[evaluated & counts, ["model", "task"]].to_numpy()))
    lost = sorted(set(map(tuple, rows.loc[evaluated & ~counts, ["model", "task"]].to_numpy())) - kept)
    if not lost:
        return ()
    words = ", ".join(f"{model} on {task}" for model, task in lost[:_NAMED])
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return (f"Only on a version that does not count: {words}{more}.",)
