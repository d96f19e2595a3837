import os
import signal
import time
from collections import deque
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest

from snnbench.engines import ENGINES
from snnbench.engines.local import _until_broken
from snnbench.records import Config, Job, Member


def job(name: str) -> Job:
    return Job("search", "core", (Member(name, "repetition-1", Config("snn", ()), 0, 1, name),))


def nothing(number: int) -> None:
    pass


def note_number(number: int) -> None:
    os.environ["WORKER_NUMBER"] = str(number)


def tell_number(job: Job) -> list:
    time.sleep(0.2)
    return [os.environ["WORKER_NUMBER"]]


def echo(job: Job) -> list:
    time.sleep(0.05)
    return [job.members[0].task, os.getpid(), os.environ["OMP_NUM_THREADS"]]


def misbehave(job: Job, folder: Path) -> list:
    """Do what the job's name says; every call leaves a line."""
    name = job.members[0].task
    with (folder / name).open("a") as calls:
        calls.write("called\n")
    if name == "raise":
        raise ValueError("as told")
    if name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "die once" and (folder / name).read_text().count("called") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return [name]


@pytest.mark.parametrize("engine", ENGINES.values())
def test_all_jobs_come_back_from_processes_of_one_thread(engine):
    jobs = [job(str(k)) for k in range(7)]
    started = []
    found = list(engine(jobs, echo, 2, nothing, started.append))
    assert sorted(outcome[0] for _, outcome in found) == [str(k) for k in range(7)]
    assert started == jobs
    assert all(outcome[0] == job.members[0].task and outcome[2] == "1" for job, outcome in found)
    processes = {outcome[1] for _, outcome in found}
    assert os.getpid() not in processes
    assert len(processes) == 2
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("engine", ENGINES.values())
def test_workers_are_numbered_from_0(engine):
    found = list(engine([job(str(k)) for k in range(6)], tell_number, 2, note_number))
    assert {outcome[0] for _, outcome in found} == {"0", "1"}


@pytest.mark.parametrize("engine", ENGINES.values())
def test_no_jobs_start_no_process(engine):
    assert list(engine([], echo, 2, nothing)) == []


@pytest.mark.parametrize("engine", ENGINES.values())
def test_a_dying_worker_costs_its_own_job_alone(engine, tmp_path):
    names = ["a", "die", "raise", "b", "die once", "c"]
    found = {job.members[0].task: outcome for job, outcome in engine(
        [job(name) for name in names], partial(misbehave, folder=tmp_path), 2, nothing)}  # fmt: skip
    assert set(found) == set(names)
    assert [found[name] for name in ("a", "b", "c", "die once")] == [["a"], ["b"], ["c"], ["die once"]]
    assert isinstance(found["raise"], ValueError)
    assert "killed, or out of memory" in str(found["die"])


@pytest.mark.parametrize("engine", ENGINES.values())
def test_a_stopped_engine_finishes_the_jobs_in_flight(engine, tmp_path):
    finished = []
    for done, _ in engine(
        [job(str(k)) for k in range(50)], partial(misbehave, folder=tmp_path), 2, nothing, stop=lambda: len(finished) >= 3
    ):
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
    steps = _until_broken(PoolThatBreaks(), waiting, 2, echo, lambda job: None, lambda: False)
    while True:
        try:
            finished.append(next(steps))
        except StopIteration as stop:
            lost = stop.value
            break
    assert [done.members[0].task for done, _ in finished] == ["a"]
    assert [lost_job.members[0].task for lost_job in lost] == ["b"]
    assert [left.members[0].task for left in waiting] == ["c"]
