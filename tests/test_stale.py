"""Why stored rows do not count: each thing that a key depends on is told by its name."""

import numpy as np
import pandas as pd
import pytest

from snnbench.config import PROTOCOL_VERSION, load_config
from snnbench.execution.plan import search_member
from snnbench.records import Code, Config, Split, Task
from snnbench.results.stale import accepted_code, explain_unused
from snnbench.results.store import write_settings
from snnbench.training.context import RunSpec

TASK = Task("core", "iris", "multiclass", 150, 4, 3, "accuracy", "", "0" * 64)
SPLIT = Split("repetition-1", np.arange(3), np.arange(3, 5), np.arange(5, 7))
CONFIG = Config("snn", (("n_layers", 2),))
SVM = Config("svm", (("C", 1.0),))
SETTINGS = load_config("core", "quick")
SPEC = RunSpec("core", {TASK.name: TASK}, {}, SETTINGS)
CODES = {"snn": Code("snn", "", "torch 2.13.0"), "svm": Code("sklearn.svm.SVC", "", "scikit-learn 1.9.1")}
ENVIRONMENT = {"device": "cpu", "precision": "float32"}


def explain(tmp_path, of=CONFIG, **changes) -> dict[str, int]:
    members = [search_member(SPEC, TASK.name, SPLIT.name, c) for c in (CONFIG, SVM)]
    write_settings(tmp_path, "now", SETTINGS.model_dump(), {})
    training = SETTINGS.training.model_copy(update={"batch_size": 32, "momentum": 0.9})
    write_settings(tmp_path, "before", SETTINGS.model_copy(update={"training": training}).model_dump(), {})
    row = {
        "key": "another", "status": "ok", "stage": "search", "suite": "core", "task": "iris", "split": "repetition-1",
        "model": of.model, "config": of.to_json(), "seed": 0, "n_epochs": 100, "device": "cpu", "precision": "float32",
        "grid": "g", "task_sha256": "0" * 64, "preprocessing": "as-published", "protocol_version": PROTOCOL_VERSION,
        "settings_digest": "now", "code_digest": "", "code_versions": CODES[of.model].versions, **changes,
    }  # fmt: skip
    rows = pd.DataFrame([row, row])
    return dict(explain_unused(rows, {m.key: m for m in members}, {"iris": TASK}, SETTINGS, CODES, ENVIRONMENT, tmp_path))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 7}, "seed 7"),
        ({"task_sha256": "1" * 64}, "other data files"),
        ({"preprocessing": "restandardise"}, "preprocessing restandardise"),
        ({"device": "cuda"}, "device cuda"),
        ({"precision": "tf32"}, "precision tf32"),
        ({"protocol_version": 0}, f"protocol version 0 instead of {PROTOCOL_VERSION}"),
        ({"settings_digest": "before"}, "batch_size = 32 and momentum = 0.9"),
        ({"config": '{"n_layers": 9}'}, "configuration not in the grid"),
        ({"code_digest": "abc"}, "other code of the model (--accept code)"),
        ({"code_versions": "torch 2.12.0"}, "torch 2.12.0 instead of 2.13.0 (--accept packages)"),
        ({"code_versions": "numpy 2.0, torch 2.13.0"}, "numpy 2.0 instead of not used (--accept packages)"),
        ({"code_digest": None, "code_versions": None}, "other settings of the model"),
        ({"seed": 7, "device": "cuda"}, "seed 7 and device cuda"),
        ({}, "other settings of the model"),
        ({"protocol_version": None, "preprocessing": None, "settings_digest": "gone"}, "other settings of the model"),
    ],
)
def test_each_reason_has_its_words(tmp_path, changes, reason):
    assert explain(tmp_path, **changes) == {reason: 2}


def test_an_estimator_knows_no_device(tmp_path):
    assert explain(tmp_path, SVM, device="cuda", seed=3) == {"seed 3": 2}
    assert explain(tmp_path, SVM, settings_digest="before") == {"other settings of the model": 2}


def test_what_was_not_asked_for_is_no_mismatch(tmp_path):
    for changes in ({"task": "wine"}, {"split": "repetition-2"}, {"model": "msrainit"}, {"stage": "evaluate"}):
        assert explain(tmp_path, **changes) == {}
    key = search_member(SPEC, TASK.name, SPLIT.name, CONFIG).key
    assert explain(tmp_path, key=key) == {}


def test_only_what_is_accepted_counts_and_the_newest_first():
    now = Code("mine.Net", "new", "torch 2")
    seen = [("new", "torch 2"), ("old", "torch 2"), ("new", "torch 1"), ("old", "torch 1"), (None, None)]
    rows = pd.DataFrame(
        [
            {"model": "m", "code_digest": digest, "code_versions": versions, "finished_at": str(k)}
            for k, (digest, versions) in enumerate(seen)
        ]
    )

    def accepted(*kinds: str) -> list[tuple[str, str]]:
        return [(code.digest, code.versions) for code in accepted_code(rows, {"m": now}, kinds).get("m", [])]

    assert accepted() == []
    assert accepted("code") == [("old", "torch 2"), ("new", "torch 2")]
    assert accepted("packages") == [("new", "torch 1"), ("new", "torch 2")]
    assert accepted("code", "packages") == [("old", "torch 1"), ("new", "torch 1"), ("old", "torch 2"), ("new", "torch 2")]
    assert accepted_code(rows.assign(model="another"), {"m": now}, ("code",)) == {"m": []}
