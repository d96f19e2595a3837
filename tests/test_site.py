"""The site of the documentation: it builds without a warning, and nothing in it comes from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

pytest.importorskip("mkdocs", reason="the tests of the site need mkdocs: pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there_and_found_by_the_search(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        name = "" if page.stem == "index" else f"{page.stem}/"
        assert (site / name / "index.html").is_file()
        assert f'"location":"{name}"' in index


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for file in site.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\s(?:src|srcset)=\"?([^\s\">]+)", text)
        loaded += re.findall(r"<link[^>]*rel=\"?(?:stylesheet|icon|preload|preconnect)[^>]*href=\"?([^\s\">]+)", text)
        loaded += re.findall(r"<link[^>]*href=\"?([^\s\">]+)\"?[^>]*rel=\"?(?:stylesheet|icon|preload|preconnect)", text)
        assert loaded
        assert [address for address in loaded if re.match(r"(?:https?:)?//", address)] == [], file
    styles = "".join(file.read_text(encoding="utf-8") for file in site.rglob("*.css"))
    assert re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*", styles) == []


def test_every_export_is_in_the_reference(site: Path) -> None:
    import snnbench as sb

    text = (site / "reference" / "index.html").read_text(encoding="utf-8")
    for name in (*sb.__all__, "ComparisonOptions", "RunOptions"):
        assert re.search(rf'<h3 id="snnbench\.[\w.]*\b{name}"', text), name
