"""Jobs and rows to be stored; and results folders of schema 1: a file a job, and one for each row that failed."""

from pathlib import Path

import pyarrow.parquet as pq

from snnbench.records import Config, Job, Member, Result, digest
from snnbench.results.store import to_table


def job_of(*keys: str) -> Job:
    """Return a job of members with these keys."""
    config = Config("snn", (("n_layers", 2),))
    return Job("search", "core", tuple(Member("iris", "repetition-1", config, 0, 100, key) for key in keys))


def result(key: str, status="ok", finished_at="2026-01-01", **changes) -> Result:
    """Return the result of a member."""
    values = {
        "key": key, "stage": "search", "suite": "core", "task": "iris", "split": "repetition-1", "model": "snn",
        "config": "{}", "config_key": "c", "seed": 0, "n_epochs": 100, "status": status, **changes,
    }  # fmt: skip
    return Result(**values, provenance={"finished_at": finished_at, "n_cores": 2})


def write_old_file(file: Path, rows: list[Result]) -> None:
    """Write the file of a job."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(to_table(rows).replace_schema_metadata({b"snnbench_schema_version": b"1"}), file)


def write_old_folder(results: Path, n_jobs: int) -> dict[str, tuple[str, float | None]]:
    """Write jobs of two rows; the last row of the last job failed. Return status and validation score by key."""
    written: dict[str, tuple[str, float | None]] = {}
    for job in range(n_jobs):
        stage = "evaluate" if job % 3 == 0 else "search"
        rows = [result(digest([job, k]), stage=stage, valid_score=job + k / 2, train_loss=(1.0, 0.5)) for k in range(2)]
        if job == n_jobs - 1:
            failure = result(rows.pop().key, status="failed", stage=stage, error="boom")
            write_old_file(results / "core" / f"{stage}-failed-{failure.key}.parquet", [failure])
            written[failure.key] = "failed", None
        write_old_file(results / "core" / f"{stage}-{digest([row.key for row in rows])}.parquet", rows)
        written |= {row.key: ("ok", row.valid_score) for row in rows}
    return written
