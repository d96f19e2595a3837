"""HTRU2: the file, the folds, and both it and Tox21 through a run that is stopped, killed and gone on with."""

import subprocess

import numpy as np
import pandas as pd
import pytest
from archives import write_htru2, write_tox21
from small_run import PROGRAM, crash_run, jobs
from small_run import n_rows as count_rows

from snnbench.config import expand_grid, load_config
from snnbench.errors import DataError
from snnbench.suites import htru2
from snnbench.suites.splits import stratified_folds
from snnbench.training.job_rows import job_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_htru2(tmp_path_factory.mktemp("htru2")).parent


def test_fold_m_tests_and_the_one_before_validates(folder):
    splits = htru2.splits("htru2", folder)
    assert [split.name for split in splits] == [f"fold-{m}" for m in range(1, 11)]
    for m, split in enumerate(splits):
        np.testing.assert_array_equal(split.valid, splits[m - 1].test)  # of the first: the last
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.valid, split.test])), np.arange(17898))
    everything = np.sort(np.concatenate([split.test for split in splits]))
    np.testing.assert_array_equal(everything, np.arange(17898))


def test_folds_are_stratified_and_never_move(folder):
    y = htru2.load("htru2", folder).y
    shares = [y[split.test].sum() for split in htru2.splits("htru2", folder)]
    assert max(shares) - min(shares) <= 1
    sizes = [len(split.test) for split in htru2.splits("htru2", folder)]
    assert sorted(sizes) == [1789] * 2 + [1790] * 8
    assert htru2.splits("htru2", folder)[0].test[:4].tolist() == FIRST_TEST_ROWS
    drawn = [stratified_folds(y, 10, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).mean() > 0.8


FIRST_TEST_ROWS = [1, 2, 17, 23]
"""Of the made file; a change of the rule would move stored results to other rows."""


@pytest.mark.parametrize("y", [[0] * 7 + [1] * 3, [0, 1, 2] * 9, [1] * 3])
def test_folds_differ_by_one_row_at_most_in_size_and_class(y):
    folds = stratified_folds(np.array(y), 3, np.random.default_rng(0))
    assert set(folds) == {1, 2, 3}
    for label in (None, *set(y)):
        counts = np.bincount(folds[[label in (None, of) for of in y]], minlength=4)[1:]
        assert counts.max() - counts.min() <= 1


def test_more_folds_than_rows_are_refused():
    with pytest.raises(DataError, match="found 2 rows for 3 folds"):
        stratified_folds(np.array([0, 1]), 3, np.random.default_rng(0))


def test_features_are_standardised_on_the_training_rows_of_each_fold(folder):
    X = htru2.load("htru2", folder).X
    for split in htru2.splits("htru2", folder)[:2]:
        train, valid = job_rows("search", "htru2", "htru2", split.name, folder)
        np.testing.assert_allclose(train.X.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(train.X.std(axis=0), 1, atol=1e-5)
        scaled = (X[split.valid] - X[split.train].mean(axis=0)) / X[split.train].std(axis=0)
        np.testing.assert_allclose(valid.X, scaled, rtol=0, atol=1e-4)


def rewrite(change):
    def damage(file):
        file.write_text(change(file.read_text()))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (rewrite(lambda text: "a,b,c,d,e,f,g,h,class\n" + text), "must be a table of numbers without a header"),
        (rewrite(lambda text: text[: text.rindex("\n", 0, -1) + 1]), r"must have 17898 rows of 9 columns, found \(17897, 9\)"),
        (rewrite(lambda text: text.replace(",1\n", ",2\n", 1)), r"must hold the classes 0 and 1, found \[0.0, 1.0, 2.0\]"),
        (rewrite(lambda text: text.replace("0.", "nan.", 1)), "must be a table of numbers"),
        (rewrite(lambda text: "inf" + text[text.index(",") :]), "must hold finite numbers, found inf in row 1, column 1"),
        (rewrite(lambda text: text.replace(",", ";")), "must be a table of numbers"),
        (rewrite(lambda text: ""), "must be a table of numbers"),
        (lambda file: file.unlink(), "there is no HTRU_2.csv"),
    ],
)
def test_damage_is_said_plainly(damage, message, folder, tmp_path):
    file = tmp_path / "HTRU_2.csv"
    file.write_text((folder / "HTRU_2.csv").read_text())
    damage(file)
    with pytest.raises(DataError, match=f"^Task 'htru2': .*{message}"):
        htru2.load("htru2", tmp_path)


@pytest.mark.parametrize(
    ("suite", "sizes"),
    [
        (
            "htru2",
            {"snn": 180, "msrainit": 180, "batchnorm": 90, "weightnorm": 90, "layernorm": 90, "highway": 30, "resnet": 180},
        ),
        (
            "tox21",
            {"snn": 504, "msrainit": 504, "batchnorm": 252, "weightnorm": 504, "layernorm": 504, "highway": 126, "resnet": 432},
        ),
    ],
)
def test_the_paper_presets_have_the_published_numbers_of_configurations(suite, sizes):
    """Tables A14 to A20 and A21 to A27."""
    models = load_config(suite, "paper").models
    assert {model: len(expand_grid(model, models[model])) for model in sizes} == sizes


CONFIG = """
{select}
[training]
n_epochs = 2
batch_size = 2048
smoothing_window = 1
[models.snn.grid]
n_units = 8
n_layers = [1, 2]
form = "rectangular"
learning_rate = [0.01, 0.1]
l2 = [0.0, 1e-3]
[models.naive_bayes]
estimator = "sklearn.naive_bayes.GaussianNB"
grid = {{var_smoothing = [1e-9, 1e-3]}}
"""
SCORES = ["key", "status", "valid_score", "test_score", "best_epoch", "n_epochs"]


@pytest.mark.unix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "write", "select", "n_rows"),
    [
        ("htru2", write_htru2, "", 2 * (8 + 2) + 2 * 2),
        ("tox21", lambda folder: write_tox21(folder, 600, 100, 100), 'select_by = "depth"', (8 + 2) + 2 * (2 + 1)),
    ],
)
def test_a_killed_run_goes_on_and_ends_with_the_same_scores(suite, write, select, n_rows, tmp_path):
    (tmp_path / "source").mkdir()
    write(tmp_path / "source")
    config = tmp_path / "tiny.toml"
    config.write_text(CONFIG.format(select=select))
    command = [
        *PROGRAM, "run", suite, "--config", str(config), "--workers", "2",
        "--source", str(tmp_path / "source"), "--progress", "none", *SPLITS[suite], "--results",
    ]  # fmt: skip
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    killed, all_jobs = tmp_path / "killed", jobs(tmp_path / "whole")
    crash_run([*command, str(killed)], tmp_path, len(all_jobs) // 2, "before")
    logged = jobs(killed)
    assert len(logged) == len(all_jobs) // 2 - 1
    assert logged.items() <= all_jobs.items()
    assert count_rows(killed) == sum(logged.values())
    subprocess.run([*command, str(killed)], check=True, capture_output=True)
    found, whole = (
        pd.read_parquet(tmp_path / name / suite).sort_values("key").reset_index(drop=True) for name in ("killed", "whole")
    )
    assert len(whole) == n_rows
    assert set(whole["status"]) == {"ok"}
    pd.testing.assert_frame_equal(found[SCORES], whole[SCORES])


SPLITS = {"htru2": ["--repetition", "1", "--repetition", "10"], "tox21": ["--seeds", "2"]}
