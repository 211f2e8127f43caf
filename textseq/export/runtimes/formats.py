"""What `--format` can be, what each needs, and what cannot be converted: said before anything is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from textseq.errors import UsageError, problem

SAVED_MODEL = "savedmodel"
INT8 = "-int8"  # at the end of a folder's name
# Runtimes that take texts have SentencePiece, but no table of words and no way from a string to its bytes.
_UNFIT_TOKENIZERS = {"words": "a table of words", "bytes": "the bytes of a string"}


@dataclass(frozen=True)
class RuntimeFormat:
    """A format beside the SavedModel.

    Attributes:
        name: As `--format` takes it.
        title: As sentences have it.
        model: The file that a runtime loads.
        packages: What must be installed; the extra of the same name has it all.
        takes: Whether the runtime's Python binding hands a text over as it is; those of strings cut some at NUL.
        shrinks: Whether weights can be made 8-bit integers.
        reads: What the model takes: raw texts, or the ids that a tokenizer beside it makes of them.
    """

    name: str
    title: str
    model: str
    packages: tuple[str, ...]
    takes: Callable[[str], bool]
    shrinks: bool
    reads: Literal["texts", "token ids"] = "texts"


FORMATS = {
    "onnx": RuntimeFormat(
        "onnx",
        "ONNX",
        "model.onnx",
        ("tf2onnx", "onnx", "onnxruntime", "onnxruntime_extensions"),
        lambda text: "\x00" not in text,
        True,
    ),
    "openvino": RuntimeFormat(
        "openvino",
        "OpenVINO",
        "model.xml",
        ("openvino", "openvino_tokenizers"),
        lambda text: not text.endswith("\x00"),
        False,
    ),
    "tflite": RuntimeFormat(
        "tflite",
        "TensorFlow Lite",
        "model.tflite",
        ("ai_edge_litert",),
        lambda text: True,
        True,
        "token ids",
    ),
}


def chosen(names: Sequence[str], *, int8: bool) -> list[RuntimeFormat]:
    """Returns the formats beside the SavedModel, each once.

    Raises:
        UsageError: A package is missing, or no chosen format has 8-bit weights.
    """
    formats = [FORMATS[name] for name in dict.fromkeys(names) if name != SAVED_MODEL]
    for item in formats:
        if missing := [package for package in item.packages if importlib.util.find_spec(package) is None]:
            way_out = f"Install them: pip install 'textseq[{item.name}]'"
            raise UsageError(
                problem(f"--format {item.name}", "needs packages that are missing", received=missing, way_out=way_out)
            )
    if int8 and not any(item.shrinks for item in formats):
        wrong = "makes 8-bit weights for ONNX and TensorFlow Lite only"
        way_out = "Add --format onnx or --format tflite"
        raise UsageError(problem("--int8", wrong, received=[item.name for item in formats], way_out=way_out))
    return formats


def refuse_unfit(formats: Sequence[RuntimeFormat], *, task: str, classifies: bool, tokenizer: str) -> None:
    """Refuses runs that a runtime cannot run from what it reads.

    Args:
        formats: Those wanted.
        task: The task's name.
        classifies: Whether the model is a classifier.
        tokenizer: Its name. One of somebody else is tried.

    Raises:
        UsageError: The task or the tokenizer has no form in them.
    """
    for item in formats:
        if not classifies:
            wrong = (
                f"{item.title} is made from classifiers only; a language model's loops and states cannot be converted"
            )
            raise UsageError(problem(f"--format {item.name}", wrong, received=task, way_out="Serve the SavedModel"))
        if item.reads == "texts" and tokenizer in _UNFIT_TOKENIZERS:
            wrong = f"{item.title} has no operation for {_UNFIT_TOKENIZERS[tokenizer]}, which the tokenizer needs"
            way_out = "Train with tokenizer.name: sentencepiece, take --format tflite, or serve the SavedModel"
            raise UsageError(problem(f"--format {item.name}", wrong, received=tokenizer, way_out=way_out))


def folder_of(out: Path, name: str) -> Path:
    """Returns where a format's versions lie: beside `out`, in which TensorFlow Serving wants nothing but its own."""
    whole = out.absolute()
    return whole.with_name(f"{whole.name}.{name}")


def refuse_taken(formats: Sequence[RuntimeFormat], out: Path, version: int, *, int8: bool) -> None:
    """Refuses to put a model where an earlier export's of the same number lies, which `out` no longer has.

    Raises:
        UsageError: There is one.
    """
    names = [item.name for item in formats] + [item.name + INT8 for item in formats if int8 and item.shrinks]
    for folder in (folder_of(out, name) for name in names):
        if (folder / str(version)).exists():
            wrong = f"holds a model of an earlier version {version}, which {out} has no more"
            raise UsageError(problem(str(folder / str(version)), wrong, way_out="Move it away, or choose another OUT"))
