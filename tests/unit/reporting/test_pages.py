"""Pages as text: whole, safe with any text, and made also of half a run."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from textseq.reporting.charts.learning import learning_charts
from textseq.reporting.comparison.comparing import compare
from textseq.reporting.comparison.page import write_comparison
from textseq.reporting.drawing import INK, SERIES, Drawing, columns, shortened
from textseq.reporting.facts import Facts
from textseq.reporting.history import History
from textseq.reporting.report import write_report
from textseq.rundir import RunDirectory

VOID = {"meta", "link", "br", "path", "use", "line"}


class Page(HTMLParser):
    """Reads a page and keeps what tests ask for."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.anchors: list[str] = []
        self.words: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        found = dict(attrs)
        self.ids.update([str(found["id"])] if "id" in found else [])
        if str(found.get("href", "")).startswith("#") and tag == "a":
            self.anchors.append(str(found["href"])[1:])

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(path: Path) -> Page:
    return Page(write_report(RunDirectory(path)))


def test_a_classifiers_report_shows_all_there_is(made_runs: ModuleType, tmp_path: Path) -> None:
    page = report(made_runs.classifier(tmp_path / "run", names=["joy", "anger", "fear"]))
    for part in ("learning", "classes", "certainty", "mistakes", "data", "config", "origin"):
        assert part in page.anchors
    assert page.tags["svg"] == 9  # loss, accuracy, rate, speed, memory, F1, confusions, certainty, lengths
    for words in ("joy", "test accuracy", "95 %", "Confusion matrix", "/there/mine.py", "000000000000", "the label"):
        assert words in page.text


def test_a_language_models_report_shows_all_there_is(made_runs: ModuleType, tmp_path: Path) -> None:
    page = report(made_runs.writer(tmp_path / "run"))
    for part in ("learning", "tokens", "samples", "data", "config", "origin"):
        assert part in page.anchors
    for words in ("test perplexity", "bits a byte", "Perplexity by place", "Perplexity by frequency", "end of text"):
        assert words in page.text


def test_every_anchor_and_every_reference_leads_to_one_element(made_runs: ModuleType, tmp_path: Path) -> None:
    page = report(made_runs.classifier(tmp_path / "run", names=[f"class {number}" for number in range(151)], rows=900))
    assert page.ids
    assert max(page.ids.values()) == 1
    referred = set(re.findall(r'(?:href="#|url\(#)([\w-]+)', page.source))
    assert referred <= set(page.ids)
    assert len(page.source) < 3_000_000


def test_a_texts_markup_stays_text(made_runs: ModuleType, tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "a&b", '"quoted"']
    page = report(made_runs.classifier(tmp_path / "run", names=names))
    assert page.tags["script"] == 1
    assert page.tags["b"] == 0
    assert "<b>bold</b> & more" in page.text
    assert names[0] in page.text
    written = report(made_runs.writer(tmp_path / "writer"))
    assert "a <time>" in written.text
    assert written.tags["time"] == 0


def test_nothing_is_fetched_from_anywhere(made_runs: ModuleType, tmp_path: Path) -> None:
    page = report(made_runs.classifier(tmp_path / "run"))
    addresses = set(re.findall(r"https?://[^\"'\s<)]+", page.source))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "default-src 'none'" in page.source


@pytest.mark.parametrize("missing", ["rows.npz", "scores.json"])
def test_half_a_run_has_a_report_of_what_there_is(missing: str, made_runs: ModuleType, tmp_path: Path) -> None:
    path = made_runs.classifier(tmp_path / "run")
    (path / missing).unlink()
    page = report(path)
    assert "learning" in page.anchors
    assert ("not finished" in page.text) == (missing == "scores.json")
    assert ("--record" in page.text) == (missing == "rows.npz")


def test_a_run_of_nothing_but_its_config_has_a_report(made_runs: ModuleType, tmp_path: Path) -> None:
    path = made_runs.writer(tmp_path / "run")
    for item in path.iterdir():
        if item.name != "resolved.yaml":
            item.unlink()
    assert report(path).anchors == ["content", "config"]


def test_classes_beyond_counting_have_no_matrix(made_runs: ModuleType, tmp_path: Path) -> None:
    page = report(made_runs.classifier(tmp_path / "run", names=[str(number) for number in range(250)], rows=600))
    assert "The confusion matrix in numbers" not in page.text
    assert "Confusion matrix" in page.text
    assert len(page.source) < 3_000_000


def test_a_comparison_shows_curves_tests_and_differences(made_runs: ModuleType, tmp_path: Path) -> None:
    paths = [made_runs.classifier(tmp_path / name, encoder=name, seed=len(name)) for name in ("lstm", "rnn")]
    facts = [Facts.read(RunDirectory(path)) for path in paths]
    page = Page(write_comparison(compare(facts), facts, tmp_path / "new" / "page.html"))
    assert page.anchors[1:] == ["scores", "tests", "curves", "differences"]
    assert max(page.ids.values()) == 1
    assert page.tags["svg"] == 5
    assert "encoder.name lstm rnn" in page.text


def test_a_drawing_has_the_pages_colours_and_no_others() -> None:
    drawing = Drawing("some")
    drawing.axes.plot([0, 1], [0, 1], color=SERIES[2], label="a")
    drawing.axes.text(0, 0, "<b>", color=INK)
    drawing.legend()
    svg = drawing.svg("what it shows")
    assert "var(--series-3)" in svg
    assert "&lt;b&gt;" in svg
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)
    assert 'role="img"' in svg
    assert 'aria-label="what it shows"' in svg


def test_equal_charts_are_drawn_equally() -> None:
    def draw() -> str:
        drawing = Drawing("same")
        drawing.axes.plot([0, 1], [1, 0], marker="o")
        return drawing.svg("")

    assert draw() == draw()


def test_wide_letters_count_twice() -> None:
    assert [columns(text) for text in ("abc", "日本", "")] == [3, 4, 0]
    assert [shortened(text, 5) for text in ("abcde", "abcdef", "日本語日本")] == ["abcde", "abcd…", "日本…"]


def test_no_history_has_no_charts() -> None:
    found: Any = learning_charts(History(), None, None)
    assert found == []
