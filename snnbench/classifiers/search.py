"""A grid search over one of the classifiers that trains its networks as stacks."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import Tags, get_tags, indexable
from sklearn.utils.parallel import Parallel, delayed

from snnbench.classifiers.folds import Fold, Outcome, Replay, fit_and_score, stored_score
from snnbench.classifiers.network_classifier import NetworkClassifier
from snnbench.classifiers.registry import CLASSIFIERS
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.execution.plan import MAX_STACK
from snnbench.models import PER_MEMBER

Grid = Mapping[str, Sequence[Any]]


class StackedSearchCV(GridSearchCV):
    """``GridSearchCV`` for networks: on every fold, all networks of one shape are trained together, as one stack.

    Parameters, attributes and methods are those of scikit-learn's ``GridSearchCV``, and so is every score, bit by bit, on a
    machine where a network has the bits alone that it has among others (``snnbench doctor``). The seconds of a fit are those of
    its stack, divided by its members.

    Args:
        estimator: Name of a network in ``snnbench.models.NETWORKS``, or one of the classifiers with parameters of its own.
        param_grid: Names of parameters and the values to try; or several such grids.
        scoring: As in ``GridSearchCV``: None for accuracy, a name, a function, or several.
        n_jobs: Processes that train stacks; None for one, -1 for all cores.
        refit: Whether the best configuration is trained on all rows; of several scores, the name of the one that counts.
        cv: Number of folds, or what divides the rows.
        error_score: Score of a configuration that diverged or cannot be trained, or ``"raise"``.
        return_train_score: Whether training rows are scored, too.

    Members of a stack may differ in ``learning_rate``, ``dropout_rate``, ``l2`` and ``random_state``: a grid of these costs
    little more than one configuration.
    """

    def __init__(
        self,
        estimator: str | NetworkClassifier,
        param_grid: Grid | Sequence[Grid],
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        error_score: float | str = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Score every configuration on every fold, and train the best one on all rows.

        Args:
            X: (n_samples, n_features) numbers.
            y: (n_samples,) labels.
            groups: (n_samples,) for splitters that keep the rows of a group together.

        Raises:
            ValueError: If nothing could be trained.
            UnknownNameError: If there is no such network.
        """
        classifier, candidates = self._classifier(), list(ParameterGrid(self.param_grid))
        X, y, groups = indexable(X, y, groups)
        splitter = check_cv(self.cv, y, classifier=True)
        folds = [Fold(X, y, np.asarray(train), np.asarray(test)) for train, test in splitter.split(X, y, groups)]
        scorer = check_scoring(classifier, self.scoring, raise_exc=True)
        stacks = list(_stacks([clone(classifier).set_params(**clone(values, safe=False)) for values in candidates]))
        found = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_and_score)([member for _, member in stack], fold, scorer, self.return_train_score)
            for stack in stacks
            for fold in folds
        )
        outcomes: list[list[Outcome]] = [[] for _ in candidates]
        for number, of_stack in enumerate(found):
            for (place, _), outcome in zip(stacks[number // len(folds)], of_stack, strict=True):
                outcomes[place].append(outcome)
        self._take_results(_aggregate(self, candidates, folds, outcomes, y), outcomes)
        self.n_splits_, self.scorer_ = len(folds), getattr(scorer, "_scorers", scorer)
        if self.refit:
            start = time.perf_counter()
            self.best_estimator_ = clone(classifier).set_params(**clone(self.best_params_, safe=False)).fit(X, y)
            self.refit_time_ = time.perf_counter() - start
            if hasattr(self.best_estimator_, "feature_names_in_"):
                self.feature_names_in_ = self.best_estimator_.feature_names_in_
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = get_tags(self._classifier())
        tags.array_api_support = False
        return tags

    def _classifier(self) -> NetworkClassifier:
        if isinstance(self.estimator, NetworkClassifier):
            return clone(self.estimator)
        if not isinstance(self.estimator, str):
            raise ConfigError(
                "StackedSearchCV trains networks: its estimator must be the name of one or a classifier of snnbench, found "
                f"{type(self.estimator).__name__}. GridSearchCV takes any other."
            )
        if self.estimator not in CLASSIFIERS:
            raise UnknownNameError("network", self.estimator, CLASSIFIERS)
        return CLASSIFIERS[self.estimator]()

    def _take_results(self, search: GridSearchCV, outcomes: Sequence[Sequence[Outcome]]) -> None:
        """Take over what scikit-learn made of the scores, with the seconds that training and scoring really took."""
        self.cv_results_, self.multimetric_ = search.cv_results_, search.multimetric_
        for name in ("fit", "score"):
            seconds = np.array([[getattr(outcome, f"{name}_seconds") for outcome in of_all] for of_all in outcomes])
            self.cv_results_ |= {f"mean_{name}_time": seconds.mean(axis=1), f"std_{name}_time": seconds.std(axis=1)}
        for name in ("best_index_", "best_score_", "best_params_"):
            if hasattr(search, name):
                setattr(self, name, getattr(search, name))


def _stacks(members: Iterable[NetworkClassifier]) -> Iterable[list[tuple[int, NetworkClassifier]]]:
    """Yield the members that can be trained together, each with its place."""
    groups: dict[str, list[tuple[int, NetworkClassifier]]] = {}
    for place, member in enumerate(members):
        values = member.get_params()
        # Networks without dropout would pay for the noise of those with it.
        alike = {name: value for name, value in values.items() if name not in (*PER_MEMBER, "random_state")}
        groups.setdefault(repr((alike, values["dropout_rate"] != 0)), []).append((place, member))
    for group in groups.values():
        yield from (group[start : start + MAX_STACK] for start in range(0, len(group), MAX_STACK))


def _aggregate(
    search: StackedSearchCV,
    candidates: Sequence[Mapping[str, Any]],
    folds: Sequence[Fold],
    outcomes: Sequence[Sequence[Outcome]],
    y: ArrayLike,
) -> GridSearchCV:
    """Let scikit-learn make its table of the scores, its choice of the best, its warnings and its errors."""
    replay = Replay(candidates, [{fold.key: outcome for fold, outcome in zip(folds, of, strict=True)} for of in outcomes])
    numbers = np.arange(len(y)).reshape(-1, 1)  # type: ignore[arg-type]
    return GridSearchCV(
        replay,
        search.param_grid,
        scoring=stored_score,
        cv=[(fold.train, fold.test) for fold in folds],
        refit=search.refit,
        error_score=search.error_score,
        return_train_score=search.return_train_score,
    ).fit(numbers, y)
