"""Texts from the command line, a file or a pipe, one after the other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from textseq.errors import DataError, problem

Text = str | tuple[str, str]


def read_texts(texts: tuple[str, ...], source: str | None, data: Any) -> Iterator[Text]:
    """Yields texts, or pairs of them where the run was trained on pairs.

    Args:
        texts: From the command line.
        source: A file, or "-" for stdin; None to use `texts`.
        data: The run's `DataConfig`; names the columns.

    Raises:
        DataError: The file cannot be read, or a line of it is not what the run needs.
    """
    if source is None:
        yield from (_plain(text, f"TEXT {number}", data) for number, text in enumerate(texts, 1))
        return
    as_json = source.endswith((".jsonl", ".json"))
    for number, line in enumerate(_lines(source), 1):
        place = f"{source}, line {number}"
        yield _from_json(line, place, data) if as_json else _plain(line, place, data)


def _lines(source: str) -> Iterator[str]:
    if source == "-":
        yield from _stripped(sys.stdin)
        return
    try:
        with open(source, encoding="utf-8-sig", errors="replace", newline="\n") as file:  # Windows puts a mark before
            yield from _stripped(file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(problem("--input", f"cannot read the file: {reason}", received=source)) from error


def _stripped(file: TextIO) -> Iterator[str]:
    for line in file:
        yield line.rstrip("\r\n")


def _plain(line: str, place: str, data: Any) -> Text:
    if data.text_pair is None:
        return line
    first, tab, second = line.partition("\t")
    if not tab:
        raise DataError(
            problem(place, "the run was trained on pairs", received=line, way_out="Put a tab between the two texts")
        )
    return first, second


def _from_json(line: str, place: str, data: Any) -> Text:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(problem(place, "is not JSON", received=line, way_out="Write one JSON object a line")) from error
    columns = [data.text] if data.text_pair is None else [data.text, data.text_pair]
    if not isinstance(row, dict):
        row = {data.text: row}
    for column in columns:
        if not isinstance(row.get(column), str):
            raise DataError(problem(place, f"has no text in the column '{column}'", received=row))
    found = [row[column] for column in columns]
    return found[0] if len(found) == 1 else (found[0], found[1])
