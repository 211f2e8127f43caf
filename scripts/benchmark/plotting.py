"""The series of the scaling workload as curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_COLOURS = {"textseq": "#1f5fa8", "keras": "#b5651d"}
_ROWS = (("milliseconds", "ms a step or batch"), ("megabytes", "MB above the start"))


def plot(scaling: dict[str, Any], path: Path) -> None:
    """Draws time and memory against each size, on logarithmic axes.

    Args:
        scaling: What the workload returned.
        path: The file; its ending decides the format.

    Raises:
        ModuleNotFoundError: There is no matplotlib.
    """
    from matplotlib.figure import Figure

    series = scaling["series"]
    figure = Figure(figsize=(4.2 * len(series), 6.4), layout="constrained")
    panels = figure.subplots(len(_ROWS), len(series), squeeze=False)
    for column, (title, points) in enumerate(series.items()):
        for row, (key, label) in enumerate(_ROWS):
            panel = panels[row][column]
            for who in dict.fromkeys(point["who"] for point in points):
                kept = [point for point in points if point["who"] == who and point[key]]
                sizes, values = [point["size"] for point in kept], [point[key] for point in kept]
                panel.plot(sizes, values, marker="o", label=who, color=_COLOURS.get(who))
            panel.set(xscale="log", yscale="log", xlabel=title, ylabel=label)
            panel.grid(visible=True, alpha=0.3)
            panel.legend(frameon=False)
    figure.savefig(path)
