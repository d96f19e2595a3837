import subprocess
import sys
import tarfile
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from snnbench.errors import DataError, UnknownNameError
from snnbench.suites import core
from snnbench.suites.arrays import array_suite, sha256_of_arrays

SHARED = Path(__file__).parents[2] / "shared"
TASKS = list(core.catalogue().index)
BY_RULE = ["tic-tac-toe", "balance-scale", "monks-1", "monks-2", "monks-3"]


def counts(task: str) -> list[int]:
    return np.bincount(core.load(task, None).y).tolist()


def two_classes(task: str) -> tuple[np.ndarray, np.ndarray]:
    data = core.load(task, None)
    return data.X.astype(np.float64), data.y


def test_catalogue() -> None:
    table = core.catalogue()
    assert table.columns.tolist() == [
        "n_samples",
        "n_features",
        "n_classes",
        "n_test",
        "size",
        "repetitions",
        "uci_name",
        "description",
    ]
    assert len(table) == 13
    assert table.index.is_unique
    assert (table["repetitions"] == 4).all()
    assert (table["n_test"] == table["n_samples"] // 4).all()
    assert ((table["size"] == "large") == (table["n_samples"] >= 1000)).all()
    assert set(table["size"]) == {"small", "large"}
    assert table["description"].str.fullmatch(r"[^\n]{40,}\.").all()
    assert table.index[table["uci_name"] == ""].tolist() == ["optical-digits", "monks-1", "monks-2", "monks-3"]


@pytest.mark.parametrize("task", TASKS)
def test_arrays_match_the_catalogue(task: str) -> None:
    data, row = core.load(task, None), core.catalogue().loc[task]
    assert data.X.dtype == np.float64
    assert data.y.dtype == np.int64
    assert data.X.shape == (row["n_samples"], row["n_features"])
    assert np.unique(data.y).tolist() == list(range(row["n_classes"]))


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("iris", [50, 50, 50]),
        ("wine", [59, 71, 48]),
        ("breast-cancer-wisc-diag", [212, 357]),
        ("optical-digits", [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("tic-tac-toe", [332, 626]),
        ("balance-scale", [288, 49, 288]),
        ("monks-1", [216, 216]),
        ("monks-2", [290, 142]),
        ("monks-3", [204, 228]),
    ],
)
def test_published_class_counts(task: str, expected: list[int]) -> None:
    assert counts(task) == expected


@pytest.mark.parametrize(("task", "n_classes"), [("led-display", 10), ("waveform", 3), ("twonorm", 2), ("ringnorm", 2)])
def test_generated_classes_are_balanced(task: str, n_classes: int) -> None:
    n_samples = len(core.load(task, None).y)
    deviation = np.sqrt(n_samples * (1 / n_classes) * (1 - 1 / n_classes))
    assert np.array(counts(task)) == pytest.approx(n_samples / n_classes, abs=3 * deviation)


@pytest.mark.parametrize("task", BY_RULE)
def test_rule_tasks_have_no_row_twice(task: str) -> None:
    X = core.load(task, None).X
    assert len(np.unique(X, axis=0)) == len(X)


def test_tic_tac_toe_ends() -> None:
    X, x_wins = two_classes("tic-tac-toe")
    n_x, n_o = (X == 1).sum(axis=1), (X == -1).sum(axis=1)
    assert set(zip(n_x.tolist(), n_o.tolist(), strict=True)) == {(3, 2), (4, 3), (5, 4), (3, 3), (4, 4)}
    full = n_x + n_o == 9
    lines = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
    has_x = np.array([any(all(board[i] == 1 for i in line) for line in lines) for board in X])
    assert np.array_equal(has_x, x_wins == 1)
    assert ((x_wins == 0) & full).sum() == 16, "16 of the 958 games end in a draw"
    assert ((x_wins == 0) & ~full).sum() == 316, "o wins 316"


def test_balance_scale_rows() -> None:
    data = core.load("balance-scale", None)
    rows = {tuple(row): y for row, y in zip(data.X.astype(int).tolist(), data.y.tolist(), strict=True)}
    assert rows[1, 1, 1, 1] == 1
    assert rows[5, 5, 1, 1] == 0
    assert rows[2, 3, 3, 2] == 1
    assert rows[1, 2, 3, 4] == 2


def test_monks_rules() -> None:
    X = core.load("monks-1", None).X.astype(int)
    for row, first, second, third in zip(X.tolist(), *(core.load(f"monks-{k}", None).y for k in (1, 2, 3)), strict=True):
        assert first == (row[0] == row[1] or row[4] == 1)
        assert second == (sum(value == 1 for value in row) == 2)
        assert third == ((row[4] == 3 and row[3] == 1) or (row[4] != 4 and row[1] != 3))


def test_led_display_is_at_its_bayes_accuracy() -> None:
    X, y = core.load("led-display", None).X, core.load("led-display", None).y
    segments = np.array([np.median(X[y == digit], axis=0) for digit in range(10)])
    assert segments.sum(axis=1).tolist() == [6, 2, 5, 5, 4, 5, 6, 3, 7, 6]
    flipped = segments[y] != X
    assert flipped.mean() == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 7000))
    assert flipped.mean(axis=0) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 1000))
    displays = np.array(list(product((0, 1), repeat=7)))
    n_flips = (displays[:, None] != segments).sum(axis=2)
    bayes = (0.1**n_flips * 0.9 ** (7 - n_flips)).max(axis=1).sum() / 10
    assert bayes == pytest.approx(0.74, abs=5e-4), "Breiman et al. (1984): the Bayes error of this display is 0.26"
    n_flips = (X[:, None] != segments).sum(axis=2)
    nearest = n_flips == n_flips.min(axis=1, keepdims=True)
    accuracy = (nearest / nearest.sum(axis=1, keepdims=True))[np.arange(1000), y].mean()
    assert accuracy == pytest.approx(0.74, abs=3 * 0.0121), "0.0121: deviation over 500 simulated draws of 1000 rows"


