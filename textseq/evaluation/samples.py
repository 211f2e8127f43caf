"""A few texts that a language model writes at the end of its training, for the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textseq.evaluation.generation import generate_text
from textseq.evaluation.loading import Run
from textseq.evaluation.sampling import Sampling

_SAMPLES = 3
_TOKENS = 100
_PROMPT_CHARACTERS = 48
_LEAST_CHARACTERS = 80
_SAMPLING: tuple[dict[str, Any], ...] = (
    {"temperature": 0.8, "top_p": 0.95},
    {"temperature": 1.0},
    {"temperature": 0.0},
)


def write_samples(run: Run, texts: Iterable[str]) -> list[dict[str, Any]]:
    """Writes `samples.json` in the run directory: the beginnings of some texts, and how the model goes on from them.

    Args:
        run: A language modelling run.
        texts: Of a split that it was not trained on; those of a few characters are passed over.

    Returns:
        What was written: a prompt, the text and how it was sampled, for each.
    """
    prompts = [beginning(text) for text in _whole_texts(texts)]
    samples = []
    for number, (prompt, settings) in enumerate(zip(prompts, _SAMPLING, strict=False), 1):
        sampling = Sampling(seed=number, **settings)
        text = generate_text(run, prompt, max_tokens=_TOKENS, sampling=sampling)
        samples.append({"prompt": prompt, "text": text, **settings, "seed": number})
    run.directory.write_json("samples.json", samples)
    return samples


def _whole_texts(texts: Iterable[str]) -> list[str]:
    """Returns the first texts that are no mere headings; where there are too few, whatever there is."""
    headings: list[str] = []
    found: list[str] = []
    for text in (text.strip() for text in texts if text and text.strip()):
        if len(found) == _SAMPLES:
            break
        (found if len(text) >= _LEAST_CHARACTERS else headings).append(text)
    return [*found, *headings][:_SAMPLES]


def beginning(text: str) -> str:
    """Returns the first words of a text, or its first characters where it has no spaces."""
    if len(text) <= _PROMPT_CHARACTERS:
        return text
    head = text[:_PROMPT_CHARACTERS]
    return head.rsplit(" ", 1)[0] if " " in head else head[: _PROMPT_CHARACTERS // 2]
