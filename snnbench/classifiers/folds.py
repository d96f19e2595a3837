"""What a stacked search does on one fold, and how scikit-learn gets to see it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import _safe_indexing

from snnbench.classifiers.network_classifier import NetworkClassifier
from snnbench.classifiers.stacks import train_networks

Scorer = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Fold:
    """All rows, and which of them train and test."""

    X: Any
    y: Any
    train: np.ndarray
    test: np.ndarray

    @cached_property
    def key(self) -> tuple[bytes, bytes]:
        """Identifies the rows that train and those that test."""
        numbers = np.arange(len(self.y))
        return numbers[self.train].tobytes(), numbers[self.test].tobytes()

    def rows(self, part: np.ndarray) -> tuple[Any, Any]:
        """Return the features and labels of some rows, as what they came as: a pandas frame stays one."""
        return _safe_indexing(self.X, part), _safe_indexing(self.y, part)


@dataclass(eq=False)
class Outcome:
    """What one configuration gave on one fold: scores (numbers, or one for each name), or the error that came instead."""

    error: Exception | None = None
    score_error: Exception | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    fit_seconds: float = 0.0
    score_seconds: float = 0.0


def fit_and_score(members: Sequence[NetworkClassifier], fold: Fold, scorer: Scorer, with_train: bool) -> list[Outcome]:
    """Train classifiers of one shape on a fold as one stack, and score each as if it had been trained alone.

    Args:
        members: Classifiers that differ at most in what may differ within a stack.
        fold: The rows.
        scorer: Takes a classifier, features and labels.
        with_train: Whether to score the training rows, too.
    """
    start = time.perf_counter()
    X, y = fold.rows(fold.train)
    members = [clone(member) for member in members]  # each fold starts with the same random state
    outcomes = [Outcome() for _ in members]
    prepared = []
    for member, outcome in zip(members, outcomes, strict=True):
        try:
            rows = member.prepare_fit(X, y)
            prepared.append((member, outcome))
        except Exception as error:
            outcome.error = error
    if prepared:
        first = prepared[0][0]
        configs, seeds = [member.config for member, _ in prepared], [member.seed_ for member, _ in prepared]
        networks = train_networks(configs, rows, len(first.classes_), seeds, first.n_epochs, first.training)
        seconds = (time.perf_counter() - start) / len(members)
        for (member, outcome), network in zip(prepared, networks, strict=True):
            outcome.fit_seconds = seconds
            try:
                member.finish_fit(network)
            except ValueError as error:
                outcome.error = error
                continue
            _score(member, outcome, fold, scorer, with_train)
            del member.network_  # it has been scored; of a large grid all together would not fit into memory
    return outcomes


def _score(member: NetworkClassifier, outcome: Outcome, fold: Fold, scorer: Scorer, with_train: bool) -> None:
    start = time.perf_counter()
    try:
        outcome.scores["test"] = scorer(member, *fold.rows(fold.test))
        outcome.score_seconds = time.perf_counter() - start
        if with_train:
            outcome.scores["train"] = scorer(member, *fold.rows(fold.train))
    except Exception as error:
        outcome.score_error = error


class Replay(ClassifierMixin, BaseEstimator):
    """An estimator for ``GridSearchCV`` whose fits and scores are known: its ``X`` are the numbers of the rows.

    So scikit-learn itself makes its tables, choices, warnings and errors of what was trained in stacks.

    Args:
        candidates: The configurations.
        outcomes: By configuration, those of each fold by its key.
        values: The configuration that this is.
    """

    def __init__(
        self,
        candidates: Sequence[Mapping[str, Any]],
        outcomes: Sequence[Mapping[tuple[bytes, bytes], Outcome]],
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.candidates = candidates
        self.outcomes = outcomes
        self.values = values

    def __sklearn_clone__(self) -> "Replay":
        return Replay(self.candidates, self.outcomes, self.values)

    def set_params(self, **values: Any) -> Self:
        """Become one of the configurations."""
        self.values = values
        return self

    def fit(self, numbers: np.ndarray, y: Any) -> Self:
        """Look up what the configuration gave where these rows trained, and raise the error if that was one."""
        of_folds = self.outcomes[list(self.candidates).index(self.values or {})]
        train = numbers.tobytes()
        self.found_ = {key[1]: outcome for key, outcome in of_folds.items() if key[0] == train}
        for outcome in self.found_.values():
            if outcome.error is not None:
                raise outcome.error
        return self


def stored_score(replay: Replay, numbers: np.ndarray, y: Any) -> Any:
    """Return the score that an estimator of stored scores has on the rows that test, else on those that it was trained on."""
    tested = replay.found_.get(numbers.tobytes())
    outcome = tested or next(iter(replay.found_.values()))
    if outcome.score_error is not None:
        raise outcome.score_error
    return outcome.scores["test" if tested else "train"]