def test_waveform_is_at_its_bayes_accuracy() -> None:
    X, y = two_classes("waveform")
    position = np.arange(1, 22)
    low, high, middle = (np.maximum(6 - np.abs(position - peak), 0) for peak in (7, 15, 11))
    share = np.linspace(0, 1, 201)[:, None]
    likelihoods = []
    for label, (first, second) in enumerate([(low, high), (low, middle), (high, middle)]):
        means = share * first + (1 - share) * second
        log_likelihood = X @ means.T - (means**2).sum(axis=1) / 2
        likelihoods.append(np.exp(log_likelihood - (X**2).sum(axis=1, keepdims=True) / 2).mean(axis=1))
        assert X[y == label].mean(axis=0) == pytest.approx((first + second) / 2, abs=0.2)
    accuracy = (np.argmax(likelihoods, axis=0) == y).mean()
    assert accuracy == pytest.approx(0.86, abs=0.015), "Breiman et al. (1984): the Bayes error is about 0.14"
    residual = X[:, [0, 20]]
    assert residual.std(axis=0) == pytest.approx(1, abs=0.04), "the waves are 0 at both ends, so the noise is bare"


def test_twonorm_is_at_its_bayes_error() -> None:
    X, y = two_classes("twonorm")
    a = 2 / np.sqrt(20)
    assert X[y == 0].mean(axis=0) == pytest.approx(a, abs=0.07)
    assert X[y == 1].mean(axis=0) == pytest.approx(-a, abs=0.07)
    assert X[y == 0].std(axis=0) == pytest.approx(1, abs=0.05)
    error = ((X.sum(axis=1) < 0) != (y == 1)).mean()
    assert error == pytest.approx(0.0228, abs=0.005), "Phi(-2) = 0.0228"


