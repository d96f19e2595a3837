import numpy as np
import pandas as pd
import pytest

from snnbench.records import Config, Member
from snnbench.selection import score_table, select

DEFAULT = {"n_units": 64, "n_layers": 2, "form": "rectangular", "learning_rate": 0.1, "dropout_rate": 0.0}


def choose(*candidates: tuple[dict, float], status="ok") -> dict:
    """Return the values of the configuration that is selected among (changed values, validation score)."""
    members, rows = {}, []
    for number, (changes, score) in enumerate(candidates):
        config = Config("snn", tuple({**DEFAULT, **changes}.items()))
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
    assert choose(({}, np.nan), status="diverged")["reason"] == "all 1 configurations diverged"


def rows(*entries: tuple) -> pd.DataFrame:
    columns = ["task", "model", "test_score", "status", "preset", "grid"]
    return pd.DataFrame([(*entry, *("ok", "quick", "g")[len(entry) - 3 :]) for entry in entries], columns=columns)


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
