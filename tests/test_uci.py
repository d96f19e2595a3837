import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from archives import wine_like, write_delgado

from snnbench.errors import DataError, UnknownNameError
from snnbench.suites import open_source, uci

N_TEST = 44


@pytest.fixture(autouse=True)
def _forget():
    uci._read.cache_clear()


@pytest.fixture
def wine(tmp_path: Path) -> Path:
    return write_delgado(tmp_path, "wine", *wine_like(), N_TEST)


def test_a_task_is_read_as_written(wine, tmp_path):
    X, y = wine_like()
    dataset = uci.load("wine", tmp_path)
    np.testing.assert_allclose(dataset.X, X, rtol=1e-5)
    np.testing.assert_array_equal(dataset.y, y)
    assert dataset.X.dtype == np.float64
    assert dataset.y.dtype == np.int64


def test_test_rows_are_the_test_lines_and_validation_is_a_fifth_of_the_rest(wine, tmp_path):
    lines = (wine / "conxuntos_kfold.dat").read_text().splitlines()
    splits = uci.splits("wine", tmp_path)
    assert [split.name for split in splits] == [f"repetition-{k}" for k in (1, 2, 3, 4)]
    for k, split in enumerate(splits):
        assert sorted(map(int, lines[2 * k + 1].split())) == split.test.tolist()
        assert (len(split.train), len(split.valid), len(split.test)) == (107, 27, 44)
        assert sorted(np.concatenate([split.train, split.valid, split.test])) == list(range(178))


def test_missing_tasks_are_named_with_the_reason(wine, tmp_path):
    (tmp_path / "iris").mkdir()
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "zoo.txt").write_text("n_entradas= 16\nfich1= zoo_R.dat\n")
    found, missing = uci.tasks(tmp_path)
    assert [task.name for task in found] == ["wine"]
    assert len(missing) == 120
    assert missing["iris"] == "iris/ has neither iris.txt nor iris_py.dat"
    assert missing["zoo"] == "conxuntos_kfold.dat and zoo_R.dat are missing"
    assert missing["adult"] == "there is no folder adult/"


def test_the_digest_follows_the_data(wine, tmp_path):
    before = uci.tasks(tmp_path)[0][0].sha256
    assert uci.tasks(tmp_path)[0][0].sha256 == before
    file = wine / "wine_R.dat"
    file.write_text(file.read_text().replace("\t0\n", "\t1\n", 1))
    assert uci.tasks(tmp_path)[0][0].sha256 != before


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def drop_last_row(wine: Path) -> None:
    file = wine / "wine_R.dat"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def drop_row_everywhere(wine: Path) -> None:
    drop_last_row(wine)
    edit(wine / "wine.txt", "n_patrons1= 178", "n_patrons1= 177")
    lines = (wine / "conxuntos_kfold.dat").read_text().split("\n")
    kept = [" ".join(word for word in line.split() if word != "177") for line in lines]
    (wine / "conxuntos_kfold.dat").write_text("\n".join(kept))


def one_class_of_one_row(wine: Path) -> None:
    X, y = wine_like()
    y[y == 2] = 0
    y[5] = 2
    for file in wine.iterdir():
        file.unlink()
    wine.rmdir()
    write_delgado(wine.parent, "wine", X, y, N_TEST)


