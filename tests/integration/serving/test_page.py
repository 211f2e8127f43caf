"""The page at `/` in a real browser: it asks, shows what comes back, and asks nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def browser(browsers: ModuleType, served: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = browsers.Browser(tmp_path_factory.mktemp("profile"))
    try:
        made.open(f"http://127.0.0.1:{served.rest_port}/")
        yield made
    finally:
        made.close()


ANSWERED = """new Promise((done) => {
  const answer = document.getElementById("answer");
  answer.replaceChildren();
  const look = (_, watcher) => { if (answer.childNodes.length) { watcher.disconnect(); done(answer.innerText); } };
  new MutationObserver(look).observe(answer, { childList: true });
  document.getElementById("ask").click();
})"""


def choose(browser: Any, signature: str) -> None:
    browser.run(
        f'document.getElementById("signature").value = "{signature}"; '
        'document.getElementById("signature").dispatchEvent(new Event("change"))'
    )


def ask(browser: Any, **fields: str) -> list[str]:
    for name, value in fields.items():
        browser.run(f'document.getElementById("field-{name}").value = {json.dumps(value)}')
    return [line.strip() for line in browser.run(ANSWERED).replace("\t", "\n").splitlines() if line.strip()]


def test_a_text_is_labelled_with_the_likeliest_first(browser: Any) -> None:
    choose(browser, "serving_default")
    assert ask(browser, text="0123456789") == ["long", "Probability of each label", "long", "66.7 %", "short", "33.3 %"]
    widths = browser.run('[...document.querySelectorAll(".bar")].map((bar) => parseFloat(bar.style.width).toFixed(1))')
    assert widths == ["66.7", "33.3"]


def test_only_what_a_person_can_fill_in_is_offered(browser: Any) -> None:
    offered = browser.run('[...document.getElementById("signature").options].map((option) => option.value)')
    assert {"serving_default", "length", "generate", "raw"} <= set(offered)
    assert not {"classify", "regress", "same", "sum_of"} & set(offered)


def test_numbers_of_a_signature_have_fields(browser: Any) -> None:
    choose(browser, "generate")
    assert ask(browser, text="once", max_tokens="7", temperature="0.5") == ["generated", "once and 7"]


def test_a_score_is_shown_as_perplexity(browser: Any) -> None:
    choose(browser, "score")
    assert ask(browser, text="abcd")[0] == "2.000 perplexity per token"


def test_text_stays_text_and_errors_are_shown(browser: Any) -> None:
    choose(browser, "echo")
    assert ask(browser, text="<b onclick=x>&amp;</b>")[-1] == "<b onclick=x>&amp;</b>"
    browser.run("model.name = 'other'")
    assert ask(browser, text="a") == ["Servable not found for request: Latest(other)"]
    assert browser.run('document.querySelector("#answer .wrong") !== null')
    browser.run("model.name = 'lengths'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_dark(browsers: ModuleType, browser: Any, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    paper, ink, quiet, button, on_button = browser.run(
        """(() => { const of = (tag, kind) => getComputedStyle(document.querySelector(tag))[kind];
        return [of("body", "backgroundColor"), of("body", "color"), of("#about", "color"),
                of("#ask", "backgroundColor"), of("#ask", "color")]; })()"""
    )
    assert (browsers.luminance(paper) > 0.5) == (scheme == "light")
    for front, back in ((ink, paper), (quiet, paper), (on_button, button)):
        assert browsers.contrast(front, back) >= 4.5  # WCAG AA


def test_every_field_has_a_label_and_answers_are_announced(browser: Any) -> None:
    choose(browser, "generate")
    unlabelled = browser.run(
        '[...document.querySelectorAll("input, textarea, select")].filter((field) => !field.labels.length).length'
    )
    assert unlabelled == 0
    assert browser.run('document.getElementById("answer").ariaLive') == "polite"
    assert browser.run("document.documentElement.lang") == "en"


def test_nothing_is_asked_of_anyone_else_and_nothing_goes_wrong(browser: Any, served: Any) -> None:
    asked = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event.get("method") == "Network.requestWillBeSent"
    ]
    assert len(asked) > 1
    for address in asked:
        assert address.startswith((f"http://127.0.0.1:{served.rest_port}/", "data:")), address
    thrown = [event for event in browser.events if event.get("method") == "Runtime.exceptionThrown"]
    assert not thrown
