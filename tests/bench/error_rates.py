"""Part h: how often verdicts are wrong and intervals miss, by simulation. Models of known strength, 5 % of the scores tied.

"before" is the correction over n_models − 1 comparisons of a baseline that was chosen as the best, and the percentile
bootstrap.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from snnbench import stats
from snnbench.stats.bootstrap import interval, resample_tasks

TITLE = "h: family-wise error of the verdicts of equal models, and coverage of the intervals of mean ranks and Elo, in percent"
ALPHA = 0.05
N_TASKS = 121


def draw_scores(generator: np.random.Generator, n_tasks: int, n_models: int, spread: float = 0.0) -> pd.DataFrame:
    """Return scores (n_tasks, n_models) of models whose strengths lie ``spread`` standard deviations apart; some are tied."""
    difficulty = generator.uniform(0.6, 0.9, (n_tasks, 1))
    scores = difficulty + 0.02 * (generator.normal(size=(n_tasks, n_models)) - np.linspace(0, spread, n_models))
    is_tied = generator.random((n_tasks, n_models)) < ALPHA
    return pd.DataFrame(np.where(is_tied, difficulty, scores), columns=[f"m{k}" for k in range(n_models)])


def family_wise_error(test: Callable[[pd.DataFrame], np.ndarray], n_models: int, n_tables: int, seed: int = 0) -> float:
    """Return in which share of tables of equal models at least one adjusted p-value is significant."""
    generator = np.random.default_rng(seed)
    return float(np.mean([np.nanmin(test(draw_scores(generator, N_TASKS, n_models))) < ALPHA for _ in range(n_tables)]))


def coverage(
    method: Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]], n_tasks: int, n_models: int, spread: float, n_tables: int
) -> float:
    """Return in which share of tables the interval of a model's mean rank holds that of very many tasks, mean of the models."""
    generator = np.random.default_rng(0)
    truth = stats.mean_ranks(draw_scores(generator, 50_000, n_models, spread)).to_numpy()
    hits = []
    for _ in range(n_tables):
        low, high = method(draw_scores(generator, n_tasks, n_models, spread))
        hits.append((low <= truth) & (truth <= high))
    return float(np.mean(hits))


def chosen(scores: pd.DataFrame) -> np.ndarray:
    """Return the adjusted p-values of the printed verdicts: the baseline is the best."""
    return stats.wilcoxon(scores).adjusted_pvalue


def before(scores: pd.DataFrame) -> np.ndarray:
    """Return them as if the best had been named in advance."""
    return stats.wilcoxon(scores, stats.choose_baseline(scores)).adjusted_pvalue


def named(scores: pd.DataFrame) -> np.ndarray:
    """Return the adjusted p-values of a baseline that is named in advance."""
    return stats.wilcoxon(scores, "m0").adjusted_pvalue


def paper(scores: pd.DataFrame) -> np.ndarray:
    """Return the p-values of ``--convention paper``."""
    return stats.wilcoxon(scores, alternative="greater", correction="none").adjusted_pvalue


def student(scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the printed intervals."""
    table = stats.rank_intervals(scores)
    return table["low"].to_numpy(), table["high"].to_numpy()


def percentile(scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile bootstrap intervals."""
    draws = resample_tasks(len(scores), 400, 0)
    return interval(stats.rank(scores).to_numpy()[draws].mean(axis=1), 0.95)


def elo_coverage(n_tasks: int, n_models: int, spread: float, n_tables: int) -> float:
    """Return in which share of tables the interval of an Elo rating holds that of very many tasks, mean of the models."""
    generator = np.random.default_rng(0)
    truth = stats.elo(draw_scores(generator, 20_000, n_models, spread))["rating"]
    hits = []
    for _ in range(n_tables):
        table = stats.elo(draw_scores(generator, n_tasks, n_models, spread))
        hits.append((table["low"] <= truth) & (truth <= table["high"]))
    return float(np.mean(hits))


def measure() -> dict:
    """Return the table of error rates, and that of coverages."""
    rows = []
    for n_models, n_tables in ((2, 500), (8, 500), (20, 300), (50, 100)):
        tests = {"best, before": before, "best": chosen, "named": named, "convention paper": paper}
        rates = {name: 100 * family_wise_error(test, n_models, n_tables) for name, test in tests.items()}
        rows.append({"models": n_models, "tables": n_tables, **rates})
    for n_tasks in (5, 10, 30):
        shares = {
            name: 100 * coverage(method, n_tasks, 8, 0.0, 300)
            for name, method in {"percentile (before)": percentile, "interval": student}.items()
        }
        shares["elo"] = 100 * elo_coverage(n_tasks, 8, 0.0, 300)
        rows.append({"tasks": n_tasks, "models": 8, "tables": 300, **shares})
    return {"rows": rows}
