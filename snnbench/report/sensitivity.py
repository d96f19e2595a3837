"""Does a conclusion rest on tasks whose data is at fault? The same comparison without them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from snnbench.report.ranking import ModelComparison, rank_models


@dataclass(frozen=True)
class Sensitivity:
    """What changes without the flagged tasks.

    Attributes:
        n_tasks: How many tasks remain.
        baseline: The model that the others are then compared with.
        moved: The places by mean rank, before and after, of every model whose place changes.
        changed: The verdicts, before and after, of every model whose verdict changes; empty if the baseline does.
    """

    n_tasks: int
    baseline: str
    moved: Mapping[str, tuple[int, int]]
    changed: Mapping[str, tuple[str, str]]


def compare_without_flagged(comparison: ModelComparison) -> Sensitivity | None:
    """Repeat a comparison without the tasks that the audit of the data flags; None if no task would remain."""
    scores = comparison.scores.loc[[task not in comparison.flags for task in map(str, comparison.scores.index)]]
    if scores.notna().any(axis="columns").sum() == 0:
        return None
    without = rank_models(scores, options=replace(comparison.options, missing="worst"))
    places = {model: place for place, model in enumerate(map(str, without.table.index), start=1)}
    moved = {
        model: (place, places[model])
        for place, model in enumerate(map(str, comparison.table.index), start=1)
        if model in places and places[model] != place
    }
    before, after = comparison.table["verdict"], without.table["verdict"]
    same_baseline = without.baseline == comparison.baseline
    changed = {
        str(model): (str(before[model]), str(after[model]))
        for model in before.index
        if same_baseline and model in after.index and before[model] != after[model]
    }
    return Sensitivity(without.n_tasks, without.baseline, moved, changed)
