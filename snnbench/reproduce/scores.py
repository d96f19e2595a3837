"""The scores of a check: from a results folder, from a recorded JSON file, or from a published table."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from snnbench.config import PROTOCOL_VERSION
from snnbench.errors import DataError, SnnbenchError
from snnbench.results.data_versions import check_versions, choose_versions
from snnbench.results.published import PUBLISHED, PUBLISHED_RUNS, load_published, published_runs
from snnbench.results.selection import only_suite
from snnbench.results.store import read_results
from snnbench.suites import know_suites

PLACE = ["task", "split", "preset", "model", "seed"]
"""What identifies an evaluation on both sides."""
MACHINE = ("cpu", "mkl_cbwr", "device", "precision", "stacking", "torch_version", "numpy_version", "scikit_learn_version")
"""What must agree where bits are to be equal."""

_KEPT = [*PLACE, "grid", "task_sha256", "status", "config", "n_epochs", "n_test", "test_score", "bits"]
_READ = (
    "stage", "suite", "task", "split", "preset", "model", "seed", "grid", "task_sha256", "config", "n_epochs", "test_score",
    "train_loss", "test_targets", "test_outputs", "n_test", *MACHINE,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scores:
    """Evaluations, one row each, and where they come from.

    ``rows`` has the columns ``PLACE``, grid, task_sha256, status, config, n_epochs, n_test, test_score and bits, a digest of
    all numbers of the evaluation. A published table has no splits, seeds and bits; then ``decimals`` is how it is printed.
    ``notes`` are sentences on what is stored beside them.
    """

    source: str
    suite: str
    rows: pd.DataFrame
    machines: tuple[dict[str, Any], ...] = ()
    protocol_version: int = PROTOCOL_VERSION
    decimals: int | None = None
    notes: tuple[str, ...] = ()


def read_scores(folders: Sequence[Path], suite: str | None = None, data: Sequence[str] = ()) -> Scores:
    """Return the evaluations of results folders; of several on one place the newest.

    Args:
        folders: Results folders.
        suite: Whose, if there are several.
        data: Versions of the data, as in ``versions.choose_versions``; none for the newest of each task.

    Raises:
        SnnbenchError: If there is none, or there are several suites and none was named.
    """
    know_suites(folders)
    rows = read_results(folders, _READ)
    suite = only_suite(rows, suite)
    rows = rows[(rows["suite"] == suite) & (rows["stage"] == "evaluate")].sort_values("finished_at", kind="stable")
    check_versions(rows, data)
    rows, notes = choose_versions(rows, data)
    rows = rows.drop_duplicates(PLACE, keep="last")
    if rows.empty:
        raise SnnbenchError(f"A check needs evaluations of {suite}, found none in {_words(folders)}. Run `snnbench run` first.")
    machines = [
        dict(zip(MACHINE, values, strict=True)) for values in rows[list(MACHINE)].drop_duplicates().itertuples(index=False)
    ]
    n_test = rows["test_targets"].map(len, na_action="ignore").fillna(rows["n_test"]).astype(int)
    rows = rows.assign(n_test=n_test, bits=[_bits(row) for row in rows.itertuples()])
    return Scores(_words(folders), suite, rows[_KEPT].sort_values(PLACE).reset_index(drop=True), tuple(machines), notes=notes)


def record(scores: Scores, file: Path) -> None:
    """Write scores to a JSON file that a check can be held against; small, sorted and without a date, so that it can be kept.

    Raises:
        DataError: If the file cannot be written.
    """
    content = {
        "suite": scores.suite,
        "protocol_version": scores.protocol_version,
        "machines": scores.machines,
        "evaluations": [{**row, "test_score": _finite(row["test_score"])} for row in scores.rows.to_dict("records")],
    }
    lines = json.dumps(content["evaluations"], default=int).replace("}, {", "},\n    {")
    head = json.dumps({name: content[name] for name in ("suite", "protocol_version", "machines")}, indent=2, default=str)
    try:
        file.write_text(f'{head[:-2]},\n  "evaluations": [\n    {lines[1:-1]}\n  ]\n}}\n', encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"--record must be a file that can be written, but {file} says: {error.strerror}.") from error


def load_expected(name: str, suite: str) -> Scores:
    """Return what is expected: a results folder, a file made by ``record``, or the name of a published table.

    Raises:
        SnnbenchError: If it is none of these, damaged, or of another suite.
    """
    path = Path(name)
    if name in PUBLISHED:
        expected = _from_published(name)
    elif name in PUBLISHED_RUNS:
        expected = read_scores([published_runs(name)], suite)
    elif path.is_dir():
        expected = read_scores([path], suite)
    elif path.is_file():
        expected = _from_file(path)
    else:
        raise SnnbenchError(
            "--against must be a results folder, a file made by --record or one of "
            f"{', '.join([*PUBLISHED, *PUBLISHED_RUNS])}, found nothing at {name}."
        )
    if expected.suite != suite:
        raise SnnbenchError(f"Both sides must be of one suite, but {name} is of {expected.suite} and the results of {suite}.")
    return expected


def _from_file(file: Path) -> Scores:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        rows = pd.DataFrame(content["evaluations"])[_KEPT]
        rows = rows.assign(test_score=rows["test_score"].astype(float), n_test=rows["n_test"].astype(int))
        machines = tuple(dict(machine) for machine in content["machines"])
        return Scores(str(file), str(content["suite"]), rows, machines, int(content["protocol_version"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{file} must be a file made by `snnbench check --record`, but reading it says: {reason}. Record it again."
        ) from error


def _from_published(name: str) -> Scores:
    table = load_published(name).rename_axis(index="task", columns="model").stack().dropna().rename("test_score").reset_index()
    rows = table.reindex(columns=_KEPT).assign(split="", preset="", seed=0, status="ok", n_test=0)
    return Scores(name, PUBLISHED[name].suite, rows, decimals=PUBLISHED[name].decimals)


def _bits(row: Any) -> str:
    """Return a digest of all numbers of an evaluation; "" where only its scores are stored (``results.condensing``)."""
    if row.test_outputs is None:
        return ""
    sha256 = hashlib.sha256(float(row.test_score).hex().encode())
    for name in ("train_loss", "test_outputs"):
        sha256.update(np.asarray(getattr(row, name)).tobytes())
    return sha256.hexdigest()[:16]


def _finite(number: float) -> float | None:
    return None if np.isnan(number) else number


def _words(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
