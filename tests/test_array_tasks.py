"""The files by which the front end and Slurm array tasks communicate."""

import math
import signal

import pytest
from workers import answer, job, misbehave, refuse

from snnbench.errors import SnnbenchError
from snnbench.execution.engines import EngineSpec, slurm
from snnbench.execution.engines.array_tasks import STOP, ArrayTaskProgram, add_array_task, find_array_tasks, note_submitted
from snnbench.execution.engines.chunks import Chunk, make_chunks, retry_or_fail
from snnbench.records import Result


@pytest.fixture(autouse=True)
def _own_signals():
    """An array task handles Slurm's warning signal; this process does not."""
    before = signal.getsignal(signal.SIGUSR2)
    yield
    signal.signal(signal.SIGUSR2, before)


def submitted(tmp_path, names="abc"):
    array_task = add_array_task(tmp_path, Chunk(tuple(job(name, 1.0) for name in names), 1))
    note_submitted(array_task, "7_0")
    return array_task


def test_an_array_task_is_found_again_with_the_very_jobs(tmp_path):
    array_task = submitted(tmp_path)
    add_array_task(tmp_path, Chunk((job("d"),)))  # killed before it was submitted
    (found,) = find_array_tasks(tmp_path)
    assert (found.chunk, found.slurm_id, found.folder) == (array_task.chunk, "7_0", array_task.folder)
    assert found.not_taken == list(array_task.chunk.jobs)


def test_a_job_that_two_array_tasks_have_done_is_yielded_once(tmp_path, monkeypatch):
    """A front end killed before it knew of its first array task had submitted the job again."""
    for array_task in (submitted(tmp_path, "a"), submitted(tmp_path, "ab")):
        ArrayTaskProgram(array_task.folder, lambda number: answer)()
        note_submitted(array_task, array_task.folder.name)
    monkeypatch.setattr(
        slurm, "_ask_slurm", lambda array_tasks, callbacks: [one.update("COMPLETED", "n1", True) for one in array_tasks]
    )
    engine_spec = EngineSpec("slurm", slurm.Options(), 1, 1, tmp_path)
    found = [done.members[0].task for done, _ in slurm.run_jobs([job("a", 1.0), job("b", 1.0)], misbehave, engine_spec)]
    assert sorted(found) == ["a", "b"]
    assert find_array_tasks(tmp_path) == []


def test_numbers_keep_all_their_digits(tmp_path):
    array_task = submitted(tmp_path, "a")
    result = answer(job("a"))[0]
    curve = (0.1 + 0.2, math.nan, -math.inf, 5e-324)
    values = {
        "train_loss": curve,
        "test_targets": (1, None),
        "test_outputs": (1 / 3,),
        "provenance": {"a": 1, "b": 1.0, "c": True},
    }
    ArrayTaskProgram(array_task.folder, lambda number: lambda job: [Result(**{**vars(result), **values})])()
    ((_, (found,)),) = array_task.take_outcomes()
    assert repr(found) == repr(Result(**{**vars(result), **values}))


def test_what_is_done_is_not_done_again_and_is_taken_once_it_is_stored(tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()
    array_task = submitted(tmp_path)

    def stop_after_each(number):
        def run_job(job):
            (tmp_path / STOP).touch()
            return misbehave(number, calls)(job)

        return run_job

    for _ in range(2):
        (tmp_path / STOP).unlink(missing_ok=True)
        ArrayTaskProgram(array_task.folder, stop_after_each)()
    outcomes = array_task.take_outcomes()
    next(outcomes)
    assert len(array_task.not_taken) == 3  # whoever takes one may be killed before it is stored
    next(outcomes)
    assert len(array_task.not_taken) == 2
    assert [next(outcomes, None), len(array_task.not_taken)] == [None, 1]
    assert {file.name: file.read_text().count("called") for file in calls.iterdir()} == {"a": 1, "b": 1}


def test_an_array_task_is_requeued_only_if_it_made_progress(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="needs the extra slurm")
    ended, raised = [], []
    monkeypatch.setattr("os._exit", ended.append)
    array_task = submitted(tmp_path)

    def warned(job):
        """Be warned by Slurm before the first job is done, and before the second."""
        handle = signal.getsignal(signal.SIGUSR2)
        handle(signal.SIGUSR2, None)
        return answer(job)

    task = ArrayTaskProgram(array_task.folder, lambda number: warned)
    monkeypatch.setattr(signal, "signal", lambda number, handler: handlers.update({number: handler}))
    monkeypatch.setattr(signal, "getsignal", lambda number: handlers[number])
    handlers = {signal.SIGUSR2: lambda number, frame: raised.append(task.checkpoint())}
    task()
    assert ended == [1]  # at the first job alone
    assert [type(one).__name__ for one in raised] == ["DelayedSubmission"] * 2


def test_a_worker_that_cannot_work_says_why(tmp_path):
    array_task = submitted(tmp_path)
    ArrayTaskProgram(array_task.folder, refuse)()
    assert (array_task.refusal, array_task.has_opened, len(array_task.not_taken)) == ("Node 0 has no data.", False, 3)


@pytest.mark.parametrize("content", ["", "[1]", '{"results": [{"key": 1}]}', '{"error": 3}', "[" * 100_000])
def test_a_damaged_outcome_is_said(tmp_path, content):
    array_task = submitted(tmp_path, "a")
    (array_task.folder / f"{array_task.chunk.jobs[0].key}.outcome").write_text(content)
    with pytest.raises(SnnbenchError, match="must be as an array task of this run wrote it, but reading it failed"):
        list(array_task.take_outcomes())


def test_short_jobs_share_a_chunk_and_long_ones_do_not():
    seconds = [5.0, 1.0, 0.5, 0.5, 0.4, 0.3, 0.1]
    chunks = make_chunks([job(str(k), planned) for k, planned in enumerate(seconds)], 1.0)
    assert [len(chunk.jobs) for chunk in chunks] == [1, 1, 2, 3]


def test_making_room_for_others_is_no_death():
    chunk = Chunk((job("a"),), 2)
    again, given_up = retry_or_fail(chunk, chunk.jobs, 2, "preempted", is_blameless=True)
    assert (again, given_up) == ([chunk], [])


def test_jobs_that_died_together_are_tried_alone_and_then_as_often_as_allowed():
    together = Chunk(tuple(job(name) for name in "abc"))
    again, given_up = retry_or_fail(together, together.jobs[1:], 0, "killed")
    assert ([chunk.jobs[0].members[0].task for chunk in again], given_up) == (["b", "c"], [])
    (alone,), _ = retry_or_fail(Chunk(together.jobs[:1]), together.jobs[:1], 1, "killed")
    again, ((_, error),) = retry_or_fail(alone, alone.jobs, 1, "killed")
    assert (again, str(error)) == ([], "the worker died 2 times: killed")
