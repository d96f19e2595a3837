"""From a TOML file in ``configs/`` to validated run settings and the grid of each model."""

import math
import tomllib
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt, MinLen
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from snnbench.errors import ConfigError, UnknownNameError
from snnbench.records import Config, ModelEncoding, Value, digest
from snnbench.resources import resource

PROTOCOL_VERSION = 3
"""Part of every result's key; raised when a change of this package's code changes numbers, so that old rows are not reused.

Neither the package's version nor a digest of its files would do: most releases, and most edits, change no number, and would
have everything trained again. That a change of numbers is not overlooked is for ``make reproduce``, which holds the preset
``ci`` to what was recorded for this version."""


class TrainingSettings(BaseModel):
    """How a network is trained. The defaults are the paper's where it says them, else ours (see ``configs/README.md``).

    The validation curve is averaged over ``smoothing_window`` epochs, which end at the epoch or, ``"centred"``, surround it; a
    window of 1 does not smooth.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    n_epochs: Annotated[int, Ge(1)] = 100
    batch_size: Annotated[int, Ge(1)] = 128
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    smoothing_window: Annotated[int, Ge(1)] = 10
    smoothing: Literal["trailing", "centred"] = "trailing"


FULLY_CONNECTED = "fully_connected"
"""What ``network`` says for fully connected layers with an ``activation`` of one's own."""

SELF_NORMALIZING = "self-normalizing"
"""A ``gain`` that is asked of the theory, see ``snnbench.paper.theory.normalising``."""

_DEFAULTS = {"gain": 1.0, "scale": 1.0, "shift": 0.0, "dropout": "plain"}
"""Of a table with an activation."""

_ADDED = ("early_stopping", "encoding", "activation", "init", *_DEFAULTS)


