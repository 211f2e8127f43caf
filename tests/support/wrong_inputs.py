"""Wrong inputs of the command line, and what it has to say of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BASE: dict[str, Any] = {
    "name": "case",
    "data": {"path": "json", "data_files": {"train": "train.jsonl", "validation": "test.jsonl", "test": "test.jsonl"}},
    "tokenizer": {"name": "words"},
    "encoder": {"name": "lstm", "units": 8},
    "task": {"name": "classification"},
    "training": {"epochs": 1, "batch_size": 4},
}
BASE["data"]["label"] = "label"
PIECES = {"name": "sentencepiece", "vocabulary_size": 40}
ROWS = [{"text": f"{word} number {i}", "label": word, "size": i} for i in range(8) for word in ("cat", "saw")]


@dataclass(frozen=True)
class Case:
    """One wrong input.

    Attributes:
        name: What is wrong.
        arguments: Of the command line; `{config}`, `{run}`, `{model}` and `{here}` are filled in.
        says: A pattern that the message matches.
        code: The exit code.
        changes: Settings by their path, over a config that works.
        files: Files to write first.
        prepare: More to do first, in the case's folder.
    """

    name: str
    arguments: str
    says: str
    code: int = 2
    changes: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Path], object] | None = None


TRAIN = "train {config} --run-dir {run}"
CHECK = "config check {config}"


def setting(name: str, path: str, value: Any, says: str) -> Case:
    return Case(name, CHECK, says, changes={path: value})


def data(name: str, changes: dict[str, Any], says: str, code: int = 2, **files: str | bytes) -> Case:
    named = {f"{file}.jsonl": content for file, content in files.items()}
    return Case(name, TRAIN, says, code, {f"data.{path}": value for path, value in changes.items()}, named)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def labelled(*labels: Any) -> str:
    return lines([{"text": f"text {number}", "label": label} for number, label in enumerate(labels)])


CONFIGS = [
    Case("no such config", "train {here}/none.yaml", r"none\.yaml: cannot read the config"),
    Case("a folder as config", "config check {here}", r"cannot read the config"),
    Case("bytes as config", "config check {here}/x.yaml", "no UTF-8 text", files={"x.yaml": b"\xff\xfe\x00"}),
    Case(
        "broken YAML", "config check {here}/x.yaml", r"x\.yaml:2: is no valid YAML", files={"x.yaml": "a: 1\n\tb: 2\n"}
    ),
    Case(
        "a key twice",
        "config check {here}/x.yaml",
        r"x\.yaml.*(duplicate|twice)",
        files={"x.yaml": "name: a\nname: b\n"},
    ),
    Case("a list as config", "config check {here}/x.yaml", "a mapping of settings", files={"x.yaml": "- a\n- b\n"}),
    Case("an empty config", "config check {here}/x.yaml", "a mapping of settings", files={"x.yaml": ""}),
    Case("nothing but a name", "config check {here}/x.yaml", "3 problems", files={"x.yaml": "name: a\n"}),
    Case(
        "extends nothing",
        "config check {here}/x.yaml",
        "none.yaml: cannot read",
        files={"x.yaml": "extends: none.yaml\n"},
    ),
    Case("extends itself", "config check {here}/x.yaml", "in a circle", files={"x.yaml": "extends: x.yaml\n"}),
    Case(
        "extends a number", "config check {here}/x.yaml", "must be a file or a list", files={"x.yaml": "extends: [3]\n"}
    ),
    setting("a section misspelt", "encodr", {"name": "lstm"}, r"encodr: is no setting.*Did you mean 'encoder'"),
    setting("a setting misspelt", "training.epoch", 3, r"\.yaml:\d+: training\.epoch: .*Did you mean 'epochs'"),
    setting("an encoder misspelt", "encoder.name", "lsmt", r"Unknown encoder 'lsmt'\. Did you mean 'lstm'"),
    setting("an argument misspelt", "encoder.dropuot", 0.1, r"Did you mean 'dropout'"),
    setting("no units", "encoder", {"name": "lstm"}, r"encoder\.units: is missing"),
    setting("units that are words", "encoder.units", "many", r"encoder\.units: .*Received: 'many'"),
    setting("no units at all", "encoder.units", 0, r"encoder\.units: .*Received: 0"),
    setting("a dropout of 1.5", "encoder.dropout", 1.5, r"encoder\.dropout: .*Received: 1\.5"),
    setting("a negative dropout", "task.dropout", -0.1, r"task\.dropout: .*Received: -0\.1"),
    setting("an encoder without a name", "encoder", {"units": 3}, r"encoder: has no name"),
    setting("an encoder that is a list", "encoder", [1], r"encoder: must be a name, or a mapping"),
    setting("an unknown task", "task.name", "clasification", r"Did you mean 'classification'"),
    setting("an unknown pooling", "task.pooling", "mxa", r"task\.pooling: .*Did you mean 'max'"),
    setting("an unknown tokenizer", "tokenizer.name", "wordz", r"Did you mean 'words'"),
    setting("a negative vocabulary", "tokenizer", {"name": "sentencepiece", "vocabulary_size": -1}, "vocabulary_size"),
    setting("a vocabulary of special ids", "tokenizer.vocabulary_size", 4, r"vocabulary_size: must be at least 5"),
    setting(
        "more than all characters", "tokenizer", {**PIECES, "character_coverage": 1.5}, r"character_coverage: .*1\.5"
    ),
    setting("no text for pieces", "tokenizer", {**PIECES, "max_bytes": 0}, r"max_bytes: .*Received: 0"),
    Case(
        "sampling where there is one segmentation",
        TRAIN,
        r"tokenizer\.sampling: .*Received: 0\.2\. .*unigram or bpe",
        changes={"tokenizer": {**PIECES, "model": "char", "sampling": 0.2}},
    ),
    setting("no epochs", "training.epochs", 0, r"training\.epochs: .*Received: 0"),
    setting("a batch size in words", "training.batch_size", "big", r"training\.batch_size: .*'big'"),
    setting("a truth for a number", "training.batch_size", True, r"training\.batch_size: .*True"),
    setting("a negative learning rate", "training.learning_rate", -1, r"training\.learning_rate: .*-1"),
    setting("an unknown optimizer", "training.optimizer", "adagard", r"training\.optimizer: .*'adagard'"),
    setting("an optimizer's argument", "training.optimizer", {"name": "adam", "momentum": 1}, r"optimizer\.momentum"),
    setting("an unknown schedule", "training.schedule", "sawtooth", r"training\.schedule: .*'sawtooth'"),
    setting("an unknown precision", "training.precision", "float8", r"training\.precision: .*'float8'"),
    setting("an unknown jit", "training.jit", "maybe", r"training\.jit: .*'maybe'"),
    setting("callbacks without a list", "training.callbacks", "x", r"training\.callbacks: must be a list"),
    setting("a callback without a class", "training.callbacks", ["x"], r"training\.callbacks\[0\]: must name a class"),
    setting("a negative seed", "seed", -1, r"seed: .*Received: -1"),
    setting("all rows held out", "data.validation_fraction", 1.0, r"data\.validation_fraction: .*1\.0"),
    setting("an unknown split role", "data.splits", {"dev": "dev"}, r"data\.splits\.dev"),
    setting("no rows at most", "data.max_rows", 0, r"data\.max_rows: .*Received: 0"),
    setting("a text column of numbers", "data.text", 3, r"data\.text: .*Received: 3"),
    Case("--set without a value", CHECK + " --set seed", r"--set seed: must look like"),
    Case("--set of an unknown key", CHECK + " --set training.epoch=2", r"--set training\.epoch=2: .*'epochs'"),
    Case("--set of broken YAML", CHECK + " --set seed=[1", r"--set seed=\[1: the value is no valid YAML"),
]

DATA = [
    data("a Hub id without network", {"path": "nobody/nothing", "data_files": None}, r"data\.path: .*nobody/nothing"),
    data("a missing folder", {"path": "./none", "data_files": None}, r"data\.path: .*none"),
    data("files missing", {"data_files": {"train": "trian.jsonl"}}, r"no such file.*Did you mean '.*train\.jsonl'"),
    data("json without files", {"data_files": None}, r"data\.data_files: is missing"),
    data("no such text column", {"text": "txt"}, r"data\.text: .*has no column 'txt'\. Did you mean 'text'.*label"),
    data("no such label column", {"label": "lable"}, r"data\.label: .*Did you mean 'label'"),
    data("no such second text", {"text_pair": "other"}, r"data\.text_pair: .*has no column 'other'"),
    data("no label named", {"label": None}, r"data\.label: is missing"),
    data("no such split", {"splits": {"test": "dev"}}, r"data\.splits\.test: .*no split 'dev'.*train"),
    data("numbers for texts", {"text": "size"}, r"data\.text: the column 'size' holds no texts"),
    data("an empty train file", {}, r"data\.|train", train=""),
    data("broken JSON", {}, r"data\.path: cannot be read", train='{"text": "a", "label"\n'),
    data("one class", {}, r"data\.label: .*one class", train=labelled("a", "a", "a", "a")),
    data("a label that is null", {}, r"data\.label, row 1: has no label", train=labelled("a", None, "b")),
    data(
        "a label that is NaN",
        {},
        r"data\.label, row 1: has no label",
        train='{"text":"a","label":1.5}\n{"text":"b","label":NaN}\n',
    ),
    data("an unlabelled row", {}, r"data\.label, row 1: is unlabelled", train=labelled(0, -1, 1)),
    data(
        "a class that train lacks", {}, r"data\.label, row 2: Unknown class 'dog'", test=labelled("cat", "saw", "dog")
    ),
    data(
        "too few to hold out",
        {"data_files": {"train": "train.jsonl"}},
        r"data\.validation_fraction",
        train=labelled("a", "b"),
    ),
    data("several labels, one missing", {"label": ["label", "colour"]}, r"data\.label: .*no column 'colour'"),
    data("several labels that are words", {"label": ["label", "text"]}, r"data\.label, row 0: .*must hold 0 and 1"),
    data(
        "no text at all",
        {},
        r"data\.text: .*(empty|no text)",
        train=lines([{"text": "", "label": label} for label in "abab"]),
    ),
    Case(
        "odd units in two directions", TRAIN, r"encoder\.units: must be even.*Received: 9", changes={"encoder.units": 9}
    ),
    Case(
        "heads that do not divide",
        TRAIN,
        r"encoder\.units: must be a multiple",
        changes={"encoder": {"name": "transformer", "units": 10}},
    ),
    Case(
        "no such callback module",
        TRAIN,
        r"training\.callbacks: cannot make it",
        changes={"training.callbacks": ["nowhere:Thing"]},
    ),
    Case(
        "a callback that is none",
        TRAIN,
        r"training\.callbacks: is no keras",
        changes={"training.callbacks": ["pathlib:Path"]},
    ),
    Case(
        "no such score",
        TRAIN,
        r"training\.monitor: .*'acuracy'.*Choose one of: .*accuracy",
        changes={"training.monitor": "acuracy"},
    ),
]

PLUGINS = [
    Case("no such plugin", TRAIN + " --plugin {here}/none.py", r"--plugin: there is no such file.*none\.py"),
    Case("a URL for a plugin", TRAIN + " --plugin https://x.org/a.py", "not a URL"),
    Case("a text for a plugin", TRAIN + " --plugin {here}/a.txt", r"must be a \.py file", files={"a.txt": ""}),
    Case("a plugin of nothing", TRAIN + " --plugin {here}/a.py", "registers nothing", files={"a.py": "x = 1\n"}),
    Case(
        "a plugin that is no Python", TRAIN + " --plugin {here}/b.py", r"b\.py:1: SyntaxError", files={"b.py": "def\n"}
    ),
    Case(
        "a plugin that needs more",
        TRAIN + " --plugin {here}/c.py",
        r"c\.py:1: ModuleNotFound",
        files={"c.py": "import nowhere\n"},
    ),
    Case(
        "a plugin of a taken name",
        TRAIN + " --plugin {here}/d.py",
        r"encoder 'lstm': is defined twice.*Rename",
        files={
            "d.py": "from textseq.encoder import Encoder\nfrom textseq.registry import encoders\n"
            "@encoders.register('lstm')\nclass Mine(Encoder):\n"
            "    def call(self, inputs, **_):\n        return inputs\n"
        },
    ),
    Case("an unknown component", "plugins show lsmt", "Did you mean 'lstm'"),
]


def broken(name: str, content: bytes | None = None) -> Callable[[Path], None]:
    """Returns what copies the finished run and spoils one file of it."""

    def spoil(here: Path) -> None:
        shutil.copytree(here.parent / "finished", here / "run")
        file = here / "run" / name
        if content is not None:
            file.write_bytes(content)
        elif file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()

    return spoil


RUNS = [
    Case("no such run", "evaluate {here}/none", "there is no such directory"),
    Case("a run that is none", "evaluate {here}", r"is no run directory, for it has no resolved\.yaml"),
    Case("half a run", "evaluate {run}", r"half a run, without model\.weights\.h5", prepare=broken("model.weights.h5")),
    Case("no tokenizer", "predict {run} a", "half a run, without tokenizer", prepare=broken("tokenizer")),
    Case("cut weights", "predict {run} a", r"model\.weights\.h5: ", prepare=broken("model.weights.h5", b"\x89HDF\r\n")),
    Case("broken settings", "predict {run} a", r"resolved\.yaml", prepare=broken("resolved.yaml", b"a: [\n")),
    Case("broken labels", "predict {run} a", r"labels\.json: is not JSON", prepare=broken("labels.json", b"{")),
    Case("no labels", "predict {run} a", r"labels\.json", prepare=broken("labels.json")),
    Case("broken provenance", "predict {run} a", r"plugins\.json: is not JSON", prepare=broken("plugins.json", b"{")),
    Case("an empty tokenizer", "predict {run} a", r"tokenizer", prepare=broken("tokenizer/tokenizer.json")),
    Case("a run in the way", TRAIN, "holds a run already.*--overwrite", prepare=broken("audit.json")),
    Case("half a run in the way", TRAIN, "is not finished.*--resume.*--overwrite", prepare=broken("scores.json")),
    Case("files in the way", "train {config} --run-dir {here}", "is not empty"),
    Case("other files in the way", "train {config} --run-dir {here} --overwrite", "so it is left alone"),
    Case("a file for a run", "train {config} --run-dir {config}", "is a file, not a directory"),
    Case("a run inside a file", "train {config} --run-dir {config}/run", "is a file"),
    Case(
        "no such split to score", "evaluate {model} --split dev", r"--split: .*'dev'.*It has: train, validation, test"
    ),
    Case("nothing to predict", "predict {model}", "Give texts or --input"),
    Case("two things to predict", "predict {model} a --input b", "one of the two"),
    Case("no file of texts", "predict {model} --input {here}/none", r"--input: cannot read the file"),
    Case(
        "texts that are no JSON",
        "predict {model} --input {here}/x.jsonl",
        r"x\.jsonl, line 1: is not JSON",
        files={"x.jsonl": "a\n"},
    ),
    Case(
        "JSON without texts",
        "predict {model} --input {here}/x.jsonl",
        r"line 1: has no text in the column 'text'",
        files={"x.jsonl": '{"a": 1}\n'},
    ),
    Case("generating from a classifier", "generate {model} --prompt a", "takes a run whose task is language_modeling"),
    Case("a temperature below 0", "generate {model} --prompt a --temperature -1", "temperature"),
    Case("a share above 1", "generate {model} --prompt a --top-p 2", "top-p"),
    Case("a negative number of tokens", "generate {model} --prompt a --top-k -3", "top-k"),
    Case("no tokens", "generate {model} --prompt a --max-tokens 0", "max-tokens"),
    Case("a baseline of no labels", "baseline {config}", "data.label", changes={"data.label": None}),
    Case("an unknown command", "trian {config}", "Did you mean 'train'"),
    Case("an unknown option", "train {config} --epochs 3", "--epochs"),
    Case("an unknown backend", "train {config} --backend torch", "torch"),
]

CASES = CONFIGS + DATA + PLUGINS + RUNS
