"""snnbench: the benchmarks of "Self-Normalizing Neural Networks" (NIPS 2017), for anyone to run.

``import snnbench as sb`` offers the names in ``__all__``; ``docs/api.md`` shows them at work. They are loaded when they are
first used, so that importing the package costs nothing.

Importing it sets the environment variable ``MKL_CBWR`` if it is not set, see ``snnbench.mkl``: every process that trains must
have it before MKL is first used.
"""

from importlib import import_module
from typing import Any

from snnbench.mkl import make_reproducible

__version__ = "0.1.0"

make_reproducible()

_API, _CLASSIFIERS = "snnbench.api", "snnbench.classifiers"
_MODULES = {
    "BatchNormClassifier": _CLASSIFIERS,
    "HighwayClassifier": _CLASSIFIERS,
    "LayerNormClassifier": _CLASSIFIERS,
    "MSRAInitClassifier": _CLASSIFIERS,
    "ResNetClassifier": _CLASSIFIERS,
    "SNNClassifier": _CLASSIFIERS,
    "SnnbenchError": "snnbench.errors",
    "StackedSearchCV": _CLASSIFIERS,
    "WeightNormClassifier": _CLASSIFIERS,
    "compare": _API,
    "load_results": _API,
    "load_task": _API,
    "plan": _API,
    "run": _API,
    "score_table": _API,
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'snnbench' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
