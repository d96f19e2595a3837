import numpy as np
import pandas as pd
import pytest

from snnbench.errors import SnnbenchError
from snnbench.records import Config, Member
from snnbench.report.compare import describe_code, describe_unfitted
from snnbench.results.selection import describe_models, left_out, refused, score_table, select

DEFAULT = {"n_units": 64, "n_layers": 2, "form": "rectangular", "learning_rate": 0.1, "dropout_rate": 0.0}


def choose(*candidates: tuple[dict, float], status="ok", default=DEFAULT) -> dict:
    """Return the values of the configuration that is selected among (changed values, validation score)."""
    members, rows = {}, []
    for number, (changes, score) in enumerate(candidates):
        config = Config("snn", tuple({**default, **changes}.items()))
        members[str(number)] = Member("iris", "repetition-1", config, 0, 100, str(number))
        rows.append({"key": str(number), "status": status, "valid_score": score, "best_epoch": 10 + number, "error": ""})
    selected, unselected = select(members, pd.DataFrame(rows))
    if not selected:
        return {"reason": next(iter(unselected.values()))}
    [(key, best_epoch)] = selected.items()
    assert best_epoch == 10 + int(key)
    return dict(members[key].config.values)


def test_the_best_validation_score_wins():
    assert choose(({"n_layers": 32}, 0.8), ({"n_layers": 2}, 0.9))["n_layers"] == 2


@pytest.mark.parametrize(
    ("name", "values", "winner"),
    [
        ("n_layers", (2, 32, 8), 32),
        ("learning_rate", (0.1, 0.01, 1.0), 0.01),
        ("dropout_rate", (0.0, 0.05), 0.05),
        ("n_units", (64, 256, 128), 256),
    ],
)
def test_ties_within_one_hyperparameter(name, values, winner):
    assert choose(*(({name: value}, 0.9) for value in values))[name] == winner
    assert choose(*(({name: value}, 0.9) for value in reversed(values)))[name] == winner


@pytest.mark.parametrize("order", [1, -1])
def test_more_blocks_of_a_residual_network_are_more_layers(order):
    """Deeper wins, before the lower learning rate."""
    candidates = [({"n_blocks": 2, "learning_rate": 0.01}, 0.9), ({"n_blocks": 16, "learning_rate": 1.0}, 0.9)]
    chosen = choose(*candidates[::order], default={"n_units": 64, "form": "rectangular"})
    assert chosen["n_blocks"] == 16


def test_tie_rules_in_their_order():
    deep_and_fast, shallow_and_slow = {"n_layers": 8, "learning_rate": 1.0}, {"n_layers": 2, "learning_rate": 0.01}
    assert choose((shallow_and_slow, 0.9), (deep_and_fast, 0.9))["n_layers"] == 8
    slow_and_dry, fast_and_wet = {"learning_rate": 0.01}, {"learning_rate": 0.1, "dropout_rate": 0.5}
    assert choose((fast_and_wet, 0.9), (slow_and_dry, 0.9))["learning_rate"] == 0.01


def test_full_ties_do_not_depend_on_the_order_of_the_grid():
    forms = [({"form": form}, 0.9) for form in ("rectangular", "conic")]
    assert choose(*forms) == choose(*reversed(forms))


def test_diverged_configurations_are_never_selected():
    assert choose(({"n_layers": 32}, np.nan), ({}, 0.1))["n_layers"] == 2
    assert choose(({}, np.nan), status="diverged")["reason"] == "its one configuration diverged"


def rows(*entries: tuple, **changes) -> pd.DataFrame:
    columns = ["task", "model", "test_score", "status", "preset", "grid"]
    table = pd.DataFrame([(*entry, *("ok", "quick", "g")[len(entry) - 3 :]) for entry in entries], columns=columns)
    seeds = table.groupby(["task", "model", "grid"]).cumcount()
    constant = {"stage": "evaluate", "split": "repetition-1", "task_sha256": "data", "finished_at": "2026-01-01"}
    return table.assign(**{"seed": seeds, **constant, **changes})


def test_repetitions_are_averaged_and_failures_left_empty():
    table = score_table(
        rows(
            ("iris", "snn", 0.8),
            ("iris", "snn", 0.9),
            ("iris", "svm", 0.5),
            ("wine", "snn", np.nan, "failed"),
            ("wine", "svm", 0.7),
        )
    )
    assert table.loc["iris"].to_dict() == {"snn": pytest.approx(0.85), "svm": 0.5}
    assert np.isnan(table.at["wine", "snn"])


