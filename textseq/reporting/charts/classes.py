"""How a classifier does class by class, and which classes it takes for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textseq.reporting.answers import confused_pairs, neighbours_first
from textseq.reporting.chart import Chart, Table
from textseq.reporting.drawing import HEAT, INK, PAPER, QUIET, SERIES, WIDTH, Drawing, columns, shortened
from textseq.reporting.numbers import amount

MOST_DRAWN = 400  # classes of a confusion matrix; beyond, the pairs have to do
_MOST_BARS = 24
_MOST_LABELLED = 40
_PAIRS = 25
_LETTER = 5.6  # units of a letter at the size of labels


def class_chart(per_class: Mapping[str, Mapping[str, Any]]) -> Chart:
    """Draws F1, precision and recall of each class; of many classes, the worst."""
    worst = sorted(per_class.items(), key=lambda item: item[1]["f1"])[:_MOST_BARS]
    names = [shortened(name, 26) for name, _ in worst]
    room = 14 + _LETTER * 1.08 * max(columns(name) for name in names)
    drawing = Drawing("classes", height=76 + 19 * len(worst), left=room, top=34)
    places = np.arange(len(worst))[::-1]
    drawing.axes.barh(places, [scores["f1"] for _, scores in worst], height=0.62, color=SERIES[0], alpha=0.35)
    for kind, marker, colour in (("precision", "<", SERIES[1]), ("recall", ">", SERIES[3])):
        values = [scores[kind] for _, scores in worst]
        drawing.axes.plot(values, places, linestyle="none", marker=marker, color=colour, label=kind)
    drawing.axes.bar([0], [0], color=SERIES[0], alpha=0.35, label="F1")
    drawing.axes.set_yticks(places, names)
    drawing.axes.tick_params(axis="y", length=0, labelcolor=INK)
    drawing.axes.set_ylim(-0.6, len(worst) - 0.4)
    drawing.axes.set_xlim(0, 1.02)
    drawing.axes.grid(axis="y", visible=False)
    drawing.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.2)
    many = len(per_class) > len(worst)
    says = f"The {len(worst)} classes with the lowest F1 of {len(per_class)}." if many else "The worst stands first."
    return Chart("F1 by class", says, drawing.svg(f"F1, precision and recall by class. {says}"))


def class_table(per_class: Mapping[str, Mapping[str, Any]], matrix: np.ndarray | None, names: Sequence[str]) -> Table:
    """Returns every class's scores, the worst first, and what it is most often taken for."""
    taken = {} if matrix is None else _most_taken_for(matrix, names)
    rows, bars = [], []
    for name, scores in sorted(per_class.items(), key=lambda item: (item[1]["f1"], item[0])):
        numbers = [f"{scores[key]:.3f}" for key in ("f1", "precision", "recall")]
        rows.append([name, *numbers, amount(scores["rows"]), *([taken.get(name, "")] if taken else [])])
        bars.append(float(scores["f1"]))
    heads = ["class", "F1", "precision", "recall", "rows", *(["most often taken for"] if taken else [])]
    return Table(heads, rows, "Scores of each class", texts=(0, 5), bars={1: bars}, sortable=True)


def confusion_chart(matrix: np.ndarray, names: Sequence[str]) -> Chart:
    """Draws the confusion matrix: what is right in one colour, what is wrong in another, in three shades each.

    Many classes are put in an order in which those that are confused stand side by side.
    """
    count = len(names)
    order = neighbours_first(matrix) if count > 8 else np.arange(count)
    shown = matrix[np.ix_(order, order)]
    labels = [names[place] for place in order.tolist()]
    drawing, cell = _grid(labels)
    targets, predicted = (found.tolist() for found in np.nonzero(shown))
    shares = shown[targets, predicted] / shown.sum(1)[targets]
    colours = _colours(np.equal(targets, predicted), shares)
    drawn = drawing.axes.scatter(predicted, targets, s=(cell * 0.94) ** 2, marker="s", c=colours, linewidths=0)
    drawn.set_gid("cells")
    if count <= 12:
        _write_counts(drawing, shown)
    titles = [
        f"{labels[target]} → {labels[guess]}: {shown[target, guess]:,} of {shown[target].sum():,}"
        for target, guess in zip(targets, predicted, strict=True)
    ]
    says = "Each row is a class, each column what it was taken for; the stronger the colour, the larger its share."
    if count > 8:
        says += " Classes that are confused stand side by side."
    svg = drawing.svg(f"Confusion matrix of {count} classes. {says}", titles)
    wide, lettered = drawing.width > WIDTH, count <= _MOST_LABELLED
    return Chart("Confusion matrix", says, svg, wide=wide, scrolls=wide and lettered)


