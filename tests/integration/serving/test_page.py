"""The page at `/` in a real browser: it asks, shows what comes back, and asks nobody else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
OPTIONS += ["--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"]


class Browser:
    """One tab, driven over a pipe in the DevTools protocol."""

    def __init__(self, profile: Path) -> None:
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        program = f'exec "$@" 3<&{commands} 4>&{answers}'
        command = [
            "bash",
            "-c",
            program,
            "browser",
            str(CHROMIUM),
            *OPTIONS,
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        self.process = subprocess.Popen(command, pass_fds=(commands, answers), stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self._number, self._buffer, self._session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def run(self, script: str) -> Any:
        """Returns the value of an expression in the page, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._write)
        os.close(self._read)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 65536)
            assert part, "the browser ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


@pytest.fixture(scope="module")
def browser(served: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
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


def choose(browser: Browser, signature: str) -> None:
    browser.run(
        f'document.getElementById("signature").value = "{signature}"; '
        'document.getElementById("signature").dispatchEvent(new Event("change"))'
    )


def ask(browser: Browser, **fields: str) -> list[str]:
    for name, value in fields.items():
        browser.run(f'document.getElementById("field-{name}").value = {json.dumps(value)}')
    return [line.strip() for line in browser.run(ANSWERED).replace("\t", "\n").splitlines() if line.strip()]


def test_a_text_is_labelled_with_the_likeliest_first(browser: Browser) -> None:
    choose(browser, "serving_default")
    assert ask(browser, text="0123456789") == ["long", "Probability of each label", "long", "66.7 %", "short", "33.3 %"]
    widths = browser.run('[...document.querySelectorAll(".bar")].map((bar) => parseFloat(bar.style.width).toFixed(1))')
    assert widths == ["66.7", "33.3"]


def test_only_what_a_person_can_fill_in_is_offered(browser: Browser) -> None:
    offered = browser.run('[...document.getElementById("signature").options].map((option) => option.value)')
    assert {"serving_default", "length", "generate", "raw"} <= set(offered)
    assert not {"classify", "regress", "same", "sum_of"} & set(offered)


def test_numbers_of_a_signature_have_fields(browser: Browser) -> None:
    choose(browser, "generate")
    assert ask(browser, text="once", max_tokens="7", temperature="0.5") == ["generated", "once and 7"]


def test_a_score_is_shown_as_perplexity(browser: Browser) -> None:
    choose(browser, "score")
    assert ask(browser, text="abcd")[0] == "2.000 perplexity per token"


def test_text_stays_text_and_errors_are_shown(browser: Browser) -> None:
    choose(browser, "echo")
    assert ask(browser, text="<b onclick=x>&amp;</b>")[-1] == "<b onclick=x>&amp;</b>"
    browser.run("model.name = 'other'")
    assert ask(browser, text="a") == ["Servable not found for request: Latest(other)"]
    assert browser.run('document.querySelector("#answer .wrong") !== null')
    browser.run("model.name = 'lengths'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_dark(browser: Browser, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    paper, ink, quiet, button, on_button = browser.run(
        """(() => { const of = (tag, kind) => getComputedStyle(document.querySelector(tag))[kind];
        return [of("body", "backgroundColor"), of("body", "color"), of("#about", "color"),
                of("#ask", "backgroundColor"), of("#ask", "color")]; })()"""
    )
    assert (luminance(paper) > 0.5) == (scheme == "light")
    for front, back in ((ink, paper), (quiet, paper), (on_button, button)):
        assert contrast(front, back) >= 4.5  # WCAG AA


def test_every_field_has_a_label_and_answers_are_announced(browser: Browser) -> None:
    choose(browser, "generate")
    unlabelled = browser.run(
        '[...document.querySelectorAll("input, textarea, select")].filter((field) => !field.labels.length).length'
    )
    assert unlabelled == 0
    assert browser.run('document.getElementById("answer").ariaLive') == "polite"
    assert browser.run("document.documentElement.lang") == "en"


def test_nothing_is_asked_of_anyone_else_and_nothing_goes_wrong(browser: Browser, served: Any) -> None:
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


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2: sRGB made linear, weighted."""
    parts = [float(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
