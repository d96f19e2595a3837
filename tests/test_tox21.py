"""Tox21: the files, what is prepared of them, and both sources through the whole pipe."""

import gzip
import json
import shutil
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from archives import TOX21_LABELS, write_table, write_tox21

from snnbench.errors import ConfigError, DataError, UnknownNameError
from snnbench.metrics import mean_auc
from snnbench.suites import load_suite, open_source
from snnbench.suites.fetch import archive
from snnbench.suites.loading import load_tasks
from snnbench.suites.tox21 import suite as tox21
from snnbench.suites.tox21.smiles import SMILES
from snnbench.training.job_rows import job_rows

N_TRAIN, N_VALID, N_TEST = 60, 20, 30
SIZES = {"n_train": N_TRAIN, "n_valid": N_VALID, "n_test": N_TEST}
NAMES = [f"NCGC{k:08d}-01" for k in range(sum(SIZES.values()))]


@pytest.fixture
def source(tmp_path) -> Path:
    (tmp_path / "files").mkdir()
    return write_tox21(tmp_path / "files", **SIZES)


def prepare(source: Path, **options) -> tuple[Path, list[str]]:
    said: list[str] = []
    folder = open_source("tox21", str(source), said.append, options)
    assert folder is not None
    return folder, said


def test_counts_are_kept_that_enough_training_compounds_have(source):
    """Count k is in every k-th row: of 60 training rows 60 / k, in more than 5 % of them up to k = 19."""
    folder, said = prepare(source)
    (task,), missing = tox21.tasks(folder)
    assert missing == {}
    assert (task.n_samples, task.n_features, task.n_outputs, task.metric) == (110, 3 + 19, 12, "mean_auc")
    assert task.labels == tuple(TOX21_LABELS)
    assert task.source == "archive features: 3 dense, 19 of 20 counts (tanh)"
    assert "Prepared archive features" in said[-1]
    assert prepare(source) == (folder, [])
    for threshold, n_kept in ((0.0, 20), (0.3, 3), (0.9, 1)):
        assert json.loads((prepare(source, threshold=threshold)[0] / "about.json").read_text())["n_features"] == 3 + n_kept


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ("raw", lambda x, train: x),
        ("log1p", lambda x, train: np.log(1 + x)),
        ("tanh", lambda x, train: np.tanh((x - x[train].mean(axis=0)) / x[train].std(axis=0))),
    ],
)
def test_counts_are_transformed_and_all_features_standardised_on_the_training_rows(source, counts, expected):
    folder, _ = prepare(source, counts=counts, threshold=0.3)
    train = np.arange(N_TRAIN)
    raw = np.stack([(np.arange(110) % k == 0) * (1.0 + np.arange(110) % 3) for k in (1, 2, 3)], axis=1)
    X = np.concatenate([_dense(source), expected(raw, train)], axis=1)
    np.testing.assert_allclose(tox21.load("tox21", folder).X, X, rtol=1e-6, atol=1e-6)
    train_rows, valid_rows = job_rows("search", "tox21", "tox21", "challenge", folder)
    scaled = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    np.testing.assert_allclose(train_rows.X, scaled[train], rtol=0, atol=1e-5)
    np.testing.assert_allclose(valid_rows.X, scaled[N_TRAIN : N_TRAIN + N_VALID], rtol=0, atol=1e-5)
    _, test_rows = job_rows("evaluate", "tox21", "tox21", "challenge", folder)
    np.testing.assert_allclose(test_rows.X, scaled[-N_TEST:], rtol=0, atol=1e-5)
    assert len(test_rows.y) == N_TEST


def _dense(source: Path) -> np.ndarray:
    tables = [pd.read_csv(source / f"tox21_dense_{part}.csv.gz", index_col=0) for part in ("train", "test")]
    return pd.concat(tables).to_numpy()


def test_labels_are_those_of_the_files_and_na_is_not_measured(source):
    tables = [pd.read_csv(source / f"tox21_labels_{part}.csv.gz", index_col=0) for part in ("train", "test")]
    y = tox21.load("tox21", prepare(source)[0]).y
    np.testing.assert_array_equal(y, pd.concat(tables).to_numpy(np.float32))
    assert 0.2 < np.isnan(y).mean() < 0.4


