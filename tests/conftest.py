"""What all tests share: no network, quiet backends, and small datasets made on the spot."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from types import ModuleType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

ANIMALS = ["cat", "dog", "horse", "cow", "hen"]
TOOLS = ["saw", "drill", "hammer", "nail", "screw"]
FILLERS = ["the", "a", "old", "new", "red", "is", "here", "and", "there", "we", "saw", "very"]


def sentence(generator: random.Random, topic: list[str]) -> str:
    """Returns filler words with one word of the topic among them."""
    words = generator.choices(FILLERS, k=generator.randint(2, 12))
    words.insert(generator.randint(0, len(words)), generator.choice(topic))
    return " ".join(words)


@pytest.fixture(scope="session")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test files of sentences about animals or tools."""
    folder = tmp_path_factory.mktemp("topics")
    generator = random.Random(0)
    for split, rows in (("train", 400), ("validation", 100), ("test", 100)):
        with (folder / f"{split}.jsonl").open("w") as file:
            for number in range(rows):
                topic, words = (("animal", ANIMALS), ("tool", TOOLS))[number % 2]
                row = {"text": sentence(generator, words), "label": topic, "other": sentence(generator, words)}
                file.write(json.dumps(row) + "\n")
    return folder


@pytest.fixture(scope="session")
def topics_config(topics: Path) -> Path:
    """A classification config over `topics`, small enough to train in seconds."""
    files = ", ".join(f"{split}: {topics / split}.jsonl" for split in ("train", "validation", "test"))
    path = topics / "topics.yaml"
    path.write_text(
        f"name: topics\ndata: {{path: json, data_files: {{{files}}}, label: label}}\n"
        "tokenizer: {name: words}\nembedding: {units: 16}\nencoder: {name: lstm, units: 16, depth: 1}\n"
        "task: {name: classification}\n"
        "training: {epochs: 3, batch_size: 32, learning_rate: 2e-2}\n"
    )
    return path


@pytest.fixture(scope="session")
def story_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language modelling config over a text of a few thousand predictable characters."""
    folder = tmp_path_factory.mktemp("story")
    generator = random.Random(1)
    for split, rows in (("train", 150), ("validation", 20), ("test", 20)):
        lines = [
            "the cat sat on the mat" if generator.random() < 0.5 else "the dog ran to the door" for _ in range(rows)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    files = ", ".join(f"{split}: {folder / split}.jsonl" for split in ("train", "validation", "test"))
    path = folder / "story.yaml"
    path.write_text(
        f"name: story\ndata: {{path: json, data_files: {{{files}}}}}\n"
        "tokenizer: {name: bytes}\nembedding: {units: 16}\nencoder: {name: lstm, units: 32, depth: 1}\n"
        "task: {name: language_modeling, window: 16}\n"
        "training: {epochs: 20, batch_size: 4, learning_rate: 1e-2, schedule: cosine}\n"
    )
    return path


@pytest.fixture(scope="session")
def made_runs() -> ModuleType:
    """The module that makes run directories without a model."""
    import made_runs

    return made_runs


@pytest.fixture(scope="session")
def browsers() -> ModuleType:
    """The module that drives a real browser; skips where there is none."""
    import browsers

    if browsers.CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    return browsers
