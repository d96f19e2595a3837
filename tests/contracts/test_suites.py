"""Every entry of SUITES keeps the protocol of ``snnbench.suites.Suite``."""

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from archives import wine_like, write_delgado, write_htru2, write_tox21

from snnbench import suites
from snnbench.errors import DataError, UnknownNameError
from snnbench.suites import SUITES, Suite, load_suite, open_source

NAMES = sorted(set(Suite.__annotations__) | {name for name in vars(Suite) if not name.startswith("_")})
COLUMNS = ["n_samples", "n_features", "n_classes", "n_test", "size", "repetitions"]
MADE = {
    "htru2": ("htru2", write_htru2),
    "tox21": ("tox21", write_tox21),
    "uci": ("wine", lambda folder: write_delgado(folder, "wine", *wine_like(), 44)),
}
"""For every suite that is not embedded: a task, and how to make its files from nothing."""


def check_task(suite: str, task: str, folder: Path | None) -> None:
    """Check what a task's arrays and splits promise, against each other and against the catalogue."""
    module = load_suite(suite)
    row = module.catalogue().loc[task]
    (described,) = (found for found in module.tasks(folder)[0] if found.name == task)
    dataset = module.load(task, folder)
    assert dataset.X.shape == (described.n_samples, described.n_features)
    assert (described.suite, described.n_samples) == (suite, row["n_samples"])
    assert row["n_features"] in (described.n_features, 0)  # 0: it depends on the source
    assert dataset.X.dtype == np.float64
    if n_labels := row.get("n_labels", 0):
        assert (described.kind, described.n_outputs, len(described.labels)) == ("multilabel", n_labels, n_labels)
        assert (dataset.y.dtype, dataset.y.shape) == (np.float32, (row["n_samples"], n_labels))
        assert np.unique(dataset.y[~np.isnan(dataset.y)]).tolist() == [0, 1]
    else:
        assert described.kind == ("binary" if row["n_classes"] == 2 else "multiclass")
        assert (dataset.y.dtype, dataset.y.shape) == (np.int64, (row["n_samples"],))
        assert np.unique(dataset.y).tolist() == list(range(row["n_classes"]))
        assert described.n_outputs == row["n_classes"]
    assert re.fullmatch("[0-9a-f]{64}", described.sha256)

    splits = module.splits(task, folder)
    assert len({split.name for split in splits}) == len(splits) == row["repetitions"]
    assert len(splits) == 1 or all(split.name.endswith(f"-{k}") for k, split in enumerate(splits, start=1))
    assert len(splits[0].test) == row["n_test"]
    everything = np.arange(len(dataset.y))
    for split in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.valid, split.test])), everything)
        assert abs(len(split.test) - row["n_test"]) <= 1
        assert min(len(split.train), len(split.valid)) > 0
        not_test = len(split.train) + len(split.valid)
        assert suite != "core" or len(split.valid) == max(1, round(0.2 * not_test))  # the others may bring their own
    # Asking again gives the same, whatever was asked before, and a caller may change what it got.
    dataset.X[:] = -1
    again = module.load(task, folder)
    assert asdict(described) == asdict(next(found for found in module.tasks(folder)[0] if found.name == task))
    assert not (again.X == -1).all()
    for split, other in zip(splits, module.splits(task, folder), strict=True):
        assert all(np.array_equal(getattr(split, part), getattr(other, part)) for part in ("train", "valid", "test"))


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_has_every_name_of_the_protocol(suite):
    module = load_suite(suite)
    assert [name for name in NAMES if not hasattr(module, name)] == []
    assert module.SUMMARY == module.SUMMARY.strip() != ""
    assert "\n" not in module.SUMMARY
    assert all(re.match(r"https?://", url) for url in module.URLS)
    assert isinstance(module.ARCHIVES, tuple)
    assert isinstance(module.STANDARDISE, bool)
    assert set(module.REPETITIONS) <= set(range(1, module.catalogue()["repetitions"].max() + 1))
    assert module.__doc__