def test_a_label_of_one_class_is_named_before_anything_is_trained(source):
    y = np.where(np.arange(80)[:, None] < N_TRAIN, np.arange(80)[:, None] % 2, np.arange(12) > 0).astype(int).astype(str)
    y[N_TRAIN:, 2] = "NA"
    y[N_TRAIN, 3:] = "0"
    write_table(source / "tox21_labels_train.csv.gz", TOX21_LABELS, NAMES[:80], y)
    folder, _ = prepare(source)
    (note,) = load_tasks("tox21", folder).notes
    assert note.startswith(
        "tox21, challenge: fewer than two classes of SR.0, SR.1, SR.2 were measured among the validation rows"
    )
    _, valid = job_rows("search", "tox21", "tox21", "challenge", folder)
    scores = np.random.default_rng(0).normal(size=valid.y.shape)
    assert mean_auc(valid.y, scores) == mean_auc(valid.y[:, 3:], scores[:, 3:])


def test_a_compound_of_a_later_set_is_removed_from_the_earlier_ones(source):
    """Row 3 (training) and row 65 (validation) get the structure of test rows, with another charge; row 4 that of row 66."""
    file = source / "tox21_compoundData.csv"
    table = pd.read_csv(file)
    for row, other in ((3, 90), (65, 91), (4, 66)):
        table.loc[row, "inchikey"] = table.loc[other, "inchikey"][:14] + "-UHFFFAOYSA-O"
    table.to_csv(file, index=False)
    folder, said = prepare(source)
    (split,) = tox21.splits("tox21", folder)
    assert sorted(set(range(110)) - {*split.train, *split.valid, *split.test}) == [3, 4, 65]
    assert len(split.test) == N_TEST
    assert said[1:3] == [
        "1 validation compounds (1 structures) are in a later set too: removed",
        "2 training compounds (2 structures) are in a later set too: removed",
    ]
    kept, said = prepare(source, overlap="keep")
    assert "kept, by the option overlap" in said[1]
    assert len(tox21.splits("tox21", kept)[0].train) == N_TRAIN
    assert tox21.tasks(kept)[0][0].sha256 != tox21.tasks(folder)[0][0].sha256


def test_the_order_of_the_compounds_table_does_not_matter(source):
    before = tox21.tasks(prepare(source)[0])[0][0].sha256
    file = source / "tox21_compoundData.csv"
    pd.read_csv(file).iloc[::-1].to_csv(file, index=False)
    assert tox21.tasks(prepare(source)[0])[0][0].sha256 == before


def remove_file(source):
    (source / "tox21_sparse_test.mtx.gz").unlink()


def relabel(value):
    def change(source):
        y = np.zeros((N_TEST, 12), dtype=int).astype("U9")
        y[7, 2] = value
        write_table(source / "tox21_labels_test.csv.gz", TOX21_LABELS, NAMES[-N_TEST:], y)

    return change


def swap_rows(source):
    names = [NAMES[-1], *NAMES[-N_TEST:-1]]
    write_table(source / "tox21_labels_test.csv.gz", TOX21_LABELS, names, np.zeros((N_TEST, 12), dtype=int))


def drop_row(source):
    write_table(source / "tox21_labels_test.csv.gz", TOX21_LABELS, NAMES[-N_TEST:-1], np.zeros((N_TEST - 1, 12), dtype=int))


def drop_header(name, columns):
    def change(source):
        write_table(source / name, columns, NAMES[-N_TEST:], np.zeros((N_TEST, len(columns)), dtype=int), header=False)

    return change


def short_matrix(source):
    with gzip.open(source / "tox21_sparse_test.mtx.gz", "wt") as file:
        file.write("%%MatrixMarket matrix coordinate integer general\n3 20 1\n1 1 1\n")


def no_matrix(source):
    with gzip.open(source / "tox21_sparse_test.mtx.gz", "wt") as file:
        file.write("1,2,3\n")


def not_gzip(source):
    (source / "tox21_dense_test.csv.gz").write_bytes(b"a,b\n1,2\n")


def cut_gzip(source):
    file = source / "tox21_dense_train.csv.gz"
    file.write_bytes(file.read_bytes()[:-20])


def infinite(source):
    write_table(source / "tox21_dense_test.csv.gz", ["a", "b", "c"], NAMES[-N_TEST:], np.full((N_TEST, 3), np.inf))


