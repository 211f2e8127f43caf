"""Every encoder in one table: SST-2 accuracy, WikiText-2 perplexity after equal time, speed, and parameters.

Speeds are measured first, one encoder after the other, when nothing else should run; how long the steps that follow
from them take is then no matter. Cells are kept in `encoders.json`, beside the table `encoders.md`; one that is there
already, from the same command, is not made again.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_CONFIGS = ROOT / "configs"
_MODEL = _CONFIGS / "language_modeling" / "wikitext2-lstm.yaml"
_UNITS, _DEPTH = 200, 2  # of that config
_TRIED = 200  # steps, by which the speed of an encoder is known
_WINDOW, _BATCH, _TOKENS = 35, 20, 2_088_628  # of a window and a batch of that config, and of its text

Textseq = Callable[..., dict[str, Any] | None]


@dataclass
class EncoderTable:
    """The cells, on disk.

    Args:
        folder: Of `encoders.json`, `encoders.md` and the run directories.
        textseq: Runs a command and returns what it printed as JSON; None where it failed.
        seconds: Of training steps that a language model is given.
        overrides: Settings for every training, as `--set` takes them.
    """

    folder: Path
    textseq: Textseq
    seconds: float
    overrides: Sequence[str] = ()
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reads the cells that there are."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._path.is_file():
            self.cells = json.loads(self._path.read_text(encoding="utf-8"))

    @property
    def _path(self) -> Path:
        return self.folder / "encoders.json"

    def fill(self, encoders: Sequence[str], seeds: int) -> bool:
        """Makes what is missing, one encoder after the other; returns whether everything is there."""
        for encoder in encoders:  # first of all, for nothing else should run meanwhile
            self._count(encoder)
            self._time(encoder)
        for encoder in encoders:
            for seed in range(seeds):
                self._classify(encoder, seed)
            self._model(encoder)
        wanted = [f"{encoder}/{cell}" for encoder in encoders for cell in _names(seeds)]
        return all("failed" not in self.cells[name] for name in wanted)

    def _classify(self, encoder: str, seed: int) -> None:
        own = _CONFIGS / "classification" / f"sst2-{encoder}.yaml"
        base = own if own.is_file() else _CONFIGS / "classification" / "sst2-lstm.yaml"
        settings = [f"encoder.name={encoder}", f"seed={seed}", *self.overrides]
        self._make(f"{encoder}/sst2/{seed}", base, settings, _classified)

    def _time(self, encoder: str) -> None:
        """Trains a few steps, for the speed of an encoder."""
        few = ["training.epochs=1", f"training.steps_per_epoch={_TRIED}", "training.log_every=20"]
        self._make(f"{encoder}/speed", _MODEL, [*self._settings(encoder), *few], _timed)

    def _model(self, encoder: str) -> None:
        """Trains for so many steps as take the time: learning rates follow steps, so it is known beforehand."""
        tried = self.cells[f"{encoder}/speed"]
        if "failed" in tried:
            self._keep(f"{encoder}/wikitext2", {"failed": True, "command": tried["command"]})
            return
        epochs, steps = planned(self.seconds, tried["tokens_per_second"])
        long = [*self._settings(encoder), f"training.epochs={epochs}", f"training.steps_per_epoch={steps}"]
        made = self._make(f"{encoder}/wikitext2", _MODEL, long, _modelled)
        if "failed" not in made:
            self._keep(f"{encoder}/wikitext2", made | {"steps": epochs * steps, "asked_seconds": self.seconds})

    def _settings(self, encoder: str) -> list[str]:
        return [f"encoder.name={encoder}", *self.overrides]

    def _count(self, encoder: str) -> None:
        from textseq.registry import encoders  # here, for it imports Keras

        made = encoders.get(encoder)(_UNITS, depth=_DEPTH, causal=True)
        made.build((None, None, _UNITS))
        self._keep(f"{encoder}/parameters", {"parameters": int(made.count_params())})

    def _make(
        self, name: str, config: Path, settings: list[str], read: Callable[[dict[str, Any], Path], dict[str, Any]]
    ) -> dict[str, Any]:
        """Returns a cell, trained unless it is there from the same command."""
        command = [str(config.relative_to(ROOT)), *settings]
        there = self.cells.get(name, {})
        if there.get("command") == command and "failed" not in there:
            return there
        run = self.folder / name.replace("/", "-")
        more = [part for setting in settings for part in ("--set", setting)]
        printed = self.textseq("train", config, "--run-dir", run, "--overwrite", "--no-report", "--quiet", *more)
        found = {"failed": True} if printed is None else read(printed, run)
        self._keep(name, found | {"command": command})
        return self.cells[name]

    def _keep(self, name: str, cell: dict[str, Any]) -> None:
        self.cells[name] = cell
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self.cells, indent=1) + "\n", encoding="utf-8")
        beside.replace(self._path)
        sys.stdout.write(json.dumps({"cell": name, **cell}) + "\n")
        sys.stdout.flush()

    def write(self) -> str:
        """Writes `encoders.md` from every cell that there is, and returns it."""
        encoders = sorted({name.partition("/")[0] for name in self.cells})
        table = markdown({name: cell for name, cell in self.cells.items() if "failed" not in cell}, encoders)
        (self.folder / "encoders.md").write_text(table, encoding="utf-8")
        return table


def planned(seconds: float, tokens_per_second: float) -> tuple[int, int]:
    """Returns the epochs, and the steps of each, that take so many seconds: whole passes of one length over the text.

    Args:
        seconds: Of training steps.
        tokens_per_second: Of the encoder.
    """
    steps = max(round(seconds * tokens_per_second / (_WINDOW * _BATCH)), 1)
    whole = _TOKENS // (_WINDOW * _BATCH)
    epochs = -(-steps // whole)
    return epochs, steps // epochs


def markdown(cells: dict[str, dict[str, Any]], encoders: Sequence[str]) -> str:
    """Returns the table; a dash stands where a cell is missing."""
    seconds = {cell["asked_seconds"] for cell in cells.values() if "asked_seconds" in cell}
    time = " or ".join(f"{one:,g}" for one in sorted(seconds)) or "?"
    lines = [
        f"| encoder | SST-2 test accuracy | WikiText-2 test perplexity after {time} s | tokens/s | parameters |",
        "|---|---|---|---|---|",
    ]
    for encoder in encoders:
        accuracies = [cell["accuracy"] for name, cell in cells.items() if name.startswith(f"{encoder}/sst2/")]
        model, speed = cells.get(f"{encoder}/wikitext2", {}), cells.get(f"{encoder}/speed", {})
        shown = [
            _spread(accuracies),
            f"{model['perplexity']:.1f}" if model else "–",
            f"{speed['tokens_per_second']:,.0f}" if "tokens_per_second" in speed else "–",
            f"{cells.get(f'{encoder}/parameters', {}).get('parameters', 0):,}",
        ]
        lines.append(f"| `{encoder}` | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3f} (1 seed)" if values else "–"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f} ({len(values)} seeds)"


def _names(seeds: int) -> list[str]:
    return [*(f"sst2/{seed}" for seed in range(seeds)), "wikitext2", "parameters"]


def _classified(printed: dict[str, Any], run: Path) -> dict[str, Any]:
    return {"accuracy": printed["test"]["accuracy"], "seconds": printed["training"]["seconds"]}


def _timed(printed: dict[str, Any], run: Path) -> dict[str, Any]:
    """Returns the speed: the median of a run's lines but the first, in which it was compiled."""
    lines = [json.loads(line) for line in (run / "timings.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "tokens_per_second": statistics.median(line["tokens_per_second"] for line in lines[1:] if "epoch" not in line)
    }


def _modelled(printed: dict[str, Any], run: Path) -> dict[str, Any]:
    return {"perplexity": printed["test"]["perplexity"], "seconds": printed["training"]["seconds"]}
