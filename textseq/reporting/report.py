"""The report of a run: one page of everything that its directory tells, made in a moment and without the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textseq.files import explained, replacing
from textseq.reporting.facts import Facts
from textseq.reporting.numbers import amount, brief, score_name, spoken_time
from textseq.reporting.page import render, require_extra
from textseq.reporting.sections.classifying import certainty, classes, mistakes
from textseq.reporting.sections.origins import config, data, origin
from textseq.reporting.sections.training import learning
from textseq.reporting.sections.writing import samples, tokens
from textseq.rundir import RunDirectory

_TILES = ("accuracy", "macro_f1", "micro_f1", "perplexity", "bits_per_byte", "loss", "calibration_error")
_BESIDE = {"accuracy": "majority_accuracy", "perplexity": "word_perplexity", "bits_per_byte": "bits_per_character"}
_MEANT = 1e5  # perplexity of a word beyond which the text has no words, as Japanese has none
_PARTS = (learning, classes, certainty, mistakes, tokens, samples, data, config, origin)  # in the order of the page


def write_report(run: RunDirectory, out: Path | None = None) -> Path:
    """Writes the report of a finished run, or of one that is being trained, as far as it has come.

    Args:
        run: The run's directory.
        out: The file to write; `report.html` in the run directory where None.

    Returns:
        The file written.

    Raises:
        UsageError: What draws it is not installed.
        RunDirectoryError: A file of the run is damaged, or the report cannot be written.
    """
    require_extra("textseq report")
    target = out or run.report
    page = report_page(Facts.read(run))
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as beside:
        beside.write_text(page, encoding="utf-8")
    return target


def report_page(facts: Facts) -> str:
    """Returns the page."""
    settings = facts.settings
    environment = facts.file(facts.run.environment.name) or {}
    return render(
        "report.html",
        [section for part in _PARTS for section in part(facts)],
        title=str(settings.get("name", facts.run.path.name)),
        about=_about(facts),
        made=environment.get("time", "").replace("T", " ").replace("Z", " UTC"),
        tiles=list(_tiles(facts)),
        unfinished=_unfinished(facts),
    )


def _about(facts: Facts) -> str:
    settings = facts.settings
    encoder, tokenizer = settings.get("encoder", {}), settings.get("tokenizer", {})
    name = settings.get("data", {}).get("name")
    data = f"{settings.get('data', {}).get('path', '')}{f' ({name})' if name else ''}"
    return (
        f"{facts.task.replace('_', ' ').capitalize()} of {data} by {encoder.get('name')}, "
        f"{encoder.get('units')} units, over {tokenizer.get('name')}, seed {settings.get('seed')}."
    )


def _tiles(facts: Facts) -> Iterator[dict[str, Any]]:
    """Yields the numbers that a reader looks for first."""
    scores = facts.scores.get(facts.split or "", {})
    for name in _TILES:
        if name not in scores or (name == "micro_f1" and scores["micro_f1"] == scores.get("accuracy")):
            continue
        low, high = scores.get("interval", {}).get(name, (None, None))
        more = [f"95 %: {brief(low)} – {brief(high)}"] if low is not None else []
        beside = _BESIDE.get(name, "")
        if beside in scores and scores[beside] != scores[name] and scores[beside] < _MEANT:
            more.append(f"{score_name(beside)}: {brief(scores[beside])}")
        yield {"name": f"{facts.split} {score_name(name)}", "value": brief(scores[name]), "more": more}
    training = facts.scores.get("training")
    if training:
        speed = f"{amount(training['tokens_per_second'])} tokens a second"
        yield {"name": "training", "value": spoken_time(training["seconds"]), "more": [speed]}
        kept = training.get("kept_epoch", training["best_epoch"])
        yield {"name": "weights", "value": amount(training["weights"]), "more": [f"of epoch {kept}"]}


def _unfinished(facts: Facts) -> str:
    """Says what a page lacks, where it lacks something."""
    if not facts.scores:
        return "This run is not finished: what follows is as far as it has come."
    if facts.rows is None:
        return f"Row by row this run kept nothing. Make up for it with: textseq evaluate {facts.run.path} --record"
    return ""