def test_a_model_of_two_grids_has_two_columns():
    table = score_table(
        rows(
            ("iris", "svm", 0.1, "ok", "quick", "s"),
            ("iris", "snn", 0.2, "ok", "quick", "a"),
            ("iris", "snn", 0.3, "ok", "paper", "b"),
            ("iris", "snn", 0.4, "ok", "paper", "c"),
        )
    )
    assert table.columns.tolist() == ["snn[paper][b]", "snn[paper][c]", "snn[quick]", "svm"]


def test_another_metric_is_computed_from_the_stored_outputs():
    evaluations = rows(("iris", "snn", 0.5), ("iris", "svm", 0.5)).assign(
        test_targets=[[0, 0, 0, 1]] * 2,
        test_outputs=[[0.9, 0.1, 0.6, 0.4, 0.2, 0.8, 0.3, 0.7], [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -2.0, 2.0]],
        task_n_outputs=2,
    )
    table = score_table(evaluations, "balanced_accuracy")
    assert table.loc["iris"].to_dict() == {"snn": pytest.approx((2 / 3 + 1) / 2), "svm": 0.5}
    assert np.isnan(score_table(evaluations, "negative_log_loss")["snn"].iloc[0]) == False  # noqa: E712
    assert "svm" not in score_table(evaluations, "negative_log_loss").dropna(axis="columns")


def test_several_labels_are_scored_again_where_they_were_measured_and_by_their_own_metric_only():
    evaluations = rows(("tox", "snn", 0.5)).assign(
        test_targets=[[0, np.nan, 1, 0, np.nan, 1, 1, np.nan]],
        test_outputs=[[0.1, 0.9, 0.8, 0.2, 0.3, 0.7, 0.05, 0.6]],
        task_n_outputs=2,
    )
    # Of the first label 0.1 < 0.8 and 0.1 > 0.05, of the second 0.2 < 0.7.
    assert score_table(evaluations, "mean_auc").loc["tox", "snn"] == pytest.approx((0.5 + 1) / 2)
    with pytest.raises(SnnbenchError, match="several labels, which tox is, --metric must be one of mean_auc, found accuracy"):
        score_table(evaluations, "accuracy")
    classes = rows(("iris", "snn", 0.5)).assign(test_targets=[[0, 1]], test_outputs=[[0.9, 0.1, 0.6, 0.4]], task_n_outputs=2)
    with pytest.raises(SnnbenchError, match=r"classes, which iris is, --metric must be one of accuracy, .* found mean_auc"):
        score_table(classes, "mean_auc")


def test_models_are_described_by_what_was_selected():
    def row(stage, seed, score, config, status="ok", epoch=50):
        return ("iris", "r1", "snn", "quick", "g", stage, seed, score, config, status, epoch, 2.0)

    table = pd.DataFrame(
        [
            row("search", 0, np.nan, '{"n_layers": 2}'),
            row("search", 0, np.nan, '{"n_layers": 8}', "diverged"),
            row("evaluate", 0, 0.8, '{"n_layers": 2}', epoch=40),
            row("evaluate", 1, 0.6, '{"n_layers": 8}'),
        ],
        columns=[
            "task",
            "split",
            "model",
            "preset",
            "grid",
            "stage",
            "seed",
            "test_score",
            "config",
            "status",
            "best_epoch",
            "seconds",
        ],
    )
    found = describe_models(table).loc["snn"]
    assert found["n_seeds"] == 2
    assert found["mean_score"] == pytest.approx(0.7)
    assert found["seed_std"] == pytest.approx(np.std([0.8, 0.6], ddof=1))
    assert (found["mean_depth"], found["mean_epoch"], found["seconds"], found["share_diverged"]) == (5, 45, 8, 0.5)


def test_two_versions_of_ones_own_code_are_two_columns():
    both = [rows(("iris", "own", score), code_digest=digest) for score, digest in ((0.8, "old"), (0.6, "new"))]
    together = pd.concat([*both, rows(("iris", "svm", 0.7), code_digest=np.nan)], ignore_index=True)
    assert score_table(together).loc["iris"].to_dict() == {"own[new]": 0.6, "own[old]": 0.8, "svm": 0.7}


def test_several_versions_of_a_package_are_told():
    versions = ["a 1", "a 1", "a 2", None]
    found = rows(*[("iris", "svm", score / 10) for score in range(4)]).assign(code_versions=versions)
    assert describe_code(found) == ("Evaluations of svm are of several versions: 2 of a 1; 1 of a 2.",)
    assert describe_code(found[:2]) == describe_code(found.drop(columns="code_versions")) == ()


