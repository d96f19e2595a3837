"""What stored rows tell of the runs behind a comparison: one evaluation a task, and commands that repeat it."""

import json

import numpy as np
import pandas as pd
import pytest

from snnbench.config import load_config
from snnbench.report import compare_results
from snnbench.report.options import DEFAULT
from snnbench.report.runs import DIAGNOSTIC_COLUMNS, examine_runs


def rows(suite: str = "tox21", preset: str = "quick", splits: tuple[str, ...] = ("challenge",)) -> pd.DataFrame:
    """Return two depths of two models; the depth of 2 is stored first, that of 8 validates better."""
    found = []
    for split in splits:
        for model, lift in (("snn", 0.02), ("msrainit", 0.0)):
            for depth, valid in ((2, 0.7), (8, 0.8)):
                made = {"suite": suite, "task": suite, "split": split, "seed": 0, "model": model, "config_key": f"0{depth}"}
                made |= {"preset": preset, "grid": model, "config": json.dumps({"n_layers": depth}), "task_sha256": "a"}
                made |= {"settings_digest": load_config(suite).digest, "finished_at": "2026", "status": "ok", "error": ""}
                made |= {"device": "cpu", "precision": "float32", "stacking": "within-task", "seconds": 1.0, "metric": "auc"}
                made |= {"task_source": "files", "best_epoch": depth, "valid_curve": np.full(3, valid)}
                noise = int(split[-1]) / 1000 if split[-1].isdigit() else 0.0
                found.append(made | {"stage": "search", "valid_score": valid, "test_score": np.nan})
                found.append(made | {"stage": "evaluate", "valid_score": np.nan, "test_score": valid + lift + noise})
    return pd.DataFrame(found).reindex(columns=list(dict.fromkeys([*DIAGNOSTIC_COLUMNS, "status", "finished_at"])))


def examine(stored: pd.DataFrame):
    return examine_runs(stored, compare_results(DEFAULT, stored), {})


def test_of_every_depth_the_best_validated_one_is_shown():
    runs = examine(rows())
    assert runs.models == ("snn", "msrainit")
    assert runs.selected["value"].tolist() == [8, 8]
    assert runs.curves["best_epoch"].tolist() == [8, 8]
    assert runs.curves["valid"].tolist() == [[0.8] * 3] * 2
    assert runs.costs.set_index("model")["seconds"].to_dict() == {"snn": 4.0, "msrainit": 4.0}
    assert runs.by_split is None


def test_one_task_on_several_splits_is_compared_by_split():
    runs = examine(rows("htru2", splits=("fold-1", "fold-2", "fold-3")))
    assert runs.by_split is not None
    assert runs.by_split.values["mean"].to_dict() == pytest.approx({"snn": 0.822, "msrainit": 0.802})


def test_commands_are_those_of_presets_that_are_still_the_same():
    assert examine(rows()).commands == ("snnbench run tox21 --preset quick --model msrainit --model snn",)
    assert examine(rows().assign(settings_digest="other")).commands == ()
    assert examine(rows(preset="mine")).commands == ()
    folds = rows("htru2", splits=tuple(f"fold-{k}" for k in range(1, 11)))
    assert "--repetition" not in examine(folds).commands[0]
    some = examine(rows("htru2", splits=("fold-2", "fold-3")).assign(device="cuda")).commands[0]
    assert some.endswith("--repetition 2..3 --device cuda")
