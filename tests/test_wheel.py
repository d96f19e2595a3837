"""What a user gets who has only the wheel: built from the checkout, installed into an environment of its own."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from snnbench import __version__

CHECKOUT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "uci-*", "core-*")

pytestmark = pytest.mark.slow


HOME = "https://example.org/us/snnbench"


def run(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "PYTHONPATH")}
    environment["SNNBENCH_HOME"] = HOME
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Return a wheel of a copy of the checkout, which a build might otherwise leave files in."""
    folder = tmp_path_factory.mktemp("build")
    names = ["snnbench", "configs", "datasets", "results/published", "tests"]
    for name in names:
        shutil.copytree(CHECKOUT / name, folder / name, ignore=LEFT_OUT)
    for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py"):
        shutil.copy(CHECKOUT / name, folder)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", cwd=folder)
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Return the programs' folder of an environment with the wheel; the packages that it needs are those of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    (packages,) = [*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")]
    # Only paths, so that an editable install of the checkout next to these packages stays without effect.
    (packages / "of_the_tests.pth").write_text("\n".join(map(sysconfig.get_path, ("purelib", "platlib"))) + "\n")
    return programs


def test_the_wheel_holds_configs_and_catalogues_and_nothing_of_the_workshop(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"snnbench"}
    for folder in ("configs", "datasets", "results/published"):
        files = [path for path in (CHECKOUT / folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
        for file in files:
            assert f"snnbench/resources/{file.relative_to(CHECKOUT).as_posix()}" in names
    assert {"snnbench/resources/configs/uci/paper.toml", "snnbench/resources/datasets/uci.csv"} <= set(names)
    ours = "snnbench/resources/results/published/reference/"  # the only results that ship
    assert not [name for name in names if name.endswith((".gz", ".zip", ".dat", ".pyc"))]
    assert not [name for name in names if name.endswith(".parquet") and not name.startswith(ours)]
    assert not [name for name in names if any(part.startswith("test") for part in name.split("/"))]
    assert wheel.stat().st_size < 2_000_000


def test_the_page_on_an_index_links_to_what_is_there(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
    text = archive.read(name).decode()
    links = re.findall(r"\]\(([^)]*)\)", text)
    places = {link.removeprefix(f"{HOME}/{kind}/v{__version__}/") for link in links for kind in ("blob", "raw") if kind in link}
    assert places >= {"docs/start.md", "docs/figures/cd.svg", "CONTRIBUTING.md"}
    assert all((CHECKOUT / place).is_file() for place in places)
    assert all(link.startswith("https://") for link in links)
    assert f"Project-URL: Repository, {HOME}\n" in text


def test_the_installed_program_needs_no_checkout(installed, tmp_path):
    where = run(installed / "python", "-c", "import snnbench; print(snnbench.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    program = installed / "snnbench"
    assert "216" in run(program, "models", "list", cwd=tmp_path)
    assert "ringnorm" in run(program, "data", "list", "core", cwd=tmp_path)
    assert run(program, "data", "verify", "core", cwd=tmp_path) == "13 of 13 tasks loaded\n"
    trained = run(program, "run", "core", "--task", "iris", "--model", "snn", "--progress", "none", cwd=tmp_path)
    assert trained.endswith("13 trainings stored in results. Next: snnbench compare results\n")
    table = run(program, "compare", "results", cwd=tmp_path)
    assert table.startswith("1 model on 1 of 13 tasks of core, by accuracy.")
    run(program, "report", "results", "--output", "page.html", cwd=tmp_path)
    assert "1 model on 1 task of core" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "results"]
