"""``snnbench run --engine`` as its users meet it; the engines themselves are in tests of their own."""

import sys

import pytest
from test_cli import Program, assert_refused, program  # noqa: F401  a fixture

RUN = ("run", "core", "--config", "tiny.toml", "--task", "iris")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--engine", "rai"), "Unknown engine 'rai'. Did you mean 'ray'?"),
        (("--partition", "gpu"), "--partition must stand with --engine slurm, found --engine local, which takes --workers"),
        (("--gpus-per-job", "1"), "--gpus-per-job must stand with --engine ray or slurm, found --engine local"),
        (("--engine", "ray", "--workers", "2"), "--workers must stand with --engine local, found --engine ray, which takes"),
        (("--engine", "slurm", "--address", "auto"), "--address must stand with --engine ray, found --engine slurm"),
        (("--engine", "ray", "--gpus-per-job", "1", "--device", "cpu"), "--gpus-per-job must be 0 with --device cpu, found 1"),
        (("--engine", "ray", "--gpus-per-job", "0", "--device", "cuda"), "must be above 0 with --device cuda, found 0"),
        (("--engine", "ray", "--gpus-per-job", "1.5"), "--gpus-per-job must be a part of one GPU or a whole number, found 1.5"),
    ],
)
def test_options_that_do_not_go_together_are_refused(program: Program, words, expected):  # noqa: F811
    assert_refused(program(*RUN, *words), expected)


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_extra_that_is_not_installed_is_said_with_the_command(program: Program, monkeypatch, engine, package):  # noqa: F811
    monkeypatch.setitem(sys.modules, package, None)
    expected = f"--engine {engine} needs the package {package}. Install it: pip install 'snnbench[{engine}]'."
    assert_refused(program(*RUN, "--engine", engine), expected)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("nowhere", "--address must be HOST:PORT, ray://HOST:PORT or auto, found 'nowhere'."),
        ("127.0.0.1:9", "--address must be that of a Ray cluster, but 127.0.0.1:9 does not answer: "),
        ("auto", "--address must be that of a Ray cluster, but connecting to auto failed: "),
    ],
)
def test_a_cluster_that_is_not_there_is_said_at_once(program: Program, monkeypatch, address, expected):  # noqa: F811
    pytest.importorskip("ray", reason="needs the extra ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert_refused(program(*RUN, "--engine", "ray", "--address", address), expected)


def test_slurm_that_is_not_there_is_said(program: Program, monkeypatch, tmp_path):  # noqa: F811
    pytest.importorskip("submitit", reason="needs the extra slurm")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_refused(
        program(*RUN, "--engine", "slurm"), "--engine slurm must be started where Slurm's commands work, but sinfo failed"
    )
