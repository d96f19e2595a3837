"""The audit: every fault is put into a small task and must be found, and a sound task has none."""

import numpy as np
import pandas as pd
import pytest
from archives import wine_like, write_delgado

from snnbench.errors import UnknownNameError
from snnbench.records import Dataset, Split
from snnbench.resources import resource
from snnbench.suites import SUITES, load_suite, open_source
from snnbench.suites.audit.findings import audit_suite, audit_task, interval_width
from snnbench.suites.audit.flags import FLAGS, as_table, flags_of, stored_findings, task_flags
from snnbench.suites.splits import standardise

N = 400
TRAIN, VALID, TEST = np.arange(200), np.arange(200, 300), np.arange(300, N)
REST = np.arange(300)


def features(seed: int = 0, n_features: int = 4) -> np.ndarray:
    return 3 + 5 * np.random.default_rng(seed).gamma(2, size=(N, n_features))


def scaled(X: np.ndarray, *sides: np.ndarray) -> np.ndarray:
    """Standardise each side by itself; the rows of no side stay raw."""
    X = X.astype(np.float64).copy()
    for rows in sides:
        X[rows] = standardise(X, rows)[rows]
    return X


def flags(
    X: np.ndarray, y: np.ndarray | None = None, splits: list[Split] | None = None, as_published: bool = True
) -> dict[str, str]:
    dataset = Dataset(X.astype(np.float32), np.arange(N) % 2 if y is None else y)
    return dict(audit_task(dataset, splits or [Split("repetition-1", TRAIN, VALID, TEST)], as_published))


def test_a_sound_task_has_no_flag():
    assert flags(standardise(features(), REST)) == {}
    assert flags(features(), as_published=False) == {}


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((REST, TEST), {"standardised-separately"}),
        ((np.arange(N),), {"standardised-together"}),
        ((REST,), {"test-not-standardised", "standardised-separately"}),
        ((TEST,), {"train-not-standardised", "standardised-separately"}),
        ((), {"not-standardised"}),
    ],
)
def test_the_side_that_is_off_is_named(sides, expected):
    assert set(flags(scaled(features(), *sides))) == expected
    # Constant features and both conventions of the standard deviation hide nothing.
    X = scaled(features(), *sides)
    for rows in sides:
        X[rows] *= np.sqrt((len(rows) - 1) / len(rows))
    assert set(flags(np.column_stack([X, np.zeros(N)]))) == expected | {"constant-features"}
    assert set(flags(scaled(features(), *sides), as_published=False)) == set()


def test_the_details_of_a_scale_are_its_numbers():
    X = features()
    found = flags(scaled(X, REST))["test-not-standardised"]
    low, high = sorted(X[TEST].mean(axis=0))[:: X.shape[1] - 1]
    assert found.startswith(f"means from {low:.3g} to {high:.3g}, standard deviations from ")


@pytest.mark.parametrize(("part", "rows"), [("train", TRAIN), ("valid", VALID), ("test", TEST)])
def test_a_class_that_is_missing_from_a_part_is_counted(part, rows):
    y = np.arange(N) % 5
    y[rows[y[rows] == 3]] = 4
    assert flags(standardise(features(), REST), y) == {f"class-not-in-{part}": "1 of 5 classes: 3"}


def test_targets_that_are_not_measured_are_no_class():
    y = np.tile(np.array([[0.0, 1.0]], dtype=np.float32), (N, 1))
    y[::2] = 1 - y[::2]
    assert flags(standardise(features(), REST), y) == {}
    y[TEST, 1] = np.where(y[TEST, 1] == 1, np.nan, 0)
    assert flags(standardise(features(), REST), y) == {"class-not-in-test": "1 of 2 targets have one class only: 1"}


def test_repeated_rows_are_counted_and_looked_for_in_both_parts():
    X, y = standardise(features(), REST), np.arange(N) % 2
    X[[10, 310, 311]] = X[20]
    y[[10, 310, 311]] = y[20], y[20], 1 - y[20]
    found = flags(X, y)
    assert found["duplicated-rows"] == "2 (0.5%) of the rows"
    assert found["contradicting-rows"] == "4 (1.0%) of the rows"
    assert found["rows-in-train-and-test"] == "1 (1.0%) of the test rows"