def test_ringnorm_is_at_its_bayes_error() -> None:
    X, y = two_classes("ringnorm")
    a = 2 / np.sqrt(20)
    assert X[y == 0].mean(axis=0) == pytest.approx(0, abs=0.14)
    assert X[y == 0].std(axis=0) == pytest.approx(2, abs=0.1)
    assert X[y == 1].mean(axis=0) == pytest.approx(a, abs=0.07)
    assert X[y == 1].std(axis=0) == pytest.approx(1, abs=0.05)
    log_wide = -(X**2).sum(axis=1) / 8 - 20 * np.log(2)
    log_narrow = -((X - a) ** 2).sum(axis=1) / 2
    error = ((log_narrow > log_wide) != (y == 1)).mean()
    assert error == pytest.approx(0.0125, abs=0.004), "Breiman (1996) reports 1.3 %"


@pytest.mark.parametrize(
    ("task", "sha256"),
    [
        ("optical-digits", "0b3e4ee14f82503950f2fd8375b2e78056c1dd5ef2cb04e4cd0cc4827c0e6bb6"),
        ("tic-tac-toe", "8c0fcc66e2178b9b19a2c70f06feceb8961cd22170889fb74073c308def5d5ed"),
        ("balance-scale", "f8efa96410a4cdd08605498fd062bcbecc50516196a8795dc12addb7947d85a7"),
        ("monks-1", "e765abc9e12dc92f4abb8ea31d7a92140f08fd98a4c214946a01bac8ab5dc348"),
        ("led-display", "6add2e6ced8042d89b70e1b370d1f5ebe6cd394e02e0ce05265d2bb4e176d17f"),
    ],
)
def test_arrays_are_the_same_everywhere(task: str, sha256: str) -> None:
    assert {found.name: found.sha256 for found in core.tasks(None)[0]}[task] == sha256


def test_arrays_are_the_same_in_another_process() -> None:
    code = "from snnbench.suites import core; print(*(task.sha256 for task in reversed(core.tasks(None)[0])))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(core.__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == [task.sha256 for task in reversed(core.tasks(None)[0])]


def test_sha256_sees_values_shapes_and_types() -> None:
    X = np.arange(6, dtype=np.float32)
    digests = {sha256_of_arrays(array) for array in (X, X.reshape(2, 3), X.reshape(3, 2), X.astype(np.int64), X + 1)}
    assert len(digests) == 5
    assert sha256_of_arrays(X.astype(">f4")) == sha256_of_arrays(X)


def test_tasks() -> None:
    found, missing = core.tasks(None)
    assert [task.name for task in found] == TASKS
    assert missing == {}
    by_name = {task.name: task for task in found}
    assert by_name["iris"].kind == "multiclass"
    assert by_name["ringnorm"].kind == "binary"
    assert {(task.suite, task.metric, task.source) for task in found} == {("core", "accuracy", "embedded")}
    assert by_name["optical-digits"].n_outputs == 10
    assert len({task.sha256 for task in found}) == 13


def test_public_names() -> None:
    assert core.SUMMARY.startswith(f"{len(TASKS)} embedded tasks")
    assert core.URLS == ()
    assert core.STANDARDISE is True


def test_a_caller_cannot_change_the_arrays() -> None:
    core.load("iris", None).X[:] = 0
    core.load("iris", None).y[:] = 0
    assert core.load("iris", None).X.sum() == pytest.approx(2078.7, abs=0.01)
    assert counts("iris") == [50, 50, 50]


def test_unknown_task() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown task of suite 'core' 'monks1'\. Did you mean 'monks-1'"):
        core.load("monks1", None)


def test_arrays_that_do_not_match_are_refused() -> None:
    table = core.catalogue()
    table.loc["iris", "n_samples"] = 151
    changed = array_suite("core", {"iris": lambda: (core.load("iris", None).X, core.load("iris", None).y)}, lambda: table)
    with pytest.raises(DataError, match=r"Task 'iris' must have .* \(151, 4, 3\) .* found \(150, 4, 3\)"):
        changed.load("iris", None)
    with pytest.raises(DataError, match="iris"):
        changed.splits("iris", None)


