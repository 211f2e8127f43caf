"""What was seen inside encoders, as pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textseq.explaining.explanation import Explanation
from textseq.probing.inner import Inner
from textseq.probing.reach import Reach
from textseq.reporting.chart import Section
from textseq.reporting.looking.charts import inner_charts, reach_chart
from textseq.reporting.looking.tables import explanation_sentence, explanation_table, inner_table, reach_table
from textseq.reporting.page import write_page


def write_reach(found: Sequence[Reach], wanted: str, length: int, out: Path) -> None:
    """Writes the page of `textseq probe gradients`."""
    table = reach_table(found, wanted, length)
    about = (
        "The norm of the loss's gradient with respect to what the encoder held so many steps before the loss, as a "
        "multiple of that at the loss itself. Half-length: the steps within which half of all that reaches back lies."
    )
    section = Section("reach", "Reach", "", [reach_chart(found, wanted)], [("In numbers", table)])
    title = f"How far the gradient reaches back, over {length:,} steps"
    write_page(out, "compare.html", [section], title=title, about=about, made="")


def write_inner(text: str, tokens: Sequence[str], layers: Sequence[Inner], out: Path) -> None:
    """Writes the page of `textseq probe gates`."""
    sections = [
        Section(
            f"layer-{number}",
            layer.layer.capitalize(),
            "",
            inner_charts(layer, tokens, f"layer-{number}"),
            [("By token", inner_table(layer, tokens))],
        )
        for number, layer in enumerate(layers, 1)
    ]
    about = "What the encoder does while it reads this text."
    write_page(out, "compare.html", sections, title=" ".join(text.split()), about=about, made="")


def write_explanation(found: Explanation, out: Path) -> None:
    """Writes the page of `textseq explain`."""
    tokens = [
        {"token": token, "tip": f"{value:+.3f}", "share": float(share)}
        for token, value, share in zip(found.tokens, found.attributions.values, found.shares, strict=True)
    ]
    says = "Blue speaks for the label, orange against it; the numbers are nats of log-odds."
    section = Section("tokens", "Token by token", says, [], [("In numbers", explanation_table(found))], tokens)
    write_page(out, "explain.html", [section], title=f"Why {found.label}", about=explanation_sentence(found), made="")
