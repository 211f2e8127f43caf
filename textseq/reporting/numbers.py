"""Numbers and names as a person reads them."""

from __future__ import annotations

import math

_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "loss": "loss",
    "calibration_error": "calibration error",
    "majority_accuracy": "commonest class",
    "perplexity": "perplexity",
    "word_perplexity": "perplexity a word",
    "bits_per_byte": "bits a byte",
    "bits_per_character": "bits a character",
}


def score_name(name: str) -> str:
    """Returns what a person calls a score; `val_…` is a validation score."""
    plain = name.removeprefix("val_")
    words = _NAMES.get(plain, plain.replace("_", " "))
    return f"validation {words}" if name.startswith("val_") else words


def brief(value: float | None) -> str:
    """Returns a score with about four digits."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 1e7:
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def amount(value: int | float) -> str:
    """Returns a count with its thousands apart."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """Returns a share in per cent."""
    return f"{100 * share:.1f} %"


def spoken_time(seconds: float) -> str:
    """Returns a length of time in its two largest units."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def probability(value: float) -> str:
    """Returns a p-value."""
    if value < 1e-4:
        return f"{value:.0e}"
    return f"{value:.4f}" if value < 0.1 else f"{value:.2f}"
