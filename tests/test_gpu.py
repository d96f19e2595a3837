"""The GPU kit, rehearsed without a GPU, and what needs one."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from snnbench.suites import open_source
from snnbench.suites.loading import load_tasks
from snnbench.training.cuda_graph import replayed

GPU = Path(__file__).parent / "gpu"
sys.path.insert(0, str(GPU))
kit, plan, setting = (import_module(name) for name in ("kit", "hours", "setting"))


@pytest.mark.slow
def test_every_stage_runs_on_a_cpu_with_tiny_networks(tmp_path):
    out = tmp_path / "records.jsonl"
    command = [sys.executable, GPU / "kit.py", "--device", "cpu", "--tiny", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {record["stage"] for record in records} == set(kit.STAGES)
    assert not [record for record in records if "error" in record or "skipped" in record]
    (found,) = (record for record in records if record["case"] == "hours")
    assert set(found["hours"]) == set(setting.MODELS)
    assert all(value > 0 for value in found["hours"].values())


def test_a_case_that_fails_is_a_record_and_does_not_stop_the_others(tmp_path):
    out = tmp_path / "records.jsonl"
    command = [sys.executable, GPU / "kit.py", "--stage", "grid", "--budget", "0", "--device", "cpu", "--tiny", "--out", out]
    assert subprocess.run(command, capture_output=True).returncode == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record.get("skipped") for record in records[:-1]] == ["the budget was spent"] * (len(setting.MODELS) + 2)


def test_hours_are_the_sum_over_the_jobs_of_the_plan():
    loaded = plan.catalogued_material(6)
    jobs = plan.paper_jobs(loaded)
    # A second a layer: layers times steps of each job, whatever its stack.
    found = plan.hours({"snn": np.array([3600.0, 0.0, 0.0])}, jobs, loaded)
    own = [job for job in jobs if job.members[0].config.model == "snn"]
    assert found == {"snn": sum(plan.job_work(job, loaded)[0] * int(job.members[0].config["n_layers"]) for job in own)}
    assert sum(len(job.members) for job in own) == 6 * 216


@pytest.mark.shared_data
def test_the_catalogue_plans_the_jobs_that_the_real_data_plan(shared):
    folder = open_source("uci", str(shared / "data" / "uci" / "data.tar.gz"))
    real = load_tasks("uci", folder)
    catalogued = plan.catalogued_material()
    assert {key: catalogued.n_train[key] for key in real.n_train} == real.n_train


@pytest.mark.gpu
def test_a_recording_is_replayed_on_a_real_gpu():
    x = torch.zeros(4, device="cuda")
    call = replayed(lambda: x.add_(1), torch.device("cuda"))
    for _ in range(10):
        call()
    assert x.tolist() == [10.0] * 4
