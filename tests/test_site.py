"""The site of the documentation: it builds without a warning, and nothing in it comes from elsewhere."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pages import BROWSER_OPTIONS, CHROMIUM, ROOT

pytest.importorskip("mkdocs", reason="the tests of the site need mkdocs: pip install -e '.[dev]'")

THEME = ("landmark-unique", "aria-dialog-name", "scrollable-region-focusable")
"""Rules of axe that the theme itself breaks: copy buttons and the search without a name, wide tables without a stop of Tab."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


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


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Serve the site: from files alone it has no search."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_axe_finds_nothing_of_ours_and_no_page_is_wider_than_a_phone(address: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install -e '.[dev]'").Axe()
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install -e '.[dev]'")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    rules = {"rules": {rule: {"enabled": False} for rule in THEME}}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(BROWSER_OPTIONS))
        for scheme, width in (("light", 1400), ("dark", 420)):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            for name in ("", "leaderboard/"):
                page.goto(f"{address}/{name}")
                page.locator("h1").wait_for()
                found = axe.run(page, options=rules)
                assert found.response["violations"] == [], (name, scheme, found.generate_report())
                assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        browser.close()
