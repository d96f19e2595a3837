"""The models: one file a network in ``networks/``, estimators by their import path.

A network is a ``torch.nn.Module`` class built as ``Network(configs, n_features, n_outputs)``. Its attribute ``hyperparameters``
maps the name of each to a type annotation that says which values are allowed; those in its attribute ``defaults``, if it has
one, may be left out of a grid. An estimator is a scikit-learn class. Both are named by import path, so that a config file can
bring its own (``network = "my_package.my_file.MyNet"``) and that a model's name can be checked without torch or scikit-learn.
"""

from snnbench.models.checks import (
    PER_MEMBER,
    TRAINER_HYPERPARAMETERS,
    canonical,
    check_config,
    check_network,
    stack_key,
)
from snnbench.models.registry import NETWORKS, implementation, load_class, network_class

__all__ = [
    "NETWORKS",
    "PER_MEMBER",
    "TRAINER_HYPERPARAMETERS",
    "canonical",
    "check_config",
    "check_network",
    "implementation",
    "load_class",
    "network_class",
    "stack_key",
]
