"""Scores as a person likes to read them."""

from __future__ import annotations

import io
import shutil
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_CLASSES_SHOWN = 12
_FORMATS = {
    "accuracy": "{:.4f}",
    "macro_f1": "{:.4f}",
    "micro_f1": "{:.4f}",
    "loss": "{:.4f}",
    "calibration_error": "{:.4f}",
    "majority_accuracy": "{:.4f}",
    "perplexity": "{:,.2f}",
    "word_perplexity": "{:,.2f}",
    "bits_per_byte": "{:.4f}",
    "bits_per_character": "{:.4f}",
    "rows": "{:,}",
    "tokens": "{:,}",
}


def scores_table(scores: dict[str, Any]) -> str:
    """Returns the scores of each split side by side, and how long training took."""
    splits = [name for name in ("validation", "test") if name in scores]
    table = Table(*(["score", *splits]))
    for name, form in _FORMATS.items():
        if any(name in scores[split] for split in splits):
            table.add_row(name, *(form.format(scores[split][name]) for split in splits))
    training = scores["training"]
    summary = (
        f"{training['seconds']:,.0f} s of training, {training['tokens_per_second']:,.0f} tokens/s, "
        f"{training['weights']:,} weights, best epoch {training['best_epoch']}"
    )
    return f"{render(table)}\n{summary}"


def detailed_scores(split: str, scores: dict[str, Any]) -> str:
    """Returns one split's scores, with the interval and the classes that do worst."""
    table = Table("score", split)
    for name, form in _FORMATS.items():
        if name in scores:
            interval = (scores.get("interval") or {}).get(name)
            margin = f"  (95 %: {interval[0]:.4f} – {interval[1]:.4f})" if interval else ""
            table.add_row(name, form.format(scores[name]) + margin)
    parts = [render(table)]
    if scores.get("per_class"):
        parts.append(_classes(scores["per_class"]))
    return "\n".join(parts)


def plain_table(content: Any) -> str:
    """Returns a `textseq.reporting.chart.Table` as text; wide ones take the terminal's whole width."""
    table = Table(title=content.caption, title_justify="left", title_style="bold")
    for place, head in enumerate(content.heads):
        table.add_column(head, justify="left" if place in content.texts else "right", overflow="fold")
    for row in content.rows:
        table.add_row(*(escape(cell) for cell in row))
    return render(table, width=max(100, shutil.get_terminal_size((140, 24)).columns))


def render(table: Table, width: int = 100) -> str:
    """Returns a table as text, without colours where it goes to a pipe."""
    buffer = io.StringIO()
    Console(file=buffer, width=width, force_terminal=False).print(table)
    return buffer.getvalue().rstrip("\n")


def _classes(per_class: dict[str, dict[str, Any]]) -> str:
    worst = sorted(per_class.items(), key=lambda item: item[1]["f1"])[:_CLASSES_SHOWN]
    more = len(per_class) - len(worst)
    title = f"the {len(worst)} classes with the lowest F1 of {len(per_class)}" if more else None
    table = Table("class", "precision", "recall", "F1", "rows", title=title)
    for name, scores in worst:
        numbers = [f"{scores[key]:.3f}" for key in ("precision", "recall", "f1")]
        table.add_row(name, *numbers, f"{scores['rows']:,}")
    return render(table)
