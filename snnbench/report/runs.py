"""What one's own runs tell besides scores: learning curves, selected hyperparameters, costs, provenance."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from snnbench.config import presets
from snnbench.report.answer import ANSWERED
from snnbench.report.ranking import Ranking
from snnbench.selection import column_names
from snnbench.suites import load_suite

HYPERPARAMETERS = {
    "n_layers": "depth (layers or blocks)",
    "n_blocks": "depth (layers or blocks)",
    "n_units": "width (units)",
    "learning_rate": "learning rate",
    "dropout_rate": "dropout rate",
    "form": "form",
}
"""What is shown of a selected configuration, and its name in the figures."""
PROVENANCE = {
    "snnbench_version": "snnbench",
    "git_commit": "commit",
    "python_version": "Python",
    "numpy_version": "NumPy",
    "torch_version": "PyTorch",
    "scikit_learn_version": "scikit-learn",
    "system": "system",
    "cpu": "processor",
    "n_cores": "cores",
    "device": "device",
    "precision": "precision",
    "preset": "preset",
    "settings_digest": "settings",
}
"""Columns of the stored rows that say where they come from, and their names on the page."""
EXAMINED = tuple(dict.fromkeys([*ANSWERED, *PROVENANCE, "config", "config_key", "best_epoch", "seconds", "valid_curve"]))
"""The columns of the stored rows that are needed here."""
_DIGITS = 4
"""Decimals of a learning curve: finer than any line."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs behind a comparison.

    Attributes:
        models: Names, best mean rank first.
        curves: task, model, best_epoch, n_epochs, and valid: the validation scores of the selected network by epoch. Of several
            splits or seeds the first.
        selected: model, task, hyperparameter and value of the selected configurations.
        costs: model, seconds a task of all its trainings (mean over the tasks), mean_rank, mean_score.
        window: Epochs that the smoothed curve averages.
        centred: Whether it is centred.
        provenance: Every distinct value of the columns of ``PROVENANCE``, by name.
        commands: The commands that repeat the runs.
    """

    models: tuple[str, ...]
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    selected: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    window: int = 10
    centred: bool = False
    provenance: Mapping[str, list[str]] = field(default_factory=dict)
    commands: tuple[str, ...] = ()


def examine_runs(rows: pd.DataFrame, ranking: Ranking, settings: Mapping[str, Any]) -> Runs:
    """Gather what the rows of the compared models tell.

    Args:
        rows: Stored rows with the columns of ``EXAMINED``.
        ranking: What was compared.
        settings: Those of the newest run; empty if unknown.
    """
    tasks = set(map(str, ranking.scores.index))
    rows = rows[(rows["suite"] == ranking.suite) & rows["task"].isin(tasks)]
    training = settings.get("training", {})
    if rows.empty:
        return Runs(tuple(map(str, ranking.table.index)))
    models = tuple(str(model) for model in ranking.table.index)
    evaluations = rows[rows["stage"] == "evaluate"]
    evaluations = evaluations.assign(column=column_names(evaluations))
    evaluations = evaluations[(evaluations["status"] == "ok") & evaluations["column"].isin(models)]
    evaluations = evaluations.sort_values(["split", "seed", "finished_at"], kind="stable")
    first = evaluations.drop_duplicates(["task", "column"])
    return Runs(
        models=models,
        curves=_curves(first, rows[rows["stage"] == "search"]),
        selected=_selected(first),
        costs=_costs(evaluations, rows, ranking),
        window=int(training.get("smoothing_window", 10)),
        centred=training.get("smoothing") == "centred",
        provenance=_provenance(rows),
        commands=tuple(_commands(rows)),
    )


def _curves(evaluations: pd.DataFrame, searches: pd.DataFrame) -> pd.DataFrame:
    same = ["task", "split", "model", "config_key"]
    searched = searches.drop_duplicates(same)[[*same, "valid_curve", "best_epoch"]]
    both = evaluations[[*same, "column"]].merge(searched, on=same, how="inner")
    both = both[both["valid_curve"].map(len) > 0]
    return pd.DataFrame(
        {
            "task": both["task"],
            "model": both["column"],
            "best_epoch": both["best_epoch"],
            "n_epochs": both["valid_curve"].map(len),
            "valid": [[round(float(value), _DIGITS) for value in curve] for curve in both["valid_curve"]],
        }
    ).reset_index(drop=True)


def _selected(evaluations: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in evaluations.itertuples():
        values = json.loads(row.config)
        if "n_layers" in values or "n_blocks" in values:
            for name, label in HYPERPARAMETERS.items():
                if name in values:
                    rows.append({"model": row.column, "task": row.task, "hyperparameter": label, "value": values[name]})
    table = pd.DataFrame(rows, columns=["model", "task", "hyperparameter", "value"])
    order = list(dict.fromkeys(HYPERPARAMETERS.values()))
    return table.sort_values("hyperparameter", key=lambda names: names.map(order.index), kind="stable").reset_index(drop=True)


def _costs(evaluations: pd.DataFrame, rows: pd.DataFrame, ranking: Ranking) -> pd.DataFrame:
    n_tasks = evaluations.groupby("column")["task"].nunique()
    model_of = evaluations.groupby("column")["model"].first()
    searched = rows[rows["stage"] == "search"].groupby("model")["seconds"].sum()
    seconds = evaluations.groupby("column")["seconds"].sum() + model_of.map(searched).fillna(0)
    table = ranking.table.loc[[model for model in ranking.table.index if model in n_tasks.index]]
    return pd.DataFrame(
        {
            "model": [str(model) for model in table.index],
            # A logarithmic axis has no zero.
            "seconds": (seconds / n_tasks)[table.index].clip(lower=1e-4).to_numpy(dtype=float),
            "mean_rank": table["mean_rank"].to_numpy(dtype=float),
            "mean_score": table["mean_score"].to_numpy(dtype=float),
        }
    )


def _provenance(rows: pd.DataFrame) -> dict[str, list[str]]:
    columns = {name: label for name, label in PROVENANCE.items() if name in rows}
    found = {label: sorted({str(value) for value in rows[name].dropna()} - {""}) for name, label in columns.items()}
    return {label: values for label, values in found.items() if values}


def _commands(rows: pd.DataFrame) -> list[str]:
    """Return a command for each preset that was run; of a config file the stored rows know the name without its folder."""
    commands = []
    for (suite, preset), run in rows.groupby(["suite", "preset"]):
        source = ["--preset", str(preset)] if preset in presets(str(suite)) else ["--config", f"{preset}.toml"]
        words = ["snnbench", "run", str(suite), *source]
        words += [word for model in sorted(set(run["model"])) for word in ("--model", str(model))]
        tasks = sorted(set(run["task"]))
        words += (
            [word for task in tasks for word in ("--task", str(task))]
            if len(tasks) < len(load_suite(str(suite)).catalogue())
            else []
        )
        repetitions = sorted({str(split).rpartition("-")[2] for split in run["split"]})
        words += [word for number in repetitions for word in ("--repetition", number)] if repetitions != ["1"] else []
        seed = int(run["seed"].min())
        n_seeds = int(run["seed"].nunique())
        words += ["--seed", str(seed)] if seed else []
        words += ["--seeds", str(n_seeds)] if n_seeds > 1 else []
        commands.append(shlex.join(words))
    return commands
