"""Stored rows that are trained again: those of estimators that stopped early, and those of fused kernels."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from snnbench import benchmark
from snnbench.cli import main
from snnbench.config import load_config
from snnbench.execution.engines import configure_engine
from snnbench.execution.request import Request
from snnbench.reproduce.rerun import rerun_rows
from snnbench.training.context import GpuUse

FUSED = """
[training]
n_epochs = 2
smoothing_window = 1
[models.snn.grid]
n_units = 4
n_layers = 1
form = "rectangular"
learning_rate = 0.1
"""
RIVAL = """
extends = "core/modern"
[models.{name}.grid]
{grid}
"""
GRIDS = {
    "catboost": "depth = 4\nl2_leaf_reg = 1.0",
    "lightgbm": "num_leaves = [7, 50]\nmin_child_samples = 5",
    "xgboost": "max_depth = 3\nreg_lambda = [0.0, 1.0]",
}


def stored(folder: Path, config: str, model: str, gpu: GpuUse) -> pd.DataFrame:
    """Run a model of a config on one task; return the rows."""
    (folder / "some.toml").write_text(config)
    settings = load_config("core", file=folder / "some.toml")
    engine = configure_engine("local", {"workers": 1})
    request = Request("core", (model,), "some", settings, folder / "results", tasks=("wine",), engine_spec=engine, gpu=gpu)
    loaded = benchmark.prepare(request)
    outcome = benchmark.run(request, loaded, benchmark.plan(request, loaded))
    assert not outcome.failures
    return pd.read_parquet(folder / "results" / "core")


def answer(capsys, monkeypatch, *words: str) -> tuple[int, str]:
    """Call the program; return its exit code and the last line that it printed."""
    monkeypatch.setattr(sys, "argv", ["snnbench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), "".join(capsys.readouterr().out.splitlines()[-1:])


@pytest.mark.parametrize("name", sorted(GRIDS))
@pytest.mark.filterwarnings("default")  # packages warn while they are imported
def test_rows_of_an_estimator_that_stopped_early_are_trained_again_to_the_same_bits(name, tmp_path, capsys, monkeypatch):
    pytest.importorskip(name)
    rows = stored(tmp_path, RIVAL.format(name=name, grid=GRIDS[name]), name, GpuUse())
    monkeypatch.chdir(tmp_path)
    search, (final,) = rows[rows["stage"] == "search"], rows[rows["stage"] == "evaluate"].itertuples()
    assert 1 <= final.n_epochs < 500
    assert final.n_epochs in set(search["best_epoch"])
    again, found = rerun_rows(tmp_path / "results", [final.key, search["key"].iloc[0]], None, lambda suite: None)
    assert again.is_equal
    assert found.is_equal
    assert found.again.best_epoch == search["best_epoch"].iloc[0] > 0
    for words in (("--record", "expected.json"), ("--against", "expected.json", "--mode", "strict")):
        code, _ = answer(capsys, monkeypatch, "check", "results", *words)
        assert code == 0
    for file in (tmp_path / "results" / "core").glob("evaluate-*.parquet"):
        pd.read_parquet(file).assign(n_epochs=final.n_epochs + 1).to_parquet(file)
    assert answer(capsys, monkeypatch, "rerun", "results")[0] == 2  # other rounds are another training


def test_rows_of_fused_kernels_are_trained_again_by_fused_kernels(tmp_path):
    pytest.importorskip("triton")
    rows = stored(tmp_path, FUSED, "snn", GpuUse("fused"))
    assert rows["kernels"].str.startswith("triton").all()
    (again,) = rerun_rows(tmp_path / "results", (), None, lambda suite: None)
    assert again.is_equal
    assert again.again.provenance["kernels"] == rows["kernels"].iloc[0]
