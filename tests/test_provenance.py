"""Where results come from: the commit of the checkout, and a digest of the whole package."""

import hashlib
import re
from pathlib import Path

import pytest

import snnbench
from snnbench.records import ON_CPU, digest
from snnbench.results.provenance import describe_environment, package_digest

PACKAGE = Path(snnbench.__file__).parent


def test_the_digest_is_of_all_files_of_the_package():
    files = sorted(PACKAGE.rglob("*.py"))
    assert PACKAGE / "training" / "stacked.py" in files
    assert package_digest() == digest([[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in files])


@pytest.mark.skipif(not (PACKAGE.parent / ".git").exists(), reason="no checkout")
def test_rows_say_the_commit_of_the_checkout():
    assert re.fullmatch(r"[0-9a-f]{40}\+?", str(describe_environment(ON_CPU)["git_commit"]))
