"""Several stacks at once: the same numbers as one by one, within the memory and the places that there are."""

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from snnbench import benchmark
from snnbench.config import load_config
from snnbench.execution.request import Request
from snnbench.records import Compute, TrainedMember
from snnbench.results.store import read_results
from snnbench.training import jobs as jobs_module
from snnbench.training.at_once import train_at_once
from snnbench.training.context import GpuUse, JobContext
from snnbench.training.jobs import run_job

ACROSS = Compute("cpu", "float32", "across-tasks")


def plan_of(n_at_once: int, tasks=("iris", "wine", "balance-scale")):
    settings = load_config("core", "quick")
    training = settings.training.model_copy(update={"n_epochs": 2})
    settings = settings.model_copy(update={"training": training})
    request = Request(
        "core", ("snn", "batchnorm"), "quick", settings, Path("nowhere"), None, tasks, compute=ACROSS,
        gpu=GpuUse(n_at_once=n_at_once),
    )  # fmt: skip
    loaded = benchmark.prepare(request)
    return benchmark.plan(request, loaded), JobContext(request.specify(loaded), None)


def results_of(n_at_once: int) -> dict:
    plan, context = plan_of(n_at_once)
    return {row.key: row for job in plan.jobs for row in run_job(job, context)}


def test_stacks_at_once_have_the_numbers_that_they_have_one_by_one():
    one_by_one, at_once = results_of(1), results_of(3)
    assert one_by_one.keys() == at_once.keys()
    for key, row in one_by_one.items():
        other = at_once[key]
        for name in ("status", "train_loss", "valid_curve", "valid_score", "best_epoch"):
            np.testing.assert_equal(getattr(other, name), getattr(row, name))
    assert sum(row.status == "ok" for row in at_once.values()) > len(at_once) / 2


def test_a_job_has_several_stacks_of_one_model_and_every_member_once():
    plan, _ = plan_of(3)
    assert [len(job.stacks) for job in plan_of(1)[0].jobs] == [0] * len(plan_of(1)[0].jobs)
    assert max(len(job.parts) for job in plan.jobs) > 1
    for job in plan.jobs:
        assert len({member.config.model for member in job.members}) == 1
        assert [member for part in job.parts for member in part] == list(job.members)
    assert sorted(member.key for job in plan.jobs for member in job.members) == sorted(plan.members)


def test_a_part_of_a_job_has_parts_of_its_stacks():
    job = max(plan_of(3)[0].jobs, key=lambda job: len(job.parts))
    first, second = job.parts[:2]
    left = replace(job, members=(first[-1], second[0]))
    assert left.parts == ((first[-1],), (second[0],))


def test_a_stack_that_fails_takes_no_other_along(monkeypatch):
    plan, context = plan_of(3)
    job = max(plan.jobs, key=lambda job: len(job.parts))
    lost, train = {member.key for member in job.parts[1]}, jobs_module.train_networks
    calls = []

    def failing(stack, *others):
        calls.append(stack)
        if len(stack) == len(job.parts[1]) and stack.configs == [member.config for member in job.parts[1]]:
            raise ValueError("planted")
        return train(stack, *others)

    monkeypatch.setattr(jobs_module, "train_networks", failing)
    rows = run_job(job, context)
    assert {row.key for row in rows if row.status == "failed"} >= lost
    assert {row.key for row in rows} == {member.key for member in job.members}
    assert any(row.status == "ok" for row in rows)


def test_memory_and_places_are_never_exceeded():
    needs, together, most, lock = [5, 4, 3, 3, 2, 9, 1], [], [], threading.Lock()

    def train(place: int) -> list[TrainedMember]:
        with lock:
            together.append(place)
            most.append(list(together))
        threading.Event().wait(0.01)
        with lock:
            together.remove(place)
        return [TrainedMember(1.0, valid_score=place)]

    found = train_at_once(needs, 8, 3, train)
    assert [members[0].valid_score for members in found] == list(range(7))
    assert all(len(places) <= 3 for places in most)
    assert all(sum(needs[place] for place in places) <= 8 for places in most if places != [5])
    assert [places for places in most if 5 in places] == [[5]]
    assert max(map(len, most)) > 1


def test_errors_stay_with_their_stack_and_seconds_add_up_to_the_whole():
    def train(place: int) -> list[TrainedMember]:
        if place == 1:
            raise ValueError("planted")
        return [TrainedMember(100.0), TrainedMember(300.0)]

    first, error, last = train_at_once([1, 1, 1], 9, 2, train)
    assert isinstance(error, ValueError)
    seconds = [member.seconds for member in (*first, *last)]
    assert sum(seconds) < 5
    np.testing.assert_allclose(seconds[1], 3 * seconds[0])


def test_an_interruption_is_not_a_result():
    def train(place: int) -> list[TrainedMember]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_at_once([1], 1, 2, train)


def test_a_run_stores_what_it_stores_one_by_one(tmp_path):
    settings = load_config("core", "quick")
    training = settings.training.model_copy(update={"n_epochs": 2})
    settings, found = settings.model_copy(update={"training": training}), []
    request = partial(Request, "core", ("snn",), "quick", settings, folder=None, tasks=("iris",), compute=ACROSS)
    for n_at_once in (1, 4):
        one = request(results=tmp_path / str(n_at_once), gpu=GpuUse(n_at_once=n_at_once))
        loaded = benchmark.prepare(one)
        benchmark.run(one, loaded, benchmark.plan(one, loaded))
        rows = read_results([one.results]).set_index("key").sort_index()
        found.append(rows[["status", "valid_score", "test_score", "best_epoch"]])
    assert found[0].equals(found[1])
