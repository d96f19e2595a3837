"""Why stored rows are not those of a run: nothing is reused in silence, and nothing is trained again without a word.

A stored row counts for a run if its key is in the run's plan. The key says everything that the row depends on, as a digest; the
columns beside it tell what differs.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from snnbench.config import PROTOCOL_VERSION, RunSettings
from snnbench.records import Code, Member, Task
from snnbench.results.store import settings_file

COLUMNS = (
    "stage", "suite", "task", "split", "model", "config", "seed", "n_epochs", "device", "precision", "stacking", "grid",
    "task_sha256", "preprocessing", "protocol_version", "settings_digest", "code_digest", "code_versions",
)  # fmt: skip


_TELLING = (
    "model", "seed", "preprocessing", "protocol_version", "device", "precision", "stacking", "settings_digest", "code_digest",
    "code_versions",
)  # fmt: skip
"""The columns in whose values two rows must agree to be left out for the same reason."""


def explain_unused(
    rows: pd.DataFrame,
    members: Mapping[str, Member],
    tasks: Mapping[str, Task],
    settings: RunSettings,
    codes: Mapping[str, Code],
    environment: Mapping[str, object],
    results: Path,
) -> Counter[str]:
    """Count the stored search rows of the run's tasks, splits and models that are not part of its plan, by reason.

    Args:
        rows: Stored rows of the suite with ``COLUMNS``, ``key`` and ``status``; columns that older rows lack may be missing.
        members: The search members of the run's plan, by key.
        tasks: The run's tasks, by name.
        settings: The resolved config of the run.
        codes: The code at hand behind each of its models.
        environment: What else the run's rows depend on, for example ``device`` and ``precision``.
        results: The results folder, for the settings of earlier runs.

    Returns:
        The number of rows for each reason; a row with several reasons has them all in one sentence.
    """
    places = {(member.task, member.split, member.config.model) for member in members.values()}
    configs = {(member.config.model, member.config.to_json()) for member in members.values()}
    seeds = {member.seed for member in members.values()}
    earlier = _settings_reader(results)
    reasons: Counter[str] = Counter()
    for row, n_rows in _kinds(rows[(rows["stage"] == "search") & ~rows["key"].isin(set(members))], places, configs, tasks):
        found = list(_differences(row, settings, environment, seeds, earlier))
        if _says(row, "code_digest") and _says(row, "code_versions"):
            other = describe_other_code(codes[row["model"]], row["code_digest"], row["code_versions"])
            found += [f"{words} (--accept {kind})" for kind, words in other.items()]
        reasons[" and ".join(found) or "other settings of the model"] += n_rows
    return reasons


def _kinds(
    rows: pd.DataFrame, places: Collection[tuple[str, ...]], configs: Collection[tuple[str, str]], tasks: Mapping[str, Task]
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the rows that were asked for, one for each kind with the number of its rows: most differ in nothing that matters.

    ``is_other_data`` and ``is_in_grid`` stand for the columns that only matter by whether they are those of the run.
    """
    if rows.empty:
        return
    asked = rows[_is_one_of(rows, ["task", "split", "model"], places)]
    digests = asked["task"].map({name: task.sha256 for name, task in tasks.items()})
    in_grid = _is_one_of(asked, ["model", "config"], configs)
    kinds = asked.assign(is_other_data=asked["task_sha256"] != digests, is_in_grid=in_grid)
    columns = [name for name in (*_TELLING, "is_other_data", "is_in_grid") if name in kinds]
    for values, n_rows in kinds.groupby(columns, dropna=False, sort=False).size().items():
        yield dict(zip(columns, values, strict=True)), int(n_rows)


def _is_one_of(rows: pd.DataFrame, columns: list[str], known: Collection[tuple[str, ...]]) -> Any:
    return pd.MultiIndex.from_frame(rows[columns]).isin(list(known)) if len(rows) and known else [False] * len(rows)


def accepted_code(rows: pd.DataFrame, codes: Mapping[str, Code], accepted: Collection[str]) -> dict[str, list[Code]]:
    """Return by model the other code whose rows count, too: that of the newest first.

    Args:
        rows: Stored rows with model, code_digest, code_versions and finished_at.
        codes: The code at hand behind each model.
        accepted: What may differ: ``"code"`` (the user's own files), ``"packages"`` (versions of what is installed).
    """
    if not accepted or rows.empty:
        return {}
    known = rows[rows["code_digest"].notna() & rows["code_versions"].notna()].sort_values("finished_at", ascending=False)
    found: dict[str, list[Code]] = {name: [] for name in codes}
    for model, digest, versions in dict.fromkeys(
        known[["model", "code_digest", "code_versions"]].itertuples(index=False, name=None)
    ):
        now = codes.get(model)
        if now is None or ("code" not in accepted and digest != now.digest):
            continue
        if "packages" in accepted or versions == now.versions:
            found[model].append(Code(now.name, digest, versions))
    return found


def describe_other_code(now: Code, digest: str, versions: str) -> dict[str, str]:
    """Say in what the code behind a row is not that at hand, by the kind that ``accepted_code`` knows."""
    words = {}
    if digest != now.digest:
        words["code"] = "other code of the model"
    if versions != now.versions:
        before, after = (dict(item.rsplit(" ", 1) for item in text.split(", ") if item) for text in (versions, now.versions))
        changes = [
            f"{name} {before.get(name, 'not used')} instead of {after.get(name, 'not used')}"
            for name in sorted(before | after)
            if before.get(name) != after.get(name)
        ]
        words["packages"] = ", ".join(changes)
    return words


def _differences(
    row: dict[str, Any],
    settings: RunSettings,
    environment: Mapping[str, object],
    seeds: Collection[int],
    earlier: Callable[[str], dict[str, Any]],
) -> Iterator[str]:
    if row["seed"] not in seeds:
        yield f"seed {row['seed']}"
    if row["is_other_data"]:
        yield "other data files"
    if _is_known(row, "preprocessing") and row["preprocessing"] != settings.preprocessing:
        yield f"preprocessing {row['preprocessing']}"
    if _is_known(row, "protocol_version") and int(row["protocol_version"]) != PROTOCOL_VERSION:
        yield f"protocol version {int(row['protocol_version'])} instead of {PROTOCOL_VERSION}"
    if settings.models[row["model"]].estimator is None:
        for name, value in environment.items():
            if _is_known(row, name) and row[name] != value:
                yield f"{name} {row[name]}"
        before = earlier(str(row["settings_digest"])).get("training", {})
        now = settings.training.model_dump()
        changed = [f"{name} = {before[name]}" for name in now if name in before and before[name] != now[name]]
        yield from changed
    else:
        before = earlier(str(row["settings_digest"])).get("models", {}).get(row["model"], {})
        if before and before.get("arguments") != settings.models[row["model"]].arguments:
            yield "other arguments"
    if not row["is_in_grid"]:
        yield "configuration not in the grid"


def _is_known(row: dict[str, Any], name: str) -> bool:
    return _says(row, name) and row[name] != ""


def _says(row: dict[str, Any], name: str) -> bool:
    return name in row and not pd.isna(row[name])


def _settings_reader(results: Path) -> Callable[[str], dict[str, Any]]:
    """Return what reads the settings of an earlier run, once each; empty where they are gone."""
    known: dict[str, dict[str, Any]] = {}

    def read(digest: str) -> dict[str, Any]:
        if digest not in known:
            try:
                known[digest] = dict(json.loads(settings_file(results, digest).read_text(encoding="utf-8"))["settings"])
            except (OSError, ValueError, KeyError, TypeError):
                known[digest] = {}
        return known[digest]

    return read
