"""``snnbench results``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from snnbench.cli.output import FLAG, errors, print_table, results
from snnbench.display.wording import duration, plural
from snnbench.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Results folders: what is in them, merging, tidying, publishing.")

Folders = Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="Results folders of `snnbench run`.")]
Folder = Annotated[Path, typer.Argument(metavar="RESULTS", help="Results folder of `snnbench run`.")]


@app.command()
def ls(
    folders: Folders,
    rows: Annotated[bool, typer.Option("--rows", metavar=FLAG, help="List every row with its key instead.")] = False,
) -> None:
    """List what is stored, by suite, preset, model, machine and version."""
    from rich.table import Table

    from snnbench.results.data_versions import DIGITS, VERSIONED, list_versions
    from snnbench.results.folders import list_runs
    from snnbench.results.store import read_results

    _check(folders)
    runs = list_runs(folders)
    if runs.empty:
        results().print(f"No results in {', '.join(map(str, folders))}. `snnbench run` stores some.", soft_wrap=True)
        return
    if rows:
        columns = ["key", "stage", "suite", "task", "split", "model", "seed", "status", "data", "valid_score", "test_score"]
        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        stored = read_results(folders, [*(name for name in columns[1:] if name != "data"), "task_sha256"])
        stored = stored.assign(data=stored["task_sha256"].fillna("").str[:DIGITS])
        for row in stored.sort_values(columns[1:7]).itertuples():
            numbers = ("" if score != score else f"{score:.4f}" for score in (row.valid_score, row.test_score))
            table.add_row(*(str(getattr(row, name)) for name in columns[:-2]), *numbers)
        print_table(table)
        return
    names = ["suite", "preset", "model", "seeds", "tasks", "searched", "tested", "no fit", "failed", "took", "machine"]
    table = Table(*names, box=None, header_style="bold", pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
    table.columns[-1].min_width, table.columns[-1].overflow = 12, "fold"
    for run in runs.itertuples():
        n_without_fit = run.n_infeasible + run.n_timeout
        counts = (str(count) for count in (run.n_tasks, run.n_search, run.n_evaluations, n_without_fit, run.n_failed))
        machine = f"{run.device}, {run.cpu}, snnbench {run.snnbench_version}"
        table.add_row(run.suite, run.preset, run.model, run.seeds, *counts, duration(run.seconds), machine)
    print_table(table)
    versions = list_versions(read_results(folders, VERSIONED))
    versions = versions[versions.duplicated(["suite", "task"], keep=False)]
    if versions.empty:
        return
    results().print("\nTasks with results on several versions of their data, the newest first:", soft_wrap=True)
    table = Table("suite", "task", "data", "rows", "latest", "source", box=None, header_style="bold", pad_edge=False)
    for version in versions.itertuples():
        latest = str(version.finished_at)[:16].replace("T", " ")
        table.add_row(version.suite, version.task, version.data[:DIGITS], str(version.n_rows), latest, version.source)
    print_table(table)


@app.command()
def show(
    folders: Folders,
    key: Annotated[str, typer.Option(metavar="KEY", help="Key of a row, or its beginning; see `ls --rows`.")] = "",
    data: Annotated[
        str, typer.Option(metavar="DIGEST", help="Rows of this version of a task's data (task_sha256), or its beginning.")
    ] = "",
) -> None:
    """Print everything that is stored of a row: scores, settings, versions, machine."""
    from rich.table import Table

    from snnbench.results.folders import find_rows

    _check(folders)
    if not key and not data:
        raise ConfigError("--key or --data must say which rows, found neither. `snnbench results ls --rows` lists both.")
    for row in find_rows(folders, key, data).to_dict("records"):
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in row.items():
            table.add_row(
                str(name), f"{len(value)} numbers" if hasattr(value, "tolist") and hasattr(value, "__len__") else str(value)
            )
        results().print(table)


@app.command()
def merge(
    folders: Folders,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Results folder that gets the rows.")],
) -> None:
    """Copy rows into a results folder, those of several machines, say; exit code 1 if rows with one key disagree.

    Nothing is overwritten: of rows that disagree, the one in the folder stays and the other is named.
    """
    from snnbench.results.folders import merge as merge_folders

    _check(folders)
    merged = merge_folders(folders, to)
    for conflict in merged.conflicts:
        errors().print(
            f"Conflict: {conflict.model} on {conflict.task} ({conflict.stage}, key {conflict.key}): "
            f"{conflict.kept!r} is kept, {conflict.refused!r} of {conflict.source} is not copied",
            soft_wrap=True,
        )
    words = f"{plural(merged.n_new, 'row')} new in {to}, {merged.n_equal:,} there already"
    results().print(f"{words}, {len(merged.conflicts):,} in conflict.", soft_wrap=True)
    if merged.conflicts:
        raise typer.Exit(1)


@app.command()
def compact(folder: Folder) -> None:
    """Write a results folder anew in few large files: one of an earlier version, or one that was copied together.

    Rows with one key become one. Runs that write to the folder wait meanwhile; a compaction that is killed changes nothing.
    """
    from snnbench.results.compaction import compact as compact_folder

    _check([folder])
    for done in compact_folder(folder):
        doubled = f"; {plural(done.n_doubled, 'row')} stood there twice" if done.n_doubled else ""
        words = (
            f"{done.suite}: {plural(done.n_rows, 'row')} in {plural(done.n_files, 'file')} instead of {done.n_files_before:,}"
        )
        results().print(f"{words}{doubled}.", soft_wrap=True)


@app.command()
def condense(
    folders: Folders,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder that gets the rows.")],
) -> None:
    """Copy rows without learning curves and outputs: small enough for version control, enough to compare and to check."""
    from snnbench.results.condensing import condense as condense_folders

    _check(folders)
    n_rows = condense_folders(folders, to)
    size = sum(file.stat().st_size for file in to.rglob("*.parquet"))
    results().print(f"{plural(n_rows, 'row')} in {to}, {size / 1000:,.0f} kB.", soft_wrap=True)


@app.command()
def prune(
    folder: Folder,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed",
            metavar=FLAG,
            help="Also rows that failed, ran out of time or are infeasible: the next run tries them again.",
        ),
    ] = False,
    settings: Annotated[
        str,
        typer.Option(metavar="DIGEST", help="Also all rows of these settings (settings_digest of `show`, or its beginning)."),
    ] = "",
    data: Annotated[
        str,
        typer.Option(metavar="DIGEST", help="Also all rows of this version of a task's data; older: of all but the newest."),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", metavar=FLAG, help="Remove; without it, only say what would go.")] = False,
) -> None:
    """Remove what is superfluous: files of killed runs, rows stored twice; if asked, failures, or rows of a run or of data."""
    from snnbench.results.folders import find_superfluous, remove

    _check([folder])
    removals = find_superfluous(folder, failed, settings, data)
    for removal in removals:
        rows = plural(len(removal.keys), "row") if removal.keys else "all"
        results().print(f"{removal.file.relative_to(folder)}: {rows}, {removal.reason}", soft_wrap=True)
    if not removals:
        results().print("Nothing is superfluous.")
    elif yes:
        remove(removals)
        results().print(f"Removed from {plural(len({removal.file for removal in removals}), 'file')}.")
    else:
        errors().print("Nothing was removed; say --yes to do so.")


@app.command()
def publish(
    folder: Folder,
    openml: Annotated[bool, typer.Option("--openml", metavar=FLAG, help="Publish at OpenML; there is no other place.")] = False,
    suite: Annotated[
        str,
        typer.Option(metavar="SUITE", help="Suite of OpenML that was run, such as openml/cc18; needed if there are several."),
    ] = "",
    task: Annotated[list[str] | None, typer.Option(metavar="TASK", help="Task to publish; may be repeated.")] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="MODEL", help="Model to publish; may be repeated.")] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with your API key of OpenML. Default: OPENML_APIKEY.")
    ] = None,
    dry_run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what would be sent to this folder; needs no key, sends nothing.")
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="DIR", help="Where the fetched suite lies. Default: the cache.")] = None,
) -> None:
    """Publish evaluations of a suite of OpenML with your account: a search as flow, its grid as parameters, predictions as run.

    What is published already is not sent again. A task needs predictions for all test rows of all its splits.
    """
    from snnbench.cli.own import open_published, say_progress
    from snnbench.suites import openml_publishing as publishing
    from snnbench.suites.openml_client import open_client

    _check([folder])
    if not openml:
        raise ConfigError("--openml must say where to publish, found no place.")
    opened, place = open_published(folder, suite, source)
    key = "" if dry_run else _read_key(api_key_file)
    with open_client(key) as client:
        chosen = publishing.Chosen(folder, opened, place, tuple(task or ()), tuple(model or ()))
        runs = publishing.plan_runs(chosen, client)
        if dry_run:
            for written in publishing.write_runs(runs, dry_run):
                results().print(f"Written, not sent: {written}", soft_wrap=True)
            return
        n_before = len(publishing.read_published(folder))
        published = publishing.publish(runs, client, folder, say_progress)
    for run in published:
        results().print(f"{run.model} on {run.task}, seed {run.seed}: {run.address}", soft_wrap=True)
    n_new = len(publishing.read_published(folder)) - n_before
    results().print(f"{plural(n_new, 'run')} published, {len(published) - n_new:,} there already.", soft_wrap=True)


def _read_key(file: Path | None) -> str:
    """Return the user's key; it is sent and neither printed nor stored."""
    try:
        key = file.read_text(encoding="utf-8").strip() if file else os.environ.get("OPENML_APIKEY", "").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--api-key-file must be a file with an API key, but {file} cannot be read.") from error
    if not key or not key.isalnum() or not key.isascii():
        raise ConfigError("An API key of OpenML must be letters and digits: set OPENML_APIKEY, or name --api-key-file FILE.")
    return key


def _check(folders: list[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"RESULTS must be folders with results, but {folder} is none. Name the --results of a run.")
