"""The table of encoders: what is asked of textseq, what is not asked again, how it is written; nothing is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from encoder_table import EncoderTable, markdown, planned


class Recorded:
    """Stands for textseq: notes its commands, and leaves the timings of a run."""

    def __init__(self, *, failing: str = "") -> None:
        self.commands: list[tuple[str, ...]] = []
        self.failing = failing

    def __call__(self, *arguments: object) -> dict[str, Any] | None:
        command = tuple(map(str, arguments))
        self.commands.append(command)
        if self.failing and any(self.failing in part for part in command):
            return None
        run = Path(command[command.index("--run-dir") + 1])
        run.mkdir(parents=True, exist_ok=True)
        lines = [{"tokens_per_second": speed} for speed in (10.0, 7000.0, 6000.0, 8000.0)]
        lines.append({"tokens_per_second": 100.0, "epoch": 1})
        (run / "timings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        seed = sum(int(part[5:]) for part in command if part.startswith("seed="))
        return {"test": {"accuracy": 0.8 + 0.01 * seed, "perplexity": 150.04}, "training": {"seconds": 1.0}}


def test_each_encoder_is_scored_timed_and_then_given_the_steps_that_take_the_time(tmp_path: Path) -> None:
    textseq = Recorded()
    table = EncoderTable(tmp_path, textseq, seconds=90.0, overrides=["embedding.dropout=0"])
    assert table.fill(["gru", "mingru"], seeds=2)
    configs = [Path(command[1]).name for command in textseq.commands]
    assert (
        configs
        == ["wikitext2-lstm.yaml"] * 2  # the speeds, while nothing else runs
        + ["sst2-gru.yaml"] * 2
        + ["wikitext2-lstm.yaml"]
        + ["sst2-lstm.yaml"] * 2  # the encoder has no config of its own
        + ["wikitext2-lstm.yaml"]
    )
    assert all("embedding.dropout=0" in command for command in textseq.commands)
    assert {"training.epochs=1", "training.steps_per_epoch=900"} <= set(textseq.commands[4])  # 90 s · 7,000 / 700
    line = "| `mingru` | 0.805 ± 0.007 (2 seeds) | 150.0 | 7,000 | 160,800 |"  # 2 · 2 · (200² + 200) parameters
    assert line in table.write().splitlines()
    assert (tmp_path / "encoders.md").read_text() == table.write()


def test_what_is_there_is_not_made_again_unless_it_is_asked_otherwise(tmp_path: Path) -> None:
    EncoderTable(tmp_path, Recorded(), seconds=90.0).fill(["gru"], seeds=1)
    again = Recorded()
    assert EncoderTable(tmp_path, again, seconds=90.0).fill(["gru"], seeds=2)
    assert [command for command in again.commands if "seed=1" not in command] == []
    longer = Recorded()
    EncoderTable(tmp_path, longer, seconds=180.0).fill(["gru"], seeds=2)
    assert [part for command in longer.commands for part in command if "steps_per" in part] == [
        "training.steps_per_epoch=1800"
    ]


def test_what_failed_is_a_dash_and_is_tried_again(tmp_path: Path) -> None:
    table = EncoderTable(tmp_path, Recorded(failing="wikitext2"), seconds=90.0)
    assert not table.fill(["gru"], seeds=1)
    assert "| `gru` | 0.800 (1 seed) | – | – | 482,400 |" in table.write()
    again = Recorded()
    assert EncoderTable(tmp_path, again, seconds=90.0).fill(["gru"], seeds=1)
    assert len(again.commands) == 2


@pytest.mark.parametrize(
    ("seconds", "speed", "epochs", "steps"),
    [
        (70.0, 1000.0, 1, 100),  # 70,000 tokens, 700 a step
        (2983 * 0.7, 1000.0, 1, 2983),  # one pass over the text
        (2984 * 0.7, 1000.0, 2, 1492),  # a step more: two passes, each over half of it
        (1e-9, 1.0, 1, 1),
    ],
)
def test_steps_are_what_takes_the_time_in_whole_passes(seconds: float, speed: float, epochs: int, steps: int) -> None:
    assert planned(seconds, speed) == (epochs, steps)


def test_a_cell_that_is_missing_is_a_dash() -> None:
    table = markdown({"lstm/parameters": {"parameters": 1234}}, ["lstm"])
    assert table.splitlines()[-1] == "| `lstm` | – | – | – | 1,234 |"
