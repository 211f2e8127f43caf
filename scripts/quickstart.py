"""The quickstart's steps: data, training, scores beside a linear model, three sentences, an export that is served."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local_server import ServerError, serving
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
CONFIG = "configs/quickstart/sotu.yaml"
DATA, RUN, EXPORT = Path("runs/quickstart-data"), Path("runs/quickstart"), Path("exports/quickstart")
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
    shutil.rmtree(EXPORT, ignore_errors=True)
    heading(f"textseq export {RUN} {EXPORT}")
    textseq("export", str(RUN), str(EXPORT))
    heading(f"textseq serve {EXPORT}  and the same sentences over REST")
    served = ask_the_server(predictions)
    console.print(results(scores, linear))
    console.print(labels(predictions, served))
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


def ask_the_server(predictions: list[dict[str, Any]]) -> list[str]:
    """Returns the labels that the served export gives to the sentences.

    Raises:
        ServerError: They are not those of `textseq predict`, or the server failed.
    """
    with serving(EXPORT) as server:
        console.print(f"{server.name} on http://127.0.0.1:{server.rest_port}{server.path}", highlight=False)
        served = [str(answer["label"]) for answer in server.predict(SENTENCES)]
    expected = [prediction["label"] for prediction in predictions]
    if served != expected:
        raise ServerError(f"The served model says {served} where textseq predict says {expected}.")
    return served


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


def labels(predictions: list[dict[str, Any]], served: list[str]) -> Table:
    """Returns the table of the three sentences' labels, as the run and as the served export gives them."""
    table = Table(min_width=78)
    table.add_column("a sentence typed in", ratio=1)
    table.add_column("era")
    table.add_column("probability", justify="right")
    table.add_column("served")
    for prediction, label in zip(predictions, served, strict=True):
        probability = prediction["probabilities"][prediction["label"]]
        table.add_row(prediction["text"], prediction["label"], f"{probability:.2f}", label)
    return table


def farewell(seconds: float) -> None:
    """Says where everything lies and what to try next, and ends in the report's link."""
    console.print(f"\nDone in {seconds:.0f} s. The run is [bold]{RUN}[/bold], its export [bold]{EXPORT}[/bold].")
    console.print("Next, with .venv/bin on your PATH:")
    question = json.dumps({"instances": ["My fellow Americans"]})
    for command in (
        f"textseq predict {RUN} 'My fellow Americans'",
        f"textseq evaluate {RUN} --split validation",
        f"textseq train {CONFIG} --set encoder.name=transformer --run-dir runs/quickstart-transformer",
        "textseq plugins list",
        f"textseq serve {EXPORT}    # and, from another terminal:",
        f"curl -d '{question}' http://127.0.0.1:8501/v1/models/{EXPORT.name}:predict",
    ):
        console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
    report = (RUN / "report.html").resolve()
    if report.is_file():
        console.print("\nOpen it in a browser, for curves, confusions and the most confident mistakes:")
        console.print(f"  [link={report.as_uri()}]{report.as_uri()}[/link]", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # it has said why
        sys.exit(f"{' '.join(error.cmd[1:4])} … ended with {error.returncode}.")
    except ServerError as error:
        sys.exit(str(error))
