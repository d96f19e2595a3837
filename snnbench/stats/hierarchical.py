"""The hierarchical Bayesian test: given all splits of all tasks, is one model better on a further task?"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.stats.bayesian import count_largest
from snnbench.stats.differences import subtract

MIN_TASKS = 3
"""Fewer say nothing of how far tasks scatter."""
N_CHAINS, N_WARM = 100, 200
N_STEPS = 4
"""Steps of a random walk a round, in turn small and large."""
STEPS = (0.3, 1.5)
# Bounds of the prior of the degrees of freedom, and of the standard deviations in multiples of those observed, as in baycomp.
SHAPES, RATES, WIDEST = (1.0, 2.0), (0.01, 0.1), 1000.0


@dataclass(frozen=True)
class Evidence:
    """What the splits of a pair of models tell, by task: (n_tasks,) each.

    Attributes:
        mean: Mean difference over the splits.
        squares: Sum of squared deviations from it.
        n_splits: Number of splits.
        correlation: Of the differences on two splits of the task, as they share training rows.
    """

    mean: np.ndarray
    squares: np.ndarray
    n_splits: np.ndarray
    correlation: np.ndarray

    @property
    def inflation(self) -> np.ndarray:
        """By how much the variance of the mean, times the number of splits, exceeds that of one split."""
        return 1 + (self.n_splits - 1) * self.correlation


@dataclass(frozen=True)
class _State:
    """The chains: ``spread``, ``centre`` and ``freedom`` of the tasks (n_chains,); by task ``variance`` and ``weight``."""

    spread: np.ndarray
    centre: np.ndarray
    freedom: np.ndarray
    variance: np.ndarray
    weight: np.ndarray


def hierarchical(
    scores: pd.DataFrame,
    rope: float = 0.01,
    baseline: str = "",
    correlation: pd.Series | None = None,
    n_samples: int = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare a baseline with every other model by the hierarchical model of tasks and splits.

    The signed-rank tests take the mean over the splits of a task for its score, however uncertain. This model knows both: the
    differences on the splits of a task scatter around the task's own difference, equally correlated as they share training
    rows; and the differences of the tasks are drawn from Student's distribution, of unknown centre, spread and degrees of
    freedom. It shrinks the difference of a noisy task toward the others, and says how the two models compare on a further task
    of the kind: better by more than ``rope``, within, or worse. As in baycomp the probability of each is how often it is the
    most probable of the three, over the draws from the posterior.

    The priors are baycomp's: flat for the centre, and for all standard deviations up to 1,000 times those observed; Gamma for
    the degrees of freedom above 1. The sampler is Gibbs', with the tasks' differences and weights integrated out where spread
    and degrees of freedom are drawn, so that chains pass through small spreads. On a task whose
    differences are all equal their variance is taken for rope² / 3, as if they were spread evenly over the region; baycomp
    moves such differences to 0, too.

    Args:
        scores: (n_splits of all tasks, n_models), index = (task, split), higher is better. A missing score leaves the split out
            of the pairs it belongs to, and fewer than two splits leave the task out.
        rope: Half the width of the region of practical equivalence, in units of the score.
        baseline: The model that the others are compared with; the first column if empty.
        correlation: Of two splits, by task; by default 1 / n_splits, that of a cross-validation.
        n_samples: Posterior draws.
        seed: Of the draws.

    Returns:
        One row a pair, index = (model, other), model = baseline: p_higher, that the baseline is better; p_equivalent; p_lower;
        n_tasks; difference, of the centre of all tasks, with its 95 % interval low to high. NaN on fewer than ``MIN_TASKS``
        tasks.

    Raises:
        UnknownNameError: If the baseline is not a model.
        SnnbenchError: If ``rope`` is negative.

    Source:
        Corani, Benavoli, Demšar, Mangili and Zaffalon, "Statistical Comparison of Classifiers through Bayesian Hierarchical
        Modelling", Machine Learning 106 (2017); Benavoli et al., JMLR 18 (2017), section 4.3.
    """
    baseline = baseline or str(scores.columns[0])
    if baseline not in scores.columns:
        raise UnknownNameError("model", baseline, map(str, scores.columns))
    if rope < 0:
        raise SnnbenchError(f"A region of practical equivalence must not be negative, found {rope}.")
    rows = {}
    for other in scores.columns.drop(baseline):
        evidence = gather_evidence(scores, baseline, other, rope, correlation)
        n_tasks = len(evidence.mean)
        if n_tasks < MIN_TASKS:
            rows[baseline, other] = (np.nan, np.nan, np.nan, n_tasks, np.nan, np.nan, np.nan)
            continue
        centre, shares = sample_next_task(evidence, rope, n_samples, seed)
        low, high = map(float, np.quantile(centre, [0.025, 0.975]))
        rows[baseline, other] = (*count_largest(shares, rope), n_tasks, float(centre.mean()), low, high)
    columns = ["p_higher", "p_equivalent", "p_lower", "n_tasks", "difference", "low", "high"]
    index = pd.MultiIndex.from_tuples(rows, names=["model", "other"]) if rows else pd.MultiIndex.from_arrays([[], []])
    return pd.DataFrame(list(rows.values()), index=index, columns=columns)


