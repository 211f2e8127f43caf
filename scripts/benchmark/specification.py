"""What a race is made of: a model, those who train or ask it, and what is promised."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from benchmark.targets import Target

GEMM_SIDES = {"cpu": 2048, "gpu": 8192}  # of the ceiling's matrices
_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_LINEAR_GATES = {"mingru": 2, "minlstm": 3}  # without a recurrent product


@dataclass(frozen=True)
class Model:
    """A model's sizes, the same for all who build it.

    Attributes:
        task: "language_modeling" (windows without padding, untied softmax, SGD with clipping), "classification"
            (masked, bucketed texts, mean pooling, Adam), "loss" (a softmax's loss and gradients alone), or "inference"
            (a classifier's probabilities, for rows of one length).
        encoder: As it is registered, such as "lstm".
        units: Width; of a bidirectional encoder, of both directions together.
        depth: Layers.
        vocabulary: Tokens.
        batch: Rows of a batch.
        time: Tokens of a row; for classification its lengths are those of a dataset.
        embedding: Width of the embedding; the encoder's where None.
        heads: Attention heads.
        lengths: A NumPy file with the lengths of texts, for classification.
        rate: SGD's learning rate, at which the loss falls: numbers that overflow can take other ways through a step.
        causal: Whether a classifier's recurrence goes one way only, with all units.
    """

    task: Literal["language_modeling", "classification", "loss", "inference"]
    encoder: str
    units: int
    depth: int
    vocabulary: int
    batch: int
    time: int = 0
    embedding: int | None = None
    heads: int = 4
    lengths: str | None = None
    rate: float = 1.0
    causal: bool = False

    @property
    def items(self) -> int:
        """Tokens of a step, or texts where lengths differ."""
        return self.batch * (self.time or 1)

    @property
    def gigaflops(self) -> float | None:
        """Floating-point operations of one training step's matrix products, in 1e9; None for a classifier.

        A product of a forward pass has two more of its size in the backward pass.
        """
        if self.task in ("classification", "inference"):
            return None
        units, width = self.units, self.embedding or self.units
        if self.task == "loss":
            layers = 0
        elif self.encoder in _LINEAR_GATES:
            layers = _LINEAR_GATES[self.encoder] * (width * units + (self.depth - 1) * units * units)
        elif self.encoder == "transformer":
            layers = self.depth * (12 * units * units + 2 * self.time * units)
        else:
            layers = _GATES[self.encoder] * (width * units + units * units + (self.depth - 1) * 2 * units * units)
        return 6e-9 * self.items * (layers + units * self.vocabulary)


@dataclass(frozen=True)
class Contender:
    """One who takes the steps, in a process of its own.

    Attributes:
        name: As tables show it.
        library: A module of `benchmark.contenders`; "ceiling" and "products" are no rivals but bounds.
        backend: Keras's backend.
        precision: "float32" or "bfloat16".
        xla: Whether stock Keras is told to compile with XLA; None leaves it to Keras.
        variant: What else there is to know: which loss, or "passive" for OpenMP threads that sleep while they wait.
        model: Of its own, where it is not the workload's.
        encoder: Of its own, in a model of the same sizes: it takes its turns among those who have the workload's.
        device: What it runs on.
    """

    name: str
    library: Literal[
        "ours",
        "stock",
        "pytorch",
        "ceiling",
        "products",
        "loss",
        "exported",
        "stock_exported",
        "pytorch_inference",
        "onnx_inference",
    ]
    backend: Literal["tensorflow", "jax"] = "tensorflow"
    precision: Literal["float32", "bfloat16"] = "float32"
    xla: bool | None = None
    variant: str = ""
    model: Model | None = None
    encoder: str | None = None
    device: Literal["cpu", "gpu"] = "cpu"

    @property
    def of_textseq(self) -> bool:
        """Whether it is the toolkit's, a loss of its among them."""
        return self.library == "ours" or (self.library == "loss" and self.variant != "plain")

    def builds(self, model: Model) -> Model:
        """Returns what it builds in a workload of `model`."""
        own = self.model or model
        return replace(own, encoder=self.encoder) if self.encoder else own

    def gigaflops(self, model: Model) -> float | None:
        """Returns its step's operations in 1e9; None where its batches, or its targets, decide how many."""
        if self.library == "ceiling":
            return 2e-9 * GEMM_SIDES[self.device] ** 3
        return None if self.variant == "adaptive" else self.builds(model).gigaflops


@dataclass(frozen=True)
class Workload:
    """A model, those who train it, and what is promised of ours.

    Attributes:
        name: As the command line takes it.
        model: What they all build.
        contenders: The first is the one that ratios are to.
        targets: What is promised.
        steps: Steps of a turn; for texts of different lengths a whole cycle of batches.
        unit: What a step is made of: "tokens" or "texts".
    """

    name: str
    model: Model
    contenders: tuple[Contender, ...]
    targets: tuple[Target, ...] = ()
    steps: int = 4
    unit: str = "tokens"

    @property
    def period(self) -> int:
        """After how many steps the same batch comes again with another length."""
        return self.steps if self.model.task == "classification" else 1

    def only(self, names: Collection[str]) -> Workload:
        """Returns the workload with some of its contenders."""
        return replace(self, contenders=tuple(one for one in self.contenders if one.name in names))

    def essential(self) -> set[str]:
        """Returns the names of those that targets are about, of the ceilings and of the floors."""
        named = {name for target in self.targets for name in target.names}
        return named | {one.name for one in self.contenders if one.library in ("ceiling", "products")}

    def groups(self) -> Iterator[Workload]:
        """Yields the contenders of each model apart, so that no more processes live at a time than have to."""
        models = dict.fromkeys(contender.model for contender in self.contenders)
        for model in models:
            yield replace(self, contenders=tuple(one for one in self.contenders if one.model == model))


def to_json(workload: Workload, contender: Contender) -> dict[str, Any]:
    """Returns all that a contender's process has to know."""
    model = asdict(contender.builds(workload.model))
    return {"contender": {**asdict(contender), "model": None}, "model": model, "cycle": workload.period}


def from_json(message: dict[str, Any]) -> tuple[Contender, Model, int]:
    """Returns the contender, its model, and how many batches it cycles through (1: as many as it likes)."""
    return Contender(**message["contender"]), Model(**message["model"]), int(message["cycle"])
