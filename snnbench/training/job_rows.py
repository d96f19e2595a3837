"""The rows that a job trains on and is scored by, those of the last ones kept."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

from snnbench.records import Dataset, ModelEncoding, Stage
from snnbench.suites import load_suite
from snnbench.suites.encoding import encoded_as
from snnbench.suites.features import split_features

KEPT_BYTES = 2**28
"""How much of the rows that were read before a process keeps: all UCI tasks, or one fold of a table of 100,000 rows."""


class _Place(NamedTuple):
    stage: Stage
    suite: str
    task: str
    split: str
    folder: Path | None
    preprocessing: str
    encoding: ModelEncoding | Literal[""]


_kept: OrderedDict[_Place, tuple[Dataset, Dataset]] = OrderedDict()
_lock = Lock()


def job_rows(
    stage: Stage,
    suite: str,
    task: str,
    split: str,
    folder: Path | None,
    preprocessing: str = "as-published",
    encoding: ModelEncoding | Literal[""] = "",
) -> tuple[Dataset, Dataset]:
    """Return the training rows and the held-out rows of a stage.

    A search gets the validation rows and nothing of the test rows; an evaluation gets the test rows and nothing of the
    validation rows. So no trainer can look where it must not.

    Args:
        stage: Of the job.
        suite: Name of the suite.
        task: Name of the task.
        split: Name of the split.
        folder: Where the suite's files lie.
        preprocessing: How published features are used.
        encoding: How the columns of a table become features, ``"native"`` not at all: the rows then have ``columns``; "" for
            the task's own encoding.
    """
    place = _Place(stage, suite, task, split, folder, preprocessing, encoding)
    with _lock:
        if place in _kept:
            _kept.move_to_end(place)
            return _kept[place]
    found = _read(place)
    with _lock:
        _kept[place] = found
        while len(_kept) > 1 and sum(map(_n_bytes, _kept.values())) > KEPT_BYTES:
            _kept.popitem(last=False)
    return found


def _n_bytes(rows: tuple[Dataset, Dataset]) -> int:
    return sum(part.X.nbytes + part.y.nbytes for part in rows)


def _read(place: _Place) -> tuple[Dataset, Dataset]:
    module = load_suite(place.suite, place.folder)
    dataset = module.load(place.task, place.folder)
    rows = next(one for one in module.splits(place.task, place.folder) if one.name == place.split)
    held_out = rows.valid if place.stage == "search" else rows.test
    X, columns = dataset.X, dataset.columns
    if place.encoding != "native":
        X, columns = split_features(encoded_as(dataset, place.encoding), rows, module.STANDARDISE, place.preprocessing), ()
    return Dataset(X[rows.train], dataset.y[rows.train], columns), Dataset(X[held_out], dataset.y[held_out], columns)