def other_columns(source):
    write_table(source / "tox21_dense_test.csv.gz", ["a", "b", "d"], NAMES[-N_TEST:], np.zeros((N_TEST, 3)))


def recompound(**columns):
    def change(source):
        file = source / "tox21_compoundData.csv"
        pd.read_csv(file).assign(**columns).to_csv(file, index=False)

    return change


def forget_compound(source):
    file = source / "tox21_compoundData.csv"
    pd.read_csv(file).iloc[1:].to_csv(file, index=False)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_file, "tox21_sparse_test.mtx.gz is missing"),
        (relabel("2"), r"labels must be 0, 1 or NA \(not measured\), found '2' for NCGC00000087-01, SR.2 in tox21_labels_test"),
        (relabel("0.5"), "found '0.5'"),
        (relabel("yes"), "found 'yes'"),
        (swap_rows, "the rows of the label and dense files must be the same compounds; those for test are not"),
        (drop_row, "the rows of the label and dense files must be the same compounds"),
        (drop_header("tox21_labels_test.csv.gz", TOX21_LABELS), "tox21_labels_test.csv.gz must begin with a header"),
        (drop_header("tox21_dense_test.csv.gz", ["a", "b", "c"]), "tox21_dense_test.csv.gz must begin with a header"),
        (short_matrix, "tox21_sparse_test.mtx.gz must have 30 rows as the dense file, found 3"),
        (no_matrix, "must be a matrix in the MatrixMarket format"),
        (not_gzip, "tox21_dense_test.csv.gz must be a whole gzip file"),
        (cut_gzip, "tox21_dense_train.csv.gz must be a whole gzip file"),
        (infinite, "tox21_dense_test.csv.gz must hold finite numbers, found inf for NCGC00000080-01, a"),
        (other_columns, "the two dense files must have the same columns"),
        (recompound(set="training"), "the test files must hold the compounds of the set test"),
        (recompound(set="score"), "also holds 'score'"),
        (recompound(ID="one"), "must name every compound once, but one twice"),
        (forget_compound, "every compound must be in tox21_compoundData.csv, found 1 that are not, as NCGC00000000-01"),
    ],
)
def test_damage_is_said_plainly_and_leaves_nothing_behind(source, damage, message, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "cache"))
    damage(source)
    with pytest.raises(DataError, match=f"^Task 'tox21': .*{message}"):
        prepare(source)
    assert not list((tmp_path / "cache").rglob("prepared-*"))


def test_a_compressed_bomb_is_refused_before_it_is_read(source, monkeypatch):
    monkeypatch.setattr(archive, "MIN_SUSPECT_BYTES", 2**20)
    with gzip.open(source / "tox21_dense_test.csv.gz", "wb") as file:
        file.write(b"0" * 2**22)
    with pytest.raises(DataError, match=r"tox21_dense_test.csv.gz may unpack to \d+ bytes at most, found more"):
        prepare(source)


def test_an_archive_that_declares_far_more_than_it_holds_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MIN_SUSPECT_BYTES", 2**20)
    bomb = tmp_path / "tox21.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("tox21_compoundData.csv", b"0" * 2**22)
    with pytest.raises(DataError, match=r"it may unpack to \d+ bytes at most, found more up to 'tox21_compoundData.csv'"):
        prepare(bomb)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"treshold": 0.1}, UnknownNameError, r"table \[data\] for suite tox21 'treshold'. Did you mean 'threshold'"),
        ({"threshold": 1.5}, ConfigError, r"\[data\] threshold: .* found 1.5"),
        ({"counts": "sqrt"}, ConfigError, r"\[data\] counts: .* found 'sqrt'"),
    ],
)
def test_wrong_options_are_refused(source, options, error, message):
    with pytest.raises(error, match=message):
        prepare(source, **options)


def test_other_suites_have_no_options(tmp_path):
    with pytest.raises(UnknownNameError, match="for suite core 'threshold'"):
        open_source("core", options={"threshold": 0.1})


def test_an_unprepared_folder_is_refused(tmp_path):
    for function in (tox21.load, tox21.splits):
        with pytest.raises(DataError, match="must be prepared first"):
            function("tox21", tmp_path)