def test_tasks_without_a_score_are_explained():
    search = [
        ("search", "a", "snn", "diverged", ""),
        ("search", "b", "snn", "failed", "boom"),
        ("search", "c", "snn", "ok", ""),
    ]
    table = pd.DataFrame(search, columns=["stage", "task", "model", "status", "error"])
    assert left_out(table, pd.DataFrame(), ["a", "b", "c", "d"]) == {
        "a": "snn: its one configuration diverged",
        "b": "snn: 1 of 1 configurations failed: boom",
        "c": "snn: not evaluated yet",
        "d": "no results",
    }


def test_models_are_averaged_over_the_same_splits():
    table = score_table(
        rows(("iris", "snn", 0.9), ("iris", "svm", 0.9), ("iris", "svm", 0.5), split=["r1", "r1", "r2"], seed=[0, 0, 0])
    )
    assert table.loc["iris"].to_dict() == {"snn": 0.9, "svm": 0.9}


def test_seeds_are_averaged_before_splits():
    scores = rows(("iris", "snn", 0.1), ("iris", "snn", 0.3), ("iris", "snn", 0.8), split=["r1", "r1", "r2"], seed=[0, 1, 0])
    assert score_table(scores).at["iris", "snn"] == pytest.approx(0.5)


def test_of_two_evaluations_on_one_split_from_one_seed_the_newest_counts():
    scores = rows(("iris", "snn", 0.9), ("iris", "snn", 0.8), seed=[0, 0], finished_at=["2026-01-01", "2026-01-02"])
    assert score_table(scores.assign(config="{}", config_key="k", valid_score=np.nan)).at["iris", "snn"] == 0.8


def by_depth(*searched: tuple[int, float], evaluated: dict[int, list[float]]) -> pd.DataFrame:
    """Return the rows of a search over depths (depth, validation score) and of evaluations {depth: a test score a seed}."""
    stages = [("search", depth, 0, valid, np.nan) for depth, valid in searched]
    stages += [("evaluate", depth, seed, np.nan, score) for depth, of in evaluated.items() for seed, score in enumerate(of)]
    return pd.DataFrame(
        {
            **{"suite": "tox21", "task": "tox21", "split": "s", "model": "snn", "preset": "quick", "grid": "g", "stage": stage},
            **{"task_sha256": "a", "status": "ok", "error": "", "finished_at": f"2026-01-{40 - depth}", "seed": seed},
            **{"config": f'{{"n_layers": {depth}}}', "config_key": str(depth), "valid_score": valid, "test_score": score},
        }
        for stage, depth, seed, valid, score in stages
    )


def test_of_the_evaluations_of_several_depths_the_one_that_validated_best_counts():
    """Whichever came last and whatever it scored on the test rows; ties go to the deeper one, as in the selection."""
    found = by_depth((2, 0.7), (8, 0.8), (16, 0.6), evaluated={2: [0.9, 0.92], 8: [0.5, 0.52], 16: [0.95, 0.97]})
    assert score_table(found).at["tox21", "snn"] == pytest.approx(0.51)
    tied = by_depth((2, 0.8), (8, 0.8), evaluated={2: [0.9], 8: [0.5]})
    assert score_table(tied).at["tox21", "snn"] == 0.5


def test_a_model_is_described_by_its_best_depth_and_the_time_of_all():
    found = by_depth((2, 0.7), (8, 0.8), evaluated={2: [0.9, 0.92], 8: [0.5, 0.52]}).assign(best_epoch=10, seconds=1.0)
    described = describe_models(found).loc["snn"]
    assert described[["n_evaluations", "mean_score", "mean_depth", "seconds"]].tolist() == pytest.approx([2, 0.51, 8, 6])


def test_the_best_of_every_depth_is_selected_and_a_depth_that_diverged_is_named():
    members, stored = {}, []
    for depth, rate, score in ((2, 0.1, 0.7), (2, 0.01, 0.8), (8, 0.1, 0.6), (8, 0.01, 0.5), (32, 0.1, np.nan)):
        key = f"{depth}-{rate}"
        members[key] = Member("tox", "s", Config("snn", (("n_layers", depth), ("learning_rate", rate))), 0, 100, key)
        stored.append({"key": key, "status": "ok", "valid_score": score, "best_epoch": 10, "error": ""})
    stored[-1]["status"] = "diverged"
    members["svm"] = Member("tox", "s", Config("svm", (("C", 1.0),)), 0, 0, "svm")
    stored.append({"key": "svm", "status": "ok", "valid_score": 0.9, "best_epoch": 0, "error": ""})
    selected, unselected = select(members, pd.DataFrame(stored), by="depth")
    assert set(selected) == {"2-0.01", "8-0.1", "svm"}
    assert unselected == {("tox", "s", "snn of depth 32", 0): "its one configuration diverged"}
    assert set(select(members, pd.DataFrame(stored))[0]) == {"2-0.01", "svm"}


