"""What every task has to be, tested by meaning on a small dataset. The name of a check is what has to hold."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np

from textseq.config import Component, RunConfig, load_config
from textseq.data.labels import Labels
from textseq.data.sources import Splits, load_splits
from textseq.data.tokenizers.training import fit_tokenizer
from textseq.model import TextModel
from textseq.scaffold.sentences import rows
from textseq.signatures import inspect_class
from textseq.tasks.base import Batch, Prepared, Task
from textseq.testing.arguments import plain_and_documented
from textseq.testing.comparing import array, difference, require

_STEPS = 30
_ROWS = {"train": 120, "validation": 30}


@dataclass
class TaskSubject:
    """A task class, how to make it, and a dataset of sentences with two classes."""

    cls: type[Task]
    arguments: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Task:
        """Makes one."""
        return self.cls(**self.arguments)

    @cached_property
    def config(self) -> RunConfig:
        """A small LSTM; the task under test stands in the place of the one that the file names."""
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "config.yaml"
            data = {"path": "json", "data_files": {name: f"{name}.jsonl" for name in _ROWS}, "label": "label"}
            written = {
                "name": "checked",
                "data": {**data, **self.settings},
                "tokenizer": {"name": "words"},
                "embedding": {"units": 8},
                "encoder": {"name": "lstm", "units": 8},
                "task": {"name": "classification"},
                "training": {"batch_size": 8, "learning_rate": 1e-2},
            }
            path.write_text(json.dumps(written), encoding="utf-8")  # JSON is YAML
            for name, count in _ROWS.items():
                lines = (json.dumps(row) + "\n" for row in islice(rows(name), count))
                (Path(place) / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
            config = load_config(path)
            self._splits = load_splits(config.data, config.seed)
        return replace(config, task=Component(self.cls.__name__, self.arguments))

    @property
    def splits(self) -> Splits:
        """The rows, in memory."""
        _ = self.config
        return self._splits

    @cached_property
    def prepared(self) -> Prepared:
        """The rows, tokenised by words."""
        tokenizer = fit_tokenizer(self.config.tokenizer, self.splits.train, self.config.data, self.config.seed)
        return self.make().prepare(self.config, self.splits, tokenizer)

    def model(self, seed: int = 0) -> TextModel:
        """Returns one with fresh weights."""
        keras.utils.set_random_seed(seed)
        return self.make().build_model(self.config, self.prepared.tokenizer.vocabulary_size, self.prepared.labels)

    @cached_property
    def trained(self) -> tuple[TextModel, list[float]]:
        """A model after some steps, and the loss of each."""
        task, model = self.make(), self.model()
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False, **task.compile_arguments(self.prepared.labels))
        losses = []
        for batch in self.batches(_STEPS):
            inputs, targets, weights = task.fit_arguments(batch)
            found = model.train_on_batch(inputs, targets, weights, return_dict=True)
            losses.append(float(found["loss"]))
            model.reset_metrics()
        return model, losses

    def batches(self, count: int, epoch: int = 0, first_step: int = 0) -> list[Batch]:
        """Returns the first batches from an epoch and a step on; epochs follow each other."""
        supply = self.make().training_batches(self.prepared)
        found: list[Batch] = []
        while len(found) < count:
            found += list(islice(supply.epoch(epoch, first_step), count - len(found)))
            epoch, first_step = epoch + 1, 0
        return found


def arguments_are_plain_and_documented(subject: TaskSubject) -> None:
    """The signature is the schema of configs."""
    plain_and_documented(subject.cls, inspect_class(subject.cls).arguments)
    require(subject.cls.monitor_mode in ("min", "max"), f"monitor_mode is {subject.cls.monitor_mode!r}")


def it_prepares_and_builds(subject: TaskSubject) -> None:
    """Nothing else can be tried before."""
    model = subject.model()
    require(model.built and bool(model.trainable_variables), "the model has no weights after build_model")


def the_classes_are_kept(subject: TaskSubject) -> None:
    """A run directory holds them as JSON, and a later command learns none anew."""
    labels = subject.prepared.labels
    labelled = subject.cls.labelled
    require((labels is not None) == labelled, f"labelled is {labelled}, its labels are {labels}")
    if labels is not None:
        again = Labels.from_json(json.loads(json.dumps(labels.to_json())))
        prepared = subject.make().prepare(subject.config, subject.splits, subject.prepared.tokenizer, labels=again)
        require(prepared.labels is again, "prepare learns classes where they are handed in")


def batches_follow_from_seed_epoch_and_step(subject: TaskSubject) -> None:
    """Shuffling is repeatable, and a run that was cut off goes on where it was."""
    first, second, rest = subject.batches(4), subject.batches(4), subject.batches(2, first_step=2)
    for step, (one, other) in enumerate(zip(first, second, strict=True)):
        _same_batch(one, other, f"step {step} of epoch 0, twice")
    for step, (one, other) in enumerate(zip(first[2:], rest, strict=True), 2):
        _same_batch(other, one, f"step {step} of epoch 0, begun there")


def a_batch_has_a_weight_for_each_target(subject: TaskSubject) -> None:
    """Filler rows and padding weigh nothing; something has to weigh."""
    for step, batch in enumerate(subject.batches(2)):
        inputs, targets, weights = subject.make().fit_arguments(batch)
        counts = {name: len(part) for name, part in {**inputs, "targets": targets, "weights": weights}.items()}
        require(len(set(counts.values())) == 1, f"step {step}: rows differ, {counts}")
        require(float(np.sum(weights)) > 0, f"step {step}: nothing has a weight")


def the_seed_decides_the_weights(subject: TaskSubject) -> None:
    """The same seed, the same weights, or no run can be repeated."""
    one, other = subject.model(seed=3), subject.model(seed=3)
    for mine, wanted in zip(one.weights, other.weights, strict=True):
        require(difference(mine, wanted, 0.0) is None, f"{mine.path} differs between two of one seed")


def training_lowers_the_loss(subject: TaskSubject) -> None:
    """On sentences that a small LSTM learns."""
    _, losses = subject.trained
    wrong = [step for step, loss in enumerate(losses) if not math.isfinite(loss)]
    require(not wrong, f"the loss of step {wrong[0] if wrong else 0} is {losses[wrong[0] if wrong else 0]}")
    before, after = float(np.mean(losses[:5])), float(np.mean(losses[-5:]))
    require(after < before, f"the loss is {before:.3f} in the first five steps and {after:.3f} in the last of {_STEPS}")


def training_moves_every_weight(subject: TaskSubject) -> None:
    """A weight that stays is in no loss."""
    model, _ = subject.trained
    fresh = subject.model()
    pairs = zip(model.trainable_variables, fresh.trainable_variables, strict=True)
    still = [mine.path for mine, before in pairs if difference(mine, before, 0.0) is None]
    require(not still, f"{', '.join(still)} is after {_STEPS} steps what it was before")


def scores_are_plain_and_hold_the_monitored_one(subject: TaskSubject) -> None:
    """`scores.json` keeps them, and the monitored one chooses the best weights."""
    scores = _scores(subject, subject.trained[0])
    json.dumps(scores)
    monitor = subject.cls.monitor
    require(monitor in scores, f"the scores have no {monitor}, which is monitored. They have: {', '.join(scores)}")
    value = scores[monitor]
    require(isinstance(value, float) and math.isfinite(value), f"{monitor}, which is monitored, is no float: {value!r}")


def scoring_changes_nothing(subject: TaskSubject) -> None:
    """The same model has the same scores twice, and row by row."""
    model, _ = subject.trained
    before = [array(weight).copy() for weight in model.weights]
    first, second = _scores(subject, model), _scores(subject, model)
    _same_scores(first, second, "twice")
    by_rows, _ = subject.make().evaluate_rows(model, subject.prepared.splits["validation"], subject.prepared)
    _same_scores(first, by_rows, "by evaluate and by evaluate_rows")
    for weight, value in zip(model.weights, before, strict=True):
        require(difference(weight, value, 0.0) is None, f"{weight.path} is changed by scoring")


def what_was_saved_scores_the_same(subject: TaskSubject) -> None:
    """A run is built again from its config and its weights."""
    model, _ = subject.trained
    again = subject.model(seed=5)
    with tempfile.TemporaryDirectory() as place:
        path = str(Path(place) / "model.weights.h5")
        model.save_weights(path)
        again.load_weights(path)
    _same_scores(_scores(subject, model), _scores(subject, again), "before saving and after loading")


TASK_CHECKS: tuple[Callable[[TaskSubject], None], ...] = (
    arguments_are_plain_and_documented,
    it_prepares_and_builds,
    the_classes_are_kept,
    batches_follow_from_seed_epoch_and_step,
    a_batch_has_a_weight_for_each_target,
    the_seed_decides_the_weights,
    training_lowers_the_loss,
    training_moves_every_weight,
    scores_are_plain_and_hold_the_monitored_one,
    scoring_changes_nothing,
    what_was_saved_scores_the_same,
)


def _scores(subject: TaskSubject, model: TextModel) -> dict[str, Any]:
    return subject.make().evaluate(model, subject.prepared.splits["validation"], subject.prepared)


def _same_scores(one: dict[str, Any], other: dict[str, Any], when: str) -> None:
    for name, value in one.items():
        if isinstance(value, float):
            found = other.get(name)
            near = isinstance(found, float) and math.isclose(found, value, rel_tol=1e-5, abs_tol=1e-6)
            require(near, f"{name} is {value} and {found}, {when}")


def _same_batch(one: Batch, other: Batch, when: str) -> None:
    require(set(one) == set(other), f"{when}: {sorted(one)} and {sorted(other)}")
    for name, part in one.items():
        found = difference(part, other[name], 0.0)
        require(found is None, f"{when}: {name} {found}")