def smiles_table(**columns) -> pd.DataFrame:
    """Eight compounds; the last one of the test set is a salt of the first one of the training set."""
    table = pd.DataFrame(
        {
            "ID": [f"c{k}" for k in range(8)],
            "smiles": ["CCN", "c1ccccc1O", "CC(=O)O", "CCCl", "CCO", "CCCC", "CCBr", "[Cl-].CC[NH3+]"],
            "set": ["training"] * 4 + ["validation"] * 2 + ["test"] * 2,
            "SR.a": ["0", "1", "NA", "0", "1", "0", "1", "0"],
            "SR.b": ["NA", "1", "0", "0", "1", "0", "1", "0"],
        }
    )
    return table.assign(**columns)


def test_structures_without_rdkit_say_how_to_get_it(tmp_path, monkeypatch):
    smiles_table().to_csv(tmp_path / SMILES, index=False)
    monkeypatch.setattr("snnbench.suites.tox21.smiles.metadata.version", _not_installed)
    with pytest.raises(DataError, match=r"RDKit, which is not installed: pip install 'snnbench\[rdkit\]'"):
        prepare(tmp_path)


def _not_installed(name):
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def test_features_from_structures_carry_their_name_and_know_salts(tmp_path):
    pytest.importorskip("rdkit", reason="needs the extra rdkit")
    smiles_table().to_csv(tmp_path / SMILES, index=False)
    folder, said = prepare(tmp_path / SMILES)
    (task,), _ = tox21.tasks(folder)
    assert task.source.startswith(f"rdkit-{metadata.version('rdkit')} features: ")
    assert (task.n_samples, task.n_outputs, task.labels) == (8, 2, ("SR.a", "SR.b"))
    assert "1 training compounds (1 structures) are in a later set too: removed" in said
    (split,) = tox21.splits("tox21", folder)
    assert split.train.tolist() == [1, 2, 3]
    data = tox21.load("tox21", folder)
    np.testing.assert_array_equal(data.y[:3], [[0, np.nan], [1, 1], [np.nan, 0]])
    weights = data.X[:, [np.allclose(column[[1, 2]], [94.11, 60.05], atol=0.01) for column in data.X.T]]
    np.testing.assert_allclose(weights[4], 46.07, atol=0.01)  # of ethanol


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smiles": "not a molecule"}, "must be SMILES; that of c0 is not"),
        ({"SR.a": "3"}, "found '3' for c0, SR.a"),
        ({"set": "train"}, "must be training, validation, test, found 'train'"),
        ({"ID": "same"}, "must name every compound once, but same twice"),
    ],
)
def test_damaged_structures_are_said_plainly(tmp_path, changes, message):
    pytest.importorskip("rdkit", reason="needs the extra rdkit")
    smiles_table(**changes).to_csv(tmp_path / SMILES, index=False)
    with pytest.raises(DataError, match=f"^Task 'tox21': .*{message}"):
        prepare(tmp_path)


def test_structures_without_labels_or_header_are_refused(tmp_path):
    pytest.importorskip("rdkit", reason="needs the extra rdkit")
    table = smiles_table()
    table[["ID", "smiles", "set"]].to_csv(tmp_path / SMILES, index=False)
    with pytest.raises(
        DataError, match=r"labels must be columns of tox21_smiles.csv, or of a tox21_compoundData.csv beside it"
    ):
        prepare(tmp_path)
    table.to_csv(tmp_path / SMILES, index=False, header=False)
    with pytest.raises(DataError, match="must have a header with ID, smiles, set"):
        prepare(tmp_path)


@pytest.mark.shared_data
def test_the_stand_in_of_the_real_archive(shared, tmp_path):
    folder, said = prepare(shared / "data" / "tox21" / "tox21.zip")
    (task,), _ = tox21.tasks(folder)
    assert (task.n_samples, task.n_features, task.n_outputs) == (12707, 446 + 707, 12)
    (split,) = tox21.splits("tox21", folder)
    assert [len(rows) for rows in (split.train, split.valid, split.test)] == [11764 - 50, 296 - 4, 647]
    assert "50 training compounds (27 structures) are in a later set too: removed" in said
    y = load_suite("tox21").load("tox21", folder).y
    assert int((y[split.test] == 1).sum()) == 488
    assert int((~np.isnan(y)).sum()) == 108455
    shutil.rmtree(folder)
