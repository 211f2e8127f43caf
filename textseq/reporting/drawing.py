"""Charts as SVG that lives inside a page: its colours are the page's, so that one drawing is right in light and dark.

Matplotlib draws with colours that stand for roles; each is replaced by a variable of the page's style sheet.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, QUIET, LINE, PAPER, GOOD, BAD = (f"#00000{number}" for number in range(1, 7))
SERIES = tuple(f"#00001{number}" for number in range(1, 9))
HEAT = tuple(f"#00002{number}" for number in range(1, 7))
WIDTH, HEIGHT = 440, 280  # units of the drawing; near the pixels of a phone, so that text stays legible there
_LARGEST = 1.3  # pixels of a unit, at most
_ROLES = {INK: "ink", QUIET: "quiet", LINE: "line", PAPER: "paper", GOOD: "good", BAD: "bad"}
_ROLES |= {colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)}
_ROLES |= {colour: f"heat-{number}" for number, colour in enumerate(HEAT, 1)}
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "font.size": 12,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "text.color": INK,
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "legend.labelcolor": INK,
}
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NUMBERS = re.compile(r"(-?\d+\.\d{2})\d+")
_COLOURS = re.compile("|".join(_ROLES))


class Drawing:
    """One chart.

    Args:
        key: Its name in the page, which no other chart has.
        width: In units; the page scales it.
        height: In units.
        left: Room for the labels of the vertical axis, in units.
        bottom: Room for those of the horizontal one.
        right: Room at the right.
        top: Room above.
    """

    def __init__(
        self,
        key: str,
        *,
        width: float = WIDTH,
        height: float = HEIGHT,
        left: float = 56,
        bottom: float = 44,
        right: float = 14,
        top: float = 12,
    ) -> None:
        self.key, self.width, self.height = key, width, height
        self._settings: Any = {**_STYLE, "svg.hashsalt": key}
        with matplotlib.rc_context(self._settings):
            self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
            FigureCanvasSVG(self.figure)
            box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
            self.axes: Axes = self.figure.add_axes(box)

    def legend(self, **more: Any) -> None:
        """Says what the colours mean."""
        with matplotlib.rc_context(self._settings):
            self.axes.legend(**more)

    def svg(self, label: str, titles: Sequence[str] = ()) -> str:
        """Returns the drawing as an element of a page.

        Args:
            label: What it shows, for those who do not see it.
            titles: What a pointer over each element of the group `cells` tells, in the order they were drawn.
        """
        buffer = io.StringIO()
        with matplotlib.rc_context(self._settings), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # the page's fonts have what Matplotlib's lack
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            self.figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
        return _for_page(buffer.getvalue(), self.width, self.height, label, titles)


def _for_page(drawn: str, width: float, height: float, label: str, titles: Sequence[str]) -> str:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(drawn)
    root.remove(root[0])  # a style sheet, which would hold for the whole page
    _add_titles(root, titles)
    used = set(re.findall(r"[#(]#?([\w.]+)", " ".join(value for item in root.iter() for value in item.attrib.values())))
    for item in root.iter():
        if item.get("id") not in used:
            item.attrib.pop("id", None)
        if "style" in item.attrib:
            item.set("style", _in_page_colours(item.attrib["style"]))
        if item.get("transform", "").startswith("rotate(-0 "):
            del item.attrib["transform"]
        for name in ("d", "x", "y", "transform"):
            if name in item.attrib:
                item.set(name, _NUMBERS.sub(r"\1", " ".join(item.attrib[name].split())))
        item.tail = None
        if item.text is not None and not item.text.strip():
            item.text = None
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("viewBox", f"0 0 {width:g} {height:g}")
    root.set("style", f"max-width: {_LARGEST * width:.0f}px")
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")


def _add_titles(root: ElementTree.Element, titles: Sequence[str]) -> None:
    if not titles:
        return
    group = next(item for item in root.iter(f"{{{_SVG}}}g") if item.get("id") == "cells")
    drawn = [item for item in group.iter() if item.tag in (f"{{{_SVG}}}use", f"{{{_SVG}}}path") and not item.get("id")]
    for item, text in zip(drawn, titles, strict=True):
        ElementTree.SubElement(item, f"{{{_SVG}}}title").text = text


def _in_page_colours(style: str) -> str:
    """Returns an element's style with the page's variables for colours, and no font of its own."""
    parts = [part.strip() for part in style.split(";") if not part.strip().startswith("font-family")]
    return _COLOURS.sub(lambda found: f"var(--{_ROLES[found[0]]})", "; ".join(parts))


def columns(text: str) -> int:
    """Returns how wide a text is, in halves of a Chinese or Japanese letter."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def shortened(text: str, most: int) -> str:
    """Returns a text of at most so many columns, its end cut off."""
    if columns(text) <= most:
        return text
    cut = text
    while cut and columns(cut) > most - 1:
        cut = cut[:-1]
    return f"{cut}…"
