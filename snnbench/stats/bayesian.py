"""The Bayesian signed-rank test: how probable is it that one model is better, or that the two are practically the same?"""

from itertools import combinations

import numpy as np
import pandas as pd

from snnbench.errors import SnnbenchError, UnknownNameError
from snnbench.stats.differences import subtract

# Posterior draws that are worked on at a time: they stay in the processor's cache.
CHUNK = 1024
# Sums of two differences are compared with the region's ends to this many decimals, as 0.81 - 0.80 is not quite 0.01.
DECIMALS = 12
# Shares that differ by less are equal: above the rounding of single precision.
TIE = 1e-6


def bayesian_signed_rank(
    scores: pd.DataFrame,
    rope: float = 0.01,
    baseline: str | None = None,
    prior: float = 0.5,
    n_samples: int = 50_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare models by the Bayesian signed-rank test with a region of practical equivalence.

    A small p-value does not say how probable a difference is, nor a large one that there is none; this test answers both. It
    draws from the posterior of three shares, see ``sample_posterior``: the first model is better by more than ``rope``, the two
    are within ``rope``, the second is better by more than ``rope``. The probability of each is how often it is the largest, as
    in baycomp.

    Args:
        scores: (n_tasks, n_models), higher is better. A missing score leaves the task out of the pairs it belongs to.
        rope: Half the width of the region of practical equivalence, in units of the score: up to here a difference counts as
            none. 0 = there is no such region.
        baseline: Compare this model with the others only; all pairs if None.
        prior: The weight of one imaginary task without a difference, against 1 for every real task.
        n_samples: Posterior draws. The standard error of a probability p is √(p(1 − p) / n_samples), at most 0.0022 by default.
        seed: Of the draws; all pairs share them, so a pair's result does not depend on the other models.

    Returns:
        One row an ordered pair, index = (model, other), both directions unless a baseline is named: p_higher, that ``model``
        is better; p_equivalent, 0 without a region; p_lower, that ``other`` is better; n_tasks, on how many both have a score.
        The three probabilities sum to 1, and are NaN without such a task.

    Raises:
        UnknownNameError: If the baseline is not a model.
        SnnbenchError: If ``rope`` or ``prior`` is negative, or there is no draw.

    Source:
        Benavoli et al., "A Bayesian Wilcoxon signed-rank test based on the Dirichlet process", ICML 2014; Benavoli et al.,
        "Time for a Change: a Tutorial for Comparing Multiple Classifiers Through Bayesian Analysis", JMLR 18 (2017).
    """
    if baseline is not None and baseline not in scores.columns:
        raise UnknownNameError("model", baseline, map(str, scores.columns))
    weights = _draw_weights(len(scores), rope, prior, n_samples, seed)
    if baseline is None:
        pairs = list(combinations(scores.columns, 2))
    else:
        pairs = [(baseline, other) for other in scores.columns if other != baseline]
    rows = {}
    for model, other in pairs:
        differences = subtract(scores[model].to_numpy(dtype=float), scores[other].to_numpy(dtype=float))
        n_tasks = int((~np.isnan(differences)).sum())
        p_higher = p_equivalent = p_lower = float("nan")
        if n_tasks:
            p_higher, p_equivalent, p_lower = count_largest(_sample_shares(differences, rope, weights), rope)
        rows[model, other] = (p_higher, p_equivalent, p_lower, n_tasks)
        if baseline is None:
            rows[other, model] = (p_lower, p_equivalent, p_higher, n_tasks)
    index = pd.MultiIndex.from_tuples(rows, names=["model", "other"]) if rows else pd.MultiIndex.from_arrays([[], []])
    return pd.DataFrame(list(rows.values()), index=index, columns=["p_higher", "p_equivalent", "p_lower", "n_tasks"])


def sample_posterior(
    scores: pd.DataFrame, model: str, other: str, rope: float = 0.01, prior: float = 0.5, n_samples: int = 50_000, seed: int = 0
) -> np.ndarray:
    """Draw from the posterior behind one row of ``bayesian_signed_rank``, for a triangle plot.

    A draw weighs the tasks, and one imaginary task of difference 0, by a Dirichlet distribution. Its shares are the weights of
    all pairs of tasks (a task with itself included) whose mean difference lies above, within and below the region, half for a
    mean on its very end.

    Args:
        scores: (n_tasks, n_models), higher is better.
        model: A column of ``scores``.
        other: Another.
        rope: As in ``bayesian_signed_rank``.
        prior: As there.
        n_samples: As there.
        seed: As there.

    Returns:
        (n_samples, 3) shares that sum to 1: ``model`` better, equivalent, ``other`` better. NaN without a common task.

    Raises:
        UnknownNameError: If a model does not exist.
        SnnbenchError: As in ``bayesian_signed_rank``.
    """
    for name in (model, other):
        if name not in scores.columns:
            raise UnknownNameError("model", name, map(str, scores.columns))
    weights = _draw_weights(len(scores), rope, prior, n_samples, seed)
    differences = subtract(scores[model].to_numpy(dtype=float), scores[other].to_numpy(dtype=float))
    return _sample_shares(differences, rope, weights)


def _draw_weights(n_tasks: int, rope: float, prior: float, n_samples: int, seed: int) -> np.ndarray:
    """Return gamma variables (n_samples, 1 + n_tasks), the imaginary task first; over their sum they are Dirichlet weights."""
    if rope < 0 or prior < 0 or n_samples < 1:
        raise SnnbenchError(
            "A Bayesian test needs a region and a prior that are not negative and at least one draw; "
            f"found rope={rope}, prior={prior}, n_samples={n_samples}."
        )
    # Single precision: its error is a ten-thousandth of that of the sampling, and the products below take half the time.
    shape = np.concatenate([[prior], np.ones(n_tasks)]).astype(np.float32)
    return np.random.default_rng(seed).standard_gamma(shape, size=(n_samples, n_tasks + 1), dtype=np.float32)


def _sample_shares(differences: np.ndarray, rope: float, weights: np.ndarray) -> np.ndarray:
    """Return the shares (n_samples, 3) of ``sample_posterior`` for differences (n_tasks,), NaN = no difference on that task."""
    present = np.concatenate([[True], ~np.isnan(differences)])
    if not present[1:].any():
        return np.full((len(weights), 3), np.nan)
    # An infinite difference weighs as much as one that no other can outweigh.
    limit = 1 + 2 * (rope + np.abs(differences[np.isfinite(differences)]).max(initial=0))
    differences = np.concatenate([[0.0], np.nan_to_num(differences, nan=0.0, posinf=limit, neginf=-limit)])
    # (1 + n_tasks, 1 + n_tasks) twice the mean differences of all pairs of tasks.
    sums = np.round(differences[:, np.newaxis] + differences, DECIMALS)
    end = np.round(2 * rope, DECIMALS)
    regions = np.stack([np.heaviside(sums - end, 0.5), np.heaviside(-sums - end, 0.5)]) * present * present[:, np.newaxis]
    regions = np.concatenate(regions, axis=1).astype(np.float32)
    shares = np.empty((len(weights), 3))
    for start in range(0, len(weights), CHUNK):
        chunk = weights[start : start + CHUNK]
        products = (chunk @ regions).reshape(len(chunk), 2, -1)
        total = (chunk @ present.astype(np.float32)) ** 2
        shares[start : start + CHUNK, [0, 2]] = np.einsum("srn,sn->sr", products, chunk) / total[:, np.newaxis]
    shares[:, 1] = np.maximum(1 - shares[:, 0] - shares[:, 2], 0)
    return shares


def count_largest(shares: np.ndarray, rope: float) -> tuple[float, float, float]:
    """Return how often each of the three shares (n_samples, 3) is the largest; of the outer two alone without a region.

    Equally large shares count as parts of one, so models that never differ are each better with probability 1/2.
    """
    if rope == 0:
        shares = shares * [1, 0, 1]
    largest = shares >= shares.max(axis=1, keepdims=True) - TIE
    higher, equivalent, lower = (largest / largest.sum(axis=1, keepdims=True)).mean(axis=0)
    return float(higher), float(equivalent), float(lower)
