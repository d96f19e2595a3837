"""Features of the Tox21 compounds from their structures, for those who have not the DeepTox download.

``tox21_smiles.csv`` has the columns ID, smiles and set; the labels are in it or in ``tox21_compoundData.csv`` beside it.
RDKit, an optional extra (``pip install snnbench[rdkit]``), computes its descriptors and Morgan counts of radius 3. They are
other features than the original ones and give other scores, so their name and RDKit's version are part of every result.
"""

import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from snnbench.errors import DataError
from snnbench.suites.tox21.files import COMPOUNDS, SETS, Compounds, read_compounds, read_csv, to_labels

SMILES = "tox21_smiles.csv"
MORGAN_RADIUS = 3

_NO_LABELS = ("ID", "smiles", "set", "inchikey", "sdftitle", "order", "CVfold")


def rdkit_version() -> str:
    """Return the version of RDKit.

    Raises:
        DataError: If it is not installed.
    """
    try:
        return metadata.version("rdkit")
    except metadata.PackageNotFoundError as error:
        raise DataError(
            f"features from {SMILES} are computed by RDKit, which is not installed: pip install 'snnbench[rdkit]', "
            "or name the DeepTox archive with --source FILE"
        ) from error


def read_smiles(folder: Path) -> Compounds:
    """Read the structures and the labels, and compute the features; about a minute.

    Values that a descriptor cannot have (partial charges of metals) become its median over the training compounds.

    Raises:
        DataError: If RDKit is not installed, a file is missing or damaged, or a structure cannot be read.
    """
    rdkit_version()
    table = read_csv(folder / SMILES)
    if absent := [column for column in ("ID", "smiles", "set") if column not in table]:
        raise DataError(f"{SMILES} must have a header with {', '.join(absent)}, found {', '.join(table.columns[:6])}")
    if table["ID"].duplicated().any():
        raise DataError(
            f"{SMILES} must name every compound once, but {table.loc[table['ID'].duplicated(), 'ID'].iloc[0]} twice"
        )
    if not table["set"].isin(SETS).all():
        raise DataError(
            f"the column set of {SMILES} must be {', '.join(SETS)}, found {sorted(set(table['set']) - set(SETS))[0]!r}"
        )
    table = table.set_index("ID")
    labels = _labels(table, folder)
    molecules = [_molecule(name, smiles) for name, smiles in table["smiles"].items()]
    sets = table["set"].to_numpy(str)
    return Compounds(
        dense=_descriptors(molecules, sets == "training"),
        counts=_morgan_counts(molecules),
        y=labels.to_numpy(np.float32),
        sets=sets,
        structures=np.array([_parent(molecule) for molecule in molecules]),
        labels=tuple(map(str, labels.columns)),
    )


def _labels(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return the label columns of the table itself, else of the compounds' table beside it or in the archive beside it."""
    source, file = table, SMILES
    if not [column for column in table if column not in _NO_LABELS]:
        source, file = _compounds_beside(folder), COMPOUNDS
        if unknown := [name for name in table.index if name not in source.index]:
            raise DataError(f"every compound must be in {COMPOUNDS}, found {len(unknown)} that are not, as {unknown[0]}")
    columns = [column for column in source if column not in _NO_LABELS]
    return to_labels(source.loc[table.index, columns], file)


def _compounds_beside(folder: Path) -> pd.DataFrame:
    if (folder / COMPOUNDS).is_file():
        return read_compounds(folder / COMPOUNDS)
    try:
        with zipfile.ZipFile(folder / "tox21.zip") as archive, archive.open(COMPOUNDS) as file:
            return read_compounds(folder / COMPOUNDS, file)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"labels must be columns of {SMILES}, or of a {COMPOUNDS} beside it; found neither") from error


def _molecule(name: Any, smiles: str) -> Any:
    """Read a structure; a few salts of metals break the rules of valence and are read without them."""
    from rdkit import Chem, rdBase

    rdBase.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        molecule = Chem.MolFromSmiles(smiles, sanitize=False)
        if molecule is None:
            raise DataError(f"the structures of {SMILES} must be SMILES; that of {name} is not: {smiles[:60]!r}")
        molecule.UpdatePropertyCache(strict=False)
        Chem.SanitizeMol(molecule, Chem.SANITIZE_ALL ^ Chem.SANITIZE_PROPERTIES, catchErrors=True)
    return molecule


def _descriptors(molecules: list[Any], train: np.ndarray) -> np.ndarray:
    """Return (n_samples, n_descriptors) of RDKit's list; without Ipc, which overflows."""
    from rdkit.Chem import Descriptors

    names = [name for name, _ in Descriptors.descList if name != "Ipc"]
    described = (Descriptors.CalcMolDescriptors(molecule, missingVal=np.nan, silent=True) for molecule in molecules)
    values = np.array([[each[name] for name in names] for each in described], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    values = values[:, ~np.isnan(values[train]).all(axis=0)]
    return np.where(np.isnan(values), np.nanmedian(values[train], axis=0), values)


def _morgan_counts(molecules: list[Any]) -> sparse.csr_array:
    """Return (n_samples, n_fragments) counts of all atom neighbourhoods that occur."""
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=MORGAN_RADIUS)
    counts = [generator.GetSparseCountFingerprint(molecule).GetNonzeroElements() for molecule in molecules]
    column_of = {fragment: column for column, fragment in enumerate(sorted({key for each in counts for key in each}))}
    entries = [(row, column_of[key], count) for row, each in enumerate(counts) for key, count in each.items()]
    rows, columns, values = np.array(entries, dtype=np.int64).reshape(-1, 3).T
    return sparse.csr_array((values, (rows, columns)), shape=(len(molecules), len(column_of)))


def _parent(molecule: Any) -> str:
    """Return the first block of the InChIKey of the largest fragment: equal for all salts of a compound."""
    from rdkit import Chem

    fragments = Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=False)
    largest = max(fragments, key=lambda fragment: (fragment.GetNumHeavyAtoms(), Chem.MolToSmiles(fragment)))
    try:
        return str(Chem.MolToInchiKey(largest)).partition("-")[0] or Chem.MolToSmiles(largest)
    except ValueError:  # the few that were read without the rules of valence
        return Chem.MolToSmiles(largest)
