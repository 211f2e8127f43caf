"""Where rows come from: the Hub or a mirror of it, local files, a saved dataset; and which rows are held out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from textseq.config import DataConfig
from textseq.data.held_out import held_out_rows
from textseq.data.streamed_rows import head, stored
from textseq.errors import DataError, nearest, problem

MIRROR = "TEXTSEQ_DATASETS_MIRROR"
_ROWS_AT_ONCE = 1000
_ROWS_LOOKED_AT = 10_000  # of a stream
_FILE_KINDS = ("csv", "json", "parquet", "text")


@dataclass(frozen=True)
class Splits:
    """The rows to learn from and to be scored on.

    Attributes:
        train: Rows.
        validation: Rows; held out of train where the dataset has none.
        test: Rows, or None.
        held_out: Whether `validation` was cut out of train.
        sample: Of a streamed train split, its first rows; otherwise all of train.
    """

    train: Any
    validation: Any
    test: Any | None
    held_out: bool
    sample: Any

    @property
    def streamed(self) -> bool:
        """Whether train is a stream, whose end nobody knows."""
        return self.sample is not self.train

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yields the splits there are, by name."""
        for name in ("train", "validation", "test"):
            if getattr(self, name) is not None:
                yield name, getattr(self, name)


def load_splits(data: DataConfig, seed: int) -> Splits:
    """Reads the dataset that a config names.

    Args:
        data: Path, columns and splits.
        seed: Of the choice of held-out rows.

    Raises:
        DataError: The dataset, a split or a column of it is missing, empty, or of the wrong kind.
    """
    with _quiet():
        found = _load(data)
        parts = {name: _split(found, name, data) for name in ("train", "validation", "test")}
        train = parts["train"]
        if train is None:
            wanted = data.splits.get("train", "train")
            raise DataError(_no_split(data, "train", wanted, found))
        held_out = parts["validation"] is None
        if held_out:
            train, parts["validation"] = held_out_rows(train, data, seed)
        limited = {name: _limited(part, data, seed) for name, part in {**parts, "train": train}.items()}
        if data.streaming:
            return _streamed(limited, data)
    return Splits(limited["train"], limited["validation"], limited["test"], held_out, limited["train"])


def _streamed(parts: dict[str, Any], data: DataConfig) -> Splits:
    """Leaves train a stream, and puts what is scored each epoch on the disk."""
    columns = list(dict.fromkeys(column for _, column in _named_columns(data)))
    train = parts["train"]
    sample = head(train, _ROWS_LOOKED_AT, columns)
    kept = {name: parts[name] and stored(parts[name], columns) for name in ("validation", "test")}
    for name, rows in (("train", sample), *kept.items()):
        if rows is not None:
            _check_rows(rows, name, name, data)
    return Splits(train, kept["validation"], kept["test"], False, sample)


def _load(data: DataConfig) -> Any:
    """Returns the dataset's splits by name."""
    path, is_mirror = _resolved(data.path)
    if data.path in _FILE_KINDS and data.data_files is None:  # `datasets` would take what lies in this folder
        raise DataError(problem("data.data_files", f"is missing: path {data.path} needs files"))
    try:
        if any((Path(path) / name).is_file() for name in ("dataset_dict.json", "state.json")):
            return _from_disk(path, data)
        files = _existing(data.data_files)
        options = {"revision": None if is_mirror else data.revision, "streaming": data.streaming}
        if isinstance(files, dict):  # each split by itself, for files of one dataset need not have the same columns
            return {
                split: datasets.load_dataset(path, data.name, data_files={split: part}, split=split, **options)
                for split, part in files.items()
            }
        return datasets.load_dataset(path, data.name, data_files=files, **options)
    except DataError:
        raise
    except Exception as error:  # the loaders of `datasets` raise some twenty kinds
        raise DataError(_unreadable(data, path, error)) from error


def _from_disk(path: str, data: DataConfig) -> dict[str, Any]:
    """Returns the splits of a `save_to_disk` folder; a single dataset is train."""
    saved = datasets.load_from_disk(path)
    splits = dict(saved) if isinstance(saved, datasets.DatasetDict) else {"train": saved}
    return {name: rows.to_iterable_dataset() if data.streaming else rows for name, rows in splits.items()}


def _resolved(path: str) -> tuple[str, bool]:
    """Returns the mirror's folder for a Hub id, where there is a mirror that has it."""
    mirror = os.environ.get(MIRROR)
    if path in _FILE_KINDS or Path(path).is_dir() or not mirror:
        return path, False
    folder = Path(mirror) / path
    return (str(folder), True) if folder.is_dir() else (path, False)


