"""A run directory as a working model again: rebuilt from its config and weights, never unpickled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras

from textseq.config import RunConfig, load_config
from textseq.data.labels import Labels
from textseq.data.sources import load_splits
from textseq.data.tokenizers.base import Tokenizer, load_tokenizer
from textseq.errors import DataError, RunDirectoryError, UsageError, problem
from textseq.model import TextModel
from textseq.provenance import check_provenance
from textseq.registry import tasks
from textseq.rundir import RunDirectory
from textseq.tasks.base import Prepared, Task
from textseq.training.checkpoints.weights import load_weights


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        directory: Where it lies.
        config: As it was trained.
        task: The task.
        tokenizer: As it was fitted.
        labels: The classes; None for tasks without.
    """

    directory: RunDirectory
    config: RunConfig
    task: Task
    tokenizer: Tokenizer
    labels: Labels | None

    @classmethod
    def trained(cls, directory: RunDirectory, task: Task, prepared: Prepared, model: TextModel) -> Run:
        """Returns the run that has just been trained, with the model as it is in memory."""
        run = cls(directory, prepared.config, task, prepared.tokenizer, prepared.labels)
        run.__dict__["model"] = model  # what `model` would read from disk
        return run

    @cached_property
    def model(self) -> TextModel:
        """The model with the run's best weights."""
        keras.config.set_dtype_policy(self.config.training.precision)
        model = self.task.build_model(self.config, self.tokenizer.vocabulary_size, self.labels)
        load_weights(model, self.directory.weights)
        return model

    def in_float32(self) -> Run:
        """Returns the run with its arithmetic in float32, whatever it was trained in: for what needs the digits."""
        training = replace(self.config.training, precision="float32")
        return replace(self, config=replace(self.config, training=training))

    def prepared(self) -> Prepared:
        """The dataset, read and tokenised as it was for training."""
        splits = load_splits(self.config.data, self.config.seed)
        return self.task.prepare(self.config, splits, self.tokenizer, labels=self.labels)

    def evaluate(self, split: str, progress: Any = None, *, record: bool = False) -> dict[str, Any]:
        """Scores the model on a split.

        Args:
            split: Its name.
            progress: Takes how much is done and how much there is.
            record: Whether each row's answer is kept in the run directory, as at the end of a training.

        Raises:
            DataError: There is no such split.
        """
        prepared = self.prepared()
        if split not in prepared.splits:
            raise DataError(
                problem(
                    "--split", f"the dataset has no split '{split}'", way_out=f"It has: {', '.join(prepared.splits)}"
                )
            )
        if not record:
            return self.task.evaluate(self.model, prepared.splits[split], prepared, progress)
        scores, rows = self.task.evaluate_rows(self.model, prepared.splits[split], prepared, progress)
        if rows is None:
            wrong = "the task keeps nothing of single rows"
            raise UsageError(problem("--record", wrong, received=self.config.task.name))
        rows.save(self.directory.rows)
        return scores


def load_run(path: str | Path, note: Callable[[str], None] | None = None) -> Run:
    """Opens a run directory.

    Args:
        path: The run directory.
        note: Takes a sentence for each component whose source is another than when the run was made.

    Raises:
        RunDirectoryError: It is no run directory, or something in it is missing.
        RegistryError: A component that it was made with is not here; says what to install or to name.
    """
    directory = RunDirectory.open(path)
    records = directory.read_json("plugins.json") if directory.plugins.is_file() else []
    changed = check_provenance(records, directory.path)
    if note is not None:
        for sentence in changed:
            note(sentence)
    config = load_config(directory.resolved)
    task = tasks.get(config.task.name)(**config.task.arguments)
    labels = Labels.from_json(directory.read_json("labels.json")) if task.labelled else None
    return Run(directory, config, task, load_tokenizer(directory.tokenizer), labels)


def require_task(run: Run, name: str, verb: str) -> None:
    """Refuses a run whose task is not the one that a command needs, nor derived from it.

    Raises:
        RunDirectoryError: The run was trained for another task.
    """
    if not isinstance(run.task, tasks.get(name)):
        raise RunDirectoryError(
            problem(
                str(run.directory.path),
                f"`textseq {verb}` takes a run whose task is {name}",
                received=run.config.task.name,
            )
        )
