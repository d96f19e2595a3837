"""What OpenML is sent of stored evaluations: a search as a flow, its grid as parameters, its predictions as a run."""

import json
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from snnbench.errors import DataError
from snnbench.records import digest
from snnbench.results.selection import OUTPUT_COLUMNS, SCORE_COLUMNS, scored_evaluations
from snnbench.results.store import read_results
from snnbench.suites.dividing import fold_name
from snnbench.suites.folder import FolderSuite
from snnbench.suites.openml_client import Client
from snnbench.suites.openml_files import BrokenSplitsError, OfficialSplit, read_levels, read_splits, read_task
from snnbench.suites.openml_trace import SEARCH_COLUMNS, make_trace, run_settings

_COLUMNS = (*SCORE_COLUMNS, *OUTPUT_COLUMNS, *SEARCH_COLUMNS, "finished_at", "snnbench_version")
_SEARCH = (
    "A search of snnbench, a benchmark harness for tabular data. Every configuration of a grid is trained on four fifths of a "
    "split's training rows; the one that is best on the others is trained once more and predicts the test rows. A parameter is "
    "the list of its values in the grid."
)


@dataclass(frozen=True, eq=False)
class OfficialTask:
    """A task of OpenML's as predictions need it.

    ``classes`` are those with rows, in the order of their numbers; ``labels`` those that OpenML declares.

    Shapes:
        y: (n_samples,) class indices.
    """

    number: int
    data_number: int
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    y: np.ndarray
    splits: dict[str, OfficialSplit]


@dataclass(frozen=True, eq=False)
class Stored:
    """The evaluations of a suite that count, with their ``column`` as a comparison names it, and the searches behind them."""

    results: Path
    evaluations: pd.DataFrame
    searches: pd.DataFrame


@dataclass(frozen=True)
class Flow:
    """A search, as OpenML describes it: the same model and code are one flow whatever its grid."""

    name: str
    version: str
    dependencies: str
    parameters: tuple[str, ...]

    def to_xml(self) -> str:
        """Return its description, by OpenML's client."""
        from openml import OpenMLFlow

        flow = OpenMLFlow(
            name=self.name,
            description=_SEARCH,
            model=None,
            components={},
            parameters=dict.fromkeys(self.parameters, ""),
            parameters_meta_info={name: {"data_type": None, "description": None} for name in self.parameters},
            external_version=self.version,
            tags=[],
            language="English",
            dependencies=self.dependencies,
        )
        return str(flow._to_xml())


@dataclass(frozen=True)
class Run:
    """The predictions of a search on all official test rows of a task and its trace ("" = none), as ARFF, and the settings."""

    task: str
    task_number: int
    data_number: int
    model: str
    seed: int
    flow: Flow
    settings: tuple[tuple[str, str], ...]
    predictions: str
    trace: str

    @property
    def key(self) -> str:
        """Identify everything that is sent."""
        return digest([self.task_number, self.flow.name, self.flow.version, self.settings, self.predictions, self.trace])

    @property
    def files(self) -> dict[str, tuple[str, str]]:
        """Names and texts of the files beside the description, as OpenML calls them."""
        predictions = {"predictions": ("predictions.arff", self.predictions)}
        return predictions | ({"trace": ("trace.arff", self.trace)} if self.trace else {})

    def to_xml(self, flow_number: int | None) -> str:
        """Return its description, by OpenML's client; None for a flow that has no number yet."""
        from openml import OpenMLRun

        settings = [{"oml:name": name, "oml:value": value, "oml:component": flow_number} for name, value in self.settings]
        run = OpenMLRun(self.task_number, flow_number, self.data_number, parameter_settings=settings)
        return str(run._to_xml())


def official_task(suite: FolderSuite, folder: Path, task: str, client: Client) -> OfficialTask:
    """Ask OpenML for the test rows and classes of a task that was fetched.

    Raises:
        DataError: If it is no task of OpenML's, or rows without a class were left out.
    """
    source = re.match(r"openml task ([0-9]+), ", suite.entry.tasks[task].source)
    if not source:
        raise DataError(f"Only tasks of OpenML can be published there, found {task}. Name others with --task.")
    described = read_task(client.ask(f"task/{source[1]}"))
    classes, y = suite.classes(task, folder), suite.load(task, folder).y
    try:
        splits = read_splits(client.text(described.splits_url), len(y))
    except BrokenSplitsError as error:
        raise DataError(
            f"OpenML wants a prediction for every test row of {task}, found {len(y)} rows that were used; others had no class, "
            f"or its splits have changed: {error} Name other tasks with --task."
        ) from error
    labels = read_levels(client.ask(f"data/features/{described.data_number}"), described.target) or classes
    if unknown := set(classes) - set(labels):
        raise DataError(f"The classes of {task} must be those that OpenML declares, found also {', '.join(sorted(unknown))}.")
    named = {fold_name(split.repeat + 1, split.fold + 1): split for split in splits}
    return OfficialTask(described.number, described.data_number, classes, labels, y, named)


