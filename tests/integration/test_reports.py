"""Reports and comparisons of runs that were really trained, through the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import afterwards, main
from textseq.reporting.comparison.resampling import scores
from textseq.rundir import RunDirectory
from textseq.tasks.rows import RowRecord

WITHOUT = ("tensorflow", "keras", "jax", "datasets", "sentencepiece")


def test_training_leaves_a_report_and_rows_that_add_up_to_the_scores(classifier_run: Path, writer_run: Path) -> None:
    for path in (classifier_run, writer_run):
        run = RunDirectory(path)
        kept = run.read_json("scores.json")["test"]
        found = scores(RowRecord.load(run.rows))
        assert found == {name: pytest.approx(kept[name], rel=1e-5) for name in found}
        assert "<svg" in run.report.read_text(encoding="utf-8")
        assert not [item.name for item in path.iterdir() if item.name.startswith(".")]
    timed = RunDirectory(classifier_run).read_jsonl("timings.jsonl")
    assert all(line["memory_bytes"] > 2**20 for line in timed)


def test_a_language_model_leaves_samples(writer_run: Path) -> None:
    samples = RunDirectory(writer_run).read_json("samples.json")
    assert [sample["temperature"] for sample in samples] == [0.8, 1.0, 0.0]
    assert all(sample["prompt"].startswith("the ") for sample in samples)


def test_report_and_compare_need_neither_model_nor_dataset(
    classifier_run: Path, writer_run: Path, tmp_path: Path
) -> None:
    runs = []
    for path in (classifier_run, writer_run):
        runs.append(tmp_path / path.name)
        shutil.copytree(path, runs[-1])
        (runs[-1] / "model.weights.h5").write_bytes(b"")
    program = (
        f"import sys\nfor name in {WITHOUT!r}: sys.modules[name] = None\n"
        "from textseq.cli import main\n"
        "def run(*words):\n"
        "    try: main(words)\n"
        "    except SystemExit as ended: assert not ended.code, ended.code\n"
        "first, second, page = sys.argv[1:]\n"
        "run('report', first, '--out', page, '--json')\n"
        "run('report', second)\n"
        "run('compare', first, second, '--json')\n"
    )
    command = [sys.executable, "-c", program, *map(str, runs), str(tmp_path / "page.html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    first, said, compared = done.stdout.splitlines()
    assert json.loads(first) == {"run": str(runs[0]), "report": str(tmp_path / "page.html")}
    assert said == f"The report: {runs[1] / 'report.html'}"
    assert json.loads(compared)["pairs"][0]["untested"] == "they are different tasks"
    assert (tmp_path / "page.html").is_file()


def test_rows_can_be_kept_afterwards(classifier_run: Path, tmp_path: Path, capsys: Any) -> None:
    run = tmp_path / "run"
    shutil.copytree(classifier_run, run)
    before = RowRecord.load(run / "rows.npz")
    (run / "rows.npz").unlink()
    assert command("evaluate", run, "--record", "--json") == 0
    after = RowRecord.load(run / "rows.npz")
    assert before.about == after.about
    assert all((before.arrays[name] == after.arrays[name]).all() for name in ("best", "target", "text_hash"))
    capsys.readouterr()
    assert command("compare", run, classifier_run, "--html", tmp_path / "new" / "page.html") == 0
    shown = capsys.readouterr().out
    assert "The two do not differ by more than chance." in shown
    assert f"The page: {tmp_path / 'new' / 'page.html'}" in shown


@pytest.mark.parametrize("verb", ["report", "compare"])
def test_what_is_no_run_is_one_sentence(verb: str, tmp_path: Path, capsys: Any) -> None:
    assert command(verb, tmp_path / "nowhere") == 2
    assert "there is no such directory" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["report", "compare"])
def test_without_what_draws_it_says_what_to_install(
    verb: str, classifier_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    option = "--out" if verb == "report" else "--html"
    assert command(verb, classifier_run, option, tmp_path / "page.html") == 2
    assert "pip install 'textseq[report]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_training_goes_on_where_there_can_be_no_report(
    classifier_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory(tmp_path / "run")
    shutil.copytree(classifier_run, run.path)
    run.report.unlink()
    run.scores.write_text("damaged")
    ready: Any = type("Ready", (), {"model": None})
    said: list[str] = []
    afterwards.leave_report(run, ready, said.append)
    monkeypatch.setattr(afterwards.importlib.util, "find_spec", lambda name: None)
    afterwards.leave_report(run, ready, said.append)
    assert [line.partition(":")[0].partition(",")[0] for line in said] == ["No report", "No report"]
    assert "textseq[report]" in said[1]
    assert not run.report.exists()


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)
