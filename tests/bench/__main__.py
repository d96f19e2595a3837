"""The measuring instrument: ``make bench``. One JSON file with everything, one table a part.

Ratios come from sides that take turns in one run; their median counts, and the lowest and highest are printed beside it.
"""

import argparse
import json
import os
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table
from runs import N_JOBS, N_SUBSET, Where

from snnbench.records import ON_CPU
from snnbench.results.provenance import describe_environment

PARTS = {
    "a": "stacked",
    "b": "end_to_end",
    "c": "grid_search",
    "d": "scaling",
    "e": "gpu",
    "f": "estimate",
    "g": "engines",
    "h": "error_rates",
    "i": "store",
    "j": "tables",
}
"""The module of each part: it is imported when it is measured, so that a part needs the packages of no other."""

ON_TASKS = ("b", "f", "g", "i")
"""Parts that are measured on real tasks."""


def main() -> None:
    arguments = _arguments()
    console = Console(width=160)
    where = Where(arguments.source, 0 if arguments.full else N_SUBSET, arguments.jobs)
    measured: dict = {"machine": describe_environment(ON_CPU), "started_at": datetime.now(UTC).isoformat(timespec="seconds")}
    for name in arguments.only:
        part = import_module(PARTS[name])
        title = part.TITLE
        console.print(f"[bold]{title}[/bold]")
        before, start = os.getloadavg(), time.perf_counter()
        found = part.measure(where) if name in ON_TASKS else part.measure()
        notes = {note: value for note, value in found.items() if note not in ("rows", "skipped")}
        found |= {"title": title, "seconds": time.perf_counter() - start, "load_before": before, "load_after": os.getloadavg()}
        measured[name] = found
        console.print(_table(found))
        for note, value in notes.items():
            parts = value.items() if isinstance(value, dict) else [("", value)]
            console.print(f"{note}:", "; ".join(f"{part} {_cell(item)}".strip() for part, item in parts))
        load = " and ".join(f"{load[0]:.1f}" for load in (before, os.getloadavg()))
        console.print(f"Measured in {found['seconds']:.0f} s; load average before and after: {load}.\n")
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(measured, indent=2) + "\n")
    machine = measured["machine"]
    console.print(
        f"{machine['cpu']}, {machine['n_cores']} cores, torch {machine['torch_version']}, commit {machine['git_commit']}"
    )
    console.print(f"Written to {arguments.output}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_parts, default=list(PARTS), metavar="a,c", help="parts to measure (default: all)")
    parser.add_argument("--source", help="UCI data for parts b, f and g (folder, archive or URL); default: the embedded tasks")
    parser.add_argument("--full", action="store_true", help=f"all UCI tasks instead of {N_SUBSET} small ones")
    parser.add_argument(
        "--jobs", type=_numbers, default=N_JOBS, metavar="1000,40000", help="sizes of the stores of part i, in jobs; 0 for none"
    )
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"), help="default: build/bench.json")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"parts are {', '.join(PARTS)}, found {', '.join(sorted(unknown))}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(number for number in map(int, text.split(",")) if number)


def _table(found: dict) -> Table:
    """Lay out the rows of a part, or say why it was skipped."""
    table = Table()
    rows = found.get("rows", [{"skipped": found.get("skipped", "nothing was measured")}])
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(_cell(row.get(name, "")) for name in columns))
    return table


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
