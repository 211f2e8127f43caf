"""What `textseq plugins new` writes: it works as it is, and it is refused kindly where it would be in the way."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

from textseq.config import load_config
from textseq.errors import UsageError
from textseq.plugins import load_plugin
from textseq.registry import registries
from textseq.scaffold.sentences import SPLITS, rows
from textseq.scaffold.writing import write_package


@pytest.mark.parametrize("kind", list(registries))
def test_a_package_holds_one_component_its_test_a_config_and_data(kind: str, tmp_path: Path) -> None:
    component, *others = write_package(f"scaffolded_{kind}", tmp_path / "made", kind)
    assert component.name == f"textseq_scaffolded_{kind}.py"
    wanted = {"pyproject.toml", "README.md", "config.yaml", f"test_scaffolded_{kind}.py"}
    assert wanted <= {path.name for path in others}
    assert all(path.is_file() and "$" not in path.read_text() for path in others)
    assert not re.search(r"[^\n]\n\n(@|class |def )", component.read_text())  # two empty lines stand before each
    (origin,) = load_plugin(component)
    assert (origin.name, origin.kind) == (f"scaffolded_{kind}", kind)
    assert registries[kind].summary(origin.name)
    assert all(argument.doc for argument in registries[kind].arguments(origin.name))
    assert load_config(tmp_path / "made" / "config.yaml").components()
    assert len((tmp_path / "made" / "data" / "train.jsonl").read_text().splitlines()) == SPLITS["train"]


def test_the_encoder_is_a_file_of_thirty_to_fifty_lines(tmp_path: Path) -> None:
    component, *_ = write_package("scaffolded_short", tmp_path / "made")
    lines = component.read_text().splitlines()
    assert 30 <= len(lines) <= 50
    assert max(map(len, lines)) <= 120
    ast.parse("\n".join(lines))


def test_the_order_of_the_words_alone_tells_the_class() -> None:
    found = {split: rows(split) for split in SPLITS}
    assert found == {split: rows(split) for split in SPLITS}  # the same each time
    labels: dict[tuple[str, ...], set[str]] = {}
    for row in found["train"]:
        labels.setdefault(tuple(sorted(row["text"].split())), set()).add(row["label"])
    assert any(len(both) == 2 for both in labels.values())  # the same words, and both classes
    judged = [(row["label"], row["text"].split()) for split in SPLITS for row in found[split]]
    good = set(["good", "fine", "lovely", "clever", "moving", "funny"])
    assert all((words[words.index("not") + 1] in good) == (label == "negative") for label, words in judged)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My-Encoder", "must be lower-case letters.*Take 'my_encoder'"),
        ("2fast", "must be lower-case.*Take 'fast'"),
        ("class", "must be lower-case.*Take a word"),
        ("", "must be lower-case.*Take a word"),
        ("lstm", r"there is encoder 'lstm' already, textseq_plugins\.lstm:LSTM"),
        ("plugins", r"its module textseq_plugins is there already, .*__init__\.py"),
    ],
)
def test_a_name_that_will_not_do_is_refused_with_a_better_one(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        write_package(name, tmp_path / "made")
    assert list(tmp_path.iterdir()) == []


def test_commands_of_its_page_can_be_typed_whatever_the_folder_is_called(tmp_path: Path) -> None:
    write_package("scaffolded_spaced", tmp_path / "it's mine")
    commands = re.findall(
        r"^(?:textseq|pip|pytest) .*?(?=  #|$)", (tmp_path / "it's mine" / "README.md").read_text(), re.M
    )
    names = [Path(word).parts for command in commands for word in shlex.split(command)]
    assert sum("it's mine" in parts for parts in names) == 5


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(UsageError, match="exists already, and is left as it is"):
        write_package("scaffolded_late", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_name_that_the_file_itself_uses_becomes_another_class(tmp_path: Path) -> None:
    component, *_ = write_package("encoder", tmp_path / "made")
    assert "class MyEncoder(Encoder):" in component.read_text()
    rows_written = [json.loads(line) for line in (tmp_path / "made" / "data" / "test.jsonl").open()]
    assert set(rows_written[0]) == {"text", "label"}
