"""How a training went: losses, the score that counts, learning rate, speed and memory."""

from __future__ import annotations

from typing import Any

from textseq.reporting.chart import Chart, Table
from textseq.reporting.drawing import INK, SERIES, Drawing
from textseq.reporting.history import History, lower_is_better
from textseq.reporting.numbers import amount, brief, score_name, spoken_time

_GIB = 2**30
_IN_TABLE = ("loss", "accuracy", "macro_f1", "calibration_error", "perplexity", "bits_per_byte")


def learning_charts(history: History, score: str | None, kept_epoch: int | None) -> list[Chart]:
    """Returns every chart that the run's files have the numbers for.

    Args:
        history: Of the run.
        score: The validation score that counts, as `val_accuracy`.
        kept_epoch: Whose weights the run holds, counted from 1.
    """
    kept = next((line["step"] for line in history.epochs if line["epoch"] == kept_epoch), None)
    charts = [_losses(history, kept)]
    if score is not None:
        charts.append(_score(history, score, kept))
    charts += [_learning_rate(history), _speed(history), _memory(history)]
    return [chart for chart in charts if chart is not None]


def epochs_table(history: History) -> Table | None:
    """Returns every epoch's scores; None where no epoch was finished."""
    if not history.epochs:
        return None
    names = [f"val_{name}" for name in _IN_TABLE]
    names = ["loss", *(name for name in names if name in history.epochs[-1])]
    rows = []
    for line in history.epochs:
        seconds = history.seconds_at(line["step"])
        numbers = [brief(line[name]) if isinstance(line.get(name), float) else "–" for name in names]
        rows.append([str(line["epoch"]), amount(line["step"]), *numbers, "–" if seconds is None else f"{seconds:,.0f}"])
    heads = [score_name(name.removeprefix("val_")) for name in names[1:]]
    heads = ["epoch", "steps", "training loss", *heads, "seconds"]
    return Table(heads, rows, "Validation scores after each epoch", texts=())


def _losses(history: History, kept: int | None) -> Chart | None:
    trained = [(line["step"], line["loss"]) for line in history.steps if isinstance(line.get("loss"), float)]
    trained = trained or history.series("loss")
    validated = history.series("val_loss")
    if not (trained or validated):
        return None
    drawing = Drawing("loss")
    if trained:
        drawing.axes.plot(*zip(*trained, strict=True), color=SERIES[0], label="training")
    if validated:
        drawing.axes.plot(*zip(*validated, strict=True), color=SERIES[1], marker="o", label="validation")
    _mark(drawing, kept)
    drawing.axes.set_xlabel("steps")
    drawing.axes.set_ylabel("loss, nats")
    drawing.legend()
    both = (("training", trained), ("validation", validated))
    ends = [f"{name} {brief(series[-1][1])}" for name, series in both if series]
    says = f"At the end: {' and '.join(ends)}. In training it is the mean since the epoch began, with dropout."
    return Chart("Loss", says, drawing.svg(f"Loss over steps. {says}"))


def _score(history: History, score: str, kept: int | None) -> Chart | None:
    best, series = history.best(score), history.series(score)
    if best is None or len(series) < 2:
        return None
    drawing = Drawing("score")
    drawing.axes.plot(*zip(*series, strict=True), color=SERIES[1], marker="o", label=score_name(score))
    if score == "val_accuracy" and (second := history.series("val_macro_f1")):
        drawing.axes.plot(*zip(*second, strict=True), color=SERIES[2], marker="o", label="macro F1")
    drawing.axes.plot(
        *best, marker="o", markersize=11, markerfacecolor="none", color=INK, linestyle="none", label="best"
    )
    _mark(drawing, kept)
    if lower_is_better(score) and "perplexity" in score:
        drawing.axes.set_yscale("log")
        plain_ticks(drawing.axes.yaxis)
    drawing.axes.set_xlabel("steps")
    drawing.legend()
    epoch = next(line["epoch"] for line in history.epochs if line["step"] == best[0])
    says = f"Best after epoch {epoch}, step {amount(best[0])}: {brief(best[1])}."
    title = score_name(score).capitalize()
    return Chart(title, says, drawing.svg(f"{title} over steps. {says}"))


def _learning_rate(history: History) -> Chart | None:
    series = [(line["step"], line["learning_rate"]) for line in history.steps if "learning_rate" in line]
    if len(series) < 2:
        return None
    drawing = Drawing("learning-rate")
    drawing.axes.plot(*zip(*series, strict=True), color=SERIES[3])
    drawing.axes.set_ylim(bottom=0)
    drawing.axes.set_xlabel("steps")
    says = f"At most {max(rate for _, rate in series):.3g}, at the end {series[-1][1]:.3g}."
    return Chart("Learning rate", says, drawing.svg(f"Learning rate over steps. {says}"))


def _speed(history: History) -> Chart | None:
    series = [(moment.seconds, moment.tokens_per_second) for moment in history.moments if not moment.scoring]
    if len(series) < 2:
        return None
    drawing = Drawing("speed", left=66)
    drawing.axes.plot(*zip(*series, strict=True), color=SERIES[4])
    drawing.axes.set_ylim(bottom=0)
    drawing.axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    drawing.axes.set_xlabel("seconds of training")
    drawing.axes.set_ylabel("tokens a second")
    speeds = sorted(speed for _, speed in series)
    median, seconds = amount(round(speeds[len(speeds) // 2])), spoken_time(history.moments[-1].seconds)
    says = f"Median {median}; {seconds} in all, scoring included."
    return Chart("Speed", says, drawing.svg(f"Tokens a second over time. {says}"))


def _memory(history: History) -> Chart | None:
    held: list[Any] = [(moment.seconds, moment.memory_bytes) for moment in history.moments if moment.memory_bytes]
    taken: list[Any] = [
        (moment.seconds, moment.accelerator_bytes) for moment in history.moments if moment.accelerator_bytes
    ]
    if len(held) < 2:
        return None
    drawing = Drawing("memory")
    for series, colour, label in ((held, SERIES[5], "process"), (taken, SERIES[6], "accelerator")):
        if series:
            points = [(seconds, size / _GIB) for seconds, size in series]
            drawing.axes.plot(*zip(*points, strict=True), color=colour, label=label)
    drawing.axes.set_ylim(0, 1.15 * max(size for _, size in [*held, *taken]) / _GIB)
    drawing.axes.set_xlabel("seconds of training")
    drawing.axes.set_ylabel("GiB")
    if taken:
        drawing.legend()
    says = f"At most {max(size for _, size in held) / _GIB:.2f} GiB held by the process"
    says += f", {max(size for _, size in taken) / _GIB:.2f} GiB in use on the accelerator." if taken else "."
    return Chart("Memory", says, drawing.svg(f"Memory over time. {says}"))


def plain_ticks(axis: Any) -> None:
    """Writes the ticks of a logarithmic axis as plain numbers, those between two powers only at 2 and 5 times."""

    def written(value: float, _: int) -> str:
        return f"{value:,.0f}" if value >= 10 else f"{value:g}"

    axis.set_major_formatter(written)
    axis.set_minor_formatter(lambda value, place: written(value, place) if f"{value:e}"[0] in "25" else "")


def _mark(drawing: Drawing, kept: int | None) -> None:
    if kept is not None:
        drawing.axes.axvline(kept, color=INK, linewidth=1, linestyle=(0, (4, 3)), label="kept weights")
