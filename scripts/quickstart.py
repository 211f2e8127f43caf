"""The quickstart's steps: data, training, scores beside a linear model, three sentences, and what to try next."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
CONFIG = "configs/quickstart/sotu.yaml"
DATA, RUN = Path("runs/quickstart-data"), Path("runs/quickstart")
SENTENCES = (
    "I lay before you the treaties concluded with the Indian tribes, and the state of the Treasury.",
    "The gold standard, the tariff and our trade with the islands deserve the attention of the Congress.",
    "Tonight I ask you to help every American family pay for health care and send their kids to college.",
)

console = Console()


def main() -> None:
    """Runs the quickstart from the project's root."""
    os.chdir(ROOT)
    began = time.perf_counter()
    heading("Paragraphs of the State of the Union messages, 1790 to today; whole speeches held out")
    subprocess.run([sys.executable, "scripts/quickstart_data.py", str(DATA)], check=True)
    shutil.rmtree(RUN, ignore_errors=True)
    heading(f"textseq train {CONFIG} --run-dir {RUN}")
    textseq("train", CONFIG, "--run-dir", str(RUN))
    heading(f"textseq evaluate {RUN}  and  textseq baseline {CONFIG}")
    scores = answer("evaluate", str(RUN))[0]
    linear = answer("baseline", CONFIG)[0]
    heading(f"textseq predict {RUN} …")
    predictions = answer("predict", str(RUN), *SENTENCES)
    console.print(results(scores, linear))
    console.print(labels(predictions))
    farewell(time.perf_counter() - began)


def heading(text: str) -> None:
    """Says what comes next."""
    console.print(f"\n[bold]▸ {text}[/bold]", highlight=False)


def textseq(*arguments: str) -> None:
    """Runs a textseq command with its output on the terminal."""
    subprocess.run([sys.executable, "-m", "textseq", *arguments], check=True)


def answer(*arguments: str) -> list[Any]:
    """Runs a textseq command and returns its JSON, an object a line."""
    command = [sys.executable, "-m", "textseq", *arguments, "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def results(scores: dict[str, Any], linear: dict[str, Any]) -> Table:
    """Returns the table of test accuracies, the model's beside what is cheaper."""
    seconds = json.loads((RUN / "scores.json").read_text(encoding="utf-8"))["training"]["seconds"]
    low, high = scores["interval"]["accuracy"]
    table = Table(title=f"\nWhich era does a paragraph come from? {scores['rows']:,} held-out paragraphs", min_width=78)
    table.add_column("model")
    for name in ("test accuracy", "macro F1", "seconds"):
        table.add_column(name, justify="right")
    table.add_row("always the commonest era", f"{scores['majority_accuracy']:.3f}", "", "")
    table.add_row(
        "linear (TF-IDF + SVM)", f"{linear['accuracy']:.3f}", f"{linear['macro_f1']:.3f}", f"{linear['seconds']:.0f}"
    )
    accuracy = f"[bold]{scores['accuracy']:.3f}[/bold] ({low:.3f}–{high:.3f})"
    table.add_row("LSTM (this run)", accuracy, f"{scores['macro_f1']:.3f}", f"{seconds:.0f}")
    return table


def labels(predictions: list[dict[str, Any]]) -> Table:
    """Returns the table of the three sentences' labels."""
    table = Table(min_width=78)
    table.add_column("a sentence typed in", ratio=1)
    table.add_column("era")
    table.add_column("probability", justify="right")
    for prediction in predictions:
        probability = prediction["probabilities"][prediction["label"]]
        table.add_row(prediction["text"], prediction["label"], f"{probability:.2f}")
    return table


def farewell(seconds: float) -> None:
    """Says where everything lies and what to try next."""
    console.print(f"\nDone in {seconds:.0f} s. The run lies in [bold]{RUN}[/bold]. Next, with .venv/bin on your PATH:")
    for command in (
        f"textseq predict {RUN} 'My fellow Americans'",
        f"textseq evaluate {RUN} --split validation",
        f"textseq train {CONFIG} --set encoder.name=transformer --run-dir runs/quickstart-transformer",
        "textseq plugins list",
    ):
        console.print(f"  {command}", highlight=False)


if __name__ == "__main__":
    main()
