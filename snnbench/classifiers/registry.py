"""Which classifier belongs to which network."""

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

CLASSIFIERS: dict[str, type[NetworkClassifier]] = {
    "batchnorm": BatchNormClassifier,
    "highway": HighwayClassifier,
    "layernorm": LayerNormClassifier,
    "msrainit": MSRAInitClassifier,
    "resnet": ResNetClassifier,
    "snn": SNNClassifier,
    "weightnorm": WeightNormClassifier,
}
"""By the names of the networks, those of ``snnbench.models.NETWORKS``."""
