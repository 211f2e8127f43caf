"""Whatever is wrong, the command line says so in a sentence that names the place, and loses nothing.

The commands run in this process, since TensorFlow takes seconds to import.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wrong_inputs import BASE, CASES, ROWS, Case, lines

from textseq.cli import main


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    folder = tmp_path_factory.mktemp("workshop")
    write(folder, BASE)
    with pytest.raises(SystemExit) as ended:
        main(["train", str(folder / "case.yaml"), "--run-dir", str(folder / "finished"), "--quiet", "--json"])
    assert ended.value.code == 0
    return folder


def write(folder: Path, config: dict[str, Any]) -> Path:
    for name in ("train", "test"):
        if not (folder / f"{name}.jsonl").exists():
            (folder / f"{name}.jsonl").write_text(lines(ROWS))
    path = folder / "case.yaml"
    path.write_text("\n".join(f"{name}: {json.dumps(value)}" for name, value in config.items()) + "\n")
    return path


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    config = json.loads(json.dumps(BASE))
    for path, value in changes.items():
        *sections, last = path.split(".")
        target = config
        for section in sections:
            target = target[section]
        if value is None:
            target.pop(last, None)
        else:
            target[last] = value
    return config


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_table_is_large_and_its_names_differ() -> None:
    assert len(CASES) >= 100
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_wrong_input_gets_one_clear_sentence(
    case: Case, workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = workshop / re.sub(r"\W+", "_", case.name)
    here.mkdir()
    for name, content in case.files.items():
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    config = write(here, changed(case.changes))
    if case.prepare:
        case.prepare(here)
    monkeypatch.chdir(here)
    monkeypatch.delenv("TEXTSEQ_DEBUG", raising=False)
    before = contents(here)
    places = {"config": config, "run": here / "run", "model": workshop / "finished", "here": here}
    with pytest.raises(SystemExit) as ended:
        main(case.arguments.format(**places).split(" "))
    said = capsys.readouterr().err
    assert re.search(case.says, said, re.DOTALL), said
    assert ended.value.code == case.code, said
    assert "Traceback" not in said
    assert "TEXTSEQ_DEBUG" not in said, said  # foreseen, not caught by the last net
    assert contents(here) == before  # nothing written, nothing lost


def test_a_full_disk_ends_the_run_with_a_sentence_and_without_half_a_file(workshop: Path) -> None:
    here = workshop / "full"
    here.mkdir()
    config, run = write(here, changed({"encoder.units": 128})), here / "run"
    limited = (  # the kernel's own refusal; weights are larger than this, all other files smaller
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000));"
        "from textseq.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "train", str(config), "--run-dir", str(run), "--quiet"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"run/checkpoints/step-0+: cannot be written, for the disk is full", done.stderr), done.stderr
    assert "There is no checkpoint yet: when that is mended, go on with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert (run / "resolved.yaml").is_file()
    assert not list(run.glob("*model.weights.h5"))  # neither half of it nor what stood beside
    assert not [path for path in run.rglob("*") if path.is_file() and path.stat().st_size >= 60_000]


def test_a_text_of_ten_megabytes_is_labelled(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = workshop / "large.txt"
    source.write_text("cat number one " * 700_000 + "\nsaw number 3\n")
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(workshop / "finished"), "--input", str(source), "--json"])
    assert ended.value.code == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(answer["text"]) for answer in answers] == [10_500_000, 12]
