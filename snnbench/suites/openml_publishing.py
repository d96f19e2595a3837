"""Publishing stored evaluations at OpenML: what was published is written down, so that a publication that broke goes on."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from snnbench.errors import DataError, StoreError, UnknownNameError
from snnbench.results.writing import write_text
from snnbench.suites.folder import FolderSuite
from snnbench.suites.openml_client import Client, server_address
from snnbench.suites.openml_files import read_upload
from snnbench.suites.openml_runs import Flow, Run, make_runs, official_task, read_stored


@dataclass(frozen=True)
class Published:
    """A run at OpenML; ``key`` identifies what was sent, ``server`` where to."""

    server: str
    key: str
    task: str
    model: str
    seed: int
    flow: int
    run: int

    @property
    def address(self) -> str:
        """Its page."""
        parts = urlsplit(self.server)
        return f"{parts.scheme}://{parts.netloc}/r/{self.run}"


@dataclass(frozen=True)
class Chosen:
    """Which results are published: a suite that was fetched, and of it some tasks and models (none named: all)."""

    results: Path
    suite: FolderSuite
    folder: Path
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


def plan_runs(chosen: Chosen, client: Client) -> list[Run]:
    """Return what is to be published; nothing is sent.

    Raises:
        DataError: If something of it is not what OpenML wants; the message names every task.
        UnknownNameError: If a task or a model has no evaluations.
    """
    stored = read_stored(chosen.results, chosen.suite.entry.name)
    evaluations = stored.evaluations
    for what, asked, column in (("task", chosen.tasks, "task"), ("model", chosen.models, "column")):
        _check_known(what, asked, set(evaluations[column]))
        evaluations = evaluations[evaluations[column].isin(asked)] if asked else evaluations
    runs: list[Run] = []
    faults: list[str] = []
    for task in dict.fromkeys(evaluations["task"].sort_values()):
        try:
            official = official_task(chosen.suite, chosen.folder, task, client)
            runs += make_runs(replace(stored, evaluations=evaluations), task, official)
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError(" ".join(faults))
    return runs


def publish(runs: Sequence[Run], client: Client, results: Path, report: Callable[[str], None]) -> list[Published]:
    """Send what was not sent before, a run at a time; return all of it.

    Raises:
        DataError: If OpenML refuses, or does not answer; the same command goes on there.
    """
    before = read_published(results)
    known = {(one.server, one.key): one for one in before}
    flows: dict[Flow, int] = {}
    found = []
    for n_done, run in enumerate(runs):
        identity = server_address(), run.key
        if identity not in known:
            try:
                if run.flow not in flows:
                    flows[run.flow] = _flow_number(run.flow, client)
                number = flows[run.flow]
                files = {"description": ("description.xml", run.to_xml(number)), **run.files}
                sent = read_upload(client.post("run/", {}, files), "upload_run", "run_id")
            except DataError as error:
                raise DataError(
                    f"{n_done} of {len(runs)} runs are published: {error} The same command goes on there."
                ) from error
            known[identity] = Published(*identity, run.task, run.model, run.seed, number, sent)
            _write(results, list(known.values()))
            report(f"Published {run.model} on {run.task}, seed {run.seed}: {known[identity].address}")
        found.append(known[identity])
    return found


def write_runs(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write what would be sent: the flow and the run as XML, the predictions and the trace as ARFF, a folder for each run.

    Raises:
        StoreError: If a file cannot be written.
    """
    places = []
    for run in runs:
        place = folder / f"{run.task}-{run.flow.name.rpartition('.')[2]}-{run.key[:8]}"
        write_text(place / "flow.xml", run.flow.to_xml())
        write_text(place / "run.xml", run.to_xml(None))
        for name, text in run.files.values():
            write_text(place / name, text)
        places.append(place)
    return places


def read_published(results: Path) -> list[Published]:
    """Return what was published of a results folder.

    Raises:
        StoreError: If the file that says so is damaged: what it named would be published twice.
    """
    file = results / _FILE
    if not file.exists():
        return []
    try:
        return [Published(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(
            f"{file} must say which runs are published, but reading it says: {error}. Mend or remove it."
        ) from error


_FILE = Path("_openml", "published.json")


def _write(results: Path, published: Sequence[Published]) -> None:
    write_text(results / _FILE, json.dumps([asdict(one) for one in published], indent=1) + "\n")


def _flow_number(flow: Flow, client: Client) -> int:
    """Return OpenML's number of a flow, which is sent if it is not there yet."""
    named = {"name": flow.name, "external_version": flow.version}
    number = read_upload(client.post("flow/exists", named), "flow_exists")
    if number:
        return number
    return read_upload(client.post("flow/", {}, {"description": ("description.xml", flow.to_xml())}), "upload_flow")


def _check_known(what: str, asked: Sequence[str], known: Collection[str]) -> None:
    for name in asked:
        if name not in known:
            raise UnknownNameError(what, name, known)