def gather_evidence(
    scores: pd.DataFrame, model: str, other: str, rope: float, correlation: pd.Series | None = None
) -> Evidence:
    """Return what the splits tell of a pair of models; arguments as in ``hierarchical``."""
    values = scores[[model, other]].to_numpy(dtype=float)
    differences = pd.Series(subtract(values[:, 0], values[:, 1]), index=scores.index.get_level_values(0))
    by_task = differences.dropna().groupby(level=0)
    table = pd.DataFrame({"mean": by_task.mean(), "variance": by_task.var(ddof=0), "n": by_task.size()})
    table = table[table["n"] >= 2]
    given = 1 / table["n"] if correlation is None else correlation.reindex(table.index)
    variance = table["variance"].to_numpy(dtype=float)
    constant = variance <= np.finfo(float).eps * np.maximum(1, table["mean"].to_numpy(dtype=float) ** 2)
    floor = rope**2 / 3
    if rope == 0:
        floor = variance[~constant].min() if not constant.all() else 1e-6 * float((table["mean"] ** 2).mean()) or 1.0
    variance = np.where(constant, floor, variance)
    n_splits = table["n"].to_numpy(dtype=float)
    return Evidence(table["mean"].to_numpy(dtype=float), n_splits * variance, n_splits, given.to_numpy(dtype=float))


