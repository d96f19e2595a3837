"""The whole pipe on real tasks, with a small grid."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from archives import wine_like, write_delgado
from small_run import PROGRAM, crash_run, jobs, n_rows

from snnbench import benchmark
from snnbench.config import load_config
from snnbench.errors import DataError, UnknownNameError
from snnbench.execution.engines import configure_engine
from snnbench.execution.request import Request
from snnbench.suites import core, uci
from snnbench.training.job_rows import job_rows

CONFIG = """
[training]
n_epochs = 12
[models.snn.grid]
n_units = 16
n_layers = [1, 2]
form = "rectangular"
learning_rate = [0.01, 0.1]
dropout_rate = [0.0, 0.05]
[models.msrainit.grid]
n_units = 16
n_layers = 2
form = "conic"
learning_rate = [0.1, 1e6]
dropout_rate = 0.0
[models.svm]
estimator = "sklearn.svm.SVC"
grid = {C = [1.0, 10.0]}
"""
SCORES = ["key", "status", "valid_score", "test_score", "best_epoch", "train_loss", "valid_curve"]


@pytest.fixture
def config(tmp_path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(CONFIG)
    return file


def request_of(config: Path, results: Path, **changes) -> Request:
    settings = load_config("core", file=config)
    values = {
        "tasks": ("iris", "wine"),
        "models": tuple(settings.models),
        "engine_spec": configure_engine("local", {"workers": 2}),
        **changes,
    }
    return Request(suite="core", preset="tiny", settings=settings, results=results, **values)


def run(request: Request):
    loaded = benchmark.prepare(request)
    return benchmark.run(request, loaded, benchmark.plan(request, loaded))


def scores(results: Path) -> dict:
    rows = pd.read_parquet(results)
    assert not rows["key"].duplicated().any()
    lists = ("train_loss", "valid_curve")
    return {
        row["key"]: [row[name].tobytes() if name in lists else str(row[name]) for name in SCORES] for _, row in rows.iterrows()
    }


def test_a_run_searches_selects_and_evaluates(config, tmp_path):
    outcome = run(request_of(config, tmp_path / "results"))
    assert outcome.n_trained == 2 * (8 + 2 + 2) + 6
    assert outcome.failures == ()
    rows = pd.read_parquet(tmp_path / "results")
    search, evaluation = (rows[rows["stage"] == stage] for stage in ("search", "evaluate"))
    assert len(search) == 24
    assert evaluation.groupby(["task", "model"]).size().tolist() == [1] * 6
    assert search["test_score"].isna().all()
    assert evaluation["valid_score"].isna().all()
    assert evaluation["test_score"].between(0.3, 1).all()
    assert (search.query("model == 'msrainit'")["status"] == "diverged").sum() >= 1
    for _, final in evaluation[evaluation["model"] == "snn"].iterrows():
        candidates = search[(search["task"] == final["task"]) & (search["model"] == "snn")]
        chosen = candidates[candidates["config"] == final["config"]].iloc[0]
        assert chosen["valid_score"] == candidates["valid_score"].max()
        assert final["n_epochs"] == chosen["best_epoch"]
        np.testing.assert_array_equal(final["train_loss"], chosen["train_loss"][: final["n_epochs"]])


def test_the_same_command_again_does_nothing(config, tmp_path):
    request = request_of(config, tmp_path / "results")
    run(request)
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "results").rglob("*.parquet")}
    assert run(request).n_trained == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "results").rglob("*.parquet")} == files


def test_scores_do_not_depend_on_workers_or_on_what_else_runs(config, tmp_path):
    run(request_of(config, tmp_path / "two"))
    run(request_of(config, tmp_path / "one", engine_spec=configure_engine("local", {"workers": 1})))
    assert scores(tmp_path / "one") == scores(tmp_path / "two")
    run(request_of(config, tmp_path / "part", tasks=("wine",), models=("snn",)))
    part, whole = scores(tmp_path / "part"), scores(tmp_path / "two")
    assert part == {key: whole[key] for key in part}
    assert len(part) == 9


def test_another_seed_gives_other_scores(config, tmp_path):
    for seed in (0, 1):
        run(request_of(config, tmp_path / str(seed), tasks=("wine",), models=("snn",), seed=seed))
    losses = [pd.read_parquet(tmp_path / str(seed)).query("stage == 'search'")["train_loss"].str[0] for seed in (0, 1)]
    assert not set(losses[0]) & set(losses[1])


def test_repetitions_are_stored_one_by_one(config, tmp_path):
    run(request_of(config, tmp_path / "results", tasks=("iris",), models=("svm",), repetitions=(1, 3)))
    rows = pd.read_parquet(tmp_path / "results").query("stage == 'evaluate'")
    assert sorted(rows["split"]) == ["repetition-1", "repetition-3"]


def test_a_failed_job_is_recorded_and_tried_again(config, tmp_path):
    config.write_text(CONFIG.replace("sklearn.svm.SVC", "workers.Moody"))
    request = request_of(config, tmp_path / "results", models=("svm",))
    first = run(request)
    assert {failure.task for failure in first.failures} == {"iris", "wine"}
    assert "no C above 5" in first.failures[0].error
    assert first.unselected == {}  # the other configuration was selected
    assert len(run(request).failures) == 2
    rows = pd.read_parquet(tmp_path / "results")
    assert (rows["status"] == "failed").sum() == 2
    assert (rows["stage"] == "evaluate").sum() == 2


def test_a_model_without_a_finite_configuration_is_named(config, tmp_path):
    config.write_text(CONFIG.replace("[0.1, 1e6]", "[1e6, 1e7]").replace("n_layers = 2", "n_layers = 8"))
    outcome = run(request_of(config, tmp_path / "results", models=("msrainit",), tasks=("wine",)))
    assert outcome.unselected == {("wine", "repetition-1", "msrainit", 0): "all 2 configurations diverged"}


def test_a_search_never_sees_test_rows():
    split = core.splits("iris", None)[0]
    dataset = core.load("iris", None)
    train, held_out = job_rows("search", "core", "iris", "repetition-1", None)
    assert (len(train.y), len(held_out.y)) == (len(split.train), len(split.valid))
    np.testing.assert_array_equal(held_out.y, dataset.y[split.valid])
    same_train, test = job_rows("evaluate", "core", "iris", "repetition-1", None)
    np.testing.assert_array_equal(train.X, same_train.X)
    np.testing.assert_array_equal(test.y, dataset.y[split.test])
    assert abs(train.X.mean(axis=0)).max() < 1e-6  # standardised on the training rows


def test_test_rows_do_not_touch_a_search(config, tmp_path):
    """Garble every test row of a task: the search's scores keep their bits."""
    X, y = wine_like()
    found = []
    for number in (0, 1):
        folder = tmp_path / str(number)
        if number:
            test = uci.splits("wine", tmp_path / "0")[0].test
            X = X.copy()
            X[test] = 1000 * np.random.default_rng(1).normal(size=(len(test), X.shape[1]))
        write_delgado(folder, "wine", X, y, 44)
        settings = load_config("uci", file=config)
        run(Request("uci", ("snn", "svm"), "tiny", settings, tmp_path / f"r{number}", folder, ("wine",)))
        rows = pd.read_parquet(tmp_path / f"r{number}").query("stage == 'search'").sort_values("config_key")
        found.append([[*row.valid_score.hex(), *row.train_loss, *row.valid_curve] for row in rows.itertuples()])
    assert found[0] == found[1]


