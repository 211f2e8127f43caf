"""The signatures of an exported language model, asked in a clean process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textseq.evaluation.generation import generate_text
from textseq.evaluation.loading import Run, load_run
from textseq.evaluation.sampling import Sampling
from textseq.evaluation.scoring import score
from textseq.export.session import Session

TEXTS = [b"the cat sat on the mat", b"", b"the dog", b"\xff\x00", "日本 🙂".encode(), b"the cat sat " * 400]
PROMPTS = ["the ", "", "the cat sat on", "日本 🙂", "the dog ran to the door" * 3 + "the dog ran"]
SETTINGS = [
    Sampling(temperature=0.0),
    Sampling(seed=1),
    Sampling(seed=2, temperature=0.8, top_k=20),
    Sampling(seed=-3, top_p=0.9),
    Sampling(seed=1, temperature=1.5),
]


def settings(samplings: list[Sampling], max_tokens: int = 40) -> dict[str, Any]:
    return {
        "max_tokens": np.full(len(samplings), max_tokens, np.int32),
        "temperature": np.array([one.temperature for one in samplings], np.float32),
        "top_k": np.array([one.top_k for one in samplings], np.int32),
        "top_p": np.array([one.top_p for one in samplings], np.float32),
        "seed": np.array([one.seed for one in samplings], np.int64),
    }


def stepped(session: Session, token_ids: list[int]) -> list[int]:
    """Asks for the probabilities after each token, one at a time."""
    requests = [session.ask("initial_state", {"text": [b""]})]
    names = ["state_0_0", "state_0_1"]
    for token in token_ids:
        state = {name: (requests[-1], name) for name in names}
        requests.append(session.ask("step", {"token_ids": np.array([token], np.int32), **state}))
    return requests


@pytest.fixture(scope="module")
def run(writer_run: Path) -> Run:
    return load_run(writer_run)


@pytest.fixture(scope="module")
def long_text() -> str:
    return ("the cat sat on the mat and the dog ran to the door; " * 2)[:100]


@pytest.fixture(scope="module")
def answers(exported_writer: Path, run: Run, long_text: str) -> dict[str, Any]:
    """Every question of this file, asked in one process."""
    session = Session(exported_writer / "1")
    prompts = [prompt.encode() for prompt in PROMPTS]
    asked = {
        "score": session.ask("serving_default", {"text": TEXTS}),
        "long": session.ask("score", {"text": [long_text.encode()]}),
        "none": session.ask("generate", {"text": [], **settings([])}),
        "written": session.ask("generate", {"text": prompts, **settings(SETTINGS)}),
        "alone": session.ask("generate", {"text": prompts[1:2], **settings(SETTINGS[1:2])}),
        "limits": session.ask(
            "generate",
            {"text": prompts[:3], **settings(SETTINGS[:1] * 3), "max_tokens": np.array([5, 0, -1], np.int32)},
        ),
        "prompted": session.ask("initial_state", {"text": prompts[:3]}),
    }
    tokens = [int(token) for token in run.tokenizer.encode([long_text])[0]]
    steps = stepped(session, tokens)
    found = session.run()
    named: dict[str, Any] = {name: found[number] for name, number in asked.items()}
    named["steps"] = np.stack([found[number]["log_probabilities"][0] for number in steps])
    named["tokens"] = tokens
    return named


def test_scores_are_those_of_the_run(answers: Any, run: Run) -> None:
    wanted = list(score(run, [text.decode("utf-8", "replace") for text in TEXTS]))
    for name in ("log_likelihood", "tokens", "bytes"):
        np.testing.assert_allclose(answers["score"][name], [answer[name] for answer in wanted], rtol=1e-5)
    assert answers["score"]["tokens"][0] == len(TEXTS[0]) + 1  # a byte is a token, and the text ends
    assert answers["score"]["bytes"].tolist()[:3] == [22, 0, 7]


def test_a_score_is_what_evaluation_finds_for_the_text_alone(answers: Any, run: Run, long_text: str) -> None:
    from datasets import Dataset

    from textseq.data.encoded import EncodedTexts
    from textseq.tasks.base import EncodedSplit, Prepared

    dataset = Dataset.from_dict({"text": [long_text]})
    split = EncodedSplit("test", dataset, EncodedTexts.from_lists(run.tokenizer.encode([long_text])))
    prepared = Prepared(run.config, run.tokenizer, None, {"test": split})
    scores = run.task.evaluate(run.model, split, prepared)
    found = answers["long"]
    assert -found["log_likelihood"][0] / found["tokens"][0] == pytest.approx(scores["loss"], rel=1e-4)
    bits = -found["log_likelihood"][0] / found["bytes"][0] / np.log(2)
    assert bits == pytest.approx(scores["bits_per_byte"], rel=1e-4)


def test_a_hundred_steps_equal_one_score(answers: Any) -> None:
    tokens, steps = answers["tokens"], answers["steps"]
    assert len(tokens) == 100
    total = sum(steps[place, token] for place, token in enumerate([*tokens, 3]))
    assert total == pytest.approx(float(answers["long"]["log_likelihood"][0]), rel=1e-4)
    np.testing.assert_allclose(np.exp(steps).sum(1), 1.0, atol=1e-4)


def test_generated_texts_are_those_of_generate(answers: Any, run: Run) -> None:
    found = [text.decode() for text in answers["written"]["text"]]
    wanted = [
        generate_text(run, prompt, max_tokens=40, sampling=one) for prompt, one in zip(PROMPTS, SETTINGS, strict=True)
    ]
    assert found == wanted
    assert len(set(found)) == len(found)


def test_other_rows_and_requests_change_no_text(answers: Any) -> None:
    assert answers["alone"]["text"][0] == answers["written"]["text"][1]
    assert answers["none"]["text"].shape == (0,)


def test_a_row_stops_at_its_own_limit(answers: Any) -> None:
    first, *others = answers["limits"]["text"]
    assert first == answers["written"]["text"][0][:5]  # a byte is a token
    assert others == [b"", b""]


def test_the_state_after_a_prompt_is_that_after_its_tokens(answers: Any) -> None:
    prompted = answers["prompted"]["log_probabilities"]
    for row, prompt in enumerate(PROMPTS[:3]):  # with each of which the long text begins
        np.testing.assert_allclose(prompted[row], answers["steps"][len(prompt)], atol=1e-5)


def test_warm_up_asks_every_signature(exported_writer: Path) -> None:
    import tensorflow as tf

    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2", reason="needs textseq[serve]")
    records = tf.data.TFRecordDataset(str(exported_writer / "1" / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [logs.PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    session = Session(exported_writer / "1")
    for request in requests:
        values = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        sent = {name: value.tolist() if value.dtype == object else value for name, value in values.items()}
        session.ask(request.model_spec.signature_name, sent)
    assert all(session.run())
    said = json.loads((exported_writer / "1" / "assets.extra" / "textseq.json").read_text())
    names = [request.model_spec.signature_name for request in requests]
    assert sorted(names) == sorted(said["signatures"]) == session.facts["signatures"]


def test_nothing_of_the_training_is_exported(exported_writer: Path, run: Run) -> None:
    import tensorflow as tf

    found = dict(tf.train.list_variables(str(exported_writer / "1" / "variables" / "variables")))
    kept = sum(int(np.prod(shape)) for name, shape in found.items() if name != "_CHECKPOINTABLE_OBJECT_GRAPH")
    carried = sum(int(np.prod(variable.shape)) for variable in run.model.carried)
    assert carried > 0
    table, first = run.model.embedding.embeddings, run.model.encoder.stack.layers[0][0]
    looked_up = table.shape[0] * first.kernel.shape[1]  # in the place of the first layer's kernel and bias
    trained = sum(int(np.prod(variable.shape)) for variable in run.model.trainable_variables)
    assert kept == trained - int(np.prod(first.kernel.shape)) - int(np.prod(first.bias.shape)) + looked_up


@pytest.mark.slow
def test_a_megabyte_is_scored(exported_writer: Path, run: Run) -> None:
    text = "the cat sat " * 87_382
    assert len(text) > 2**20
    session = Session(exported_writer / "1")
    session.ask("score", {"text": [text.encode()]})
    (found,) = session.run()
    (wanted,) = score(run, [text])
    assert found["bytes"][0] == len(text)
    assert float(found["log_likelihood"][0]) == pytest.approx(wanted["log_likelihood"], rel=1e-4)
