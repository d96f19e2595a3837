"""The core types: plain frozen values, with no behaviour beyond validation.

Every arrow of the pipeline carries one of these (``cli → suite → tasks → plan → jobs → engine → results → store``).
"""

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Value = str | int | float | bool
Kind = Literal["binary", "multiclass", "multilabel"]
Stage = Literal["search", "evaluate"]
Status = Literal["ok", "diverged", "infeasible", "timeout", "failed"]
"""What came of a training. ``infeasible``: the estimator refuses the configuration on these rows, as it would again;
``timeout``: it was not done within its time limit; ``failed``: anything else, which may go well another time."""
Precision = Literal["float32", "tf32", "bfloat16"]
Alternative = Literal["two-sided", "greater"]
TaskEncoding = Literal["one-hot", "ordinal"]
ModelEncoding = Literal["one-hot", "ordinal", "native"]
"""How a model gets the columns of a table; ``native``: levels and gaps as they are, for estimators that take them."""

LASTING = {"failed": 0, "timeout": 1}
"""Of the rows with one key the most lasting counts: one that failed gives way to all, one out of time to the others (2)."""


def is_lasting(status: str) -> bool:
    """Say whether a training with this outcome is over for good; others may be tried again, and be replaced."""
    return status not in LASTING


def digest(content: object, length: int = 16) -> str:
    """Return the first hexadecimal digits of the SHA-256 of canonical JSON: everywhere the same, unlike ``hash``."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Task:
    """One data set with its target and metric.

    ``n_features`` counts the inputs without the class column; ``sha256`` identifies the files (or, for an embedded task,
    the arrays) behind it, so that results on changed data are never mixed. ``labels`` names a multilabel task's outputs.
    ``encoding`` is how a table's columns become features for models that do not say otherwise ("" = the task is no table), and
    ``widths`` how many features they become by each encoding, once the table is loaded.
    """

    suite: str
    name: str
    kind: Kind
    n_samples: int
    n_features: int
    n_outputs: int
    metric: str
    source: str
    sha256: str
    labels: tuple[str, ...] = ()
    encoding: TaskEncoding | Literal[""] = ""
    widths: tuple[tuple[ModelEncoding, int], ...] = ()


@dataclass(frozen=True)
class Column:
    """What a column of a table holds: numbers, or one of its declared ``levels``.

    ``has_gaps`` is declared, too: whether values may be missing. Both decide how wide the encoded column is, whatever a split's
    training rows hold.
    """

    name: str
    levels: tuple[str, ...] = ()
    has_gaps: bool = False


@dataclass(frozen=True)
class Encoding:
    """How levels become numbers.

    ``"one-hot"`` gives each level a column of zeros and ones; levels with fewer than ``min_rows`` training rows, and the rarest
    beyond ``max_levels``, share one. ``"ordinal"`` numbers the levels, which is for trees.
    """

    kind: TaskEncoding = "one-hot"
    max_levels: int = 50
    min_rows: int = 2


ONE_HOT = Encoding()
"""What is done unless somebody says otherwise."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """The arrays of a task.

    Shapes:
        X: (n_samples, n_features) float64 as read, float32 once they are standardised for training.
        y: (n_samples,) int64 class indices, or (n_samples, n_outputs) float32 with NaN = not measured.

    A table has ``columns``, one for each column of X. X then holds numbers, level numbers and NaN (missing), and is encoded by
    ``encoding`` for each split, on its training rows; an estimator that takes levels and gaps as they are gets a frame for X.

    Raises:
        ValueError: If the row counts differ, ``X`` is not finite (a table's: holds what no column declares), or a label is
            neither 0, 1 nor NaN.
    """

    X: np.ndarray
    y: np.ndarray
    columns: tuple[Column, ...] = ()
    encoding: Encoding = ONE_HOT

    def __post_init__(self) -> None:
        if len(self.X) != len(self.y):
            raise ValueError(f"X and y must have the same number of rows, found {len(self.X)} and {len(self.y)}.")
        if self.columns:
            self._check_columns()
        elif isinstance(self.X, np.ndarray) and not np.isfinite(self.X).all():
            row, column = np.argwhere(~np.isfinite(self.X))[0]
            raise ValueError(f"Features must be finite, found {self.X[row, column]} in row {row}, feature {column}.")
        if self.y.ndim == 2 and (wrong := ~(np.isin(self.y, (0, 1)) | np.isnan(self.y))).any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(
                f"Labels must be 0, 1 or NaN (not measured), found {self.y[row, column]} in row {row}, label {column}."
            )

    def _check_columns(self) -> None:
        if len(self.columns) != self.X.shape[1]:
            raise ValueError(f"Every column of X must be declared, found {len(self.columns)} for {self.X.shape[1]}.")
        for column, values in zip(self.columns, self.X.T, strict=True):
            allowed = np.isfinite(values)
            if column.levels:
                allowed &= (values >= 0) & (values < len(column.levels)) & (values == np.floor(values))
            wrong = ~allowed & ~np.isnan(values) if column.has_gaps else ~allowed
            if wrong.any():
                what = f"level numbers below {len(column.levels)}" if column.levels else "finite numbers"
                raise ValueError(f"Column '{column.name}' must hold {what}, found {values[wrong][0]}.")


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows train, which select and which test: disjoint index arrays.

    Raises:
        ValueError: If a row stands in two of the sets.
    """

    name: str
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    def __post_init__(self) -> None:
        rows = np.concatenate([self.train, self.valid, self.test])
        if len(np.unique(rows)) != len(rows):
            raise ValueError(f"Train, validation and test rows must be disjoint; in split '{self.name}' they are not.")


@dataclass(frozen=True)
class Config:
    """One point of a model's grid.

    ``values`` is sorted by name, so equal settings make equal configs whatever the order they were written in.
    """

    model: str
    values: tuple[tuple[str, Value], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(sorted(self.values)))

    def __getitem__(self, name: str) -> Value:
        return dict(self.values)[name]

    def get(self, name: str, default: Value) -> Value:
        """Return a value, or ``default`` where the grid does not say."""
        return dict(self.values).get(name, default)

    @property
    def key(self) -> str:
        """A digest that is stable across processes and machines."""
        return digest([self.model, self.values])

    def to_json(self) -> str:
        """Return the values as a JSON object."""
        return json.dumps(dict(self.values))


@dataclass(frozen=True)
class Compute:
    """How networks are computed, as far as the last digits of their numbers depend on it.

    ``precision`` is that of matrix products. Stacks hold networks of one task and split, or go across tasks, whose networks are
    then padded with zeros to a common size.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "float32"
    stacking: Literal["within-task", "across-tasks"] = "within-task"


ON_CPU = Compute()
"""The reference: float32 on a CPU, a stack for each task."""


@dataclass(frozen=True)
class Code:
    """Which code a model's numbers come from; part of every key.

    ``name`` is the registered name of one of ours, else an import path; ``digest`` identifies the user's own files ("" = none);
    ``versions`` lists the installed packages: ``"lightgbm 4.7.0, numpy 2.4.6"``.
    """

    name: str
    digest: str
    versions: str


@dataclass(frozen=True)
class Member:
    """One training of a job: names and numbers only, so that it travels.

    ``n_epochs`` is the whole training in a search and the stopping epoch in an evaluation (0 for estimators without
    epochs). ``key`` says everything that the result depends on; it is the identity of the stored row. ``search_seed`` is, of an
    evaluation, the seed of the search that selected its configuration.
    """

    task: str
    split: str
    config: Config
    seed: int
    n_epochs: int
    key: str
    search_seed: int | None = None


@dataclass(frozen=True)
class Job:
    """The members of one stack, trained together, or of several ``stacks``, trained at once: the keys of each one's members.

    ``seconds`` is the planned cost and ``memory_bytes`` what its process may need, planned generously (0 = unknown).
    """

    stage: Stage
    suite: str
    members: tuple[Member, ...]
    seconds: float = 0.0
    memory_bytes: int = 0
    stacks: tuple[frozenset[str], ...] = ()

    @property
    def key(self) -> str:
        """A digest of the members, the name of the job's results file."""
        return digest([member.key for member in self.members])

    @property
    def parts(self) -> tuple[tuple[Member, ...], ...]:
        """The members of each stack; a part of a job has a part of its stacks."""
        parts = (tuple(member for member in self.members if member.key in keys) for keys in self.stacks)
        return tuple(filter(None, parts)) or (self.members,)


@dataclass(frozen=True)
class StackSize:
    """What decides the memory of a member of a stack, padding included: features, outputs, and rows of a batch."""

    n_features: int
    n_outputs: int
    n_batch: int


@dataclass(frozen=True, eq=False)
class TrainedMember:
    """What training gave one member: a network, or an estimator, which has neither epochs nor curves.

    Shapes:
        train_loss: (n_epochs,), up to the epoch in which a member diverged.
        valid_curve: (n_epochs,), not smoothed; empty in an evaluation.
        test_outputs: (n_test, n_outputs) probabilities (multilabel: each output's own), or decision values of a model without;
            empty in a search and of a diverged member.

    ``valid_score`` is that of a search, smoothed and at ``best_epoch``, which is counted from 1; ``test_score`` that of an
    evaluation. ``seconds`` is the member's share of those of its stack.
    """

    seconds: float
    valid_score: float = math.nan
    test_score: float = math.nan
    best_epoch: int = 0
    diverged: bool = False
    train_loss: np.ndarray = field(default_factory=lambda: np.empty(0))
    valid_curve: np.ndarray = field(default_factory=lambda: np.empty(0))
    test_outputs: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What training one stack of networks gave.

    Shapes:
        train_loss: (n_epochs, n_stack), mean over the rows of an epoch; NaN after a member's last epoch.
        valid_score: (n_epochs, n_stack), not smoothed; no rows in an evaluation.
        n_epochs: (n_stack,), the epochs of each member up to its last, or to the one in which it diverged.
        best_epoch: (n_stack,), counted from 1.
        best_score: (n_stack,), the smoothed validation score at ``best_epoch``; NaN in an evaluation.
        test_score: (n_stack,); NaN in a search.
        test_outputs: of each member (n_test, n_outputs) probabilities (multilabel: each output's own); none in a search and of
            a diverged member.
        diverged: (n_stack,) booleans.
        seconds: of the whole stack.
    """

    train_loss: np.ndarray
    valid_score: np.ndarray
    n_epochs: np.ndarray
    best_epoch: np.ndarray
    best_score: np.ndarray
    test_score: np.ndarray
    test_outputs: tuple[np.ndarray, ...]
    diverged: np.ndarray
    seconds: float

    def member(self, place: int) -> TrainedMember:
        """Return what training gave the member at a place of the stack."""
        n_epochs = self.n_epochs[place]
        return TrainedMember(
            seconds=self.seconds / len(self.n_epochs),
            valid_score=float(self.best_score[place]),
            test_score=float(self.test_score[place]),
            best_epoch=int(self.best_epoch[place]),
            diverged=bool(self.diverged[place]),
            train_loss=self.train_loss[:n_epochs, place],
            valid_curve=self.valid_score[:n_epochs, place],
            test_outputs=self.test_outputs[place],
        )


@dataclass(frozen=True, eq=False)
class Result:
    """One stored row: a member, what came of it, and where it came from.

    ``error`` is the reason of every status but ``ok``. ``seconds`` is the member's share of its job; ``warnings`` are those of
    an estimator, which do not fail it.
    ``test_outputs`` are the (n_test, n_outputs) outputs of an evaluation, row by row, and ``test_targets`` the true classes (or
    all labels row by row, None = not measured), so that other metrics can be computed later. ``provenance`` holds versions,
    hardware, precision and digests as flat columns.
    """

    key: str
    stage: Stage
    suite: str
    task: str
    split: str
    model: str
    config: str
    config_key: str
    seed: int
    n_epochs: int
    status: Status
    error: str = ""
    warnings: str = ""
    valid_score: float = float("nan")
    test_score: float = float("nan")
    best_epoch: int = 0
    seconds: float = 0.0
    train_loss: tuple[float, ...] = ()
    valid_curve: tuple[float, ...] = ()
    test_targets: tuple[int | None, ...] = ()
    test_outputs: tuple[float, ...] = ()
    provenance: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TestResult:
    """The outcome of a statistical test on a score table of shape (n_tasks, n_models).

    ``models`` names the entries: the columns of the table, in their order. ``statistic``, ``pvalue`` and ``adjusted_pvalue``
    have one entry for an omnibus test, (n_models,) entries for a test against a baseline (NaN at the baseline itself), and
    (n_models, n_models) for all pairs; ``mean_ranks`` has (n_models,).
    """

    test: str
    models: tuple[str, ...]
    statistic: np.ndarray
    pvalue: np.ndarray
    adjusted_pvalue: np.ndarray
    mean_ranks: np.ndarray
    n_tasks: int
    alternative: Alternative
