"""The best configuration of every depth: Table 2 of Klambauer et al. (2017), for one's own results."""

from collections.abc import Sequence

import pandas as pd

from snnbench.errors import SnnbenchError
from snnbench.report.breakdown_parts import Breakdown, cell_plus_minus, describe_scores, load_published_values
from snnbench.results.selection import scored_evaluations


def by_depth(rows: pd.DataFrame, metric: str = "", published: Sequence[str] = ()) -> Breakdown:
    """Average the test scores of the best configuration of every depth over the seeds.

    Args:
        rows: Stored rows of a suite with the columns ``breakdown.BREAKDOWN_COLUMNS``.
        metric: Another metric than that of the stored scores.
        published: ``("snn2017",)`` to put the values of the paper beside them.

    Raises:
        SnnbenchError: If no model has a depth, or there are no published values by depth of this suite.
    """
    scored = scored_evaluations(rows, metric, by="depth")
    scored = scored[scored["depth"].notna()]
    if scored.empty:
        raise SnnbenchError("A comparison by depth needs evaluations of networks; found none. Run some with `snnbench run`.")
    by_seed = scored.groupby(["column", "depth", "seed"])["test_score"].mean()
    groups = by_seed.groupby(["column", "depth"])
    values = pd.DataFrame({"mean": groups.mean(), "std": groups.std(), "n_seeds": groups.size()})
    values.index = values.index.set_levels(values.index.levels[1].astype(int), level=1).set_names(["model", "depth"])
    if published:
        reference = load_published_values(rows, "depth", published).set_index(["method", "depth"])[
            ["auc_mean_percent", "auc_std_percent"]
        ]
        reference = (reference / 100).set_axis(["published_mean", "published_std"], axis=1).rename_axis(["model", "depth"])
        values = values.join(reference[reference.index.get_level_values("model").isin(values.index.levels[0])], how="outer")
    cells = _pivot(values, "mean", "std")
    if published:
        beside = _pivot(values, "published_mean", "published_std")
        pairs = [(cells.loc[[model]], beside.loc[[model]].set_axis([" published"])) for model in cells.index]
        cells = pd.concat([row for pair in pairs for row in pair])
    seeds = values["n_seeds"].dropna().astype(int)
    n_seeds = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
    notes = (
        f"In percent, {'one seed' if n_seeds == '1' else f'mean ± standard deviation over {n_seeds} seeds'} of the best "
        "configuration of each depth by validation score. Depth: hidden layers, of resnet blocks."
        + (" One seed has no deviation: add some with `snnbench run --seeds 5`." if seeds.min() == 1 else ""),
        *(
            ["Published: Table 2 of the paper, on 801 dense features and the counts of the DeepTox download."]
            if published
            else []
        ),
    )
    return Breakdown(describe_scores(rows, metric), values, cells, notes)


def _pivot(values: pd.DataFrame, mean: str, std: str) -> pd.DataFrame:
    cells = [cell_plus_minus(100 * m, 100 * s, 1, 1) for m, s in values[[mean, std]].itertuples(index=False)]
    return pd.Series(cells, index=values.index).unstack("depth", fill_value="-")
