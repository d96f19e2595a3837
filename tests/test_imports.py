"""Which heavy packages each command loads: a command that does not train loads no torch, and a wrong name loads nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "sklearn", "pandas", "pyarrow", "altair", "scipy.stats")
TABLES = {"pandas", "pyarrow"}
MAY_LOAD = {
    "--help": set(),
    "run --help": set(),
    "compare --published nobody": set(),
    "compare results --suite nowhere": TABLES,
    "run nowhere": set(),
    "run core --model nobody": set(),
    "run core --preset nothing": set(),
    "compare results": TABLES,
    "compare --published snn2017": TABLES,
    "compare --published snn2017 --format csv": TABLES,
    "compare --published snn2017 --format text": TABLES,
    "compare scores.csv": TABLES,
    "compare results --format json": TABLES,
    "results ls results": TABLES,
    "results ls results --rows": TABLES,
    "results show results --key a": TABLES,
    "results prune results": TABLES,
    "results merge results --to all": TABLES,
    "results compact results": TABLES,
    "results condense results --to small": TABLES,
    "leaderboard results": TABLES,
    "figure cd --published snn2017 --output cd.svg": {*TABLES, "altair"},
    "figure cd results --output own.svg": {*TABLES, "altair"},
    "report results --output page.html": {*TABLES, "altair"},
    "check results --record expected.json": TABLES,
    "check results --against results": TABLES,
    "data list": TABLES,
    "data verify core": {*TABLES, "sklearn", "scipy.stats"},
    "data audit core --task wdbc": {*TABLES, "sklearn", "scipy.stats"},
    "models list": set(),
}
"""Everything that a command may load of what is heavy."""

RUN = """
import atexit, sys
atexit.register(lambda: open("loaded", "w").write("\\n".join(sys.modules)))
from snnbench.cli import main; main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with small ``results``."""
    place = tmp_path_factory.mktemp("imports")
    (place / "tiny.toml").write_text(
        '[models.svm]\nestimator = "sklearn.svm.SVC"\ngrid = { C = [1.0, 10.0] }\n'
        '[models.tree]\nestimator = "sklearn.tree.DecisionTreeClassifier"\ngrid = { max_depth = [2, 3] }\n'
    )
    (place / "scores.csv").write_text("task,one,two\na,0.5,0.6\nb,0.7,0.9\n")
    words = ["run", "core", "--config", "tiny.toml", "--task", "iris", "--task", "wine", "--workers", "1", "--progress", "none"]
    done = subprocess.run([sys.executable, "-c", RUN, *words], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place


@pytest.mark.parametrize("line", MAY_LOAD)
def test_a_command_loads_no_more_than_it_needs(line, folder):
    done = subprocess.run([sys.executable, "-c", RUN, *line.split()], cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 2), done.stderr
    loaded = set((folder / "loaded").read_text().splitlines())
    assert {name for name in HEAVY if name in loaded} <= MAY_LOAD[line]
