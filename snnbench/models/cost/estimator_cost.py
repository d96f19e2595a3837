"""How long a scikit-learn fit and its scoring will take: what the order of jobs and the plan's estimate need, no more.

A cost is a sum of counts times constants, by class. The counts follow the algorithms; how many nodes a tree needs or how many
steps a support vector machine takes depends on the data, so that a single fit may lie a factor of two or three off.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from snnbench.config import ModelSettings
from snnbench.models import load_class
from snnbench.records import Config, Task

Arguments = Mapping[str, Any]
Cost = Callable[[Arguments, int, int, int], float]
"""(all arguments of a class, n_train, n_features, n_outputs) → seconds of one CPU core."""


def fit_seconds(model: ModelSettings, configs: Sequence[Config], task: Task, n_train: int) -> float:
    """Estimate the fits of one family: one configuration, or the sizes of one ensemble, which cost what its largest does.

    Args:
        model: Class and fixed arguments.
        configs: Its configurations.
        task: For the numbers of features and outputs.
        n_train: Training rows.
    """
    sizes = (n_train, task.n_features, task.n_outputs)
    given = {**model.arguments, "early_stopping": model.early_stopping or 0}
    largest = max(_seconds(str(model.estimator), {**given, **dict(config.values)}, *sizes) for config in configs)
    return largest + (len(configs) - 1) * _SECONDS_PER_FIT


def _seconds(path: str, given: Arguments, n: int, f: int, k: int) -> float:
    arguments = _defaults(path) | dict(given)
    try:
        own = COSTS.get(path, _other)(arguments, n, f, k)
    except (TypeError, ValueError, KeyError):  # a value that its class will refuse
        own = _other(arguments, n, f, k)
    n_fits = arguments["cv"] + 1 if isinstance(arguments.get("cv"), int) else 1
    return own + n_fits * sum(_seconds(part["class"], part, n, f, k) for part in _parts(list(given.values())))


@cache
def _defaults(path: str) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in inspect.signature(load_class(path)).parameters.items()}


def _parts(values: Sequence[Any]) -> list[Arguments]:
    """Return the tables with a class among the arguments, but not within each other: those count their own."""
    nested = [part for value in values if isinstance(value, list) for part in _parts(value)]
    return nested + [value for value in values if isinstance(value, Mapping) and "class" in value]


def _candidates(max_features: object, f: int) -> float:
    """Return how many features each split of a tree looks at."""
    if max_features in ("sqrt", "log2"):
        return f**0.5 if max_features == "sqrt" else math.log2(f + 1)
    if isinstance(max_features, float):
        return max_features * f
    return min(f, max_features) if isinstance(max_features, int) else f


def _trees(per_tree: float, per_row: float, per_output: float) -> Cost:
    """Cost of trees that sort every candidate's values in every node: n log n for each of log n levels."""

    def seconds(arguments: Arguments, n: int, f: int, k: int) -> float:
        m = _candidates(arguments.get("max_features"), f)
        tree = per_tree + per_row * n * math.log2(n + 1) ** 2 * m + per_output * n * k
        return _SECONDS_PER_FIT + arguments.get("n_estimators", 1) * tree

    return seconds


def _gradient_boosting(arguments: Arguments, n: int, f: int, k: int) -> float:
    n_trees = arguments["n_estimators"] * (1 if k == 2 else k)
    return n_trees * (
        4e-4 + 2e-8 * n * _candidates(arguments["max_features"], f) * (arguments["max_depth"] or math.log2(n + 1))
    )


def _hist_gradient_boosting(arguments: Arguments, n: int, f: int, k: int) -> float:
    n_leaves = min(arguments["max_leaf_nodes"] or n, 1 + n / arguments["min_samples_leaf"])
    tree = 3.5e-5 + n_leaves * (1.1e-5 + 8e-10 * f * min(255, n)) + 1.8e-10 * n * f * math.log2(n_leaves + 1) + 1e-8 * n
    return 4e-3 + 9e-7 * n * f + arguments["max_iter"] * (1 if k == 2 else k) * tree


def _rounds(arguments: Arguments, names: Sequence[str], default: int, n: int) -> int:
    """Return the trees or epochs that a fit will take; with early stopping a typical number, more of them for more rows."""
    most = next((arguments[name] for name in names if arguments.get(name)), default)
    patience = arguments.get("early_stopping", 0)
    return min(most, patience + 40 + round(4 * n**0.5)) if patience else most


def _lightgbm(arguments: Arguments, n: int, f: int, k: int) -> float:
    n_leaves = min(arguments["num_leaves"], n / arguments["min_child_samples"])
    rounds = _rounds(arguments, ("n_estimators",), 100, n)
    if n_leaves < 2:  # too few rows for a split: no round is better than the first
        rounds = min(rounds, arguments.get("early_stopping") or rounds)
    tree = 7e-6 + n_leaves * (2e-6 + 7e-10 * f * min(255, n)) + 1e-9 * n * f * math.log2(n_leaves + 1)
    return 1e-2 + rounds * (1 if k == 2 else k) * tree


