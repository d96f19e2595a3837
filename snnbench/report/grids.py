"""Whether the compared models were selected from grids alike: preset, number of configurations, published searches."""

from collections.abc import Sequence

import pandas as pd

from snnbench.report.summary import name_models
from snnbench.results.published import PUBLISHED
from snnbench.results.selection import column_names

CAUTION = "The models were not selected from the same grids, so a difference may be one of the search."


def describe_grids(rows: pd.DataFrame, models: Sequence[str], names: Sequence[str], tables: Sequence[str]) -> tuple[str, str]:
    """Return a sentence on the grids behind the models where they differ, and one for the conclusion where it matters.

    Models of one preset may have grids of unlike sizes, which is said; several presets, or scores from elsewhere beside
    one's own, are a reason for caution, too.

    Args:
        rows: One's own stored rows, searches among them.
        models: The compared columns.
        names: Keys of ``PUBLISHED`` that are compared, too.
        tables: Names of the user's tables that are.
    """
    evaluations = rows[rows["stage"] == "evaluate"]
    evaluations = evaluations.assign(column=column_names(evaluations))
    evaluations = evaluations[evaluations["column"].isin(list(models))]
    n_configs = rows[rows["stage"] == "search"].groupby(["model", "preset", "grid"])["config_key"].nunique()
    searches: dict[str, list[str]] = {}
    for column, of_model in evaluations.groupby("column"):
        kinds = of_model[["model", "preset", "grid"]].drop_duplicates().itertuples(index=False, name=None)
        found = {f"{_count(n_configs.get(kind))} (preset {kind[1]})" for kind in kinds}
        searches.setdefault(" and ".join(sorted(found)), []).append(str(column))
    elsewhere = {f"those of {name}": f"from {PUBLISHED[name].search}" for name in names}
    elsewhere |= {f"those of {name}": "from an unknown search" for name in tables}
    if len(searches) + (len(elsewhere) if searches else 0) < 2:
        return "", ""
    parts = [f"{name_models(columns)} from {search}" for search, columns in searches.items()]
    parts += [f"{who} {search}" for who, search in elsewhere.items()]
    presets = evaluations["preset"].nunique()
    return f"Selected from unlike grids: {'; '.join(parts)}.", CAUTION if presets > 1 or elsewhere else ""


def _count(n_configs: int | None) -> str:
    if not n_configs:
        return "an unknown number of configurations"
    return f"{n_configs} configuration{'' if n_configs == 1 else 's'}"
