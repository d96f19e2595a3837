"""What a worker on another machine finds there, or says that it lacks."""

import os
import re
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import pytest
import torch
from archives import wine_like, write_delgado

from snnbench.config import load_config
from snnbench.errors import DataError, SnnbenchError
from snnbench.records import Compute, Config, Job, Member
from snnbench.suites import core, uci
from snnbench.suites.fetch.source import locate
from snnbench.training import worker
from snnbench.training.context import GpuUse, JobContext, NodeSetup, RunSpec
from snnbench.training.jobs import run_job
from snnbench.training.worker import describe_code, open_worker

TASKS = {task.name: task for task in core.tasks(None)[0]}
CORE = JobContext(RunSpec("core", TASKS, {}, load_config("core")), None, {"preset": "quick"})


@pytest.fixture
def of_uci(tmp_path) -> JobContext:
    """Return the context of a run whose data lies unpacked in a folder of its driver."""
    folder = tmp_path / "here"
    write_delgado(folder, "wine", *wine_like(), n_test=0)
    tasks = {task.name: task for task in uci.tasks(folder)[0]}
    return JobContext(RunSpec("uci", tasks, {}, load_config("uci")), folder)


def opened(context: JobContext, models: tuple[str, ...] = ("snn",)) -> JobContext:
    """Return the context with which a worker on another machine runs its jobs."""
    return open_worker(0, context, code=describe_code(context, models)).keywords["context"]


def test_a_worker_elsewhere_writes_down_its_own_machine(monkeypatch):
    monkeypatch.setattr("snnbench.results.provenance._cpu", lambda: "another processor")
    found = opened(CORE).provenance
    assert (found["preset"], found["cpu"], found["device"]) == ("quick", "another processor", "cpu")
    assert found["mkl_cbwr"] == (os.environ["MKL_CBWR"] if found["blas"] == "mkl" else "")


@pytest.mark.equal_bits
def test_every_worker_writes_down_whether_it_keeps_the_promise_of_equal_bits():
    assert open_worker(0, CORE).keywords["context"] == replace(CORE, provenance={**CORE.provenance, "equal_bits": True})
    assert opened(CORE).provenance["equal_bits"] is True


def test_rows_of_fused_kernels_name_what_compiles_them(monkeypatch):
    fused = replace(CORE, spec=replace(CORE.spec, gpu=GpuUse("fused")))
    monkeypatch.setattr(worker, "version", lambda name: {"triton": "3.9.0"}[name])
    assert open_worker(0, fused).keywords["context"].provenance["kernels"] == "triton 3.9.0"
    assert "kernels" not in open_worker(0, CORE).keywords["context"].provenance

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(worker, "version", missing)
    with pytest.raises(SnnbenchError, match="Networks by --kernels fused must have Triton, found none on"):
        open_worker(0, fused)


def test_other_code_is_refused():
    code = describe_code(CORE, ["snn"])
    for name, what in (("snnbench", "snnbench"), ("snn", "the model snn")):
        with pytest.raises(SnnbenchError, match=f"Every node must have the code of {what} that the run was started with"):
            open_worker(0, CORE, code={**code, name: "other"})


def test_a_model_of_the_users_own_is_found_where_the_config_lies(tmp_path, monkeypatch):
    (tmp_path / "faraway.py").write_text("from snnbench.models.networks.snn import SNN\n\nclass Mine(SNN):\n    pass\n")
    models = CORE.spec.settings.models
    table = models["snn"].model_copy(update={"network": "faraway.Mine"})
    settings = CORE.spec.settings.model_copy(update={"models": {**models, "mine": table}})
    context = replace(CORE, spec=replace(CORE.spec, settings=settings), node_setup=NodeSetup(code_folder=tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    code = describe_code(context, ["mine"])
    assert re.fullmatch(r"[0-9a-f]{16} numba [0-9.]+, scipy [0-9.]+, torch [0-9.]+", code["mine"])
    monkeypatch.undo()
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(tmp_path)])
    open_worker(0, context, code=code)
    assert str(tmp_path) in sys.path


def test_data_in_a_shared_folder_is_used_as_it_is(of_uci):
    assert opened(of_uci).folder == of_uci.folder


def test_data_that_is_not_there_is_looked_for_as_the_user_named_it(of_uci, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    write_delgado(elsewhere, "wine", *wine_like(), n_test=0)
    context = replace(of_uci, folder=tmp_path / "gone", node_setup=NodeSetup(source=str(elsewhere)))
    assert opened(context).folder == locate("uci", (), str(elsewhere), uci.ARCHIVES, uci.WANTED)


def test_no_data_and_other_data_are_refused(of_uci, tmp_path):
    context = replace(of_uci, folder=tmp_path / "gone", node_setup=NodeSetup(source=str(tmp_path / "nowhere")))
    with pytest.raises(
        DataError, match=r"Node .* has no data of suite uci: .*nowhere.* a folder that all nodes can read, or a URL"
    ):
        opened(context)
    (of_uci.folder / "wine" / "wine_R.dat").write_text("changed")
    with pytest.raises(DataError, match="Every node must have the same data, found other files of wine"):
        opened(of_uci)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said():
    context = replace(CORE, spec=replace(CORE.spec, compute=Compute("cuda", "tf32", "across-tasks")))
    with pytest.raises(SnnbenchError, match=r"must have a GPU that torch can use, found none on .* Use --gpus-per-job"):
        open_worker(0, context, on_gpu=True)


def test_only_a_worker_ends_with_the_error_that_leaves_it_useless(monkeypatch):
    def break_down(job, context):
        raise torch.AcceleratorError("an illegal memory access was encountered")

    ended = []
    monkeypatch.setattr("snnbench.training.jobs._train", break_down)
    monkeypatch.setattr("os._exit", ended.append)
    job = Job("search", "core", (Member("iris", "repetition-1", Config("snn", ()), 0, 1, "key"),))
    assert run_job(job, CORE)[0].error == "AcceleratorError: an illegal memory access was encountered"
    assert ended == []
    open_worker(0, CORE)(job)
    assert ended == [1]


def test_what_a_worker_elsewhere_trains_is_what_is_trained_here():
    config = Config("svm", (("C", 1.0), ("gamma", 1.0)))
    job = Job("search", "core", (Member("iris", "repetition-1", config, 0, 0, "key"),))
    here, there = open_worker(0, CORE)(job), open_worker(0, CORE, code=describe_code(CORE, ["svm"]))(job)
    assert here[0].valid_score == there[0].valid_score
    assert there[0].provenance["snnbench_version"]
