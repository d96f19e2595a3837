"""Levels and gaps as they are, for the estimators that take them: tables as frames with a type for every column.

A model's table says ``encoding = "native"``. A column of numbers is then one of floats, NaN where a value is missing, and a
column of levels one of pandas' type ``category`` with all declared levels, so that a level has one code on all rows. What a
class must be told beyond that stands in ``NATIVE``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from sklearn.base import BaseEstimator

from snnbench.config import ModelSettings
from snnbench.errors import ConfigError
from snnbench.models.registry import implementation
from snnbench.records import Column, Dataset, Value


@dataclass(frozen=True)
class Native:
    """How a class takes levels and gaps.

    ``arguments`` make it look at the types of columns, and ``positions`` is its parameter for the numbers of those with levels.
    ``most_levels`` is its parameter for how many levels a column may have; of more, those that are rarest among the training
    rows share one. ``gaps_are_levels`` says that a missing level must be a level of its own.
    """

    arguments: Mapping[str, Value] = field(default_factory=dict)
    positions: str = ""
    most_levels: str = ""
    gaps_are_levels: bool = False


NATIVE: Mapping[str, Native] = {
    "catboost.CatBoostClassifier": Native(positions="cat_features", gaps_are_levels=True),
    "lightgbm.LGBMClassifier": Native(),
    "sklearn.ensemble.HistGradientBoostingClassifier": Native({"categorical_features": "from_dtype"}, most_levels="max_bins"),
    "xgboost.XGBClassifier": Native({"enable_categorical": True}),
}
"""The classes that take levels and gaps, by import path."""


def check_native(name: str, settings: ModelSettings) -> None:
    """Check that a model that is to have levels and gaps as they are takes them.

    Raises:
        ConfigError: If it does not.
    """
    path = implementation(name, settings)
    if settings.encoding == "native" and path not in NATIVE:
        raise ConfigError(
            f'The model {name} must take levels and gaps to have encoding = "native", but {path} does not. '
            f"Those that do: {', '.join(NATIVE)}."
        )


def take_native(model: BaseEstimator, path: str, train: Dataset, held_out: Dataset) -> tuple[BaseEstimator, Dataset, Dataset]:
    """Return an estimator that is told of levels, and its rows with a frame for X.

    Args:
        model: The estimator, not fitted or to be grown.
        path: Its import path, in ``NATIVE``.
        train: The training rows, with ``columns``; they alone decide which levels share one.
        held_out: Other rows of the same table.
    """
    native = NATIVE[path]
    most = int(model.get_params()[native.most_levels]) if native.most_levels else 0
    joined = [_joined_levels(column, values, most) for column, values in zip(train.columns, train.X.T, strict=True)]
    frames = [_frame(dataset, joined, native.gaps_are_levels) for dataset in (train, held_out)]
    told: dict[str, Any] = dict(native.arguments)
    if native.positions:
        told[native.positions] = [number for number, column in enumerate(train.columns) if column.levels]
    return model.set_params(**told), *frames


def _joined_levels(column: Column, values: np.ndarray, most: int) -> np.ndarray:
    """Return (n_levels,) the number that each level goes by: its own, but one for all beyond the most frequent."""
    numbers = np.arange(len(column.levels))
    if not most or len(numbers) <= most:
        return numbers
    counts = np.bincount(values[~np.isnan(values)].astype(np.int64), minlength=len(numbers))
    rarest = np.argsort(-counts, kind="stable")[most - 1 :]
    numbers[rarest] = rarest.min()
    return numbers


def _frame(dataset: Dataset, joined: Sequence[np.ndarray], gaps_are_levels: bool) -> Dataset:
    # Imported here because only tables need it.
    import pandas as pd

    parts: dict[str, object] = {}
    for number, (column, values) in enumerate(zip(dataset.columns, dataset.X.T, strict=True), start=1):
        if not column.levels:
            parts[f"x{number}"] = values
            continue
        categories, codes = np.unique(joined[number - 1], return_inverse=True)
        is_gap = np.isnan(values)
        codes = codes[np.where(is_gap, 0, values).astype(np.int64)]
        gap = -1
        if gaps_are_levels and column.has_gaps:
            gap, categories = len(categories), np.append(categories, len(column.levels))
        parts[f"x{number}"] = pd.Categorical.from_codes(np.where(is_gap, gap, codes), categories=categories)
    return Dataset(cast(np.ndarray, pd.DataFrame(parts)), dataset.y)
