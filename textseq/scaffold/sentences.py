"""Sentences whose class hangs on the order of their words, so that a model which counts words cannot tell it."""

from __future__ import annotations

import random

_THINGS = ["film", "book", "play", "song", "story", "picture", "meal", "hotel", "walk", "talk"]
_GOOD = ["good", "fine", "lovely", "clever", "moving", "funny"]
_BAD = ["bad", "dull", "ugly", "silly", "boring", "weak"]
_ASIDES = ("to be honest", "if you ask me", "as it happens", "all in all", "as far as it goes", "")
SPLITS = {"train": 600, "validation": 100, "test": 200}


def rows(split: str) -> list[dict[str, str]]:
    """Returns the rows of a split, the same each time and none of them another's; each has the columns text and label.

    "not good but bad" and "not bad but good" hold the same words; which one "not" stands before makes the class.
    """
    generator, found = random.Random("sentences"), dict[str, dict[str, str]]()
    while len(found) < sum(SPLITS.values()):
        row = _row(generator)
        found.setdefault(row["text"], row)
    before = list(SPLITS)[: list(SPLITS).index(split)]
    begin = sum(SPLITS[name] for name in before)
    return list(found.values())[begin : begin + SPLITS[split]]


def _row(generator: random.Random) -> dict[str, str]:
    good, bad = generator.choice(_GOOD), generator.choice(_BAD)
    is_good = generator.random() < 0.5
    denied, said = (bad, good) if is_good else (good, bad)
    aside, thing = generator.choice(_ASIDES), generator.choice(_THINGS)
    judgement = generator.choice((f"not {denied} but {said}", f"{said} and not {denied}"))
    words = f"{aside} the {thing} was {judgement}".split()
    return {"text": " ".join(words), "label": "positive" if is_good else "negative"}