def test_a_model_without_any_score_keeps_its_column():
    scores = rows(("iris", "snn", 0.9), ("iris", "bad", np.nan, "failed"), ("iris", "worse", np.nan, "failed"))
    scores.loc[2, "stage"] = "search"
    table = score_table(scores)
    assert table["snn"].tolist() == [0.9]
    assert table[["bad", "worse"]].isna().all(axis=None)


def test_results_on_two_versions_of_the_data_are_refused():
    with pytest.raises(SnnbenchError, match="results of iris must be of one version of its data"):
        score_table(rows(("iris", "snn", 0.9), ("iris", "svm", 0.9), task_sha256=["one", "two"]))


def test_equal_scores_tie_in_whatever_order_they_come():
    scores = [0.1, 0.2, 0.3, 0.7]
    orders = [rows(*(("iris", "snn", score) for score in order)) for order in (scores, scores[::-1])]
    assert score_table(orders[0]).at["iris", "snn"] == score_table(orders[1]).at["iris", "snn"]


def test_a_hyperparameter_in_words_does_not_stop_the_selection():
    assert choose(({"learning_rate": "adaptive"}, 0.9), ({"learning_rate": "constant"}, 0.8))["learning_rate"] == "adaptive"


@pytest.mark.parametrize(
    ("found", "reason", "is_refused"),
    [
        ([("infeasible", "too few rows")], "its one configuration cannot be fitted (too few rows)", True),
        ([("timeout", "late"), ("timeout", "late")], "all 2 configurations ran out of time (late)", True),
        (
            [("infeasible", "x"), ("timeout", "late"), ("infeasible", "x")],
            "of 3 configurations 2 cannot be fitted (x), 1 ran out of time (late)",
            True,
        ),
        ([("diverged", "inf"), ("timeout", "late")], "of 2 configurations 1 diverged, 1 ran out of time (late)", True),
        ([("diverged", "inf"), ("diverged", "inf")], "all 2 configurations diverged", False),
        ([("infeasible", "x"), ("failed", "boom")], "1 of 2 configurations failed: boom", False),
    ],
)
def test_a_model_that_cannot_be_fitted_is_missing_with_its_reason_and_no_failure(found, reason, is_refused):
    members = {f"{i}": Member("iris", "s", Config("svm", (("C", float(i)),)), 0, 0, f"{i}") for i in range(len(found))}
    rows = [
        {"key": f"{i}", "status": status, "valid_score": np.nan, "best_epoch": 0, "error": error}
        for i, (status, error) in enumerate(found)
    ]
    group = ("iris", "s", "svm", 0)
    assert select(members, pd.DataFrame(rows)) == ({}, {group: reason})
    assert refused(members, pd.DataFrame(rows)) == ({group} if is_refused else set())


def test_an_evaluation_that_ran_out_of_time_is_explained():
    rows = [("search", "a", "svm", "ok", "", np.nan), ("evaluate", "a", "svm", "timeout", "late", np.nan)]
    table = pd.DataFrame(rows, columns=["stage", "task", "model", "status", "error", "test_score"])
    assert left_out(table, pd.DataFrame(), ["a"]) == {"a": "svm: evaluation ran out of time: late"}


def test_a_comparison_names_the_models_that_could_not_be_fitted():
    rows = [
        ("a", "qda", "infeasible"),
        ("b", "qda", "ok"),
        ("b", "qda", "infeasible"),
        ("a", "svm", "timeout"),
        ("b", "x", "failed"),
    ]
    stored = pd.DataFrame(rows, columns=["task", "model", "status"])
    scores = pd.DataFrame({"qda": [np.nan, 0.5], "svm": [np.nan, 0.6], "x": [0.7, np.nan]}, index=["a", "b"])
    sentence = "No score because nothing could be fitted, or not in time: qda on a; svm on a."
    assert describe_unfitted(stored, scores) == (sentence,)
    assert describe_unfitted(stored, scores.loc[["b"]]) == ()