def sample_next_task(evidence: Evidence, rope: float, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return draws of the centre of the tasks (n_samples,), and of the shares (n_samples, 3) of a further task.

    The shares are the probabilities that its difference lies above, within and below the region.
    """
    generator = np.random.default_rng(seed)
    n_rounds = -(-n_samples // N_CHAINS)
    within = np.sqrt(evidence.squares / evidence.n_splits)
    # In units of the mean spread within a task; the prior of the degrees of freedom has none.
    unit = float(within.mean())
    scaled = replace(evidence, mean=evidence.mean / unit, squares=evidence.squares / unit**2)
    among = float(scaled.mean.std()) or 1.0
    state = _State(
        spread=among * np.exp(generator.normal(size=N_CHAINS)),
        centre=np.full(N_CHAINS, np.median(scaled.mean)),
        freedom=1 + generator.gamma(1.5, 20.0, size=N_CHAINS),
        variance=np.tile(scaled.squares / scaled.n_splits, (N_CHAINS, 1)),
        weight=np.ones((N_CHAINS, len(scaled.mean))),
    )
    prior = _FreedomPrior.tabulate()
    draws = []
    for number in range(N_WARM + n_rounds):
        state = _advance(state, scaled, WIDEST * among, prior, generator)
        if number >= N_WARM:
            draws.append((state.centre, state.spread, state.freedom))
    centre, spread, freedom = (np.concatenate(parts)[:n_samples] for parts in zip(*draws, strict=True))
    end = rope / unit
    above = special.stdtr(freedom, (centre - end) / spread)
    below = special.stdtr(freedom, (-end - centre) / spread)
    return centre * unit, np.stack([above, np.maximum(1 - above - below, 0), below], axis=1)


@dataclass(frozen=True)
class _FreedomPrior:
    """The prior of the degrees of freedom, its two parameters integrated out: log density over the log of the excess over 1."""

    log_excess: np.ndarray
    log_density: np.ndarray

    @staticmethod
    def tabulate() -> "_FreedomPrior":
        nodes, weights = np.polynomial.legendre.leggauss(24)
        shape, rate = (low + (high - low) * (nodes + 1) / 2 for low, high in (SHAPES, RATES))
        log_excess = np.linspace(-8, 9, 400)
        excess = np.exp(log_excess)[:, np.newaxis, np.newaxis]
        shape = shape[:, np.newaxis]
        log_density = shape * np.log(rate) - special.gammaln(shape) + (shape - 1) * np.log(excess) - rate * excess
        density = np.einsum("xsr,s,r->x", np.exp(log_density), weights, weights)
        return _FreedomPrior(log_excess, np.log(np.maximum(density, np.finfo(float).tiny)))

    def __call__(self, log_excess: np.ndarray) -> np.ndarray:
        inside = (log_excess > self.log_excess[0]) & (log_excess < self.log_excess[-1])
        return np.where(inside, np.interp(log_excess, self.log_excess, self.log_density), -np.inf)


def _advance(state: _State, evidence: Evidence, widest: float, prior: _FreedomPrior, generator: np.random.Generator) -> _State:
    """Return the chains one round on."""
    noise = state.variance * evidence.inflation / evidence.n_splits  # of the mean of each task

    def log_spread(log_value: np.ndarray) -> np.ndarray:
        precision, mean, of_mean = _pool(evidence.mean, np.exp(2 * log_value), state.weight, noise)
        fit = (precision * (evidence.mean - mean[:, np.newaxis]) ** 2).sum(axis=1)
        log_density = (np.log(precision).sum(axis=1) - np.log(of_mean) - fit) / 2 + log_value
        return np.where(log_value < np.log(widest), log_density, -np.inf)

    spread = np.exp(_walk(np.log(state.spread), log_spread, generator))
    _, mean, of_mean = _pool(evidence.mean, spread**2, state.weight, noise)
    centre = mean + generator.normal(size=len(mean)) / np.sqrt(of_mean)
    of_task = state.weight / spread[:, np.newaxis] ** 2
    precision = of_task + 1 / noise
    difference = (of_task * centre[:, np.newaxis] + evidence.mean / noise) / precision
    difference += generator.normal(size=precision.shape) / np.sqrt(precision)
    squared = ((difference - centre[:, np.newaxis]) / spread[:, np.newaxis]) ** 2

    def log_freedom(log_excess: np.ndarray) -> np.ndarray:
        nu = 1 + np.exp(log_excess)
        constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - np.log(nu) / 2
        tails = (nu + 1) / 2 * np.log1p(squared / nu[:, np.newaxis]).sum(axis=1)
        return squared.shape[1] * constant - tails + prior(log_excess) + log_excess

    freedom = 1 + np.exp(_walk(np.log(state.freedom - 1), log_freedom, generator))
    nu = freedom[:, np.newaxis]
    weight = _gamma((nu + 1) / 2, (nu + squared) / 2, generator)
    n = evidence.n_splits
    quadratic = evidence.squares / (1 - evidence.correlation) + n * (evidence.mean - difference) ** 2 / evidence.inflation
    variance = 1 / _gamma((n - 1) / 2, quadratic / 2, generator)
    return _State(spread, centre, freedom, variance, weight)


def _pool(
    mean: np.ndarray, spread_squared: np.ndarray, weight: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the precision of each task's mean (n_chains, n_tasks) around the centre, the centre's mean and precision."""
    precision = 1 / (spread_squared[:, np.newaxis] / weight + noise)
    of_mean = precision.sum(axis=1)
    return precision, (precision * mean).sum(axis=1) / of_mean, of_mean


def _walk(start: np.ndarray, log_density: Callable[[np.ndarray], np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Return where random walks (n_chains,) stand after some steps of Metropolis."""
    at, height = start, log_density(start)
    for step in STEPS * (N_STEPS // len(STEPS)):
        there = at + step * generator.normal(size=len(at))
        there_height = log_density(there)
        moves = np.log(generator.random(len(at))) < there_height - height
        at, height = np.where(moves, there, at), np.where(moves, there_height, height)
    return at


def _gamma(shape: np.ndarray, rate: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return Gamma variables of a shape and a rate, which broadcast."""
    return generator.standard_gamma(np.broadcast_to(shape, np.broadcast_shapes(np.shape(shape), np.shape(rate)))) / rate
