"""Small copies of results folders: what a comparison or a check needs, without curves and outputs."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from snnbench.errors import StoreError
from snnbench.results.files import result_files
from snnbench.results.reading import SCHEMA_KEY, SCHEMA_VERSION, in_order, read_files
from snnbench.results.store import settings_file
from snnbench.results.writing import prepare_store, write_table, write_text

CURVES = ("train_loss", "valid_curve", "test_targets", "test_outputs")
"""The columns that hold many numbers a row; nearly all of a folder's bytes."""
_ORDER = ("stage", "task", "split", "model", "preset", "config_key", "seed")


def condense(sources: Sequence[Path], target: Path) -> int:
    """Copy the rows of results folders without their curves and outputs, one file a suite and stage; return the rows' number.

    Of an evaluation ``n_test`` says how many test targets there were. Rows that failed, ran out of time or stand twice are not
    copied. Equal rows give equal files, so that a folder under version control changes only where results do.

    Raises:
        StoreError: If a file cannot be read, the target not be written, or there is no row.
    """
    table = read_files([file for source in sources for file in result_files(source)], None)
    if table is None:
        raise StoreError(f"Results must lie in {', '.join(map(str, sources))}, found none. Name the --results of a run.")
    if "n_test" not in table.schema.names:  # nothing here was condensed before
        table = table.append_column("n_test", pc.list_value_length(table["test_targets"]))
    rows = in_order(table.drop_columns([name for name in CURVES if name in table.schema.names]))
    last = {key: place for place, key in enumerate(rows["key"].to_pylist())}
    rows = rows.take(sorted(last.values()))
    rows = rows.filter(pc.invert(pc.is_in(rows["status"], pa.array(["failed", "timeout"]))))
    prepare_store(target)
    for suite in pc.unique(rows["suite"]).to_pylist():
        for stage in ("search", "evaluate"):
            chosen = rows.filter(pc.and_(pc.equal(rows["suite"], suite), pc.equal(rows["stage"], stage)))
            chosen = chosen.sort_by([(name, "ascending") for name in _ORDER])
            chosen = chosen.combine_chunks().replace_schema_metadata({SCHEMA_KEY: str(SCHEMA_VERSION)})
            write_table(target / suite / f"{stage}.parquet", chosen, compression="zstd")
    for name in sorted(set(rows["settings_digest"].to_pylist())):
        file = next(file for source in sources if (file := settings_file(source, name)).exists())
        write_text(settings_file(target, name), file.read_text(encoding="utf-8"))
    return len(rows)
