"""The keys of trainings: digests of everything that their numbers depend on.

A plan of the paper's grid has 120,000 of them, so what many share (the data, the configuration, how it is trained) is written
once.
"""

import hashlib
import json
from dataclasses import astuple

from snnbench.config import PROTOCOL_VERSION
from snnbench.models.code import code_of
from snnbench.records import Code, Config
from snnbench.training.context import RunSpec


class Keys:
    """The keys of the trainings of one run; it remembers the parts that it has written."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._data: dict[tuple[str, str, str], str] = {}
        self._configs: dict[
            int, tuple[Config, str]
        ] = {}  # by identity: to Python 1 and 1.0 are equal, where they mean two things
        self._how: dict[tuple[str, Code | None], str] = {}

    def search(self, task: str, split: str, config: Config, n_epochs: int, code: Code | None = None) -> str:
        """Return the key of a search; by other code than that at hand if given."""
        return _digest(f'["search",{self._identity(task, split, config, self._spec.seed, code)},{n_epochs}]')

    def evaluation(self, task: str, split: str, config: Config, ending: tuple[int, int, int], code: Code | None = None) -> str:
        """Return the key of an evaluation, whose ``ending`` is its seed, its epochs and the seed of its search.

        It includes the grid that was searched: another grid may select the same configuration, but that is another result.
        """
        seed, n_epochs, search_seed = ending
        grid = _items(self._spec.settings.grid_digest(config.model))
        return _digest(f'["evaluate",{self._identity(task, split, config, seed, code)},{n_epochs},{search_seed},{grid}]')

    def _identity(self, task: str, split: str, config: Config, seed: int, code: Code | None) -> str:
        """Return what every key holds, as items of canonical JSON."""
        of, encoding = self._spec.tasks[task], self._spec.encoding(task, config.model)
        if (data := self._data.get((task, split, encoding))) is None:
            said = [encoding] if encoding != of.encoding else []  # the task's own is part of its SHA-256
            data = _items(of.suite, of.name, of.sha256, split, *self._spec.settings.data_settings, *said)
            self._data[task, split, encoding] = data
        if (written := self._configs.get(id(config))) is None:
            written = self._configs[id(config)] = config, _items(config.model, config.values)
        if (how := self._how.get((config.model, code))) is None:
            how = self._how[config.model, code] = self._write_how(config.model, code)
        return f"{data},{written[1]},{how},{seed}"

    def _write_how(self, model: str, code: Code | None) -> str:
        settings = self._spec.settings
        table = settings.models[model]
        # An estimator knows neither epochs nor devices; a deep network's numbers on a CPU and on a GPU do not agree.
        if table.estimator:
            how = [table.arguments, *([table.early_stopping] if table.early_stopping else [])]
        else:
            kernels = self._spec.gpu.kernels
            design = [table.activation, table.gain, table.scale, table.shift, table.dropout]
            design += [table.init] if table.init else []
            how = [
                settings.training.model_dump(),
                *astuple(self._spec.compute),
                *([kernels] if kernels != "plain" else []),
                *([design] if table.activation else []),
            ]
        return _items(PROTOCOL_VERSION, *astuple(code or code_of(model, table)), *how)


def _items(*content: object) -> str:
    """Return items as ``records.digest`` writes those of a list."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)[1:-1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