class ModelSettings(BaseModel):
    """One model of the run: its grid, and where it comes from when it is not one of ours.

    ``arguments`` are those of an estimator that are not searched; a table with a key ``class`` in them is an object of that
    class. ``accelerator`` names another implementation of it, see ``snnbench.models.estimators.accelerators``.
    ``encoding`` is how it gets the columns of a table, instead of the task's own encoding.
    ``early_stopping`` ends an estimator's fit after so many rounds without a better validation loss, see
    ``snnbench.models.estimators.stopping``.
    ``activation`` is the import path of a function or module, for the network ``fully_connected`` alone. Its hidden layers are
    ``scale * activation(x @ weight + bias) + shift``, initial weights have the variance ``gain / n_in``, and ``dropout`` is
    plain or the alpha dropout of self-normalizing networks. ``init`` is the import path of a function that draws the weights
    otherwise; they are then multiplied by the root of ``gain``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    network: str | None = None
    estimator: str | None = None
    arguments: dict[str, Any] = {}
    accelerator: str | None = None
    encoding: ModelEncoding | None = None
    early_stopping: Annotated[int, Ge(1)] | None = None
    activation: str | None = None
    gain: float | str | None = None
    scale: float | None = None
    shift: float | None = None
    dropout: str | None = None
    init: str | None = None
    grid: dict[str, Value | list[Value]]

    @model_validator(mode="before")
    @classmethod
    def _say_defaults(cls, table: Any) -> Any:
        """Write down what an activation's table leaves out, so that what is said and what is not have one digest."""
        if not isinstance(table, dict) or not table.get("activation"):
            return table
        known = {"gain": 1.0, "dropout": "plain"} if table.get("gain") == SELF_NORMALIZING else _DEFAULTS
        return known | table

    @field_validator("grid", mode="after")
    @classmethod
    def _one_number(cls, grid: dict[str, Any], found: ValidationInfo) -> dict[str, Any]:
        return grid if found.data.get("estimator") else {name: _whole(values) for name, values in grid.items()}

    @model_validator(mode="after")
    def _one_source(self) -> "ModelSettings":
        if self.network and self.estimator:
            raise ValueError("a model is a network or an estimator, found both")
        if self.accelerator and not self.estimator:
            raise ValueError("only an estimator has an accelerator; a network is trained where --device says")
        if self.encoding == "native" and not self.estimator:
            raise ValueError("only an estimator takes levels and gaps as they are; a network has one-hot or ordinal")
        if self.early_stopping and not self.estimator:
            raise ValueError("only an estimator has early_stopping; a network stops as [training] says")
        if self.arguments and not self.estimator:
            raise ValueError("only an estimator takes arguments; those of a network belong into its grid")
        for name, values in self.grid.items():
            if isinstance(values, list) and (not values or len(set(map(repr, values))) < len(values)):
                raise ValueError(f"'{name}' must list at least one value and none twice, found {values}")
        return self

    @model_validator(mode="after")
    def _one_activation(self) -> "ModelSettings":
        if (self.network == FULLY_CONNECTED) != (self.activation is not None):
            raise ValueError(
                f"network = '{FULLY_CONNECTED}' and an activation, as 'torch.nn.functional.mish', belong together, found "
                f"network {self.network!r} and activation {self.activation!r}"
            )
        said = {name: value for name in (*_DEFAULTS, "init") if (value := getattr(self, name)) is not None}
        if self.activation is None and said:
            raise ValueError(f"only a model with an activation has {', '.join(said)}")
        if self.init is not None and "." not in self.init:
            raise ValueError(f"init must be an import path, as 'torch.nn.init.orthogonal_', found {self.init!r}")
        if self.dropout not in (None, "plain", "alpha"):
            raise ValueError(f"dropout must be 'plain' or 'alpha', found {self.dropout!r}")
        if self.gain == SELF_NORMALIZING and (self.scale, self.shift) != (None, None):
            raise ValueError(f"gain = '{SELF_NORMALIZING}' finds scale and shift itself; leave them out")
        if self.gain not in (None, SELF_NORMALIZING) and not _is_positive(self.gain):
            raise ValueError(f"gain must be a finite number above 0 or '{SELF_NORMALIZING}', found {self.gain!r}")
        if self.scale is not None and not _is_positive(self.scale):
            raise ValueError(f"scale must be a finite number above 0, found {self.scale!r}")
        if self.shift is not None and not math.isfinite(self.shift):
            raise ValueError(f"shift must be finite, found {self.shift!r}")
        return self

    @model_serializer(mode="wrap")
    def _without_the_unsaid(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what a table does not say of choices that were added later: its digest stays what it was before."""
        return {name: value for name, value in serialise(self).items() if value is not None or name not in _ADDED}


class RunSettings(BaseModel):
    """The resolved settings of a run: everything in the config that a result depends on.

    ``data`` says how features are prepared, where the suite leaves a choice. ``select_by`` is what the best configuration is
    selected of: of all of a ``"model"``, or of those of each ``"depth"``, so that depths can be compared.
    ``preprocessing`` is how published features are used: as they are, or standardised again on the training rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    training: TrainingSettings = TrainingSettings()
    data: dict[str, Value] = {}
    select_by: Literal["model", "depth"] = "model"
    preprocessing: Literal["as-published", "restandardise"] = "as-published"
    models: Annotated[dict[str, ModelSettings], MinLen(1)]

    @property
    def digest(self) -> str:
        """Identifies the settings in the results."""
        return digest([PROTOCOL_VERSION, self.model_dump()])

    def grid_digest(self, model: str) -> str:
        """Identify a model's grid and training: results with equal digests may share a column of a table."""
        training = None if self.models[model].estimator else self.training.model_dump()
        return digest([PROTOCOL_VERSION, training, self.models[model].model_dump(), *self.data_settings], length=8)

    @property
    def data_settings(self) -> list[str]:
        """What a key says of the preprocessing: nothing where features are used as published, as before there was a choice."""
        return [] if self.preprocessing == "as-published" else [self.preprocessing]


def presets(suite: str) -> list[str]:
    """Return the names of a suite's presets."""
    return sorted(path.stem for path in _config_folder(suite).glob("*.toml"))


def _config_folder(suite: str) -> Path:
    """Return the folder with a suite's presets; suites of the user's share one."""
    folder = resource("configs", suite)
    return folder if folder.is_dir() else resource("configs", "own")


def load_config(suite: str, preset: str = "quick", file: Path | None = None) -> RunSettings:
    """Read and validate a config.

    A file may say ``extends = "SUITE/PRESET"``; its own tables then replace those of that preset, key by key.

    Raises:
        ConfigError: If the file is not TOML or has a wrong type or value.
        UnknownNameError: If the preset or a key does not exist.
    """
    if file is None:
        if preset not in presets(suite):
            raise UnknownNameError(f"preset of {suite}", preset, presets(suite))
        file = _config_folder(suite) / f"{preset}.toml"
    tables = _read_toml(file)
    try:
        return RunSettings.model_validate(tables)
    except ValidationError as error:
        raise _explain(error, file) from error


def expand_grid(model: str, settings: ModelSettings) -> list[Config]:
    """Return every configuration of a model's grid, the last hyperparameter varying fastest."""
    names = list(settings.grid)
    axes = [values if isinstance(values, list) else [values] for values in settings.grid.values()]
    return [Config(model, tuple(zip(names, point, strict=True))) for point in product(*axes)]


def _is_positive(value: float | str | None) -> bool:
    return isinstance(value, float | int) and math.isfinite(value) and value > 0


def _whole(value: Any) -> Any:
    """Return a network's values with every whole number as an integer: 1.0 is 1.

    Not an estimator's: to some of scikit-learn's parameters 1 is a number of rows or features, and 1.0 a share of them.
    """
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file} must be a readable TOML file, found: {error.strerror}. Name another --config.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} must be a readable TOML file, found: {error}.") from error
    parent = tables.pop("extends", None)
    if parent is None:
        return tables
    suite, _, preset = str(parent).partition("/")
    known = [f"{folder.name}/{name}" for folder in resource("configs").iterdir() for name in presets(folder.name)]
    if parent not in known:
        raise UnknownNameError(f"config to extend in {file}", str(parent), known)
    merged = _read_toml(resource("configs", suite, f"{preset}.toml"))
    return _merge(merged, tables)


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes``; a grid is replaced as a whole, so that no forgotten axis multiplies it."""
    merged = dict(base)
    for key, value in changes.items():
        both_tables = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both_tables and key != "grid" else value
    return merged


def _explain(error: ValidationError, file: Path) -> ConfigError | UnknownNameError:
    """Turn the most telling finding of pydantic into one sentence with the place and the nearest known key."""
    findings = error.errors()
    # A misspelled key is also a missing one: the misspelling says more.
    finding = next((finding for finding in findings if finding["type"] == "extra_forbidden"), findings[0])
    place = [str(part) for part in finding["loc"]]
    if finding["type"] == "extra_forbidden":
        schemas: tuple[type[BaseModel], ...] = (RunSettings, TrainingSettings, ModelSettings)
        schema = schemas[len(place) - 1]
        return UnknownNameError(f"key in {file}, [{'.'.join(place[:-1]) or 'top level'}]", place[-1], schema.model_fields)
    # Our own checks say themselves what they found.
    found = "" if finding["type"] in ("missing", "value_error") else f", found {finding['input']!r}"
    words = finding["msg"].removeprefix("Value error, ")
    # Beyond the grid's name, the path only tells which member of a union pydantic tried.
    place = place[:4] if place[:1] == ["models"] else place
    return ConfigError(f"{file}: {'.'.join(place)}: {words}{found}.")
