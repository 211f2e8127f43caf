"""The linear model that a neural one has to beat: TF-IDF and a support vector machine, on the same splits.

Source: Wang & Manning 2012 (strong linear baselines), https://aclanthology.org/P12-2018/.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from textseq.config import RunConfig
from textseq.data.labels import Labels
from textseq.data.sources import load_splits
from textseq.errors import UsageError, problem
from textseq.tasks.metrics import ClassificationScores, MultiLabelScores

_FEATURES = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"\S+"},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}


def baseline(config: RunConfig, *, split: str = "test", features: str = "words") -> dict[str, Any]:
    """Fits the linear model on the train split and scores it.

    Args:
        config: A classification config; only its `data` and `seed` count.
        split: Which split to score.
        features: "words" (1- and 2-grams split at white space), "characters" (2- to 5-grams) or "both".

    Raises:
        UsageError: scikit-learn is missing, there is no such split, or the config is for another task.
    """
    if config.task.name != "classification":
        raise UsageError(problem("task.name", "a linear baseline is for classification", received=config.task.name))
    splits = load_splits(config.data, config.seed)
    scored = getattr(splits, split, None)
    if scored is None:
        raise UsageError(problem("--split", f"the dataset has no split '{split}'"))
    labels = Labels.fit(splits, config.data)
    began = time.perf_counter()
    model = _pipeline(features, multi=labels.multi, seed=config.seed)
    model.fit(_texts(splits.train, config), labels.encode(splits.train))
    predicted, targets = model.predict(_texts(scored, config)), labels.encode(scored)
    results = _scores(predicted, targets, labels, config.seed)
    return {"features": features, **results, "seconds": round(time.perf_counter() - began, 2)}


def _scores(predicted: np.ndarray, targets: np.ndarray, labels: Labels, seed: int) -> dict[str, Any]:
    """Scores hard decisions; loss and calibration have no meaning for them and are left out."""
    scores: Any
    if labels.multi:
        scores, certain = MultiLabelScores(labels.names), predicted.astype(float)
    else:
        scores, certain = ClassificationScores(labels.names), np.eye(len(labels.names))[predicted]
    scores.update(certain, targets)
    results = scores.results(seed=seed)
    return {name: value for name, value in results.items() if name not in ("loss", "calibration_error")}


def _pipeline(features: str, *, multi: bool, seed: int) -> Any:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.svm import LinearSVC
    except ImportError as error:
        raise UsageError("baseline: needs scikit-learn. Install it with: pip install 'textseq[baseline]'.") from error
    chosen = list(_FEATURES) if features == "both" else [features]
    vectors = make_union(*(TfidfVectorizer(sublinear_tf=True, **_FEATURES[name]) for name in chosen))
    classifier = LinearSVC(random_state=seed)
    return make_pipeline(vectors, OneVsRestClassifier(classifier) if multi else classifier)


def _texts(dataset: Any, config: RunConfig) -> list[str]:
    texts = [text or "" for text in dataset[config.data.text]]
    if config.data.text_pair is None:
        return texts
    return [f"{text} {pair or ''}" for text, pair in zip(texts, dataset[config.data.text_pair], strict=True)]
