"""The suite ``tox21``: the twelve assays of the Tox21 Data Challenge 2014 as one task with twelve labels.

Compounds train, validate and test by the column ``set`` of ``tox21_compoundData.csv``: the challenge's training, leaderboard
and final evaluation sets. The leaderboard set is what the winners (Mayr et al. 2016) call fold 5 in the column ``CVfold``;
their folds 0 to 4 leave out a third of the training compounds and are not used. Training and validation compounds that are in
a later set too are removed, also with other charges or stereochemistry (first block of the InChIKey; for features from
structures that of the largest fragment, which no salt changes).

The features are prepared once and kept in the cache: the dense ones as they are, and those counts that enough training
compounds have. So the sparse matrix is never made dense, and a training reads one array.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from annotated_types import Ge, Lt
from pydantic import BaseModel, ConfigDict

from snnbench.errors import DataError, UnknownNameError
from snnbench.records import Dataset, Split, Task, digest
from snnbench.resources import resource
from snnbench.suites.fetch.archive import sha256_of, writing
from snnbench.suites.splits import standardise
from snnbench.suites.tox21.files import COMPOUNDS, FILES, SETS, Compounds, read_archive
from snnbench.suites.tox21.smiles import SMILES, rdkit_version, read_smiles

SUMMARY = "12 toxicity assays of 12,707 compounds as one task with 12 labels, some of them not measured"
URLS = ("http://bioinf.jku.at/research/DeepTox/tox21.zip",)
ARCHIVES = ("tox21.zip",)
WANTED = re.compile(
    r"(?:^|/)tox21_(?:(?:dense|labels)_(?:train|test)\.csv\.gz|sparse_(?:rownames_)?(?:train|test)\.(?:mtx|txt)\.gz"
    r"|compoundData\.csv|smiles\.csv)$"
)
STANDARDISE = True
REPETITIONS = (1,)

_DEEPTOX_FEATURES = (801, 272_776)
"""The numbers of dense features and of counts behind the published results."""

_VERSION = 2
"""Part of a prepared folder's name; raised when the preparation changes its numbers."""


class Options(BaseModel):
    """What a config's table ``[data]`` may set.

    ``threshold``: counts are kept that more than this share of the training compounds have. ``counts``: what becomes of them;
    ``"tanh"`` of the standardised count keeps rare large ones from dominating, as does ``"log1p"``; ``"raw"`` changes nothing.
    All features are then standardised on the training rows. ``overlap``: what becomes of compounds that are in a later set too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    threshold: Annotated[float, Ge(0), Lt(1)] = 0.05
    counts: Literal["tanh", "log1p", "raw"] = "tanh"
    overlap: Literal["remove", "keep"] = "remove"


def catalogue() -> pd.DataFrame:
    """Return the table of the suite's one task, indexed by name; the number of features, 0 there, depends on the source."""
    return pd.read_csv(resource("datasets", "tox21.csv"), index_col="name")


def prepare(folder: Path, cache: Path, options: Mapping[str, Any], report: Callable[[str], None]) -> Path:
    """Return the folder with the prepared arrays of a source, made if it is not in the cache.

    Args:
        folder: With the unpacked archive, or with ``tox21_smiles.csv``.
        cache: Where prepared folders are kept; one appears complete or not at all.
        options: Of the table ``[data]``.
        report: Is told what is being done, and which compounds were in two sets.

    Raises:
        DataError: If a file is missing or damaged, rows do not belong together, or RDKit is needed and missing.
    """
    chosen = Options.model_validate(dict(options))
    folder = next((place for place in (folder, *sorted(folder.glob("*/"))) if (place / FILES[0]).is_file()), folder)
    from_smiles = not (folder / FILES[0]).is_file() and (folder / SMILES).is_file()
    try:
        files = [file for name in (*FILES, COMPOUNDS, SMILES) if (file := folder / name).is_file()]
        features = f"rdkit-{rdkit_version()}" if from_smiles else "archive"
        content = [[file.name, sha256_of(file)] for file in files]
        prepared = cache / f"prepared-{digest([_VERSION, features, content, chosen.model_dump()])}"
        if prepared.is_dir():
            return prepared
        report(f"Preparing the features of tox21 ({features}), once; this takes up to a minute or two")
        compounds = read_smiles(folder) if from_smiles else read_archive(folder)
    except DataError as error:
        raise DataError(f"Task 'tox21': {error}. Fetch the data again, or name another --source.") from error
    _write(prepared, compounds, chosen, features, report)
    return prepared


def tasks(folder: Path | None) -> tuple[list[Task], dict[str, str]]:
    """Return the task of a prepared folder, or the reason why it is not at hand."""
    try:
        about = _about(folder)
    except DataError as error:
        return [], {"tox21": str(error)}
    shape = {name: about[name] for name in ("n_samples", "n_features", "n_outputs", "source", "sha256")}
    return [Task("tox21", "tox21", "multilabel", metric="mean_auc", labels=tuple(about["labels"]), **shape)], {}


