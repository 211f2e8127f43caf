"""Whose turn it is, when steps are measured."""

from __future__ import annotations

import random

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


def test_a_drawn_order_is_another_in_each_round_and_the_same_again_by_the_same_seed() -> None:
    def turns_of(seed: int) -> list[str]:
        turns: list[str] = []
        runners = {name: Recorded(name, turns, ord(name) / 10) for name in "abcd"}
        seconds, _ = interleave(runners, rounds=8, steps=1, draw=random.Random(seed))
        assert seconds == {name: [ord(name) / 10] * 8 for name in "abcd"}
        return turns

    turns = turns_of(3)
    rounds = ["".join(turns[begin : begin + 4]) for begin in range(0, 32, 4)]
    assert all(sorted(one) == list("abcd") for one in rounds)
    assert len(set(rounds)) > 4
    assert {one[0] for one in rounds} == set("abcd")
    assert turns == turns_of(3)
    assert turns != turns_of(4)
