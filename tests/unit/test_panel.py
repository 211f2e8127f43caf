"""The live panel of training, drawn into memory."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from textseq.cli import panel
from textseq.cli.panel import PanelReporter, course, fits
from textseq.cli.progress import LineReporter, SilentReporter, make_reporter


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setattr(panel, "accelerator_bytes", lambda: 3 * 2**30)
    monkeypatch.setattr(panel, "resident_bytes", lambda: 2**30)
    return Console(file=io.StringIO(), force_terminal=True, width=90)


def test_the_panel_shows_loss_score_rate_and_memory(console: Console) -> None:
    reporter = PanelReporter(console)
    reporter.begin(epochs=2, steps=10)
    for epoch, accuracy in ((1, 0.9), (2, 0.75)):
        for step in range(1, 11):
            loss = 3.0 - epoch if step % 5 == 0 else None
            reporter.step(epoch=epoch, step=step, loss=loss, tokens_per_second=1234.5)
        reporter.epoch(epoch, {"loss": 1.0, "val_accuracy": accuracy, "val_loss": 2.0})
    with console.capture() as capture:
        console.print(reporter.panel())
    reporter.end()
    shown = capture.get()
    for words in ("2/2", "20/20", "1.0000", "0.75", "best 0.9, epoch 1", "1,23", "1.00", "3.00 GiB on the accelerator"):
        assert words in shown
    assert "epoch 1/2 done" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_run_that_goes_on_shows_its_own_epochs_and_speed(console: Console) -> None:
    now = 0.0
    reporter = PanelReporter(console)
    reporter._bar.get_time = lambda: now
    reporter.begin(epochs=4, steps=100)
    for step in range(1, 5):  # one a second, in the third epoch
        now += 1.0
        reporter.step(epoch=3, step=step, loss=None, tokens_per_second=1.0)
    (task,) = reporter._bar.tasks
    assert (task.completed, task.fields["epoch"]) == (204, 3)
    assert task.speed == pytest.approx(1.0)
    for epoch, accuracy in ((3, 0.9), (4, 0.8)):
        reporter.epoch(epoch, {"val_accuracy": accuracy})
    reporter.end()
    with console.capture() as capture:
        console.print(reporter.panel())
    assert "best 0.9, epoch 3" in capture.get()


def test_of_a_cost_the_lowest_is_the_best(console: Console) -> None:
    reporter = PanelReporter(console)
    reporter.begin(epochs=2, steps=1)
    for epoch, perplexity in ((1, 100.0), (2, 80.0)):
        reporter.epoch(epoch, {"loss": 1.0, "val_perplexity": perplexity})
    reporter.end()
    with console.capture() as capture:
        console.print(reporter.panel())
    assert "best 80, epoch 2" in capture.get()


def test_a_course_goes_from_the_lowest_bar_to_the_highest() -> None:
    assert course([1, 2, 3]) == "▁▅█"
    assert course([5, 5]) == "▁▁"
    assert course([1]) == ""
    assert len(course(list(range(1000)), columns=32)) == 32
    assert course([0, 2, 10, 12], columns=2) == "▁█"


def test_plain_lines_stand_in_where_no_panel_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fits(Console(file=io.StringIO(), force_terminal=True, width=90))
    assert not fits(Console(file=io.StringIO(), force_terminal=True, width=30))
    assert not fits(Console(file=io.StringIO(), force_terminal=False, width=90))
    monkeypatch.setenv("TERM", "dumb")
    assert not fits(Console(file=io.StringIO(), force_terminal=True, width=90))
    assert type(make_reporter()) is LineReporter  # stderr is a pipe here
    assert type(make_reporter(quiet=True)) is SilentReporter
