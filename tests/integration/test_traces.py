"""A graph is made once for all lengths of texts, not anew for each."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main
from textseq.registry import encoders


def train(config: Path, run: Path, *settings: str) -> None:
    more = [part for setting in settings for part in ("--set", setting)]
    with pytest.raises(SystemExit) as ended:
        main(["train", str(config), "--run-dir", str(run), "--quiet", "--json", "--no-report", *more])
    assert ended.value.code == 0


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_no_length_is_traced_anew_after_the_first_epoch(
    name: str, topics_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[Any] = []
    cls = encoders.get(name)
    real = cls.call

    @functools.wraps(real)  # Keras reads the signature
    def counted(self: Any, inputs: Any, *arguments: Any, **named: Any) -> Any:
        shapes.append(inputs.shape[1])
        return real(self, inputs, *arguments, **named)

    monkeypatch.setattr(cls, "call", counted)
    counts = []
    for epochs in (1, 4):
        shapes.clear()
        train(topics_config, tmp_path / str(epochs), f"encoder.name={name}", f"training.epochs={epochs}")
        counts.append(len(shapes))
    assert counts[0] == counts[1]  # three epochs more call the layer's Python code no more
    assert counts[0] <= 8
    assert None in shapes  # one graph for every length


def test_batches_have_few_shapes(topics: Path, tmp_path: Path) -> None:
    from textseq.data.batches import bucket_length

    lengths = {bucket_length(length, 512) for length in range(1, 513)}
    assert len(lengths) <= 12
    rows = [json.loads(line) for line in (topics / "train.jsonl").read_text().splitlines()]
    assert len({len(row["text"].split()) for row in rows}) > 8