@pytest.mark.parametrize("suite", SUITES)
def test_a_catalogue_has_a_row_a_task(suite):
    catalogue = load_suite(suite).catalogue()
    assert catalogue.index.name == "name"
    assert catalogue.index.is_unique
    assert [column for column in COLUMNS if column not in catalogue] == []
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in catalogue.index)
    numbers = catalogue[["n_samples", "n_features", "n_classes", "n_test", "repetitions"]]
    assert (numbers.dtypes == np.int64).all()
    assert (numbers.drop(columns="n_features") > 0).all(axis=None)
    assert (catalogue["n_classes"] >= 2).all()
    assert (catalogue["n_test"] < catalogue["n_samples"]).all()
    assert catalogue["size"].tolist() == ["large" if n >= 1000 else "small" for n in catalogue["n_samples"]]


@pytest.mark.parametrize("suite", SUITES)
def test_every_task_is_found_or_missing_for_a_reason(suite, tmp_path):
    module = load_suite(suite)
    folder = tmp_path if module.URLS else None
    found, missing = module.tasks(folder)
    assert [task.name for task in found] == ([] if module.URLS else list(module.catalogue().index))
    assert {task.name for task in found} | set(missing) == set(module.catalogue().index)
    assert all(missing.values())
    with pytest.raises(UnknownNameError, match=f"task of suite '{suite}' 'nonesuch'"):
        module.load("nonesuch", folder)
    for name in list(missing)[:1]:
        with pytest.raises(DataError, match=f"Task '{name}': "):
            module.load(name, folder)
        with pytest.raises(DataError, match=f"Task '{name}': "):
            module.splits(name, folder)


@pytest.mark.parametrize(
    ("suite", "task"),
    [(suite, task) for suite in SUITES if not load_suite(suite).URLS for task in load_suite(suite).catalogue().index],
)
def test_every_embedded_task_keeps_its_promises(suite, task):
    assert open_source(suite) is None
    check_task(suite, task, None)


@pytest.mark.parametrize("suite", [suite for suite in SUITES if load_suite(suite).URLS])
def test_a_task_of_made_files_keeps_its_promises(suite, tmp_path):
    task, make = MADE[suite]
    make(tmp_path)
    folder = open_source(suite, str(tmp_path))
    assert (folder == tmp_path) != hasattr(load_suite(suite), "prepare")
    found, missing = load_suite(suite).tasks(folder)
    assert [described.name for described in found] == [task]
    assert len(missing) == len(load_suite(suite).catalogue()) - 1
    check_task(suite, task, folder)


@pytest.mark.shared_data
@pytest.mark.parametrize("archive", load_suite("uci").ARCHIVES)
def test_every_task_of_the_real_uci_archives_keeps_its_promises(archive, shared):
    folder = open_source("uci", str(shared / "data" / "uci" / archive))
    found, _ = load_suite("uci").tasks(folder)
    assert len(found) == {"data.tar.gz": 120, "data_py.zip": 12}[archive]
    for task in found:
        dataset = load_suite("uci").load(task.name, folder)
        for split in load_suite("uci").splits(task.name, folder):
            rows = np.sort(np.concatenate([split.train, split.valid, split.test]))
            np.testing.assert_array_equal(rows, np.arange(len(dataset.y)))
            assert min(map(len, (split.train, split.valid, split.test))) > 0


def test_every_file_that_defines_a_suite_is_in_the_dict():
    folder = Path(suites.__file__).parent
    files = [file for file in folder.rglob("*.py") if re.search(r"^SUMMARY = ", file.read_text(), re.MULTILINE)]
    modules = {".".join(file.relative_to(folder.parents[1]).with_suffix("").parts) for file in files}
    assert modules == set(SUITES.values())
    assert set(MADE) == {suite for suite in SUITES if load_suite(suite).URLS}
