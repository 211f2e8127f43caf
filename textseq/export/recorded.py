"""The scores that a run recorded in training, held against its export.

Export and run can agree and both be wrong: somebody put another tokenizer into the run directory, or the dataset or a
plugin is another now. Then what is served is not what was trained, and scores of held-out texts show it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from textseq.errors import RunFailedError, problem, shown
from textseq.evaluation.loading import Run
from textseq.export.held_out import CheckedTexts

_DEVIATIONS = 4.0
_WAY_OUT = "Is the tokenizer, the dataset or a plugin another than in training? Nothing was published"


def compare_accuracy(run: Run, texts: CheckedTexts, decided: list[Any]) -> float | None:
    """Returns the accuracy on the held-out texts; None where there are none, or none was recorded.

    Args:
        run: The run.
        texts: What was asked, and the right labels.
        decided: What the export decided, for each text: a class name, or a list of them.

    Raises:
        RunFailedError: It is further from the recorded one than chance allows: four standard errors and two texts.
    """
    recorded = _recorded(run, texts, "accuracy")
    if recorded is None or texts.targets is None or run.labels is None:
        return None
    count = texts.held_out
    hits = hits_of(run, texts, decided)
    found = float(np.mean(hits))
    likely = min(max(recorded, 1 / count), 1 - 1 / count)
    allowed = _DEVIATIONS * (likely * (1 - likely) / count) ** 0.5 + 2 / count
    if abs(found - recorded) > allowed:
        first = texts.read()[hits.index(False)] if False in hits else texts.read()[0]
        wrong = (
            f"the exported model is right on {found:.1%} of the {texts.split} split's texts, "
            f"in training it was on {recorded:.1%}; the first one it gets wrong is {shown(first)}"
        )
        raise RunFailedError(problem("export", wrong, way_out=_WAY_OUT))
    return found


def hits_of(run: Run, texts: CheckedTexts, decided: list[Any]) -> list[bool]:
    """Returns whether each held-out text was decided rightly; several labels, when all are."""
    if texts.targets is None or run.labels is None:
        return []
    right = [run.labels.names[int(target)] for target in texts.targets] if not run.labels.multi else _many(run, texts)
    return [given == wanted for given, wanted in zip(decided[: texts.held_out], right, strict=True)]


def compare_loss(run: Run, texts: CheckedTexts, log_likelihoods: np.ndarray, tokens: np.ndarray) -> float | None:
    """Returns nats a token on the held-out texts; None where there are none, or none were recorded.

    Training reads the texts as one stream, and here each stands alone, which costs its first tokens some nats; so only
    a gross difference counts.

    Raises:
        RunFailedError: They are more than one and a half times those recorded and one nat.
    """
    recorded = _recorded(run, texts, "loss")
    count = texts.held_out
    if recorded is None or not tokens[:count].sum():
        return None
    found = float(-log_likelihoods[:count].sum() / tokens[:count].sum())
    if found > 1.5 * recorded + 1.0:
        worst = int(np.argmin(log_likelihoods[:count] / np.maximum(tokens[:count], 1)))
        wrong = (
            f"the exported model needs {found:.2f} nats a token for the {texts.split} split's texts, "
            f"in training it needed {recorded:.2f}; most for {shown(texts.read()[worst])}"
        )
        raise RunFailedError(problem("export", wrong, way_out=_WAY_OUT))
    return found


def _recorded(run: Run, texts: CheckedTexts, name: str) -> float | None:
    if texts.split is None or not run.directory.scores.is_file():
        return None
    found: float | None = run.directory.read_json("scores.json").get(texts.split, {}).get(name)
    return found


def _many(run: Run, texts: CheckedTexts) -> list[list[str]]:
    names = run.labels.names if run.labels else ()
    targets: Any = [] if texts.targets is None else texts.targets
    return [[name for name, has in zip(names, row, strict=True) if has] for row in targets]
