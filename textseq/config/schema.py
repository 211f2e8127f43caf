"""A run's config as frozen data: every section, every setting, its type, its default and its range."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from textseq.config.kinds import Bounds
from textseq.errors import UsageError, problem


def setting(default: Any = None, *, least: float | None = None, most: float | None = None, **more: Any) -> Any:
    """Declares a setting with a default and a range; `above` and `below` exclude the bound itself."""
    bounds = Bounds(least=least, most=most, above=more.get("above"), below=more.get("below"))
    if callable(default):
        return field(default_factory=default, metadata={"bounds": bounds})
    return field(default=default, metadata={"bounds": bounds})


@dataclass(frozen=True)
class Component:
    """A component by name, and the arguments that were written; its constructor's defaults are the rest.

    Attributes:
        name: As it is registered.
        arguments: Everything beside the name.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns what a config would say."""
        return {"name": self.name, **self.arguments}


@dataclass(frozen=True)
class DataConfig:
    """Which rows and which columns.

    Attributes:
        path: A Hub id, "csv", "json", "parquet" or "text" with `data_files`, or a folder.
        name: The dataset's configuration, where it has several.
        revision: Of the Hub's repository.
        data_files: Files, by split or for train alone; relative to the config's folder.
        splits: Which of the dataset's splits is train, validation and test.
        text: The column of texts.
        text_pair: The column of second texts, for tasks on pairs.
        label: The column of labels; a list of columns for several labels a row.
        streaming: Whether rows are read while training, for corpora larger than memory and disk.
        validation_fraction: How much of train is held out where there is no validation split.
        max_rows: Rows of each split at most, for quick trials.
    """

    path: str
    name: str | None = None
    revision: str | None = None
    data_files: str | list[str] | dict[str, str | list[str]] | None = None
    splits: dict[str, str | None] = field(default_factory=dict)
    text: str = "text"
    text_pair: str | None = None
    label: str | list[str] | None = None
    streaming: bool = False
    validation_fraction: float = setting(0.1, above=0.0, below=1.0)
    max_rows: int | None = setting(None, least=1)


@dataclass(frozen=True)
class EmbeddingConfig:
    """The embedding of token ids.

    Attributes:
        units: Its width; the encoder's where null.
        dropout: Fraction of its outputs dropped in training.
        word_dropout: Fraction of the tokens replaced by the unknown token in training.
    """

    units: int | None = setting(None, least=1)
    dropout: float = setting(0.0, least=0.0, below=1.0)
    word_dropout: float = setting(0.0, least=0.0, below=1.0)


@dataclass(frozen=True)
class TrainingConfig:
    """How the model is trained.

    Attributes:
        epochs: Passes over the train split.
        steps_per_epoch: Batches of an epoch, where fewer than all. Where a language model carries state from window to
            window, the next epoch goes on from there.
        batch_size: Rows of a batch; "auto" for as many as fit the budget, which `rows` is once they are found.
        memory_budget: What "auto" may take, such as "4GB"; half of the free memory where null.
        learning_rate: The schedule's highest.
        optimizer: adam, adamw or sgd.
        schedule: constant, linear or cosine, with `warmup` (steps, or a fraction below 1) and `final` (a fraction).
        clip_norm: Largest norm of all gradients together; null for none.
        ema: Decay of a moving average of the weights, which is then what is scored and kept; null for none.
        accumulate: Batches whose gradients are averaged before a step of the optimizer.
        precision: float32, or mixed_bfloat16 for products in bfloat16.
        jit: Whether to compile with XLA: auto, true or false.
        native_loops: Whether recurrent layers and softmaxes over tokens, and in float32 attention, normalisation, dense
            and feed-forward layers, run by what a C++ compiler makes for this processor: auto (where there is one, and
            no GPU), true (or nothing) or false.
        early_stopping: Epochs without a better score after which training ends; null for never.
        monitor: The validation score that decides; the task's own where null.
        keep: Whose weights are the run's: "best" (of the epoch with the best monitored score) or "last", where a small
            validation split says little and a falling learning rate ends well.
        checkpoint_every: Steps between two checkpoints; null for the ends of epochs only.
        checkpoint_minutes: Minutes between two checkpoints where steps and epochs take longer; null for never.
        keep_checkpoints: How many of the last checkpoints stay.
        setbacks: How often a training that diverges may go back to a checkpoint; 0 ends it at once.
        setback_rate: What the learning rate is multiplied by each time it goes back.
        blow_up: How many times the loss of the first steps the loss of later ones may be, before that counts as
            diverging; null for any, so that only a loss that is no number counts.
        log_every: Steps between two lines of metrics.jsonl.
        bucket: Whether batches hold texts of like length.
        tensorboard: Whether to write TensorBoard logs.
        callbacks: Keras callbacks as `package.module:Class`, with their arguments.
    """

    epochs: int = setting(5, least=1)
    steps_per_epoch: int | None = setting(None, least=1)
    batch_size: int | str = 64
    memory_budget: str | None = None
    learning_rate: float = setting(1e-3, above=0.0)
    optimizer: Component = field(default_factory=lambda: Component("adam"))
    schedule: Component = field(default_factory=lambda: Component("constant"))
    clip_norm: float | None = setting(1.0, above=0.0)
    ema: float | None = setting(None, above=0.0, below=1.0)
    accumulate: int = setting(1, least=1)
    precision: str = "float32"
    jit: str | bool = "auto"
    native_loops: str | bool = "auto"
    early_stopping: int | None = setting(None, least=1)
    monitor: str | None = None
    keep: str = "best"
    checkpoint_every: int | None = setting(None, least=1)
    checkpoint_minutes: float | None = setting(10.0, above=0.0)
    keep_checkpoints: int = setting(2, least=1)
    setbacks: int = setting(3, least=0)
    setback_rate: float = setting(0.5, above=0.0, below=1.0)
    blow_up: float | None = setting(10.0, above=1.0)
    log_every: int = setting(50, least=1)
    bucket: bool = True
    tensorboard: bool = False
    callbacks: tuple[Component, ...] = ()

    @property
    def rows(self) -> int:
        """The rows of a batch.

        Raises:
            UsageError: It is not found yet how many.
        """
        if isinstance(self.batch_size, str):
            way_out = "`textseq train` finds the number; name one here"
            raise UsageError(problem("training.batch_size", "is no number yet", received="auto", way_out=way_out))
        return self.batch_size


@dataclass(frozen=True)
class RunConfig:
    """Everything a run needs to know before it sees its data.

    Attributes:
        name: The run's.
        data: Rows and columns.
        encoder: Any registered encoder.
        task: Any registered task.
        seed: Of every random choice.
        tokenizer: Any registered tokenizer.
        embedding: Of the token ids.
        training: How it is trained.
    """

    name: str
    data: DataConfig
    encoder: Component
    task: Component
    seed: int = setting(0, least=0)
    tokenizer: Component = field(default_factory=lambda: Component("sentencepiece"))
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def components(self) -> tuple[tuple[str, str], ...]:
        """Returns (kind, name) of the registered components that the run is made of."""
        return tuple((kind, getattr(self, kind).name) for kind in ("tokenizer", "encoder", "task"))

    def to_dict(self) -> dict[str, Any]:
        """Returns every setting, each component with its defaults filled in, as plain data."""
        plain = _plain(self)
        for kind, _ in self.components():
            plain[kind] = with_defaults(kind, getattr(self, kind))
        return plain

    def to_yaml(self) -> str:
        """Returns `to_dict` as YAML."""
        from ruamel.yaml import YAML

        buffer = io.StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.dump(self.to_dict(), buffer)
        return buffer.getvalue()


def with_defaults(kind: str, component: Component) -> dict[str, Any]:
    """Returns a component with every argument of its constructor, those not written at their defaults."""
    from textseq.registry import registries

    known = registries[kind].arguments(component.name)
    defaults = {argument.name: argument.default for argument in known if not argument.required}
    written = {name: _plain(value) for name, value in component.arguments.items()}
    if kind == "encoder" and "causal" not in written:
        defaults.pop("causal", None)  # the task decides
    return {"name": component.name, **defaults, **written}


def section_fields(section: type) -> Iterator[tuple[str, Any]]:
    """Yields the names and dataclass fields of a section."""
    for item in fields(section):
        yield item.name, item


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return {name: _plain(item) for name, item in value.to_dict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
