"""What the gate compares of a language model: token ids, log-likelihoods, single steps and greedy texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from textseq.data.tokenizers.base import START_ID
from textseq.evaluation.generation import generate_text
from textseq.evaluation.loading import Run
from textseq.evaluation.sampling import Sampling
from textseq.evaluation.scoring import score
from textseq.export.differences import refuse
from textseq.export.held_out import CheckedTexts
from textseq.export.recorded import compare_loss
from textseq.export.session import Answers, Session

TOLERANCE = 1e-4  # of the log-likelihood, relative
_STEPS, _WRITTEN, _PROMPTS = 12, 12, 3


def language_model_checks(
    session: Session, run: Run, texts: CheckedTexts, blocks: list[np.ndarray], *, state_names: Sequence[str]
) -> Callable[[Answers], dict[str, Any]]:
    """Asks the session for what is to be compared, and returns a function that compares the answers.

    Args:
        session: Of the export.
        run: What it was made from.
        texts: What both are asked.
        blocks: The rows of each request.
        state_names: The parts of the encoder's state; none where it only scores.
    """
    asked = [
        (rows, *(session.ask(name, {"text": [texts.texts[row] for row in rows]}) for name in ("token_ids", "score")))
        for rows in blocks
    ]
    read = texts.read()
    prompts = [text[: len(text) // 2][:100] for text in read[:_PROMPTS]]
    first = [int(token) for token in run.tokenizer.encode(read[:1])[0]][:_STEPS]
    written = _ask_to_write(session, prompts) if state_names else None
    stepped = _ask_to_step(session, first, state_names) if state_names else []

    def finish(answers: Answers) -> dict[str, Any]:
        largest, likelihoods, tokens, set_aside = _compare_scores(run, read, answers, asked)
        if written is not None:
            _compare_written(run, prompts, [text.decode() for text in answers[written]["text"]])
            _compare_steps(run, read[0], first, [answers[number]["log_probabilities"][0] for number in stepped])
        loss = compare_loss(run, texts, likelihoods, tokens)
        compared = {"largest_relative_difference": largest, "tolerance": TOLERANCE, "held_out_loss": loss}
        return {**compared, "cut_in_two_ways": set_aside}

    return finish


def _compare_scores(
    run: Run, read: list[str], answers: Answers, asked: list[Any]
) -> tuple[float, np.ndarray, np.ndarray, int]:
    """Compares each text's score.

    Returns:
        The largest difference, the served log-likelihoods and numbers of tokens in the texts' order, and how many texts
        can be cut in two equally likely ways, of which the export takes the other.
    """
    likelihoods, tokens_of, set_aside = np.zeros(len(read)), np.zeros(len(read)), 0
    largest, expected, ids = 0.0, list(score(run, read)), run.tokenizer.encode(read)
    for rows, tokens, scored in asked:
        for place, row in enumerate(rows):
            found = answers[tokens]["token_ids"][place][: answers[tokens]["length"][place]]
            given = {name: value[place] for name, value in answers[scored].items()}
            likelihoods[row], tokens_of[row] = given["log_likelihood"], given["tokens"]
            if not np.array_equal(np.asarray(ids[row]), found):
                if not run.tokenizer.equally_likely(ids[row], found):
                    right = np.asarray(ids[row]).tolist()
                    raise refuse(read[row], "the token ids", trained=right, exported=found.tolist())
                set_aside += 1
                continue
            right = expected[row]
            # float64 throughout: NumPy would round the right one to the served one's float32 and find no difference.
            difference = abs(float(given["log_likelihood"]) - right["log_likelihood"])
            difference /= max(-right["log_likelihood"], 1.0)
            same = all(given[name] == right[name] for name in ("tokens", "bytes"))
            if not (difference <= TOLERANCE and same):
                raise refuse(read[row], "the scores", trained=right, exported=given)
            largest = max(largest, difference)
    return largest, likelihoods, tokens_of, set_aside


def _ask_to_write(session: Session, prompts: list[str]) -> int:
    count = len(prompts)
    settings = {
        "max_tokens": np.full(count, _WRITTEN, np.int32),
        "temperature": np.zeros(count, np.float32),
        "top_k": np.zeros(count, np.int32),
        "top_p": np.ones(count, np.float32),
        "seed": np.zeros(count, np.int64),
    }
    return session.ask("generate", {"text": [prompt.encode() for prompt in prompts], **settings})


def _compare_written(run: Run, prompts: list[str], found: list[str]) -> None:
    greedy = Sampling(temperature=0.0)
    for prompt, given in zip(prompts, found, strict=True):
        right = generate_text(run, prompt, max_tokens=_WRITTEN, sampling=greedy)
        if right == given:
            continue
        likely = [answer["log_likelihood"] for answer in score(run, [prompt + right, prompt + given])]
        if abs(likely[0] - likely[1]) > TOLERANCE * max(-likely[0], 1.0):  # else two tokens were equally likely
            raise refuse(prompt, "the texts written", trained=right, exported=given)


def _ask_to_step(session: Session, token_ids: list[int], state_names: Sequence[str]) -> list[int]:
    """Asks for the probabilities after each token of a text, one at a time; returns the requests' numbers."""
    asked = [session.ask("initial_state", {"text": [b""]})]
    for token in token_ids:
        state = {name: (asked[-1], name) for name in state_names}
        asked.append(session.ask("step", {"token_ids": np.array([token], np.int32), **state}))
    return asked


def _compare_steps(run: Run, text: str, token_ids: list[int], found: list[np.ndarray]) -> None:
    """Compares them with the trained model's, which reads all tokens at once."""
    model: Any = run.model
    batch = {"token_ids": np.array([[START_ID, *token_ids]], np.int32)}
    hidden, _ = model.advance(batch, model.encoder.get_initial_state(1), padded=False)
    right = np.asarray(model.logits(hidden[0]))  # (time, vocabulary)
    right = right.astype(np.float64)
    difference = np.abs(np.stack(found) - right) / np.maximum(np.abs(right), 1.0)
    if not float(difference.max()) <= TOLERANCE:
        step = int(difference.max(1).argmax())
        trained, exported = right[step].tolist(), found[step].tolist()
        raise refuse(text, f"the log-probabilities after {step} tokens", trained=trained, exported=exported)