def load(task: str, folder: Path | None) -> Dataset:
    """Return the features, not yet standardised, and the labels, NaN = not measured; training and validation rows come first.

    Raises:
        DataError: If the folder was not prepared.
    """
    _check_name(task)
    _about(folder)
    assert folder is not None
    return Dataset(X=np.load(folder / "X.npy"), y=np.load(folder / "y.npy"))


def splits(task: str, folder: Path | None) -> list[Split]:
    """Return the one split of the challenge; a removed compound is in no set.

    Raises:
        DataError: If the folder was not prepared.
    """
    _check_name(task)
    _about(folder)
    assert folder is not None
    sets = np.load(folder / "sets.npy")
    return [Split("challenge", *(np.flatnonzero(sets == number) for number in range(len(SETS))))]


def _check_name(task: str) -> None:
    if task not in catalogue().index:
        raise UnknownNameError("task of suite 'tox21'", task, catalogue().index)


def _about(folder: Path | None) -> dict[str, Any]:
    if folder is None or not (folder / "about.json").is_file():
        raise DataError("Task 'tox21': its files must be prepared first; name them with --source DIR|FILE|URL.")
    return json.loads((folder / "about.json").read_text(encoding="utf-8"))


def _write(prepared: Path, compounds: Compounds, options: Options, features: str, report: Callable[[str], None]) -> None:
    sets = _sets(compounds, options, report)
    X, n_counts = _features(compounds, sets == 0, options)
    y = compounds.y
    sha256 = hashlib.sha256()
    for array in (X, y, sets):
        sha256.update(np.ascontiguousarray(array).tobytes())
    if (compounds.dense.shape[1], compounds.counts.shape[1]) == _DEEPTOX_FEATURES:
        features = "deeptox"
    else:
        report("These are not the features of the published results (801 dense, 272,776 counts): scores are not comparable.")
    kept = f"{n_counts} of {compounds.counts.shape[1]} counts ({options.counts})"
    about = {
        "source": f"{features} features: {compounds.dense.shape[1]} dense, {kept}",
        "labels": compounds.labels,
        **dict(zip(("n_samples", "n_features", "n_outputs"), (*X.shape, y.shape[1]), strict=True)),
        "sha256": sha256.hexdigest(),
        "options": options.model_dump(),
    }
    report(f"Prepared {about['source']}, in {prepared}")
    with writing(prepared.parent):
        prepared.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=prepared.parent, prefix=".prepare-") as scratch:
            complete = Path(scratch) / "files"
            complete.mkdir()
            for name, array in (("X", X), ("y", y), ("sets", sets)):
                np.save(complete / f"{name}.npy", array)
            (complete / "about.json").write_text(json.dumps(about, indent=2), encoding="utf-8", newline="\n")
            try:
                complete.replace(prepared)
            except OSError:
                # Another process was faster with the same source, and its folder is as good.
                if not prepared.is_dir():
                    raise


def _sets(compounds: Compounds, options: Options, report: Callable[[str], None]) -> np.ndarray:
    """Return each compound's set by its number in ``SETS``, -1 = removed; earlier sets give way to later ones."""
    sets = np.array([SETS.index(name) for name in compounds.sets], dtype=np.int8)
    for number in (1, 0):
        later = np.unique(compounds.structures[sets > number])
        double = (sets == number) & np.isin(compounds.structures, later)
        if double.any():
            verb = "removed" if options.overlap == "remove" else "kept, by the option overlap"
            n_structures = len(np.unique(compounds.structures[double]))
            report(f"{double.sum()} {SETS[number]} compounds ({n_structures} structures) are in a later set too: {verb}")
        if options.overlap == "remove":
            sets[double] = -1
    return sets


def _features(compounds: Compounds, train: np.ndarray, options: Options) -> tuple[np.ndarray, int]:
    """Return the features (n_samples, n_features) float64 and how many of them are counts."""
    rows = np.flatnonzero(train)
    if len(rows) == 0:
        raise DataError("Task 'tox21': at least one compound must train, found none.")
    of_training = compounds.counts[rows]
    n_having = np.bincount(of_training.indices[of_training.data != 0], minlength=of_training.shape[1])
    counts = compounds.counts[:, np.flatnonzero(n_having > options.threshold * len(rows))].toarray().astype(np.float64)
    if options.counts == "tanh":
        counts = np.tanh(standardise(counts, rows))
    elif options.counts == "log1p":
        counts = np.log1p(counts)
    return np.concatenate([compounds.dense, counts], axis=1, dtype=np.float64), counts.shape[1]
