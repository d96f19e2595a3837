"""Why stored rows do not count: each thing that a key depends on is told by its name."""

import numpy as np
import pandas as pd
import pytest

from snnbench.config import PROTOCOL_VERSION, load_config
from snnbench.plan import search_member
from snnbench.records import Config, Split, Task
from snnbench.store import write_settings
from snnbench.unused import explain_unused

TASK = Task("core", "iris", "multiclass", 150, 4, 3, "accuracy", "", "0" * 64)
SPLIT = Split("repetition-1", np.arange(3), np.arange(3, 5), np.arange(5, 7))
CONFIG = Config("snn", (("n_layers", 2),))
SVM = Config("svm", (("C", 1.0),))
SETTINGS = load_config("core", "quick")
ENVIRONMENT = {"device": "cpu", "precision": "float32"}


def explain(tmp_path, of=CONFIG, **changes) -> dict[str, int]:
    members = [search_member(TASK, SPLIT, c, SETTINGS, 0) for c in (CONFIG, SVM)]
    write_settings(tmp_path, "now", SETTINGS.model_dump(), {})
    training = SETTINGS.training.model_copy(update={"batch_size": 32, "momentum": 0.9})
    write_settings(tmp_path, "before", SETTINGS.model_copy(update={"training": training}).model_dump(), {})
    row = {
        "key": "another", "status": "ok", "stage": "search", "suite": "core", "task": "iris", "split": "repetition-1",
        "model": of.model, "config": of.to_json(), "seed": 0, "n_epochs": 100, "device": "cpu", "precision": "float32",
        "grid": "g", "task_sha256": "0" * 64, "preprocessing": "as-published", "protocol_version": PROTOCOL_VERSION,
        "settings_digest": "now", **changes,
    }  # fmt: skip
    rows = pd.DataFrame([row, row])
    return dict(explain_unused(rows, {m.key: m for m in members}, {"iris": TASK}, SETTINGS, ENVIRONMENT, tmp_path))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 7}, "seed 7"),
        ({"task_sha256": "1" * 64}, "other data files"),
        ({"preprocessing": "restandardise"}, "preprocessing restandardise"),
        ({"device": "cuda"}, "device cuda"),
        ({"precision": "tf32"}, "precision tf32"),
        ({"protocol_version": 0}, f"protocol version 0 instead of {PROTOCOL_VERSION}"),
        ({"settings_digest": "before"}, "batch_size = 32; momentum = 0.9"),
        ({"config": '{"n_layers": 9}'}, "configuration not in the grid"),
        ({"seed": 7, "device": "cuda"}, "seed 7; device cuda"),
        ({}, "other code of the model"),
        ({"protocol_version": None, "preprocessing": None, "settings_digest": "gone"}, "other code of the model"),
    ],
)
def test_each_reason_has_its_words(tmp_path, changes, reason):
    assert explain(tmp_path, **changes) == {reason: 2}


def test_an_estimator_knows_no_device(tmp_path):
    assert explain(tmp_path, SVM, device="cuda", seed=3) == {"seed 3": 2}
    assert explain(tmp_path, SVM, settings_digest="before") == {"other code of the model": 2}


def test_what_was_not_asked_for_is_no_mismatch(tmp_path):
    for changes in ({"task": "wine"}, {"split": "repetition-2"}, {"model": "msrainit"}, {"stage": "evaluate"}):
        assert explain(tmp_path, **changes) == {}
    key = search_member(TASK, SPLIT, CONFIG, SETTINGS, 0).key
    assert explain(tmp_path, key=key) == {}
