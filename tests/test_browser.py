"""The page in a real browser: headless Chromium, driven by Playwright."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pages import BROWSER_OPTIONS, CHROMIUM
from test_charts import RUNS
from test_page import NASTY, synthetic_runs

from snnbench.figure_files import write_figure
from snnbench.report import FIGURES, RUN_FIGURES, Analysis, ComparisonOptions, rank_models, render_page
from snnbench.report.ranking import ScoreOrigin
from snnbench.results.published import load_published

Axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="the browser tests need axe: pip install -e '.[dev]'"
).Axe
playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need Playwright: pip install -e '.[dev]'")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the browser tests need Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(BROWSER_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    comparison = rank_models(
        load_published("snn2017"),
        options=ComparisonOptions(published=("snn2017",)),
        origin=ScoreOrigin("uci", "accuracy", {"monks-3": ["train-not-standardised: x"]}),
    )
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(
        render_page(Analysis(comparison), synthetic_runs(["snn", "resnet"], ["iris", "wine"]), []), encoding="utf-8"
    )
    return file


def visit(browser: "playwright.Browser", file: Path, **options: object) -> "playwright.Page":
    """Open a page; what it asks for, says and throws is kept in ``page.requests`` and ``page.complaints``."""
    page = browser.new_page(**options)
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready=true]", timeout=60_000)
    return page


@pytest.fixture(scope="module")
def page(browser: "playwright.Browser", file: Path) -> Iterator["playwright.Page"]:
    page = visit(browser, file, viewport={"width": 1200, "height": 900})
    yield page
    page.close()


def tasks(page: "playwright.Page") -> list[str]:
    return page.eval_on_selector_all("#heat tbody tr:not([hidden])", "rows => rows.map(row => row.dataset.task)")


def test_it_loads_without_errors_and_without_the_network(page: "playwright.Page", file: Path) -> None:
    assert page.complaints == []
    assert [url for url in page.requests if url != file.as_uri() and not url.startswith(("data:", "blob:"))] == []
    charts = page.eval_on_selector_all("figure svg.marks", "all => all.map(each => each.getAttribute('aria-label'))")
    assert len(charts) == 9
    assert all(charts)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_map_is_sorted_and_filtered(page: "playwright.Page") -> None:
    column = page.locator("#heat thead th", has_text="msrainit")
    column.locator("button").click()
    scores = load_published("snn2017")["msrainit"]
    assert column.get_attribute("aria-sort") == "descending"
    shown = pd.Series(tasks(page)).map(scores)
    assert list(shown.dropna()) == sorted(scores.dropna(), reverse=True)
    assert tasks(page)[-1] == "trains"  # a missing score is last whichever way
    column.locator("button").press("Enter")
    assert column.get_attribute("aria-sort") == "ascending"
    assert pd.Series(tasks(page)).map(scores).dropna().is_monotonic_increasing
    assert tasks(page)[-1] == "trains"
    assert "msrainit" in page.locator("#status").text_content()
    page.get_by_label("Filter tasks").fill("MONKS")
    assert sorted(tasks(page)) == ["monks-1", "monks-2", "monks-3"]
    page.get_by_label("hide tasks flagged").check()
    assert sorted(tasks(page)) == ["monks-1", "monks-2"]
    assert page.locator("#filter-count").text_content() == "2 of 121 tasks"
    page.get_by_label("hide tasks flagged").uncheck()
    page.get_by_label("Filter tasks").fill("")
    page.locator("#heat thead th", has_text="task").locator("button").click()
    assert tasks(page) == sorted(tasks(page))


def test_a_score_shows_its_task_to_the_mouse_and_to_the_keyboard(page: "playwright.Page") -> None:
    cell = page.locator("#heat tr[data-task=iris] td[data-model=snn]")
    cell.scroll_into_view_if_needed()
    cell.hover()
    tip = page.locator(".tip")
    assert tip.inner_text().split("\n")[:2] == ["iris", f"snn: {load_published('snn2017').at['iris', 'snn']:g}"]
    cell.focus()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text().split("\n")[1].startswith("msrainit: ")
    page.keyboard.press("ArrowDown")
    assert tip.inner_text().startswith("led-display\n")
    assert page.evaluate("document.activeElement.dataset.model") == "msrainit"
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_a_mark_shows_its_task_and_both_models_can_be_chosen(page: "playwright.Page") -> None:
    axes = page.locator("#chart-scatter .mark-text.role-mark text")
    assert axes.all_text_contents() == ["accuracy of msrainit", "accuracy of snn"]
    page.locator("#controls-scatter select").nth(0).select_option("resnet")
    page.locator("#controls-scatter select").nth(1).select_option("highway")
    page.wait_for_function("document.querySelector('#chart-scatter').textContent.includes('accuracy of resnet')")
    assert axes.all_text_contents() == ["accuracy of highway", "accuracy of resnet"]
    assert {"resnet higher", "highway higher"} <= set(
        page.locator("#chart-scatter .role-legend-label text").all_text_contents()
    )
    mark = page.locator("#chart-scatter .mark-symbol.role-mark path").nth(3)
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    tooltip = page.locator("#vg-tooltip-element")
    tooltip.wait_for()
    words = tooltip.inner_text().split()
    scores = load_published("snn2017").loc[words[words.index("task") + 1].rstrip(":")] if "task" in words else None
    assert scores is not None
    assert float(words[words.index("highway:") + 1]) == scores["highway"]
    assert float(words[words.index("resnet:") + 1]) == scores["resnet"]


def test_another_task_has_other_curves(page: "playwright.Page") -> None:
    before = page.locator("#chart-curves svg.marks").inner_html()
    page.locator("#controls-curves select").select_option("wine")
    page.wait_for_function("before => document.querySelector('#chart-curves svg.marks').innerHTML !== before", arg=before)


def luminance(colour: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


CONTRASTS = """() => {
  const CELL_INK = "rgb(20, 23, 28)", CELL_GROUND = "#97bbe8";  // the darkest colour of a cell, by luminance
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const texts = [...document.querySelectorAll("p, h1, h2, th, td, a, figcaption, button, label, dt, dd, pre, .chart svg text")];
  return texts.filter(text => text.textContent.trim() && text.getClientRects().length).map(text => {
    const grounds = [];
    for (let node = text; node; node = node.parentElement) grounds.unshift(getComputedStyle(node).backgroundColor);
    const style = getComputedStyle(text);
    const ink = text.closest("svg") ? style.fill : style.color;
    if (text.closest("svg") && style.fill === CELL_INK) grounds.push(CELL_GROUND);  // a text of a cell of the matrix of pairs
    return { text: text.textContent.trim().slice(0, 30), ink: over([...grounds, ink]), ground: over(grounds) };
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable_and_axe_finds_nothing(browser: "playwright.Browser", file: Path, scheme: str) -> None:
    page = visit(browser, file, viewport={"width": 1000, "height": 800}, color_scheme=scheme)
    texts = page.evaluate(CONTRASTS)
    assert len(texts) > 1000
    assert (luminance(texts[0]["ground"]) < 0.1) == (scheme == "dark")
    pale = []
    for text in texts:
        light, dark = sorted((luminance(text["ink"]), luminance(text["ground"])), reverse=True)
        contrast = (light + 0.05) / (dark + 0.05)
        pale += [(text["text"], round(contrast, 2))] if contrast < 4.5 else []
    assert pale == []
    found = Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()
    page.get_by_role("button", name="Switch between light and dark").click()
    switched = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert switched == ("rgb(20, 23, 28)" if scheme == "light" else "rgb(255, 255, 255)")
    page.close()


def test_a_narrow_window_does_not_scroll_sideways_and_paper_is_white(browser: "playwright.Browser", file: Path) -> None:
    page = visit(browser, file, viewport={"width": 390, "height": 800}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = "cells => cells.filter(cell => cell.offsetParent).map(cell => cell.textContent.replace(/[^a-z0-9%./() ]/g, ''))"
    heads = "#rank-table thead th"
    assert page.eval_on_selector_all(heads, shown) == ["model", "rank", "score", "p (holm)", "verdict"]
    beyond = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth + 2).map(box => box.getAttribute('aria-label'))"
    assert page.eval_on_selector_all(".chart", beyond) == []  # every figure is as narrow as the screen
    cut = page.eval_on_selector_all(".scroll:not(.more)", beyond)
    assert cut == []  # what goes on beyond the edge fades there
    page.get_by_role("button", name="All columns").click()
    assert page.locator(heads, has_text="w/t/l").is_visible()
    assert not page.get_by_role("link", name="Provenance", exact=True).is_visible()
    page.get_by_role("button", name="Contents").click()
    page.get_by_role("link", name="Provenance", exact=True).click()
    assert not page.get_by_role("link", name="Ranks", exact=True).is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".bar").is_visible()
    assert page.locator("#heat").bounding_box()["height"] > 1500  # all tasks, not the first screen of them
    page.close()


def test_long_names_leave_room_for_the_verdict_on_a_phone(browser: "playwright.Browser", tmp_path: Path) -> None:
    names = {
        "msrainit": "hist_gradient_boosting",
        "layernorm": "random_forest",
        "weightnorm": "a_model_of_ones_own",
    }
    comparison = rank_models(load_published("snn2017").rename(columns=names), origin=ScoreOrigin("uci", "accuracy"))
    file = tmp_path / "long.html"
    runs = synthetic_runs(["snn", *names.values()], ["iris", "wine"])
    file.write_text(render_page(Analysis(comparison), runs, []), encoding="utf-8")
    beyond = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth + 2).map(box => box.getAttribute('aria-label'))"
    phone = visit(browser, file, viewport={"width": 420, "height": 800})
    assert phone.eval_on_selector_all(".scroll:has(#rank-table)", beyond) == []
    assert phone.eval_on_selector_all("#chart-cost, #chart-ranks, #chart-bayes", beyond) == []
    names_of_tasks = "heads => Math.max(...heads.map(head => head.getBoundingClientRect().height))"
    assert phone.eval_on_selector_all("#heat tbody th", names_of_tasks) < 100  # a word a line, not a letter
    assert phone.locator("#rank-table tbody th", has_text="hist_gradient_boosting").text_content() == "hist_gradient_boosting"
    phone.close()
    desktop = visit(browser, file, viewport={"width": 1400, "height": 800})
    assert desktop.eval_on_selector_all(".scroll", beyond) == []
    desktop.close()


OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll("svg text")].filter(text => text.textContent)
    .map(text => ({ words: text.textContent, box: text.getBoundingClientRect() }));
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  const whole = document.querySelector("svg").getBoundingClientRect();
  const pairs = boxes.flatMap((a, k) => boxes.slice(k + 1).filter(b => meet(a.box, b.box)).map(b => [a.words, b.words]));
  return [...pairs, ...boxes.filter(a => a.box.left < whole.left || a.box.right > whole.right).map(a => ["cut", a.words])];
}"""


def test_the_words_of_a_figure_do_not_overlap_in_a_wide_font(browser: "playwright.Browser", tmp_path: Path) -> None:
    scores = load_published("snn2017").rename(columns={"snn": "hist_gradient_boosting"})
    runs = synthetic_runs(["hist_gradient_boosting", "resnet"], ["iris", "wine"])
    page = browser.new_page()
    for models in (scores.columns[:2], scores.columns):
        analysis = Analysis(rank_models(scores[models], options=ComparisonOptions(baseline="hist_gradient_boosting")))
        charts = {name: FIGURES[name](analysis) for name in ("cd", "cd-wilcoxon", "ranks", "scatter", "bayes")}
        charts |= {name: draw(runs) for name, draw in RUN_FIGURES.items()}
        for name, chart in charts.items():
            write_figure(chart, tmp_path / f"{name}.svg")
            drawn = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
            page.set_content(f"<style>text {{ font-family: Verdana, 'DejaVu Sans' }}</style>{drawn}")
            assert page.evaluate(OVERLAPS) == [], (name, len(models))
    page.close()


def test_a_name_that_looks_like_a_script_is_a_name(browser: "playwright.Browser", tmp_path: Path) -> None:
    scores = load_published("snn2017").iloc[:, :3].rename(columns={"snn": NASTY})
    comparison = rank_models(scores, options=ComparisonOptions(baseline=NASTY), origin=ScoreOrigin("uci", "accuracy"))
    file = tmp_path / "nasty.html"
    file.write_text(render_page(Analysis(comparison), RUNS, []), encoding="utf-8")
    page = visit(browser, file)
    assert page.complaints == []
    assert page.title() == "3 models on 120 tasks of uci · snnbench"
    assert page.locator("img").count() == 0
    page.locator("#heat td[data-model]").first.hover()
    assert NASTY in page.locator(".tip").inner_text()
    mark = page.locator("#chart-bayes .mark-rect.role-mark path").first
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    page.locator("#vg-tooltip-element").wait_for()
    assert page.locator("img").count() == 0
    assert page.title() == "3 models on 120 tasks of uci · snnbench"
    page.close()
