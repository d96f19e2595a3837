import os
from collections import deque
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pytest
from workers import echo, job, misbehave, said_of, tell_number

from snnbench.errors import UnknownNameError
from snnbench.execution.engines import ENGINES, EngineCallbacks, configure_engine, load_engine
from snnbench.execution.engines.local import _until_broken, run_jobs

ENGINE_SPEC = configure_engine("local", {"workers": 2})


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_says_what_it_is_and_takes_options_by_name(name):
    engine = load_engine(name)
    assert engine.SUMMARY
    assert (name != "local") == engine.REMOTE
    engine.Options()


def test_an_unknown_engine_and_an_option_of_another_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'local'"):
        configure_engine("lokal", {})


def test_all_jobs_come_back_from_processes_of_one_thread():
    jobs = [job(str(k)) for k in range(7)]
    started, before = [], os.environ.get("OMP_NUM_THREADS")
    found = list(run_jobs(jobs, echo, ENGINE_SPEC, EngineCallbacks(started.append)))
    assert sorted(said_of(outcome)["task"] for _, outcome in found) == [str(k) for k in range(7)]
    assert started == jobs
    assert all(said_of(outcome)["task"] == job.members[0].task for job, outcome in found)
    assert {said_of(outcome)["threads"] for _, outcome in found} == {"1"}
    processes = {said_of(outcome)["process"] for _, outcome in found}
    assert os.getpid() not in processes
    assert len(processes) == 2
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_workers_are_numbered_from_0():
    found = list(run_jobs([job(str(k)) for k in range(6)], tell_number, ENGINE_SPEC))
    assert {said_of(outcome)["number"] for _, outcome in found} == {"0", "1"}


def test_no_jobs_start_no_process():
    assert list(run_jobs([], echo, ENGINE_SPEC)) == []


def test_a_dying_worker_costs_its_own_job_alone(tmp_path):
    names = ["a", "die", "raise", "b", "die once", "c"]
    open_worker = partial(misbehave, folder=tmp_path)
    found = {job.members[0].task: outcome for job, outcome in run_jobs([job(name) for name in names], open_worker, ENGINE_SPEC)}
    assert set(found) == set(names)
    assert all(said_of(found[name])["task"] == name for name in ("a", "b", "c", "die once"))
    assert isinstance(found["raise"], ValueError)
    assert "killed, or out of memory" in str(found["die"])


def test_a_stopped_engine_finishes_the_jobs_in_flight(tmp_path):
    finished = []
    callbacks = EngineCallbacks(stop=lambda: len(finished) >= 3)
    for done, _ in run_jobs([job(str(k)) for k in range(50)], partial(misbehave, folder=tmp_path), ENGINE_SPEC, callbacks):
        finished.append(done)
    assert 3 <= len(finished) <= 5
    assert len(list(tmp_path.iterdir())) == len(finished)


class PoolThatBreaks:
    """Takes two jobs, finishes the first, and breaks before the third is handed over."""

    def __init__(self):
        self.futures: list[Future] = []

    def submit(self, run_job, job):  # noqa: D102
        if len(self.futures) == 2:
            raise BrokenProcessPool
        self.futures.append(Future())
        if len(self.futures) == 1:
            self.futures[0].set_result(["done"])
        return self.futures[-1]


def test_jobs_in_flight_are_not_lost_when_a_worker_dies_unnoticed():
    waiting, finished = deque(job(name) for name in "abc"), []
    steps = _until_broken(PoolThatBreaks(), waiting, 2, EngineCallbacks())
    while True:
        try:
            finished.append(next(steps))
        except StopIteration as stop:
            lost = stop.value
            break
    assert [done.members[0].task for done, _ in finished] == ["a"]
    assert [lost_job.members[0].task for lost_job in lost] == ["b"]
    assert [left.members[0].task for left in waiting] == ["c"]