def _xgboost(arguments: Arguments, n: int, f: int, k: int) -> float:
    depth = arguments.get("max_depth") or 6
    tree = 4e-5 + 1e-9 * min(2**depth, n / 4) * f * min(256, n) + 1.4e-9 * n * f * depth
    return 1e-2 + _rounds(arguments, ("n_estimators",), 100, n) * (1 if k == 2 else k) * tree


def _catboost(arguments: Arguments, n: int, f: int, k: int) -> float:
    depth = arguments.get("depth") or arguments.get("max_depth") or 6
    names = ("iterations", "n_estimators", "num_boost_round", "num_trees")
    tree = 1.4e-4 + 2.8e-6 * 2**depth * (0.5 if k == 2 else k) + 5.6e-9 * n * f * depth
    return 1e-2 + _rounds(arguments, names, 1000, n) * tree


def _realmlp(arguments: Arguments, n: int, f: int, k: int) -> float:
    n_epochs = arguments.get("n_epochs") or 256  # all of them, unless it says use_early_stopping
    return n_epochs * (2.5e-3 + math.ceil(n / 256) * 3.7e-3 + 3.1e-7 * n * f)


def _tabm(arguments: Arguments, n: int, f: int, k: int) -> float:
    batch_size = arguments.get("batch_size") or 256
    n_batch = min(n, _tabm_batch(n) if batch_size == "auto" else batch_size)
    width = arguments.get("d_block") or 512
    embedded = 4.2e-6 * n_batch * f if arguments.get("num_emb_type", "none") != "none" else 0.0
    n_products = 6 * 32 * n_batch * (2 * width**2 + (arguments.get("d_embedding") or 16) * f * width)
    step = 1.7e-3 + embedded + n_products / 6.8e10
    return _rounds(arguments, ("n_epochs",), 1000, n) * math.ceil(n / n_batch) * step


def _tabm_batch(n: int) -> int:
    """Return the batch size that TabM chooses itself."""
    limits = {2_800: 32, 4_500: 64, 6_400: 128, 32_000: 256, 108_000: 512}
    return next((size for limit, size in limits.items() if n < limit), 1024)


def _svm(arguments: Arguments, n: int, f: int, k: int) -> float:
    return _SECONDS_PER_FIT + n**2 * (1.2e-8 + 2e-10 * f + 4e-10 * k) + 4e-6 * k**2


def _neighbours(arguments: Arguments, n: int, f: int, k: int) -> float:
    return _SECONDS_PER_FIT + 1.5e-10 * n**2 * f


def _perceptron(arguments: Arguments, n: int, f: int, k: int) -> float:
    return arguments["max_iter"] * math.ceil(n / 200) * 3e-4


def _other(arguments: Arguments, n: int, f: int, k: int) -> float:
    return _SECONDS_PER_FIT + 1e-8 * n * f * (f + k)


_SECONDS_PER_FIT = 0.003
"""What the smallest fit takes, and the scoring of one."""

COSTS: dict[str, Cost] = {
    "catboost.CatBoostClassifier": _catboost,
    "lightgbm.LGBMClassifier": _lightgbm,
    "pytabkit.RealMLP_TD_Classifier": _realmlp,
    "pytabkit.TabM_D_Classifier": _tabm,
    "sklearn.ensemble.AdaBoostClassifier": _trees(1.2e-3, 1e-9, 0),
    "sklearn.ensemble.BaggingClassifier": _trees(1e-3, 1.5e-9, 2e-7),
    "sklearn.ensemble.ExtraTreesClassifier": _trees(8e-4, 2.5e-10, 1e-7),
    "sklearn.ensemble.GradientBoostingClassifier": _gradient_boosting,
    "sklearn.ensemble.HistGradientBoostingClassifier": _hist_gradient_boosting,
    "sklearn.ensemble.RandomForestClassifier": _trees(7.5e-4, 1.3e-9, 2e-8),
    "sklearn.neighbors.KNeighborsClassifier": _neighbours,
    "sklearn.neural_network.MLPClassifier": _perceptron,
    "sklearn.svm.NuSVC": _svm,
    "sklearn.svm.SVC": _svm,
    "sklearn.tree.DecisionTreeClassifier": _trees(0, 1.5e-9, 0),
    "xgboost.XGBClassifier": _xgboost,
}
"""Measured on UCI tasks of up to 26,000 rows with the grids of the presets ``quick`` and ``groups``; other packages than
scikit-learn on 9 to 12 tasks of up to 2,800 rows with the preset ``modern``: all fits of a model together within a third. On
one task, boosting may be a factor of five off: how many rounds it takes depends on the data."""
