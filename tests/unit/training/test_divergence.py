"""What counts as diverging: told from running means, as Keras logs them."""

from __future__ import annotations

import itertools
import math

import pytest

from textseq.training.divergence import DivergedError, DivergenceGuard


def feed(guard: DivergenceGuard, losses: list[float], epoch: int = 0, first: int = 0, before: float = 0.0) -> None:
    """Shows an epoch's losses, or those from a step on, after some whose sum was `before`."""
    guard.on_epoch_begin(epoch)
    for batch, total in enumerate(itertools.accumulate(losses, initial=before)):
        if batch:
            step = first + batch - 1
            guard.on_train_batch_end(step, {"loss": total / (step + 1)})


def test_a_loss_that_is_no_number_is_found_at_its_step() -> None:
    guard = DivergenceGuard(None)
    with pytest.raises(DivergedError, match="epoch 3, step 5: the loss is no longer a number") as found:
        feed(guard, [1.0, 1.0, 1.0, 1.0, math.inf, 1.0], epoch=2)
    assert (found.value.epoch, found.value.step) == (2, 4)


def test_a_loss_far_above_the_first_ones_counts_only_if_it_lasts() -> None:
    guard = DivergenceGuard(10.0)
    feed(guard, [1.0] * 20 + [50.0] + [1.0] * 20)  # one wild batch moves the mean of some ten by 4.9
    with pytest.raises(DivergedError, match="more than 10 times what it was in the first 10 steps"):
        feed(guard, [50.0] * 10, epoch=1)  # 1 + 49·(1 - 0.9²) > 10 in the second
    feed(DivergenceGuard(None), [1.0] * 20 + [1e6] * 20)


def test_a_loss_beyond_all_measure_is_found_among_the_first_ones_too() -> None:
    with pytest.raises(DivergedError, match="epoch 1, step 3: the loss is more than 10 times") as found:
        feed(DivergenceGuard(10.0), [1.0, 1.0, 3.5e8, 1.0])
    assert found.value.loss == pytest.approx(3.5e8)


def test_a_wild_loss_among_the_first_ones_does_not_raise_the_bar() -> None:
    guard = DivergenceGuard(10.0)
    feed(guard, [80.0] + [1.0] * 30)  # it begins badly, and mends
    with pytest.raises(DivergedError):
        feed(guard, [20.0] * 30, epoch=1)


def test_a_small_first_loss_is_not_the_measure() -> None:
    feed(DivergenceGuard(10.0), [1e-6] * 20 + [0.9] * 30)  # below ten times 0.1 nats
    with pytest.raises(DivergedError):
        feed(DivergenceGuard(10.0), [1e-6] * 20 + [1.1] * 60)


def test_it_goes_on_from_its_state_as_if_nothing_had_been() -> None:
    whole, begun, resumed = (DivergenceGuard(10.0) for _ in range(3))
    losses = [1.0, 2.0, 4.0, 3.0] * 5
    feed(whole, losses)
    feed(begun, losses[:13])
    resumed.restore(begun.state())
    feed(resumed, losses[13:], first=13, before=sum(losses[:13]))
    assert resumed.state() == whole.state()
