"""What a process does before its first job, on this machine or on another."""

import math
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from filelock import FileLock

from snnbench.errors import DataError, SnnbenchError
from snnbench.models.code import code_of
from snnbench.records import Job, Result, Value
from snnbench.results.provenance import describe_environment, package_digest
from snnbench.suites import load_suite, open_source
from snnbench.suites.fetch.source import cache_folder
from snnbench.training.context import GpuUse, JobContext
from snnbench.training.exactness import describe_exactness
from snnbench.training.jobs import run_job
from snnbench.training.limited import within_limit
from snnbench.training.process import prepare_process

_PACKAGE = "snnbench"


def open_worker(
    number: int, context: JobContext, on_gpu: bool = False, code: Mapping[str, str] | None = None
) -> Callable[[Job], list[Result]]:
    """Make this process ready and return what runs a job in it.

    Args:
        number: The worker's on its machine; workers share the GPUs by it.
        context: What all jobs of the run share.
        on_gpu: Whether it trains networks on a GPU.
        code: On another machine than the run's, what ``describe_code`` said there; None on the same.

    Raises:
        SnnbenchError: If this machine has no GPU that is needed, other code, or no data.
    """
    if context.limit_seconds < math.inf:
        return within_limit(partial(_open, number, context, on_gpu, code), context.limit_seconds)
    return _open(number, context, on_gpu, code)[0]


def _open(
    number: int, context: JobContext, on_gpu: bool, code: Mapping[str, str] | None
) -> tuple[Callable[[Job], list[Result]], JobContext]:
    """Return what runs a job in this process, and the context of this machine."""
    if on_gpu and not torch.cuda.is_available():
        raise SnnbenchError(
            f"A job with --device cuda must have a GPU that torch can use, found none on {platform.node()}. "
            "Use --gpus-per-job, a partition with GPUs, or --device cpu."
        )
    prepare_process(number, on_gpu)
    if code is not None:
        context = _on_this_machine(context, code)
    found = {**describe_exactness(context.spec.compute), **_describe_kernels(context.spec.gpu)}
    context = replace(context, provenance={**context.provenance, **found})
    return partial(run_job, context=context, in_worker=True), context


def _describe_kernels(gpu: GpuUse) -> dict[str, Value]:
    """Return a column of the rows whose networks are computed by fused kernels: what compiles them.

    Raises:
        SnnbenchError: If they are asked for and this machine has no Triton.
    """
    if gpu.kernels == "plain":
        return {}
    try:
        return {"kernels": f"triton {version('triton')}"}
    except PackageNotFoundError as error:
        raise SnnbenchError(
            f"Networks by --kernels fused must have Triton, found none on {platform.node()}. "
            "Use `pip install 'snnbench[triton]'` there, or --kernels plain."
        ) from error


def describe_code(context: JobContext, models: Iterable[str]) -> dict[str, str]:
    """Say which code the numbers of some models come from: this package's files, the user's own, and what is installed."""
    codes = {name: code_of(name, context.spec.settings.models[name]) for name in models}
    return {_PACKAGE: package_digest(), **{name: f"{code.digest} {code.versions}".strip() for name, code in codes.items()}}


def _on_this_machine(context: JobContext, code: Mapping[str, str]) -> JobContext:
    """Return the context with the data and the provenance of this machine, whose code must be the run's."""
    if context.node_setup.code_folder:
        sys.path.append(str(context.node_setup.code_folder))
    node = platform.node()
    for name, found in describe_code(context, code.keys() - {_PACKAGE}).items():
        if found != code[name]:
            what = "snnbench" if name == _PACKAGE else f"the model {name}"
            raise SnnbenchError(
                f"Every node must have the code of {what} that the run was started with ({code[name]}), found other on {node} "
                f"({found})."
            )
    provenance = {**context.provenance, **describe_environment(context.spec.compute)}
    return replace(context, folder=_find_data(context, node), provenance=provenance)


@contextmanager
def _one_at_a_time(suite: str) -> Iterator[None]:
    """Let one worker of a machine fetch and unpack while the others wait; a cache without writing or locks has no turns."""
    lock = FileLock(cache_folder() / f"{suite}.lock")
    with suppress(OSError, NotImplementedError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _find_data(context: JobContext, node: str) -> Path | None:
    """Return where the run's data lies on this machine: in a shared folder, in its own cache, or downloaded now."""
    if context.folder is None:
        return None
    spec, node_setup = context.spec, context.node_setup
    try:
        folder = context.folder
        if not folder.exists():
            with _one_at_a_time(spec.suite):
                found = open_source(spec.suite, node_setup.source, options=spec.settings.data, offline=node_setup.offline)
            assert found is not None, "only an embedded suite has no folder"
            folder = found
        here = {task.name: task.sha256 for task in load_suite(spec.suite, folder).tasks(folder)[0]}
    except DataError as error:
        raise DataError(
            f"Node {node} has no data of suite {spec.suite}: {error} "
            "Name a folder that all nodes can read, or a URL, with --source."
        ) from error
    for name, task in spec.tasks.items():
        if here.get(name) != task.sha256:
            raise DataError(
                f"Every node must have the same data, found {'other files' if name in here else 'no file'} of {name} in "
                f"{folder} on {node}. Remove what is there, or name a folder that all nodes can read with --source."
            )
    return folder
