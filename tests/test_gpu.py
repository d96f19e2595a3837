"""The GPU kit, rehearsed without a GPU, and what needs one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from snnbench.models import NETWORKS
from snnbench.models.cost.gpu_cost import H100, Gpu, member_layers, step_work
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
    assert set(found["hours"]) == {f"{kernels} {n}" for kernels in ("plain", "fused") for n in (1, 4, 8)}
    assert all(set(hours) == set(setting.MODELS) and min(hours.values()) > 0 for hours in found["hours"].values())


def test_a_case_that_fails_is_a_record_and_does_not_stop_the_others(tmp_path):
    out = tmp_path / "records.jsonl"
    command = [sys.executable, GPU / "kit.py", "--stage", "grid", "--budget", "0", "--device", "cpu", "--tiny", "--out", out]
    assert subprocess.run(command, capture_output=True).returncode == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record.get("skipped") for record in records[:-1]] == ["the budget was spent"] * (len(setting.MODELS) + 2)


def test_hours_are_the_sum_over_the_jobs_of_the_plan():
    loaded = plan.catalogued_material(3)
    spec = plan.paper_spec(loaded)
    jobs = plan.paper_jobs(spec)
    found = plan.hours(jobs, spec)
    assert set(found) == set(setting.MODELS)
    own = [job for job in jobs if job.members[0].config.model == "snn"]
    assert found["snn"] == pytest.approx(sum(job.seconds for job in own) / 3600)
    assert sum(len(job.members) for job in own) == 3 * 216
    # A card whose kernels wait twice as long, and work as fast, takes longer, but not twice as long.
    slower = plan.hours(jobs, spec, replace(H100, floor=2 * H100.floor))
    assert all(found[model] < slower[model] < 2 * found[model] for model in found)


def test_a_card_is_found_again_from_the_seconds_of_its_steps():
    card = Gpu(floor=3e-6, bandwidth=2e12, rate=1e14, n_processors=132)
    points = []
    for model in setting.MODELS:
        for n_units, n_layers, n_stack in ((256, 4, 6), (256, 32, 24), (1024, 8, 66)):
            (config,) = setting.configs_of(model, 1, n_units, n_layers, 0.0)
            for fused in (False, True):
                work = step_work(member_layers(NETWORKS[model], config, 16, 4), n_stack, 128, fused)
                points.append((work, work.seconds(card)))
    found = plan.fit_card(points)
    assert (found.floor, found.bandwidth, found.rate) == pytest.approx((3e-6, 2e12, 1e14), rel=1e-6)


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
