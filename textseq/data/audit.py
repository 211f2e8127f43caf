"""What is odd about a dataset, found before hours of training are spent on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from textseq.config import DataConfig
from textseq.data.labels import Labels

_ROWS_AT_ONCE = 10_000
_QUANTILES = (0.5, 0.9, 0.99, 1.0)


def audit(
    splits: Any, data: DataConfig, labels: Labels | None, token_lengths: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Looks through every split once; eight bytes a row are kept.

    Args:
        splits: What `load_splits` returned; of a streamed train split, the first rows count.
        data: Names the columns.
        labels: The classes, for classification.
        token_lengths: Tokens of each row, by split.

    Returns:
        Rows, empty texts, duplicates, overlaps with train, class balance and length quantiles; JSON-serialisable.
    """
    report: dict[str, Any] = {"splits": {}, "held_out": splits.held_out, "streamed": splits.streamed}
    looked_at = {**dict(splits.items()), "train": splits.sample}
    hashes = {name: text_hashes(rows, data) for name, rows in looked_at.items()}
    train = np.unique(hashes["train"])
    for name, rows in looked_at.items():
        found = hashes[name]
        lengths = token_lengths[name]
        entry = {
            "rows": len(rows),
            "empty": int((lengths == 0).sum()),
            "duplicates": int(len(found) - len(np.unique(found))),
            "in_train": 0 if name == "train" else int(np.isin(found, train).sum()),
            "tokens": int(lengths.sum()),
            "length_quantiles": dict(
                zip(map(str, _QUANTILES), np.quantile(lengths, _QUANTILES).astype(int).tolist(), strict=True)
            ),
        }
        report["splits"][name] = entry
    if labels is not None:
        report.update(_classes(splits, labels, hashes["train"]))
    return report


def lines(report: Mapping[str, Any]) -> list[str]:
    """Returns the report in a few lines for a person; oddities only where there are any."""
    splits = report["splits"]
    rows = ", ".join(f"{entry['rows']:,} {name}" for name, entry in splits.items())
    held_out = " (validation held out of train)" if report["held_out"] else ""
    held_out += " (train is streamed; its first rows were looked at)" if report["streamed"] else ""
    quantiles = splits["train"]["length_quantiles"]
    text = [
        f"rows: {rows}{held_out}",
        f"tokens a text: median {quantiles['0.5']}, 90 % up to {quantiles['0.9']}, longest {quantiles['1.0']}",
    ]
    if "classes" in report:
        classes = report["classes"]
        text.append(
            f"{classes['count']} classes: largest {classes['largest'][0]} ({classes['largest'][1]:,}), "
            f"smallest {classes['smallest'][0]} ({classes['smallest'][1]:,})"
        )
    odd = [f"{entry['empty']:,} empty texts in {name}" for name, entry in splits.items() if entry["empty"]]
    odd += [
        f"{entry['in_train']:,} texts of {name} stand in train too"
        for name, entry in splits.items()
        if entry["in_train"]
    ]
    if splits["train"]["duplicates"]:
        odd.append(f"{splits['train']['duplicates']:,} duplicates in train")
    if report.get("conflicting"):
        odd.append(f"{report['conflicting']:,} texts of train with two labels")
    return text + ([f"note: {'; '.join(odd)}"] if odd else [])


def text_hashes(rows: Any, data: DataConfig) -> np.ndarray:
    """Returns eight bytes of hash for each row's text."""
    columns = [column for column in (data.text, data.text_pair) if column is not None]
    found = np.zeros(len(rows), np.uint64)
    place = 0
    for batch in rows.select_columns(columns).iter(batch_size=_ROWS_AT_ONCE):
        for texts in zip(*(batch[column] for column in columns), strict=True):
            joined = "\x00".join(text or "" for text in texts).encode("utf-8", "replace")
            found[place] = int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little")
            place += 1
    return found


def _classes(splits: Any, labels: Labels, hashes: np.ndarray) -> dict[str, Any]:
    targets = labels.encode(splits.sample)
    counts = targets.sum(0).astype(int) if labels.multi else np.bincount(targets, minlength=len(labels.names))
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    classes = {
        "count": len(labels.names),
        "largest": [labels.names[largest], int(counts[largest])],
        "smallest": [labels.names[smallest], int(counts[smallest])],
        "majority": float(counts[largest] / len(targets)),
        "rows": {name: int(count) for name, count in zip(labels.names, counts, strict=True)},
    }
    conflicting = 0
    if not labels.multi:
        pairs = np.unique(np.stack([hashes, targets.astype(np.uint64)], -1), axis=0)
        conflicting = int(len(pairs) - len(np.unique(pairs[:, 0])))
    return {"classes": classes, "conflicting": conflicting}