@pytest.mark.parametrize("task", TASKS)
def test_splits(task: str) -> None:
    y = core.load(task, None).y
    row = core.catalogue().loc[task]
    found = core.splits(task, None)
    assert [split.name for split in found] == ["repetition-1", "repetition-2", "repetition-3", "repetition-4"]
    for split in found:
        rows = np.sort(np.concatenate([split.train, split.valid, split.test]))
        assert np.array_equal(rows, np.arange(len(y)))
        assert len(split.test) == row["n_test"]
        assert len(split.valid) == round(0.2 * (len(y) - row["n_test"]))
        assert set(y[split.train]) == set(y)
    assert len({split.test.tobytes() for split in found}) == 4
    assert [split.valid.tolist() for split in core.splits(task, None)] == [split.valid.tolist() for split in found]


def test_tasks_of_equal_size_have_their_own_splits() -> None:
    tests = [core.splits(task, None)[0].test.tolist() for task in ("monks-1", "monks-2", "monks-3")]
    assert tests[0] != tests[1] != tests[2] != tests[0]


def test_first_split_of_iris_is_the_same_everywhere() -> None:
    split = core.splits("iris", None)[0]
    assert split.test[:8].tolist() == [6, 16, 20, 24, 25, 29, 30, 32]
    assert split.valid[:8].tolist() == [4, 9, 15, 22, 28, 37, 47, 57]


@pytest.mark.shared_data
def test_counts_agree_with_table_a11() -> None:
    published = pd.read_csv(SHARED / "paper" / "table_a11_uci_accuracy.csv", index_col="dataset")
    named = core.catalogue().query("uci_name != ''")
    assert len(named) == 9
    rows = published.loc[named["uci_name"]]
    assert rows["n_samples"].tolist() == named["n_samples"].tolist()
    assert rows["n_features_plus_1"].tolist() == (named["n_features"] + 1).tolist()
    # A row of Table A11 is a whole number of test rows, so it also tells their number.
    correct = rows["snn"].to_numpy() * named["n_test"].to_numpy()
    assert np.round(correct) / named["n_test"].to_numpy() == pytest.approx(rows["snn"].to_numpy(), abs=5.1e-5)


@pytest.fixture(scope="module")
def published_files() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """X, standardised, and y of the UCI tasks that have the same rows, from the authors' archive."""
    names = {f"{task}/{task}_R.dat": task for task in ("iris", "wine", "breast-cancer-wisc-diag", *BY_RULE[:2])}
    names |= {f"{task}/{task}_test_R.dat": task for task in BY_RULE[2:]}
    found = {}
    with tarfile.open(SHARED / "data" / "uci" / "data.tar.gz") as archive:
        for member in archive:
            if task := names.get(member.name.removeprefix("data/")):
                table = pd.read_csv(archive.extractfile(member), sep=r"\s+")
                X = table.iloc[:, :-1].to_numpy(dtype=float)
                found[task] = ((X - X.mean(axis=0)) / X.std(axis=0), table.iloc[:, -1].to_numpy())
    return found


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("task", "sign", "classes", "n_different"),
    [
        # Two rows of iris were corrected in scikit-learn but not in the UCI file.
        ("iris", 1, [0, 1, 2], 2),
        ("wine", 1, [0, 1, 2], 0),
        ("breast-cancer-wisc-diag", 1, [1, 0], 0),
        ("tic-tac-toe", -1, [0, 1], 0),
        ("balance-scale", 1, [1, 0, 2], 0),
        ("monks-1", 1, [0, 1], 0),
        ("monks-2", 1, [0, 1], 0),
        ("monks-3", 1, [0, 1], 0),
    ],
)
def test_rows_are_those_of_the_published_files(
    published_files: dict, task: str, sign: int, classes: list[int], n_different: int
) -> None:
    X, y = two_classes(task)
    X = sign * (X - X.mean(axis=0)) / X.std(axis=0)
    X_published, y_published = published_files[task]
    assert X_published.shape == X.shape
    squares = (X**2).sum(axis=1)[:, None] + (X_published**2).sum(axis=1) - 2 * X @ X_published.T
    nearest = squares.argmin(axis=1)
    distance = np.sqrt(((X - X_published[nearest]) ** 2).sum(axis=1))
    assert (distance > 0.05).sum() == n_different
    assert np.array_equal(np.array(classes)[y], y_published[nearest])
    if task != "iris":
        assert len(set(nearest.tolist())) == len(X)
