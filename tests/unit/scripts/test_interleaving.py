"""Whose turn it is, when steps are measured."""

from __future__ import annotations

from benchmark.interleaving import Absent, interleave


class Recorded:
    """Notes its turns in a list that all share; each of its steps takes `seconds`."""

    def __init__(self, name: str, turns: list[str], seconds: float, lasts: int = 99) -> None:
        self.name, self.turns, self.seconds, self.lasts = name, turns, seconds, lasts

    def run(self, steps: int) -> list[float]:
        if self.lasts == 0:
            raise Absent(f"{self.name} died")
        self.lasts -= 1
        self.turns.append(self.name)
        return [self.seconds] * steps


def test_all_run_in_turn_in_every_round() -> None:
    turns: list[str] = []
    runners = {"a": Recorded("a", turns, 0.1), "b": Recorded("b", turns, 0.2)}
    seconds, gone = interleave(runners, rounds=3, steps=2)
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert seconds == {"a": [0.1] * 6, "b": [0.2] * 6}
    assert gone == {}


def test_one_that_dies_is_left_out_and_the_others_go_on() -> None:
    turns: list[str] = []
    runners = {"a": Recorded("a", turns, 0.1, lasts=1), "b": Recorded("b", turns, 0.2)}
    _, gone = interleave(runners, rounds=3, steps=1)
    assert turns == ["a", "b", "b", "b"]
    assert gone == {"a": "a died"}