FAULTS = {
    "row lost": (drop_last_row, "wine.txt announces 178 rows for wine_R.dat, found 177"),
    "not the catalogue's rows": (drop_row_everywhere, "by the catalogue it must have n_samples 178, found 177"),
    "not a number": (lambda wine: edit(wine / "wine_R.dat", "\t2\n", "\tx\n"), "wine_R.dat must be a table of numbers"),
    "NaN": (lambda wine: edit(wine / "wine_R.dat", "\n1\t", "\n1\tnan\t"), "finite numbers, found nan in data row 1"),
    "class of one row": (one_class_of_one_row, "every class needs at least 2 rows"),
    "unknown class": (lambda wine: edit(wine / "wine_R.dat", "\t2\n", "\t7\n"), "n_classes 3, found 8"),
    "fraction for a class": (lambda wine: edit(wine / "wine_R.dat", "\t2\n", "\t1.5\n"), "whole numbers"),
    "partition that skips a row": (lambda wine: edit(wine / "conxuntos_kfold.dat", " 17 ", " "), "every one of 178 rows once"),
    "partition with words": (lambda wine: edit(wine / "conxuntos_kfold.dat", " 17 ", " x "), "row numbers only"),
    "partition with a line lost": (
        lambda wine: (wine / "conxuntos_kfold.dat").write_text("0 1\n2 3\n"),
        "must have 8 lines, found 2",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_data_is_an_error_that_names_task_and_fault(fault, wine, tmp_path):
    damage, words = FAULTS[fault]
    damage(wine)
    with pytest.raises(DataError, match="Task 'wine'") as caught:
        uci.load("wine", tmp_path)
    assert words in str(caught.value)


def test_an_unknown_task_gets_the_nearest_name(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'wine'"):
        uci.load("wines", tmp_path)


def test_the_layout_of_data_py_brings_its_own_validation_rows(tmp_path):
    X, y = wine_like()
    place = tmp_path / "data" / "wine"
    place.mkdir(parents=True)
    columns = np.zeros((2, 178, 4), dtype=int)
    for k in range(4):
        order = np.random.default_rng(k).permutation(178)
        columns[0, order[:N_TEST], k] = 1
        columns[1, order[N_TEST : N_TEST + 20], k] = 1
    np.savetxt(place / "wine_py.dat", X, delimiter=",")
    np.savetxt(place / "labels_py.dat", y, fmt="%d")
    np.savetxt(place / "folds_py.dat", columns[0], fmt="%d", delimiter=",")
    np.savetxt(place / "validation_folds_py.dat", columns[1], fmt="%d", delimiter=",")
    for k, split in enumerate(uci.splits("wine", tmp_path)):
        np.testing.assert_array_equal(split.test, np.flatnonzero(columns[0, :, k]))
        np.testing.assert_array_equal(split.valid, np.flatnonzero(columns[1, :, k]))
        assert len(split.train) == 178 - 44 - 20
    columns[1, :, 3] = 0
    np.savetxt(place / "validation_folds_py.dat", columns[1], fmt="%d", delimiter=",")
    uci._read.cache_clear()
    with pytest.raises(DataError, match="4 columns of 0 and 1, with a 1 in each"):
        uci.splits("wine", tmp_path)


def test_archives_of_both_layouts_are_unpacked(wine, tmp_path):
    archive = tmp_path / "data.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(wine, "data/wine")
    folder = open_source("uci", str(archive))
    assert [task.name for task in uci.tasks(folder)[0]] == ["wine"]
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as zipped:
        for file in wine.iterdir():
            zipped.write(file, f"wine/{file.name}")
    assert uci.tasks(open_source("uci", str(other)))[0][0].sha256 == uci.tasks(folder)[0][0].sha256


@pytest.mark.shared_data
def test_the_real_archive_gives_120_of_121_tasks(shared):
    folder = open_source("uci", str(shared / "data" / "uci"))
    found, missing = uci.tasks(folder)
    assert len(found) == 120
    assert missing == {"miniboone": "miniboone_R.dat is missing"}
    for task in found:
        dataset = uci.load(task.name, folder)
        assert (task.n_samples, task.n_features) == dataset.X.shape
        for split in uci.splits(task.name, folder):
            assert len(split.train) + len(split.valid) + len(split.test) == task.n_samples
            n_others = task.n_samples - len(split.test)
            assert len(split.valid) == max(1, round(0.2 * n_others))
            # Every class that the test rows leave over is trained on.
            others = np.setdiff1d(np.arange(task.n_samples), split.test)
            assert set(dataset.y[others]) == set(dataset.y[split.train])


@pytest.mark.shared_data
def test_both_real_layouts_agree(shared):
    folders = [open_source("uci", str(shared / "data" / "uci" / name)) for name in uci.ARCHIVES]
    found, missing = uci.tasks(folders[1])
    assert (len(found), len(missing)) == (12, 109)
    for task in found:
        (first, second) = (uci.load(task.name, folder) for folder in folders)
        np.testing.assert_array_equal(first.X, second.X)
        np.testing.assert_array_equal(first.y, second.y)
        for one, other in zip(*(uci.splits(task.name, folder) for folder in folders), strict=True):
            np.testing.assert_array_equal(one.test, other.test)
            assert not np.array_equal(one.valid, other.valid)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("task", "n_test"), [("abalone", 1044), ("adult", 16281), ("wine", 44), ("iris", 37), ("image-segmentation", 2100)]
)
def test_test_sets_have_the_sizes_of_the_paper(task, n_test, shared):
    split = uci.splits(task, open_source("uci", str(shared / "data" / "uci")))[0]
    assert len(split.test) == n_test


@pytest.mark.parametrize("name", ["../wine/wine_R.dat", "/etc/passwd", "a" * 300, "²" * 120, "", "a b.dat"])
def test_a_description_names_files_of_its_own_folder_only(tmp_path, name):
    place = write_delgado(tmp_path, "wine", *wine_like(), 44)
    file = place / "wine.txt"
    file.write_text(file.read_text().replace("fich1= wine_R.dat", f"fich1= {name}"))
    with pytest.raises(DataError, match=r"wine\.txt must name plain files, found"):
        uci.load("wine", tmp_path)
