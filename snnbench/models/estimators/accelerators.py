"""Other implementations of scikit-learn's classes, used on request: on the same CPU or on a GPU.

A model's table says ``accelerator = "sklearnex"``, or ``snnbench run --accelerator`` says it for all that have a faster twin.
The twin's import path then stands for the model's own: in the key of every result, so that its numbers, which are not
scikit-learn's bit by bit, are never taken for those of the original. Every row names the package and its version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from snnbench.config import ModelSettings, RunSettings
from snnbench.errors import ConfigError, UnknownNameError
from snnbench.records import Compute, Value


@dataclass(frozen=True)
class Accelerator:
    """A package that has its own versions of some classes.

    ``classes`` maps scikit-learn's import path to the package's; ``arguments`` holds, by the latter, what it needs to repeat
    itself; ``requirement`` is what pip installs; ``is_gpu`` says whether it needs a GPU.
    """

    module: str
    requirement: str
    classes: Mapping[str, str]
    arguments: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    is_gpu: bool = False


def _twins(module: str, *paths: str) -> dict[str, str]:
    return {f"sklearn.{path}": f"{module}.{path}" for path in paths}


ACCELERATORS = {
    "sklearnex": Accelerator(
        "sklearnex",
        "scikit-learn-intelex",
        _twins(
            "sklearnex",
            "ensemble.ExtraTreesClassifier",
            "ensemble.RandomForestClassifier",
            "linear_model.LogisticRegression",
            "neighbors.KNeighborsClassifier",
            "svm.NuSVC",
            "svm.SVC",
        ),
    ),
    # All four take several classes. A forest of several streams is not repeatable; an SVC gives decision values unless its
    # arguments say `probability = true`, as scikit-learn's; hyperparameters that cuML lacks are refused by their names.
    "cuml": Accelerator(
        "cuml",
        "cuml-cu12",
        _twins(
            "cuml",
            "ensemble.RandomForestClassifier",
            "linear_model.LogisticRegression",
            "neighbors.KNeighborsClassifier",
            "svm.SVC",
        ),
        {"cuml.ensemble.RandomForestClassifier": {"n_streams": 1}},
        is_gpu=True,
    ),
}


def accelerate(settings: RunSettings, name: str) -> RunSettings:
    """Return the settings with an accelerator for every estimator that it has, and that names none itself.

    Raises:
        ConfigError: If it cannot be used here.
        UnknownNameError: If there is no such accelerator.
    """
    _check_usable(name)
    classes = ACCELERATORS[name].classes
    chosen = {
        model: table.model_copy(update={"accelerator": table.accelerator or name}) if table.estimator in classes else table
        for model, table in settings.models.items()
    }
    return settings.model_copy(update={"models": chosen})


def accelerated(estimator: str, settings: ModelSettings) -> str:
    """Return the import path that a model's table asks for in place of its estimator's.

    Raises:
        ConfigError: If the accelerator has no such class or cannot be used here.
        UnknownNameError: If there is no such accelerator.
    """
    if not settings.accelerator:
        return estimator
    _check_usable(settings.accelerator)
    classes = ACCELERATORS[settings.accelerator].classes
    if estimator not in classes:
        raise ConfigError(f"{settings.accelerator} must have a version of {estimator}, but has only {', '.join(classes)}.")
    return classes[estimator]


def needs_gpu(settings: ModelSettings, compute: Compute) -> bool:
    """Say whether a model is trained on a GPU: a network by ``--device``, an estimator by its accelerator."""
    if settings.estimator:
        return settings.accelerator is not None and ACCELERATORS[settings.accelerator].is_gpu
    return compute.device == "cuda"


def accelerator_version(settings: ModelSettings) -> str:
    """Return the package behind a model's accelerator with its version, for the results; "" without one."""
    if not settings.accelerator:
        return ""
    requirement = ACCELERATORS[settings.accelerator].requirement
    try:
        return f"{settings.accelerator} {version(requirement)}"
    except PackageNotFoundError:  # cuML's distribution is called after its CUDA
        return settings.accelerator


def _check_usable(name: str) -> None:
    if name not in ACCELERATORS:
        raise UnknownNameError("accelerator", name, ACCELERATORS)
    accelerator = ACCELERATORS[name]
    if find_spec(accelerator.module) is None:
        raise ConfigError(
            f"The accelerator {name} must be installed, found no package {accelerator.module}. "
            f"Install it with `pip install {accelerator.requirement}`, or leave the accelerator out."
        )
    if accelerator.is_gpu:
        import torch

        if not torch.cuda.is_available():
            raise ConfigError(f"The accelerator {name} needs a GPU, found none. Leave it out.")
