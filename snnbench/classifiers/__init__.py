"""scikit-learn classifiers, one for each network, and a grid search that trains its networks as stacks."""

from snnbench.classifiers.network_classifier import NetworkClassifier
from snnbench.classifiers.networks import (
    BatchNormClassifier,
    HighwayClassifier,
    LayerNormClassifier,
    MSRAInitClassifier,
    ResNetClassifier,
    SNNClassifier,
    WeightNormClassifier,
)
from snnbench.classifiers.registry import CLASSIFIERS
from snnbench.classifiers.search import StackedSearchCV

__all__ = [
    "CLASSIFIERS",
    "BatchNormClassifier",
    "HighwayClassifier",
    "LayerNormClassifier",
    "MSRAInitClassifier",
    "NetworkClassifier",
    "ResNetClassifier",
    "SNNClassifier",
    "StackedSearchCV",
    "WeightNormClassifier",
]
