"""The files of the DeepTox download (Mayr, Klambauer, Unterthiner & Hochreiter 2016), read and held against each other.

``tox21_{dense,labels}_{train,test}.csv.gz`` have a header and the compounds' names in their first column,
``tox21_sparse_{train,test}.mtx.gz`` are counts in the MatrixMarket format, ``tox21_compoundData.csv`` says which set a compound
belongs to. The training files hold the sets ``training`` and ``validation``.
"""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from scipy import sparse

from snnbench.errors import DataError
from snnbench.suites.fetch.archive import max_bytes
from snnbench.suites.fetch.source import found_deeper

COMPOUNDS = "tox21_compoundData.csv"
FILES = tuple(
    name
    for part in ("train", "test")
    for name in (f"tox21_dense_{part}.csv.gz", f"tox21_labels_{part}.csv.gz", f"tox21_sparse_{part}.mtx.gz")
)
SETS = ("training", "validation", "test")

_MAX_LENGTH = 10_000_000
"""Rows and columns of a matrix at most; the download has 12,707 compounds and 272,776 substructures."""


@dataclass(frozen=True, eq=False)
class Compounds:
    """What is known of all compounds, row by row.

    Shapes:
        dense: (n_samples, n_dense) float64.
        counts: (n_samples, n_counts) sparse.
        y: (n_samples, n_labels) float32, 0, 1 and NaN = not measured.
        sets: (n_samples,) one of ``SETS``.
        structures: (n_samples,) equal for compounds that are the same but for charges, isotopes and stereochemistry.
    """

    dense: np.ndarray
    counts: sparse.csr_array
    y: np.ndarray
    sets: np.ndarray
    structures: np.ndarray
    labels: tuple[str, ...]


def read_archive(folder: Path) -> Compounds:
    """Read the unpacked archive.

    Raises:
        DataError: If a file is missing or damaged, or rows of two files do not belong together.
    """
    absent = [name for name in (*FILES, COMPOUNDS) if not (folder / name).is_file()]
    if absent:
        raise DataError(f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing{found_deeper(folder, absent[0])}")
    for name in FILES:
        _check_size(folder / name)
    data = read_compounds(folder / COMPOUNDS)
    dense, counts, labels = [], [], []
    for part in ("train", "test"):
        features = _table(folder / f"tox21_dense_{part}.csv.gz")
        of_labels = _table(folder / f"tox21_labels_{part}.csv.gz", ("0", "1"))
        matrix = _matrix(folder / f"tox21_sparse_{part}.mtx.gz")
        row_names = folder / f"tox21_sparse_rownames_{part}.txt.gz"
        if not of_labels.index.equals(features.index):
            raise DataError(f"the rows of the label and dense files must be the same compounds; those for {part} are not")
        if matrix.shape[0] != len(features):
            raise DataError(
                f"tox21_sparse_{part}.mtx.gz must have {len(features)} rows as the dense file, found {matrix.shape[0]}"
            )
        if row_names.is_file() and pd.read_csv(row_names, header=None)[0].tolist() != features.index.tolist():
            raise DataError(f"the rows of the sparse and dense files must be the same compounds; those for {part} are not")
        dense.append(features)
        counts.append(matrix)
        labels.append(of_labels)
    _check_columns(dense, "dense")
    _check_columns(labels, "label")
    if counts[0].shape[1] != counts[1].shape[1]:
        raise DataError(f"the sparse files must have equally many columns, found {counts[0].shape[1]} and {counts[1].shape[1]}")
    names = [*dense[0].index, *dense[1].index]
    if unknown := [name for name in names if name not in data.index]:
        raise DataError(f"every compound must be in {COMPOUNDS}, found {len(unknown)} that are not, as {unknown[0]}")
    about = data.loc[names]
    if (about["set"].iloc[: len(dense[0])] == "test").any() or (about["set"].iloc[len(dense[0]) :] != "test").any():
        raise DataError(f"the test files must hold the compounds of the set test in {COMPOUNDS} and no others; they do not")
    return Compounds(
        dense=np.concatenate([table.to_numpy(np.float64) for table in dense]),
        counts=sparse.vstack(counts, format="csr"),
        y=np.concatenate([table.to_numpy(np.float32) for table in labels]),
        sets=about["set"].to_numpy(str),
        structures=about["inchikey"].str.partition("-")[0].to_numpy(str),
        labels=tuple(map(str, labels[0].columns)),
    )


def read_compounds(file: Path, content: IO[bytes] | None = None) -> pd.DataFrame:
    """Return the table of the compounds, indexed by their names; from ``content`` if the file lies in an archive.

    Raises:
        DataError: If it lacks a column, a set is unknown, or a compound stands twice.
    """
    table = read_csv(file, content)
    if absent := [column for column in ("ID", "set", "inchikey") if column not in table]:
        raise DataError(f"{file.name} must have a header with {', '.join(absent)}, found {', '.join(table.columns[:6])}")
    if not table["set"].isin(SETS).all():
        raise DataError(
            f"the column set of {file.name} must be {', '.join(SETS)}; it also holds {_first_not(table['set'], SETS)!r}"
        )
    if table["ID"].duplicated().any():
        raise DataError(
            f"{file.name} must name every compound once, but {table.loc[table['ID'].duplicated(), 'ID'].iloc[0]} twice"
        )
    return table.set_index("ID")


def to_labels(table: pd.DataFrame, file: str) -> pd.DataFrame:
    """Turn text columns of 0, 1 and NA into float32 with NaN.

    Raises:
        DataError: If there is anything else in them.
    """
    known = table.isin(["0", "1"])
    wrong = ~(known | table.isna() | table.isin(["NA", ""]))
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise DataError(
            f"labels must be 0, 1 or NA (not measured), found {table.iat[row, column]!r} for {table.index[row]}, "
            f"{table.columns[column]} in {file}"
        )
    return table.where(known).astype(np.float32)


def _check_size(file: Path) -> None:
    """Refuse a compressed file that would fill the memory, before a reader tries."""
    limit_bytes, n_bytes = max_bytes(file), 0
    try:
        with gzip.open(file) as stream:
            while block := stream.read(2**20):
                n_bytes += len(block)
                if n_bytes > limit_bytes:
                    raise DataError(f"{file.name} may unpack to {limit_bytes} bytes at most, found more")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file.name} must be a whole gzip file: {error}") from error


