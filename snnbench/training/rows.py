"""Which rows a job may see."""

from functools import lru_cache
from pathlib import Path

from snnbench.records import Dataset, Split, Stage
from snnbench.suites import load_suite
from snnbench.suites.features import split_features


@lru_cache(maxsize=128)
def job_rows(
    stage: Stage, suite: str, task: str, split: str, folder: Path | None, preprocessing: str = "as-published"
) -> tuple[Dataset, Dataset]:
    """Return the training rows and the held-out rows of a stage.

    A search gets the validation rows and nothing of the test rows; an evaluation gets the test rows and nothing of the
    validation rows. So no trainer can look where it must not.

    Returns:
        The training rows and the rows that score.
    """
    module = load_suite(suite)
    dataset = module.load(task, folder)
    rows = _find(module.splits(task, folder), split)
    X = split_features(dataset, rows, module.STANDARDISE, preprocessing)
    held_out = rows.valid if stage == "search" else rows.test
    return Dataset(X[rows.train], dataset.y[rows.train]), Dataset(X[held_out], dataset.y[held_out])


def _find(splits: list[Split], name: str) -> Split:
    return next(split for split in splits if split.name == name)