def test_labels_that_were_not_measured_contradict_none():
    X = standardise(features(), REST)
    y = np.stack([np.arange(N) % 2, np.arange(N) // 2 % 2], axis=1).astype(np.float32)
    X[[10, 20, 30]] = X[40]
    y[[10, 20, 30, 40]] = [[0, np.nan], [np.nan, 1], [np.nan, np.nan], [0, 1]]
    assert "contradicting-rows" not in flags(X, y)
    y[30] = [1, np.nan]
    assert flags(X, y)["contradicting-rows"] == "4 (1.0%) of the rows"


def test_a_zero_and_a_negative_zero_are_equal():
    X = standardise(features(n_features=1), REST)
    X[5], X[6] = 0.0, -0.0
    y = np.arange(N) % 2
    y[5:7] = 0
    assert flags(X, y)["duplicated-rows"] == "1 (0.2%) of the rows"


def test_features_that_say_nothing_new_are_counted():
    X = features()
    X = np.column_stack([X, 2 - 3 * X[:, 1], 7 * X[:, 2], np.full(N, 5.0)])
    found = flags(standardise(X, REST))
    assert found == {"constant-features": "1 of 7: 7", "duplicated-features": "2 of 6 that vary"}


def test_hold_outs_that_overlap_are_measured():
    one = Split("repetition-1", TRAIN, VALID, TEST)
    half = Split("repetition-2", np.arange(150), np.arange(150, 250), np.arange(250, 350))
    apart = Split("repetition-2", np.arange(200, 400), np.arange(100, 200), np.arange(100))
    X = standardise(features(), REST)
    assert (
        flags(X, splits=[one, half])["overlapping-hold-outs"] == "two share 50% of their test rows; all cover 38% of the rows"
    )
    assert flags(X, splits=[one, one])["overlapping-hold-outs"] == "all 2 repetitions have the same test rows"
    assert "overlapping-hold-outs" not in flags(X, splits=[one, apart])


def test_imbalance_is_extreme_by_share_or_by_ratio():
    X = standardise(features(), REST)
    assert "imbalanced" not in flags(X, (np.arange(N) % 9 == 0).astype(np.int64))
    assert flags(X, (np.arange(N) % 10 == 0).astype(np.int64))["imbalanced"] == (
        "the largest class has 90.0% of the rows, 9 times those of the smallest"
    )
    y = np.arange(N) % 2
    y[[0, 250, 350]] = 2
    assert flags(X, y)["imbalanced"].endswith("67 times those of the smallest")


def test_a_tiny_test_set_is_flagged_with_its_interval():
    # Wilson, by hand: centre 1/2, half width z/(n + z²) · sqrt(n/4 + z²/4)
    z = 1.959963984540054
    assert interval_width(30) == pytest.approx(2 * z / (30 + z**2) * np.sqrt(30 / 4 + z**2 / 4), abs=1e-12)
    assert interval_width(92) > 0.2 > interval_width(94)
    few = Split("repetition-1", np.arange(300), np.arange(300, 370), np.arange(370, N))
    assert flags(standardise(features(), np.arange(370)), splits=[few]) == {
        "tiny-test-set": "30 test rows: the 95 % interval of an accuracy of 0.5 is 34 points wide"
    }


def test_a_task_that_cannot_be_read_is_named_and_the_others_are_audited(tmp_path):
    write_delgado(tmp_path, "wine", *wine_like(), 44)
    write_delgado(tmp_path, "iris", *wine_like(), 44)  # has not the numbers of iris
    findings, missing = audit_suite("uci", tmp_path, ("wine", "iris"))
    assert {found.task for found in findings} == {"wine"}
    assert "tiny-test-set" in {found.flag for found in findings}
    assert list(missing) == ["iris"]
    assert "by the catalogue it must have" in missing["iris"]


@pytest.mark.parametrize("suite", SUITES)
def test_stored_flags_are_of_the_suite(suite):
    table = stored_findings(suite)
    assert list(table.columns) == ["task", "flag", "detail", "severity"]
    assert set(table["task"]) <= set(map(str, load_suite(suite).catalogue().index))
    assert set(table["flag"]) <= set(FLAGS)
    assert not table.duplicated(["task", "flag"]).any()
    table["flag"] = "changed by the caller"
    assert "changed by the caller" not in set(stored_findings(suite)["flag"])


def test_the_stored_flags_of_core_are_what_the_audit_finds():
    findings, missing = audit_suite("core", None)
    assert missing == {}
    pd.testing.assert_frame_equal(stored_findings("core"), as_table(findings))


@pytest.mark.shared_data
def test_the_stored_flags_of_uci_are_what_the_audit_finds(shared):
    folder = open_source("uci", str(shared / "data" / "uci" / "data.tar.gz"))
    findings, missing = audit_suite("uci", folder)
    assert list(missing) == ["miniboone"]
    pd.testing.assert_frame_equal(stored_findings("uci"), as_table(findings))


@pytest.mark.shared_data
def test_the_stored_flags_of_htru2_are_what_the_audit_finds(shared):
    findings, missing = audit_suite("htru2", open_source("htru2", str(shared / "data" / "htru2")))
    assert missing == {}
    pd.testing.assert_frame_equal(stored_findings("htru2"), as_table(findings))


def test_the_faults_of_uci_that_are_known_are_found():
    table = stored_findings("uci").groupby("flag")["task"].agg(list)
    files = load_suite("uci").catalogue().query("test_set == 'file'").index
    assert table["standardised-separately"] == list(files)
    assert len(files) == 19
    assert table["test-not-standardised"] == [
        "annealing", "hayes-roth", "hill-valley", "horse-colic", "image-segmentation", "soybean", "spect"
    ]  # fmt: skip
    assert table["train-not-standardised"] == ["monks-1", "monks-2", "monks-3", "spectf"]
    assert table["class-not-in-test"] == [
        "annealing", "arrhythmia", "audiology-std", "ecoli", "low-res-spect", "lymphography", "nursery", "post-operative"
    ]  # fmt: skip
    detail = stored_findings("uci").set_index(["task", "flag"])["detail"]
    assert detail["audiology-std", "class-not-in-test"].startswith("13 of 18 classes")
    assert "class-not-in-train" not in table


def test_flagged_tasks_are_those_of_a_severity_and_above():
    faults = task_flags("uci")
    assert [finding.partition(": ")[0] for finding in faults["monks-3"]] == [
        "train-not-standardised",
        "standardised-separately",
    ]
    assert len(faults) == 25
    assert "iris" not in faults
    assert task_flags("uci", "caution")["iris"][-1].startswith("tiny-test-set: 37 test rows")
    assert set(faults) < set(task_flags("uci", "caution")) < set(task_flags("uci", "note"))
    assert task_flags("core") == {}
    with pytest.raises(UnknownNameError, match="Known: caution, fault, note"):
        task_flags("uci", "faults")  # type: ignore[arg-type]


def test_the_flags_of_a_task_fit_into_a_cell():
    assert flags_of("uci", "monks-3").startswith("train-not-standardised, standardised-separately, ")
    assert flags_of("core", "no such task") == ""


def test_the_stored_file_is_where_a_wheel_finds_it():
    assert resource("datasets", "uci_flags.csv").is_file()