def _unreadable(data: DataConfig, path: str, error: Exception) -> str:
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__  # the first words of a chain say the least
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    if path.startswith((".", "/")) or data.path in _FILE_KINDS:
        return problem("data.path", f"cannot be read: {reason}", received=data.path)
    mirror = os.environ.get(MIRROR)
    where = f"the mirror {mirror} has no such folder, and " if mirror else ""
    way_out = f"Check the id, connect to the network, or let {MIRROR} name a folder that holds {data.path}"
    return problem("data.path", f"{where}the Hub does not give it: {reason}", received=data.path, way_out=way_out)


def _existing(files: Any) -> Any:
    """Returns the files unchanged, after looking that each plain path is there."""
    names = files.values() if isinstance(files, dict) else [files]
    for name in (inner for item in names for inner in (item if isinstance(item, list) else [item])):
        if name is None or "://" in name or any(sign in name for sign in "*?["):
            continue
        if not Path(name).exists():
            folder = Path(name).parent
            near = nearest(Path(name).name, os.listdir(folder)) if folder.is_dir() else None
            raise DataError(
                problem("data.data_files", "there is no such file", received=name)
                + (f" Did you mean '{folder / near}'?" if near else "")
            )
    return files


def _split(found: Any, role: str, data: DataConfig) -> Any | None:
    """Returns the rows of a role, with only the columns that the config names."""
    wanted = data.splits.get(role, role)
    if wanted is None:
        return None
    if wanted not in found:
        if role in data.splits or role == "train":
            raise DataError(_no_split(data, role, wanted, found))
        return None
    rows = found[wanted]
    labels = data.label if isinstance(data.label, list) else [data.label]
    columns = [column for column in (data.text, data.text_pair, *labels) if column is not None]
    present = list(rows.column_names or next(iter(rows.take(1)), {}))  # a stream may not know them beforehand
    for setting, column in _named_columns(data):
        if column not in present:
            near = nearest(column, present)
            hint = f" Did you mean '{near}'?" if near else ""
            raise DataError(
                f"{setting}: dataset '{data.path}' has no column '{column}'.{hint} "
                f"It has: {', '.join(sorted(present))}."
            )
    rows = rows.select_columns(list(dict.fromkeys(columns)))
    if not data.streaming:
        _check_rows(rows, role, wanted, data)
    return rows


def _named_columns(data: DataConfig) -> Iterator[tuple[str, str]]:
    yield "data.text", data.text
    if data.text_pair is not None:
        yield "data.text_pair", data.text_pair
    labels = data.label if isinstance(data.label, list) else [data.label]
    yield from (("data.label", label) for label in labels if label is not None)


def _check_rows(rows: Any, role: str, wanted: str, data: DataConfig) -> None:
    if len(rows) == 0:
        raise DataError(problem(f"data.splits.{role}", f"the split '{wanted}' of '{data.path}' is empty"))
    for setting, column in (("data.text", data.text), ("data.text_pair", data.text_pair)):
        kind = None if column is None else str(rows.features[column].dtype)
        if kind not in (None, "string", "large_string", "null"):
            raise DataError(
                problem(setting, f"the column '{column}' holds no texts but {kind}", way_out="Name a column of texts")
            )
    if role == "train" and not any(any(batch[data.text]) for batch in rows.iter(batch_size=_ROWS_AT_ONCE)):
        raise DataError(problem("data.text", f"every text of column '{data.text}' in split '{wanted}' is empty"))


def _no_split(data: DataConfig, role: str, wanted: str | None, found: Any) -> str:
    way_out = f"It has: {', '.join(sorted(found))}"
    return problem(f"data.splits.{role}", f"dataset '{data.path}' has no split '{wanted}'", way_out=way_out)


def _limited(rows: Any | None, data: DataConfig, seed: int) -> Any | None:
    """Returns the first `max_rows` rows of a seeded shuffle."""
    if rows is None or data.max_rows is None:
        return rows
    if data.streaming:
        return rows.take(data.max_rows)
    if len(rows) <= data.max_rows:
        return rows
    return rows.shuffle(seed=seed).select(range(data.max_rows)).flatten_indices()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps `datasets` from writing bars and notes of its own between ours."""
    datasets.disable_progress_bars()
    verbosity = datasets.logging.get_verbosity()
    datasets.logging.set_verbosity_error()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
