"""Time and memory against length of texts, size of vocabulary and number of rows."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmark import steps
from benchmark.commands import run
from benchmark.feeding import epoch_seconds
from benchmark.machine import megabytes_held, peak_megabytes
from benchmark.sentences import write_rows
from benchmark.specification import Contender, Model, Workload

Rows = list[dict[str, Any]]
_LENGTHS = (64, 128, 256, 512, 1024, 2048)
_VOCABULARIES = (1_000, 3_000, 10_000, 30_000, 100_000)
_COUNTS = (10_000, 100_000, 1_000_000)


def scaling(quick: bool, rounds: int, say: steps.Say) -> dict[str, Any]:
    """Returns three series of points, each with what is varied, time and memory.

    Args:
        quick: Only the two ends of each series, and no more than 100,000 rows.
        rounds: Turns of each contender.
        say: Takes lines for the user.
    """
    lengths, vocabularies = (_ends(sizes) if quick else sizes for sizes in (_LENGTHS, _VOCABULARIES))
    models = {size: Model("language_modeling", "lstm", 256, 1, 2_000, batch=4, time=size) for size in lengths}
    sizes = {size: Model("language_modeling", "lstm", 256, 1, size, batch=20, time=35) for size in vocabularies}
    return {
        "series": {
            "tokens of a row": _race(models, rounds, say),
            "tokens of the vocabulary": _race(sizes, rounds, say),
            "rows of the dataset": [_rows(count, say) for count in (_COUNTS[:2] if quick else _COUNTS)],
        }
    }


def _ends(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return sizes[0], sizes[-1]


def _race(models: dict[int, Model], rounds: int, say: steps.Say) -> Rows:
    """Lets textseq and stock Keras run at each size, one size after the other."""
    points: Rows = []
    for size, model in models.items():
        contenders = (Contender("textseq", "ours"), Contender("keras", "stock", xla=False))
        workload = Workload(f"scaling {size:,}", model, contenders, steps=2)
        for name, one in steps.measure(workload, rounds=rounds, say=say).items():
            seconds = None if one.seconds is None else one.seconds * 1e3
            points.append(
                {
                    "size": size,
                    "who": name,
                    "milliseconds": seconds,
                    "speed": one.speed,
                    "megabytes": one.growth_megabytes,
                }
            )
    return points


def _rows(count: int, say: steps.Say) -> dict[str, Any]:
    """Reads, tokenises and batches a file of so many rows in a process of its own."""
    say(f"scaling: {count:,} rows")
    with tempfile.TemporaryDirectory() as name:
        answer = Path(name) / "answer.json"
        write_rows(Path(name) / "rows.jsonl", count)
        run([sys.executable, "-m", "benchmark.scaling", name, str(answer)])
        return {"size": count, "who": "textseq", **json.loads(answer.read_text())}


def read_and_batch(folder: Path) -> dict[str, float]:
    """Makes one epoch's batches from `rows.jsonl`; milliseconds are of one batch, megabytes of all.

    Args:
        folder: Holds the file, and takes the cache.
    """
    from datasets import load_dataset

    from textseq.data.encoded import encode_column
    from textseq.registry import tokenizers

    held = megabytes_held()
    dataset = load_dataset(
        "json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=str(folder / "cache")
    )
    tokenizer = tokenizers.get("sentencepiece")(vocabulary_size=500)
    tokenizer.fit(dataset[:10_000]["text"], 0)
    began = time.perf_counter()
    rows = encode_column(dataset, "text", tokenizer)
    encoded = time.perf_counter() - began
    seconds, batches = epoch_seconds(rows)
    return {
        "milliseconds": seconds / batches * 1e3,
        "speed": int(rows.lengths.sum()) / (seconds + encoded),
        "megabytes": peak_megabytes() - held,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(read_and_batch(Path(sys.argv[1]))))
