"""What a release says of itself in several files, which have to agree."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snnbench import __version__

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    """Return the version of every package that a file of constraints names."""
    lines = [line for line in read(name).splitlines() if not line.startswith("#")]
    return {canonicalize_name(package): version for package, _, version in (line.partition("==") for line in lines)}


def test_the_citation_and_the_changelog_say_which_version_this_is():
    said = re.search(r"^## \[(.+)\] - (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert said
    assert said[1] == __version__
    assert f"\nversion: {said[1]}\ndate-released: {said[2]}\n" in read("CITATION.cff")


def test_ci_installs_what_pyproject_allows_and_the_torch_of_users():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    needed = [Requirement(line) for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]]
    ci = pins("constraints-ci.txt")
    assert not [need for need in needed if not need.specifier.contains(ci.get(canonicalize_name(need.name), "0"))]
    assert ci["torch"] == pins("constraints.txt")["torch"]
    assert not [package for package in ci if package.startswith(("nvidia", "cuda", "snnbench"))]
