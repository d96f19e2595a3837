"""What one's own runs tell besides scores: learning curves, selected hyperparameters, costs, provenance."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from snnbench.command_line import as_typed
from snnbench.config import load_config, presets
from snnbench.records import ON_CPU
from snnbench.report.breakdown import BREAKDOWN_COLUMNS, natural_breakdown
from snnbench.report.breakdown_parts import Breakdown
from snnbench.report.by_split import by_split
from snnbench.report.compare import COMPARISON_COLUMNS
from snnbench.report.ranking import ModelComparison
from snnbench.results.data_versions import choose_versions
from snnbench.results.selection import column_names, scored_evaluations, training_seconds
from snnbench.suites import command_words, load_suite, split_numbers

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
    "mkl_cbwr": "MKL_CBWR",
    "equal_bits": "equal bits",
    "preset": "preset",
    "settings_digest": "settings",
}
"""Columns of the stored rows that say where they come from, and their names on the page."""
DIAGNOSTIC_COLUMNS = tuple(
    dict.fromkeys(
        [
            *COMPARISON_COLUMNS,
            *BREAKDOWN_COLUMNS,
            *PROVENANCE,
            "stacking",
            "config",
            "config_key",
            "best_epoch",
            "seconds",
            "valid_curve",
        ]
    )
)
"""The columns of the stored rows that are needed here."""
_DIGITS = 4
"""Decimals of a learning curve: finer than any line."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs behind a comparison.

    Attributes:
        models: Names, best mean rank first.
        curves: task, model, best_epoch, n_epochs, and valid: the validation scores of the selected network by epoch. Of several
            splits or seeds the first, of several depths the best validated one.
        selected: model, task, hyperparameter and value of the selected configurations.
        costs: model, seconds a task of all its trainings (mean over the tasks), mean_rank, mean_score.
        window: Epochs that the smoothed curve averages.
        centred: Whether it is centred.
        provenance: Every distinct value of the columns of ``PROVENANCE``, by name.
        commands: The commands that run the same again; none for settings that no preset of this version has.
        by_split: The comparison by split of one task on several; None for more tasks.
        notes: What else should be known of the scores; those of the ranking.
    """

    models: tuple[str, ...]
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    selected: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    window: int = 10
    centred: bool = False
    provenance: Mapping[str, list[str]] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    by_split: Breakdown | None = None
    notes: tuple[str, ...] = ()


def examine_runs(rows: pd.DataFrame, comparison: ModelComparison, settings: Mapping[str, Any]) -> Runs:
    """Gather what the rows of the compared models tell.

    Args:
        rows: Stored rows with the columns of ``DIAGNOSTIC_COLUMNS``.
        comparison: What was compared.
        settings: Those of the newest run; empty if unknown.
    """
    tasks = set(map(str, comparison.scores.index))
    rows, _ = choose_versions(rows[(rows["suite"] == comparison.suite) & rows["task"].isin(tasks)], comparison.options.data)
    training = settings.get("training", {})
    if rows.empty:
        return Runs(tuple(map(str, comparison.table.index)))
    models = tuple(str(model) for model in comparison.table.index)
    evaluations = rows[rows["stage"] == "evaluate"]
    evaluations = evaluations.assign(column=column_names(evaluations))
    evaluations = evaluations[(evaluations["status"] == "ok") & evaluations["column"].isin(models)]
    # Of several evaluations on one split (the best of every depth) the best validated one is shown, as it is scored.
    chosen = scored_evaluations(rows)
    chosen = chosen[chosen["column"].isin(models)].sort_values(["split", "seed"], kind="stable")
    first = chosen.drop_duplicates(["task", "column"])
    return Runs(
        models=models,
        curves=_curves(first, rows[rows["stage"] == "search"]),
        selected=_selected(first),
        costs=_costs(evaluations, rows, comparison),
        window=int(training.get("smoothing_window", 10)),
        centred=training.get("smoothing") == "centred",
        provenance=_provenance(rows),
        commands=tuple(_commands(rows)),
        by_split=_by_split(rows, chosen, comparison),
        notes=comparison.notes,
    )


def _by_split(rows: pd.DataFrame, chosen: pd.DataFrame, comparison: ModelComparison) -> Breakdown | None:
    """Compare one task split by split; None for several tasks, or if no split has a score of every model."""
    columns = chosen.groupby("split")["column"].nunique()
    if not natural_breakdown(rows) or columns.empty or columns.max() < chosen["column"].nunique():
        return None
    options = comparison.options
    baseline = options.baseline if options.baseline in set(chosen["column"]) else "best"
    compared = rows[rows["model"].isin(chosen["model"])]
    return by_split(compared, options.metric, (), baseline, options.alternative, options.correction)


def _curves(evaluations: pd.DataFrame, searches: pd.DataFrame) -> pd.DataFrame:
    same = ["task", "split", "model", "config_key"]
    searched = searches.drop_duplicates(same)[[*same, "valid_curve", "best_epoch"]]
    both = evaluations[[*same, "column"]].merge(searched, on=same, how="inner")
    both = both[both["valid_curve"].map(len, na_action="ignore") > 0]  # published runs have none
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


def _costs(evaluations: pd.DataFrame, rows: pd.DataFrame, comparison: ModelComparison) -> pd.DataFrame:
    n_tasks = evaluations.groupby("column")["task"].nunique()
    seconds = training_seconds(evaluations, rows)
    table = comparison.table.loc[[model for model in comparison.table.index if model in n_tasks.index]]
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
    """Return a command for each preset that was run, if the preset is still what it was.

    Settings of one's own, of ``--config`` or of options, are not in these rows; ``snnbench rerun`` reads them from the folder.
    """
    commands = []
    how = ["suite", "preset", "settings_digest", "device", "precision", "stacking"]
    for (suite, preset, digest, *compute), run in rows[rows["settings_digest"].notna()].groupby(how):
        if preset not in presets(str(suite)) or load_config(str(suite), str(preset)).digest != digest:
            continue
        words = ["snnbench", "run", *command_words(str(suite)), "--preset", str(preset)]
        words += [word for model in sorted(set(run["model"])) for word in ("--model", str(model))]
        tasks = sorted(set(run["task"]))
        if len(tasks) < len(load_suite(str(suite)).catalogue()):
            words += [word for task in tasks for word in ("--task", str(task))]
        if numbers := _repetitions(str(suite), run):
            words += ["--repetition", ",".join(_ranges(numbers))]
        seed = int(run["seed"].min())
        n_seeds = int(run["seed"].nunique())
        words += ["--seed", str(seed)] if seed else []
        words += ["--seeds", str(n_seeds)] if n_seeds > 1 else []
        defaults = (ON_CPU.device, ON_CPU.precision, ON_CPU.stacking)
        for option, value, default in zip(("device", "precision", "stacking"), compute, defaults, strict=True):
            words += ["--" + option, str(value)] if value != default else []
        commands.append(as_typed(words))
    return commands


def _repetitions(suite: str, run: pd.DataFrame) -> list[int]:
    """Return the numbers of the splits, none if they are those that are run unless others are asked for."""
    numbers = split_numbers(suite, run["split"].astype(str))
    return [] if tuple(numbers) == load_suite(suite).REPETITIONS else numbers


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Return numbers in their order as ``--repetition`` takes them: 1 to 3 and 5 are ``1..3`` and ``5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs]