def read_stored(results: Path, suite: str) -> Stored:
    """Return what is stored of a suite.

    Raises:
        DataError: If there are no evaluations.
    """
    rows = read_results([results], _COLUMNS)
    rows = rows[rows["suite"] == suite]
    scored = scored_evaluations(rows)
    if scored.empty:
        raise DataError(f"{results} must hold evaluations of {suite}, found none.")
    return Stored(results, scored, rows[rows["stage"] == "search"])


def make_runs(stored: Stored, task: str, official: OfficialTask) -> Iterator[Run]:
    """Yield a run for each model and seed of a task.

    Args:
        stored: What is stored of its suite.
        task: Its name.
        official: What OpenML says of it.

    Raises:
        DataError: If a split has no predictions, or those of other rows than OpenML's.
    """
    of_task = stored.evaluations[stored.evaluations["task"] == task]
    for (model, seed), rows in of_task.groupby(["column", "seed"], sort=True):
        by_split = rows.set_index("split")
        if absent := [name for name in official.splits if name not in by_split.index]:
            named = ", ".join(absent[:8]) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")
            raise DataError(
                f"OpenML wants predictions for all {len(official.splits)} splits of {task}, but {model} (seed {seed}) has none "
                f"for {named}. Run them with --repetition 1..{len(official.splits)}, or name other models with --model."
            )
        settings = _settings(rows, stored.results)
        flow = _flow(rows, settings)
        yield Run(
            task=task,
            task_number=official.number,
            data_number=official.data_number,
            model=str(model),
            seed=int(seed),
            flow=flow,
            settings=tuple(zip(flow.parameters, [*settings.values(), str(seed)], strict=True)),
            predictions=_arff(official, list(_predictions(official, by_split)), flow),
            trace=make_trace(stored.searches, by_split, official.splits, stored.results),
        )


def _settings(rows: pd.DataFrame, results: Path) -> dict[str, str]:
    """Return a model's grid, and what else its numbers follow from, as text by name."""
    last = rows.sort_values("finished_at").iloc[-1]
    settings = run_settings(results, last["settings_digest"], last["model"])
    model = settings.models[last["model"]]
    said = model.model_dump(exclude={"grid", "accelerator"})
    given = {**model.grid, **{name: value for name, value in said.items() if value}}
    if not model.estimator:
        given["training"] = settings.training.model_dump()
    return {name: json.dumps(value) for name, value in sorted(given.items())}


def _flow(rows: pd.DataFrame, settings: dict[str, str]) -> Flow:
    last = rows.sort_values("finished_at").iloc[-1]
    parameters = (*settings, "seed")
    code = digest(
        [last["code_digest"], last["code_versions"], parameters, settings.get("estimator"), settings.get("network")], 8
    )
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(last["model"]))
    return Flow(
        name=f"snnbench.search.{name}",
        version=f"snnbench=={last['snnbench_version']},code=={code}",
        dependencies=f"snnbench=={last['snnbench_version']}, {last['code_versions']}".replace(" ", "==").replace(",==", "\n"),
        parameters=parameters,
    )


def _predictions(official: OfficialTask, by_split: pd.DataFrame) -> Iterator[list[Hashable]]:
    """Yield repeat, fold, sample, row, predicted and true class, and a confidence for each declared class."""
    place = [official.classes.index(label) if label in official.classes else -1 for label in official.labels]
    for name, split in official.splits.items():
        row = by_split.loc[name]
        if not np.array_equal(row["test_targets"], official.y[split.test]):
            raise DataError(
                f"The test rows of {name} must be OpenML's, found the classes of others. Fetch and run the task again."
            )
        outputs = np.asarray(row["test_outputs"], dtype=np.float64).reshape(-1, int(row["task_n_outputs"]))
        predicted = outputs.argmax(axis=1)
        is_share = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
        shares = outputs if is_share else np.eye(outputs.shape[1])[predicted]  # decision values are no confidences
        shares = np.column_stack([shares, np.zeros(len(shares))])[:, place]
        for row_id, guess, label, confidence in zip(split.test, predicted, official.y[split.test], shares, strict=True):
            words = official.classes[guess], official.classes[label]
            yield [split.repeat, split.fold, 0, int(row_id), *words, *confidence.round(6).tolist()]


def _arff(official: OfficialTask, rows: Sequence[list[Hashable]], flow: Flow) -> str:
    import arff

    labels = list(official.labels)
    attributes: list[tuple[str, Any]] = [(name, "NUMERIC") for name in ("repeat", "fold", "sample", "row_id")]
    attributes += [("prediction", labels), ("correct", labels)]
    attributes += [(f"confidence.{label}", "NUMERIC") for label in labels]
    relation = f"openml_task_{official.number}_predictions"
    content = {"relation": relation, "description": f"{flow.name} ({flow.version})", "attributes": attributes, "data": rows}
    return str(arff.dumps(content))