def _first_not(values: pd.Series, known: Sequence[str]) -> str:
    return str(values[~values.isin(known)].iloc[0])


def read_csv(file: Path, content: IO[bytes] | None = None) -> pd.DataFrame:
    """Return a table of text, NA as missing; from ``content`` if the file lies in an archive.

    Raises:
        DataError: If it is none.
    """
    try:
        return pd.read_csv(content or file, dtype=str, keep_default_na=False, na_values=["NA"])
    except (ValueError, OSError, EOFError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{file.name} must be a table with a header: {error}") from error


def _table(file: Path, labels: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table with a header whose first column names the compounds: labels, or numbers."""
    if labels:
        table = read_csv(file)
    else:
        try:
            table = pd.read_csv(file, dtype={0: str})
        except (ValueError, OSError, EOFError) as error:
            raise DataError(f"{file.name} must be a table of numbers with a header: {error}") from error
    # Without a header its first row would be taken for one: then the columns are called like numbers.
    if table.columns[1:].str.fullmatch(r"[-+\d.eE]+|NA|NA\.\d+").all() or len(table.columns) < 2:
        raise DataError(f"{file.name} must begin with a header, found the row {', '.join(map(str, table.columns[:4]))} …")
    table = table.set_index(table.columns[0])
    if labels:
        return to_labels(table, file.name)
    numbers = table.apply(pd.to_numeric, errors="coerce")
    is_finite = np.isfinite(numbers.to_numpy(np.float64))
    if not is_finite.all():
        row, column = np.argwhere(~is_finite)[0]
        raise DataError(
            f"{file.name} must hold finite numbers, found {table.iat[row, column]} for {table.index[row]}, "
            f"{table.columns[column]}"
        )
    return numbers


def _matrix(file: Path) -> sparse.csr_array:
    """Read a general sparse matrix by coordinates, in the format of https://math.nist.gov/MatrixMarket/formats.html.

    Not by ``scipy.io.mmread``, whose compiled parser ends the process on some damaged files (seen with SciPy 1.17).
    """
    try:
        with gzip.open(file, "rt", encoding="ascii") as lines:
            banner = lines.readline().lower().split()
            if banner[:3] != ["%%matrixmarket", "matrix", "coordinate"] or banner[4:] != ["general"]:
                raise ValueError("it must begin with '%%MatrixMarket matrix coordinate integer general'")
            line = next((line for line in lines if not line.startswith("%")), "")
            n_rows, n_columns, n_entries = map(int, line.split())
            if not (0 < n_rows <= _MAX_LENGTH and 0 < n_columns <= _MAX_LENGTH):
                raise ValueError(f"it must have 1 to {_MAX_LENGTH:,} rows and columns, found {n_rows:,} and {n_columns:,}")
            names = ["row", "column", "value"]
            entries = pd.read_csv(lines, sep=r"\s+", header=None, names=names, dtype=np.float64, index_col=False)
    except (ValueError, OSError, EOFError, OverflowError, zlib.error) as error:
        raise DataError(f"{file.name} must be a matrix in the MatrixMarket format: {error}") from error
    if len(entries) != n_entries:
        raise DataError(f"{file.name} must hold the {n_entries:,} entries that it announces, found {len(entries):,}")
    places = entries[["row", "column"]].to_numpy()
    if not ((places >= 1) & (places <= (n_rows, n_columns)) & (places == np.floor(places))).all():
        raise DataError(f"{file.name} must name rows from 1 to {n_rows:,} and columns from 1 to {n_columns:,}; it does not")
    rows, columns = (places.astype(np.int64) - 1).T
    matrix = sparse.csr_array((entries["value"].to_numpy(), (rows, columns)), shape=(n_rows, n_columns))
    if not (np.isfinite(matrix.data) & (matrix.data >= 0)).all():
        raise DataError(f"{file.name} must hold counts, finite and not negative; it does not")
    return matrix


def _check_columns(tables: Sequence[pd.DataFrame], kind: str) -> None:
    if list(tables[0].columns) != list(tables[1].columns):
        raise DataError(f"the two {kind} files must have the same columns, found {tables[0].shape[1]} and {tables[1].shape[1]}")
