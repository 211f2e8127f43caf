"""`textseq probe` and `textseq explain`, through the command line in this process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command; returns what it printed, as JSON where that was asked for."""

    def asked(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        assert ended.value.code == code, printed.err
        if code:
            return printed.err
        return json.loads(printed.out) if "--json" in arguments else printed.out

    return asked


@pytest.fixture(scope="session")
def attention_run(topics_config: Path, tmp_path_factory: pytest.TempPathFactory, train: Any) -> Path:
    """A Transformer of two blocks that tells animals from tools."""
    run = tmp_path_factory.mktemp("runs") / "attention"
    return Path(train(topics_config, run, "encoder={name: transformer, units: 16, depth: 2, heads: 2}"))


def looks_whole(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text or 'class="tokens"' in text
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']https?:", text)


def test_the_gradients_of_encoders_and_of_a_run_before_and_after_training(
    ask: Any, writer_run: Path, tmp_path: Path
) -> None:
    page = tmp_path / "reach.html"
    rnn = "{name: rnn, units: 8}"
    found = ask("probe", "gradients", rnn, "--run", str(writer_run), "--T", "30", "--html", str(page), "--json")
    assert found["length"] == 30
    labels = [one["encoder"] for one in found["encoders"]]
    assert labels == ["rnn, units 8", "writer, at first", "writer, trained"]
    for one in found["encoders"]:
        measured = one["measured"]["output"]
        assert measured["distances"][0] == 0
        assert measured["distances"][-1] == 29
        assert measured["half_length"] > 0
    first, trained = (one["measured"]["output"]["norms"] for one in found["encoders"][1:])
    assert first != trained
    looks_whole(page)


def test_gradients_as_a_chart_and_a_table(ask: Any) -> None:
    printed = ask("probe", "gradients", "{name: gru, units: 4}", "--length", "12", "--initialisations", "1")
    assert "● gru, units 4" in printed
    assert re.search(r"gru, units 4 +│ ‖∂L/∂h‖ │", printed)
    assert "11 back" in printed


def test_what_an_encoder_learns_to_remember(ask: Any) -> None:
    arguments = ["--length", "10", "--task", "order", "--steps", "400", "--seconds", "120", "--units", "16"]
    (solved,) = ask("probe", "memory", "gru", *arguments, "--json")["attempts"]
    assert solved["solved"]
    assert solved["steps"] <= 400
    assert solved["best"] >= 0.99
    printed = ask("probe", "memory", "rnn", "--length", "10", "--task", "adding", "--steps", "1", "--units", "4")
    assert re.search(r"adding +│ rnn +│ no +│ not in \d", printed)


def test_the_gates_of_a_run_token_by_token(ask: Any, classifier_run: Path, tmp_path: Path) -> None:
    text = "the old cat is here"
    page = tmp_path / "gates.html"
    found = ask("probe", "gates", str(classifier_run), "--text", text, "--html", str(page), "--json")
    assert "".join(found["tokens"]).strip() == text
    assert [layer["layer"] for layer in found["layers"]] == ["layer 1", "layer 1, backwards"]
    for layer in found["layers"]:
        assert list(layer["arrays"]) == ["input gate", "forget gate", "output gate", "cell"]
        assert all(len(mean) == len(found["tokens"]) for mean in layer["mean"].values())
        assert all(0 < value < 1 for value in layer["mean"]["forget gate"])
    looks_whole(page)
    assert "forget gate" in ask("probe", "gates", str(classifier_run), "--text", text)


def test_the_attention_of_a_run(ask: Any, attention_run: Path) -> None:
    found = ask("probe", "gates", str(attention_run), "--text", "the old cat", "--json")
    assert [layer["layer"] for layer in found["layers"]] == ["layer 1", "layer 2"]
    for layer in found["layers"]:
        for head in layer["arrays"]["weights"]:
            assert [sum(row) for row in head] == pytest.approx([1, 1, 1], abs=1e-3)
    assert "looks at" in ask("probe", "gates", str(attention_run), "--text", "the old cat")


def test_a_language_models_text_begins_at_the_start_token(ask: Any, writer_run: Path) -> None:
    found = ask("probe", "gates", str(writer_run), "--text", "the cat", "--json")
    assert found["tokens"] == ["<s>", *"the cat"]


@pytest.mark.parametrize("which", ["classifier_run", "attention_run"])
def test_the_word_that_makes_the_label_is_the_one_that_explains_it(
    ask: Any, which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run, page = request.getfixturevalue(which), tmp_path / "why.html"
    found = ask("explain", str(run), "is the old horse here", "--html", str(page), "--json")
    assert found["label"] == "animal"
    assert found["completeness_error"] < 0.01
    values = [one["attribution"] for one in found["tokens"]]
    assert sum(values) == pytest.approx(found["log_odds"] - found["baseline_log_odds"], rel=0.01)
    words = " ".join(one["token"] for one in found["tokens"] if one["attribution"] > max(values) / 3)
    assert "o" in words  # of "horse", whatever it was cut into
    looks_whole(page)
    against = ask("explain", str(run), "is the old horse here", "--class", "tool", "--json")
    assert against["log_odds"] == pytest.approx(-found["log_odds"], abs=1e-4)  # of two classes one is the other's rest


def test_what_ngrams_give_is_shared_out_too(ask: Any, train: Any, topics_config: Path, tmp_path: Path) -> None:
    from textseq.evaluation.loading import load_run

    run = train(topics_config, tmp_path / "run", "tokenizer={name: words}", "task.ngrams=2")
    given = load_run(run).model.ngrams.table
    assert float(abs(given.numpy() if hasattr(given, "numpy") else given.value).max()) > 0  # they have learned
    found = ask("explain", str(run), "is the old horse here", "--json")
    assert found["label"] == "animal"
    assert found["completeness_error"] < 0.01
    values = [one["attribution"] for one in found["tokens"]]
    assert sum(values) == pytest.approx(found["log_odds"] - found["baseline_log_odds"], rel=0.01)
    assert found["tokens"][values.index(max(values))]["token"].strip() == "horse"


def test_an_explanation_in_words(ask: Any, classifier_run: Path) -> None:
    printed = ask("explain", str(classifier_run), "the old horse")
    assert re.search(r"animal 0\.\d+: log-odds", printed)
    assert "the old horse" in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["probe", "gradients", "lsmt"], "Unknown encoder 'lsmt'. Did you mean 'lstm'?"),
        (["probe", "gradients", "--T", "1"], "1 is not in the range"),
        (["probe", "gradients", "--run", "nowhere"], "nowhere: there is no such directory"),
        (["probe", "memory", "rnn", "--task", "copy", "--T", "12"], "'copy' needs sequences of at least 22 steps"),
        (["probe", "memory", "rnn", "--seconds", "0"], "0.0 is not in the range"),
        (["probe", "gates", "nowhere", "--text", "a"], "nowhere"),
        (["explain", "{classifier}", "a", "--class", "anmal"], "Unknown class 'anmal'. Did you mean 'animal'?"),
        (["explain", "{writer}", "a"], "`textseq explain` takes a run whose task is classification"),
    ],
)
def test_wrong_use_is_one_sentence(
    ask: Any, arguments: list[str], says: str, classifier_run: Path, writer_run: Path
) -> None:
    places = {"classifier": classifier_run, "writer": writer_run}
    filled = [part.format(**places) if part.startswith("{") and ":" not in part else part for part in arguments]
    said = ask(*filled, code=2)
    assert says in said
    assert "Traceback" not in said


def test_a_page_that_cannot_be_written_takes_nothing_else_with_it(
    classifier_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", str(classifier_run), "the cat", "--html", str(classifier_run / "config.yaml" / "why.html")])
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert "why.html: cannot be written" in printed.err
    assert "log-odds" in printed.out


def test_an_encoder_that_shows_nothing_says_so(ask: Any, classifier_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textseq.layers.recurrence import layer

    monkeypatch.setattr(layer, "observed", lambda: False)
    said = ask("probe", "gates", str(classifier_run), "--text", "the cat", code=2)
    assert "the encoder 'lstm' shows nothing of what it does inside" in said
