"""The pages in a real browser, wide and narrow, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from textseq.reporting.comparison.comparing import compare
from textseq.reporting.comparison.page import write_comparison
from textseq.reporting.facts import Facts
from textseq.reporting.report import write_report
from textseq.rundir import RunDirectory

WIDTHS = (1280, 390)
BEYOND = """[...document.querySelectorAll("body *")].filter((it) => !it.closest(".scroll, nav, .skip") &&
  it.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map((it) => it.outerHTML.slice(0, 80))"""
COLOURS = """(() => { const of = (tag, kind) => getComputedStyle(document.querySelector(tag))[kind];
  return [of("body", "backgroundColor"), of("body", "color"), of(".says", "color"), of("nav a", "color")]; })()"""
DRAWN = """[...document.querySelectorAll("svg text, svg path, svg use")].map((it) => getComputedStyle(it))
  .flatMap((it) => [it.fill, it.stroke]).filter((it) => it.startsWith("rgb"))"""


@pytest.fixture(scope="module")
def pages(made_runs: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of runs with 2 and 151 classes, of Japanese ones and of a language model, and a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    many = [f"intent_with_a_rather_long_name_{number}" for number in range(151)]
    japanese = [f"雰囲気::外観,雰囲気::タイプ::モダン{number}" for number in range(30)]
    runs = {
        "two": made_runs.classifier(folder / "two"),
        "many": made_runs.classifier(folder / "many", names=many, rows=1500),
        "japanese": made_runs.classifier(folder / "japanese", names=japanese),
        "writer": made_runs.writer(folder / "writer"),
    }
    found = {name: write_report(RunDirectory(path)) for name, path in runs.items()}
    others = [made_runs.classifier(folder / f"other-{seed}", seed=seed) for seed in range(1, 6)]
    facts = [Facts.read(RunDirectory(path)) for path in (runs["two"], *others)]
    return {**found, "comparison": write_comparison(compare(facts), facts, folder / "compare.html")}


@pytest.fixture(scope="module")
def browser(browsers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = browsers.Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield made
    finally:
        made.close()


def open_page(browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> None:
    browser.events.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(path.as_uri())


@pytest.mark.parametrize("name", ["two", "many", "japanese", "writer", "comparison"])
def test_nothing_goes_wrong_and_nothing_stands_out(name: str, browser: Any, pages: dict[str, Path]) -> None:
    for width in WIDTHS:
        open_page(browser, pages[name], width)
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.run(BEYOND) == []
        happened = [event["method"] for event in browser.events]
        for kind in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            assert kind not in happened, browser.events
        asked = [
            each["params"]["request"]["url"] for each in browser.events if each["method"] == "Network.requestWillBeSent"
        ]
        assert [address for address in asked if not address.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_charts_are_legible_in_light_and_dark(
    scheme: str, browsers: ModuleType, browser: Any, pages: dict[str, Path]
) -> None:
    open_page(browser, pages["two"], scheme=scheme)
    paper, *inks = browser.run(COLOURS)
    assert (browsers.luminance(paper) > 0.5) == (scheme == "light")
    for ink in inks:
        assert browsers.contrast(ink, paper) >= 4.5  # WCAG AA
    letters = browser.run('[...document.querySelectorAll("svg text")].map((it) => getComputedStyle(it).fill)')
    assert letters
    beside_cells = [ink for ink in set(letters) if ink != paper]  # the paper's colour is written on dark cells
    assert all(browsers.contrast(ink, paper) >= 4.5 for ink in beside_cells)
    assert len(set(browser.run(DRAWN))) > 5


def test_the_keyboard_reaches_all_that_scrolls_or_opens(browser: Any, pages: dict[str, Path]) -> None:
    open_page(browser, pages["many"], 390)
    hidden = """[...document.querySelectorAll(".scroll")].filter((it) => it.tabIndex < 0 &&
      (it.scrollWidth > it.clientWidth + 1 || it.scrollHeight > it.clientHeight + 1)).length"""
    assert browser.run(hidden) == 0
    unnamed = '[...document.querySelectorAll("[tabindex], svg")].filter((it) => !it.getAttribute("aria-label")).length'
    assert browser.run(unnamed) == 0
    assert browser.run('document.querySelectorAll("summary").length') > 2


def test_a_click_sorts_a_table(browser: Any, pages: dict[str, Path]) -> None:
    open_page(browser, pages["many"])
    table = 'document.querySelector("table.sortable")'
    column = f'[...{table}.tBodies[0].rows].map((row) => parseFloat(row.cells[4].textContent.replace(",", "")))'
    for wanted in ("ascending", "descending"):
        browser.run(f'{table}.querySelectorAll("button")[4].click()')
        assert browser.run(f"{table}.tHead.rows[0].cells[4].ariaSort") == wanted
        assert browser.run(column) == sorted(browser.run(column), reverse=wanted == "descending")


def test_on_paper_all_of_it_is_there_and_light(browsers: ModuleType, browser: Any, pages: dict[str, Path]) -> None:
    open_page(browser, pages["two"], scheme="dark")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.call("Emulation.setEmulatedMedia", media="print", features=dark)
    try:
        assert browsers.luminance(browser.run('getComputedStyle(document.body, null).getPropertyValue("color")')) < 0.1
        cut = (
            '[...document.querySelectorAll("section > .scroll")].filter((it) => it.scrollHeight > it.clientHeight + 1)'
        )
        assert browser.run(f"{cut}.length") == 0
    finally:
        browser.call("Emulation.setEmulatedMedia", media="", features=[])