def test_a_named_task_that_is_not_at_hand_is_an_error(config, tmp_path):
    write_delgado(tmp_path / "data", "wine", *wine_like(), 44)
    settings = load_config("uci", file=config)
    request = Request("uci", ("svm",), "tiny", settings, tmp_path / "r", tmp_path / "data", ("wine", "iris"))
    with pytest.raises(DataError, match="'iris' is not at hand: there is no folder iris/"):
        benchmark.prepare(request)
    with pytest.raises(UnknownNameError, match="Did you mean 'iris'"):
        benchmark.prepare(Request("uci", ("svm",), "tiny", settings, tmp_path / "r", tmp_path / "data", ("irsi",)))


@pytest.mark.unix
@pytest.mark.slow
@pytest.mark.parametrize("stacking", ["within-task", "across-tasks"])
def test_a_killed_run_goes_on_and_ends_with_the_same_scores(stacking, config, tmp_path):
    command = [
        *PROGRAM, "run", "core", "--config", str(config), "--workers", "2",
        "--task", "iris", "--task", "wine", "--task", "monks-1", "--progress", "none", "--stacking", stacking,
        "--results",
    ]  # fmt: skip
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    killed, whole = tmp_path / "killed", jobs(tmp_path / "whole")
    assert sum(whole.values()) == n_rows(tmp_path / "whole")
    crash_run([*command, str(killed)], tmp_path, 1, "before")
    assert n_rows(killed) == 0
    crash_run([*command, str(killed)], tmp_path, len(whole) // 2, "after")
    logged = jobs(killed)
    assert len(logged) == len(whole) // 2 - 1  # the last one was stored, but the log not told any more
    assert logged.items() <= whole.items()
    assert n_rows(killed) - sum(logged.values()) in {n for key, n in whole.items() if key not in logged}
    subprocess.run([*command, str(killed)], check=True, capture_output=True)
    assert scores(tmp_path / "killed") == scores(tmp_path / "whole")


NEIGHBOURS = """
[models.knn]
estimator = "sklearn.neighbors.KNeighborsClassifier"
grid = { n_neighbors = [1, 500] }
[models.crowd]
estimator = "sklearn.neighbors.KNeighborsClassifier"
grid = { n_neighbors = [500, 600] }
"""


def test_what_cannot_be_fitted_is_an_outcome_with_its_reason_and_not_trained_again(config, tmp_path):
    config.write_text(NEIGHBOURS)
    command = [*PROGRAM, "run", "core", "--config", str(config), "--task", "iris", "--progress", "none", "--results", "r"]
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "No fit: 1 training of knn on iris: ValueError: Expected n_neighbors <= n_samples_fit" in first.stderr
    missing = "No score: crowd on iris: all 2 configurations cannot be fitted (ValueError: Expected n_neighbors"
    assert missing in first.stderr
    assert "Failed" not in first.stderr
    rows = pd.read_parquet(tmp_path / "r")
    assert rows.groupby(["stage", "model", "status"]).size().to_dict() == {
        ("evaluate", "knn", "ok"): 1,
        ("search", "crowd", "infeasible"): 2,
        ("search", "knn", "infeasible"): 1,
        ("search", "knn", "ok"): 1,
    }
    again = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert again.returncode == 0
    assert missing in again.stderr
    assert "0 trainings were left to do" in again.stdout
    prune = [*PROGRAM, "results", "prune", "r", "--failed", "--yes"]
    subprocess.run(prune, check=True, capture_output=True, cwd=tmp_path)
    third = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "3 trainings stored in r" in third.stdout
    compared = subprocess.run([*PROGRAM, "compare", "r"], capture_output=True, text=True, cwd=tmp_path)
    assert "crowd" in compared.stdout
