"""From a run directory to a numbered SavedModel: build again on TensorFlow, write, check, publish."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from textseq.errors import UsageError, problem
from textseq.evaluation.loading import Run, load_run
from textseq.export.calibration import fitted_temperature
from textseq.export.classification import ClassifierEndpoints
from textseq.export.endpoint import Endpoint
from textseq.export.gate import check
from textseq.export.held_out import checked_texts
from textseq.export.language_model import LanguageModelEndpoints
from textseq.export.prepared import prepared
from textseq.export.report import report
from textseq.export.runtimes.formats import chosen, refuse_taken, refuse_unfit
from textseq.export.runtimes.making import make
from textseq.export.texts import encoder_of
from textseq.export.versions import next_version, publish, workspace
from textseq.export.warmup import FILE, write_warmup
from textseq.tasks.classification_model import ClassificationModel
from textseq.tasks.language_model import LanguageModel

EXTRA = "assets.extra"
REPORT = "textseq.json"
# For `--batching_parameters_file`. Every signature takes rows whose shapes are fixed, strings above all, so nothing is
# ever padded; a request waits 1 ms at most for others to join it.
_BATCHING = """\
max_batch_size { value: 64 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 1000 }
pad_variable_length_inputs: false
"""


def export(
    run_path: str | Path,
    out: str | Path,
    *,
    calibrate: bool = False,
    formats: Sequence[str] = (),
    int8: bool = False,
    note: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Writes `out`/<next version>, whole or not at all.

    Args:
        run_path: The run directory; trained on any backend.
        out: The folder of versions, which TensorFlow Serving watches.
        calibrate: Whether a classifier's probabilities are divided by a temperature fitted on the validation split.
            Off, for then they are those of `textseq predict`.
        formats: Names of formats that a classifier is converted to as well, beside `out`.
        int8: Whether those that can also get a model whose weights are 8-bit integers.
        note: Takes sentences on what the user should know.

    Returns:
        `path`, `version`, and what `assets.extra/textseq.json` holds; `formats` by name, where some were wanted.

    Raises:
        UsageError: The backend is not TensorFlow, or the run's tokenizer or task has no form in a graph or in a format.
        RunFailedError: The export does not answer as the run does; nothing was published. Or a converted model does
            not answer as the SavedModel, which stays.
    """
    if keras.backend.backend() != "tensorflow":
        wrong = "happens on TensorFlow, in a process of its own"
        raise UsageError(problem("export", wrong, received=keras.backend.backend(), way_out="Use `textseq export`"))
    more = chosen(formats, int8=int8)
    out = Path(out)
    # Servers run on processors, where half precision is slower and no exacter.
    run = load_run(run_path, note).in_float32()
    classifies = isinstance(run.model, ClassificationModel)
    refuse_unfit(more, task=run.config.task.name, classifies=classifies, tokenizer=run.config.tokenizer.name)
    refuse_taken(more, out, next_version(out), int8=int8)
    temperature = fitted_temperature(run) if calibrate else 1.0
    texts = checked_texts(run)
    if texts.split is None and note is not None:
        note(f"The export is checked on made-up texts only, for the dataset cannot be read: {texts.missing}")
    with workspace(out) as beside:
        endpoints = _write(run, beside, temperature)
        gate, facts = check(beside, run, endpoints, texts, temperature=temperature)
        about = report(run, endpoints, gate=gate, facts=facts, temperature=temperature)
        (beside / EXTRA / REPORT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        published = publish(beside, out)
    made = {"path": str(published), "version": int(published.name), **about}
    if more:
        made["formats"] = {
            item.name: make(item, run, published, texts, temperature=temperature, int8=int8) for item in more
        }
    return made


def _write(run: Run, folder: Path, temperature: float) -> list[Endpoint]:
    """Writes the SavedModel with its warm-up and its batching parameters, and returns its signatures."""
    tf.get_logger().setLevel("ERROR")  # else it says where it wrote to
    archive = keras.export.ExportArchive()  # it keeps the variables that signatures use; training's state stays behind
    endpoints = _endpoints(run, temperature, archive.track)
    with prepared(run.model):
        _add(archive, endpoints)
        archive.write_out(str(folder), verbose=False)
    extra = folder / EXTRA
    extra.mkdir()
    write_warmup(extra / FILE, endpoints)
    (extra / "batching_parameters.txt").write_text(_BATCHING, encoding="utf-8")
    return endpoints


def _add(archive: keras.export.ExportArchive, endpoints: Sequence[Endpoint]) -> None:
    """Adds every signature."""
    traced: dict[Any, Any] = {}
    for endpoint in endpoints:
        if endpoint.function not in traced:  # serving_default is another signature under another name
            traced[endpoint.function] = _traced(endpoint)
        archive.add_endpoint(endpoint.name, traced[endpoint.function])


def _traced(endpoint: Endpoint) -> Any:
    """Returns a function that calls what a signature does: saving traces it again, and so only the call."""
    signature = [{item.spec.name: item.spec for item in endpoint.inputs}]
    concrete = tf.function(endpoint.function, input_signature=signature, autograph=False).get_concrete_function()
    function = tf.function(lambda inputs: concrete(inputs), input_signature=signature, autograph=False)
    function.get_concrete_function()
    return function


def _endpoints(run: Run, temperature: float, keep: Callable[[Any], None]) -> list[Endpoint]:
    """Returns a run's signatures.

    Args:
        run: The run.
        temperature: Of a classifier.
        keep: Takes what of the tokenizer a SavedModel must hold: its tables.

    Raises:
        UsageError: The tokenizer or the task cannot be exported.
    """
    encode = encoder_of(run.tokenizer, keep)
    if isinstance(run.model, ClassificationModel):
        return ClassifierEndpoints(run, encode, temperature=temperature).all()
    if isinstance(run.model, LanguageModel):
        return LanguageModelEndpoints(run, encode, keep).all()
    wrong = "has no signatures, so its runs cannot be exported"
    way_out = "Its model can be a ClassificationModel or a LanguageModel"
    raise UsageError(problem(f"task '{run.config.task.name}'", wrong, way_out=way_out))
