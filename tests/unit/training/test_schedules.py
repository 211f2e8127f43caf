"""Learning rates by arithmetic."""

import pytest

from textseq.training.schedules import WarmupSchedule


def rates(schedule: WarmupSchedule, steps: list[int]) -> list[float]:
    return [float(schedule(step)) for step in steps]


def test_warmup_rises_in_equal_steps_to_the_learning_rate() -> None:
    schedule = WarmupSchedule("constant", 0.8, total_steps=100, warmup_steps=4)
    assert rates(schedule, [0, 1, 2, 3, 4, 99]) == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_linear_falls_to_the_final_fraction() -> None:
    schedule = WarmupSchedule("linear", 1.0, total_steps=100, final=0.1)
    assert rates(schedule, [0, 50, 100, 200]) == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_cosine_is_at_half_in_the_middle() -> None:
    schedule = WarmupSchedule("cosine", 2.0, total_steps=110, warmup_steps=10)
    assert rates(schedule, [60, 110]) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_schedule_is_made_again_from_its_config() -> None:
    schedule = WarmupSchedule("cosine", 2.0, total_steps=110, warmup_steps=10, final=0.2)
    again = WarmupSchedule.from_config(schedule.get_config())
    assert rates(again, [5, 70]) == rates(schedule, [5, 70])