def pairs_table(matrix: np.ndarray, names: Sequence[str]) -> Table:
    """Returns the commonest confusions."""
    totals = matrix.sum(1)
    rows = [
        [names[target], names[guess], amount(count), f"{100 * count / totals[target]:.0f} %"]
        for target, guess, count in confused_pairs(matrix, _PAIRS)
    ]
    return Table(["class", "taken for", "rows", "of the class"], rows, "The commonest confusions", texts=(0, 1))


def _grid(labels: Sequence[str]) -> tuple[Drawing, float]:
    """Returns axes for the matrix, and the size of a cell in units."""
    count = len(labels)
    if count > _MOST_LABELLED:
        cell = max(4.4, 640 / count)
        side = count * cell
        drawing = Drawing("confusion", width=side + 34, height=side + 34, left=24, bottom=24, right=10, top=10)
        drawing.axes.set_xticks([])
        drawing.axes.set_yticks([])
        drawing.axes.set_xlabel("taken for")
        drawing.axes.set_ylabel("class")
    else:
        short = [shortened(label, 24) for label in labels]
        room = 16 + _LETTER * 1.08 * max(columns(label) for label in short)
        cell = min(64.0, max(20.0, (WIDTH - room - 14) / count))
        side = count * cell
        below = room * 0.75 if count > 3 else 40
        drawing = Drawing(
            "confusion", width=room + side + 14, height=side + below + 24, left=room, bottom=below, right=14, top=24
        )
        drawing.axes.set_yticks(range(count), short)
        drawing.axes.set_xticks(
            range(count), short, rotation=40 if count > 3 else 0, ha="right" if count > 3 else "center"
        )
        drawing.axes.tick_params(length=0, labelcolor=INK)
        drawing.axes.set_title("taken for →", loc="left", fontsize=11, color=QUIET)
    drawing.axes.grid(visible=False)
    drawing.axes.set_xlim(-0.5, count - 0.5)
    drawing.axes.set_ylim(count - 0.5, -0.5)
    for side_name in ("top", "right"):
        drawing.axes.spines[side_name].set_visible(True)
    return drawing, cell


def _colours(right: np.ndarray, shares: np.ndarray) -> list[str]:
    """Returns a colour a cell: three shades for what is right, three for what is wrong."""
    limits = np.where(right[:, None], [0.5, 0.8], [0.05, 0.2])
    shades = (shares[:, None] >= limits).sum(1) + np.where(right, 0, 3)
    return [HEAT[shade] for shade in shades]


def _write_counts(drawing: Drawing, shown: np.ndarray) -> None:
    shares = shown / np.maximum(shown.sum(1, keepdims=True), 1)
    for target, guess in np.argwhere(shown):
        dark = shares[target, guess] >= (0.8 if target == guess else 0.2)
        drawing.axes.text(
            guess,
            target,
            f"{shown[target, guess]:,}",
            ha="center",
            va="center",
            color=PAPER if dark else INK,
            fontsize=11,
        )


def _most_taken_for(matrix: np.ndarray, names: Sequence[str]) -> dict[str, str]:
    found = {}
    for place, name in enumerate(names):
        row = matrix[place].copy()
        row[place] = 0
        if row.any():
            other = int(row.argmax())
            found[name] = f"{names[other]} ({row[other]:,})"
    return found
