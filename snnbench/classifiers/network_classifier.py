"""What the classifiers share: scikit-learn's interface around a network of this package."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from snnbench.classifiers.stacks import compute_probabilities, train_networks
from snnbench.config import ModelSettings, TrainingSettings
from snnbench.errors import SnnbenchError
from snnbench.models import TRAINER_HYPERPARAMETERS, canonical, check_config, load_class
from snnbench.models.registry import NETWORKS
from snnbench.records import Config, Dataset

_TABLE = ModelSettings(grid={})
_TRAINING = ("n_epochs", "batch_size", "momentum")


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A network that is trained by stochastic gradient descent for a number of epochs; the parent of one class a network.

    Attributes:
        classes_: (n_classes,) the labels.
        n_features_in_: Number of features.
        feature_names_in_: Their names, if ``X`` had any.
        network_: The trained network, a stack of one.
        scaler_: What standardises the features; None with ``standardise=False``.
        seed_: Of weights, orders of rows and dropout; drawn from ``random_state``.
    """

    network: str
    """Its name in ``snnbench.models.NETWORKS``."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the network.

        Args:
            X: (n_samples, n_features) numbers.
            y: (n_samples,) labels of any type.

        Raises:
            ValueError: If a parameter has a wrong value, or the training diverged.
        """
        rows = self.prepare_fit(X, y)
        (network,) = train_networks([self.config], rows, len(self.classes_), [self.seed_], self.n_epochs, self.training)
        return self.finish_fit(network)

    def prepare_fit(self, X: ArrayLike, y: ArrayLike) -> Dataset:
        """Do all of ``fit`` that comes before the training; return the rows to train on.

        ``StackedSearchCV`` trains many classifiers at once between this and ``finish_fit``.

        Raises:
            ValueError: If a parameter has a wrong value, or ``X`` and ``y`` are no rows to learn from.
        """
        self._check_parameters()
        rows, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, classes = np.unique(y, return_inverse=True)
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.scaler_ = StandardScaler().fit(rows) if self.standardise else None
        return Dataset(self._scale(rows), classes.astype(np.int64))

    def finish_fit(self, network: nn.Module | None) -> Self:
        """Take over a trained network, or the news that its training diverged."""
        if network is None:
            raise ValueError(
                f"The training must stay finite, but with learning_rate={self.learning_rate:g} it diverged. Take a smaller "
                "learning_rate."
            )
        self.network_ = network
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probability of every class, (n_samples, n_classes) in the order of ``classes_``."""
        check_is_fitted(self, "network_")
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return compute_probabilities(self.network_, self._scale(rows))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable label of every row, (n_samples,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    @property
    def config(self) -> Config:
        """The hyperparameters of the network, those of the update rule that may differ within a stack among them."""
        known = set(load_class(NETWORKS[self.network]).hyperparameters) | set(TRAINER_HYPERPARAMETERS)
        values = {name: _plain(value) for name, value in self.get_params(deep=False).items() if name in known}
        return canonical(Config(self.network, tuple(values.items())), _TABLE)

    @property
    def training(self) -> TrainingSettings:
        """How it is trained."""
        return TrainingSettings(**{name: _plain(getattr(self, name)) for name in _TRAINING})

    def _check_parameters(self) -> None:
        try:
            check_config(self.config, _TABLE)
            self.training  # noqa: B018  pydantic's error is a ValueError
        except SnnbenchError as error:
            raise ValueError(f"A parameter of {type(self).__name__} has a wrong value: {error}") from error

    def _scale(self, X: np.ndarray) -> np.ndarray:
        scaled = X if self.scaler_ is None else self.scaler_.transform(X)
        if (too_large := ~(np.abs(scaled) <= np.finfo(np.float32).max)).any():
            raise ValueError(
                f"Features must be at most {np.finfo(np.float32).max:.1e} as float32, found {scaled[too_large][0]:.3g}. "
                "Divide the feature by a constant."
            )
        return scaled.astype(np.float32)


def _plain(value: Any) -> Any:
    """Return a number of NumPy's, as a grid of ``np.arange`` has them, as Python's."""
    return value.item() if isinstance(value, np.generic) else value
