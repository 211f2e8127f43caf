"""Versions: what is served while folders come, change, break and go."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Versions = Callable[..., Any]


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    """Makes the versions of the folder `m`, looked at only when a test says so."""
    from textseq.serving.versions import ModelVersions

    (tmp_path / "m").mkdir()
    return lambda *policy: ModelVersions("m", tmp_path / "m", *policy)


@pytest.fixture(scope="module")
def two(saved_models: ModuleType, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 2, to be copied."""
    return saved_models.save(tmp_path_factory.mktemp("two"), 2)


def states(model: Any) -> dict[int, str]:
    return {version.number: version.state.name for version in model.states()}


def which(loaded: Any) -> float:
    """Returns the number that the model itself says."""
    import numpy as np

    from textseq.serving.prediction import predict

    return float(predict(loaded.servable, "which", {"text": np.array([b"a"], object)})["version"][0])


def test_the_newest_number_is_served_and_all_else_is_left_alone(versions: Versions, exported: Path, two: Path) -> None:
    model = versions()
    shutil.copytree(exported / "1", model.base / "9")
    shutil.copytree(two, model.base / "00000010")
    for name in ("notes", "11.part", "-12", "1e2", "١٣"):
        shutil.copytree(exported / "1", model.base / name)
    (model.base / "14").write_text("a file")
    model.poll()
    assert states(model) == {10: "AVAILABLE"}
    with model.use() as loaded:
        assert (loaded.number, which(loaded)) == (10, 2.0)


def test_requests_finish_on_the_version_they_began_with(versions: Versions, exported: Path, two: Path) -> None:
    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    model.poll()
    with model.use() as old:
        shutil.copytree(two, model.base / "2")
        model.poll()
        assert states(model) == {2: "AVAILABLE", 1: "UNLOADING"}
        with model.use() as new:
            assert which(new) == 2.0
        assert which(old) == 1.0
    assert states(model) == {2: "AVAILABLE", 1: "END"}


def test_a_broken_new_version_ends_and_the_old_one_keeps_serving(versions: Versions, exported: Path) -> None:
    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    model.poll()
    for number, content in (("2", None), ("3", b"\xff\xffgarbage"), ("4", b"")):
        (model.base / number).mkdir()
        if content is not None:
            (model.base / number / "saved_model.pb").write_bytes(content)
        model.poll()
    assert states(model) == {4: "END", 3: "END", 2: "END", 1: "AVAILABLE"}
    errors = {version.number: version.error.code.name for version in model.states() if version.error}
    assert errors == {2: "NOT_FOUND", 3: "DATA_LOSS", 4: "INVALID_ARGUMENT"}
    with model.use() as loaded:
        assert loaded.number == 1


def test_a_version_without_its_variables_is_broken(versions: Versions, exported: Path) -> None:
    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    shutil.rmtree(model.base / "1" / "variables")
    model.poll()
    assert states(model) == {1: "END"}


def test_a_version_that_was_still_being_written_is_tried_again_when_it_has_changed(
    versions: Versions, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textseq.serving import versions as module

    model, tried = versions(), []
    monkeypatch.setattr(module, "load", lambda folder, load=module.load: tried.append(folder) or load(folder))
    (model.base / "1" / "variables").mkdir(parents=True)
    model.poll()
    model.poll()
    assert len(tried) == 1
    for path in (exported / "1").rglob("*"):
        if path.is_file():
            shutil.copy(path, model.base / "1" / path.relative_to(exported / "1"))
    model.poll()
    assert states(model) == {1: "AVAILABLE"}


def test_deleting_the_newest_falls_back_to_the_next_and_deleting_all_serves_nothing(
    versions: Versions, exported: Path, two: Path
) -> None:
    from textseq.serving.status import ServingError

    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    shutil.copytree(two, model.base / "2")
    model.poll()
    assert states(model) == {2: "AVAILABLE"}
    shutil.rmtree(model.base / "2")
    model.poll()
    assert states(model) == {2: "END", 1: "AVAILABLE"}
    shutil.rmtree(model.base / "1")
    model.poll()
    assert states(model) == {2: "END", 1: "END"}
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"), model.use():
        pass
    shutil.copytree(two, model.base / "2")
    model.poll()
    assert states(model) == {2: "AVAILABLE", 1: "END"}


def test_a_folder_that_is_away_for_a_moment_changes_nothing(versions: Versions, exported: Path, tmp_path: Path) -> None:
    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    model.poll()
    model.base.rename(tmp_path / "away")
    model.poll()
    assert states(model) == {1: "AVAILABLE"}


def test_several_versions_are_served_where_the_policy_says_so(versions: Versions, exported: Path, two: Path) -> None:
    from textseq.serving.folders import Policy

    model = versions(Policy(newest=None))
    shutil.copytree(exported / "1", model.base / "1")
    shutil.copytree(two, model.base / "2")
    model.poll()
    with model.use(1) as old, model.use() as new:
        assert (which(old), which(new)) == (1.0, 2.0)
    model.policy = Policy(specific=frozenset({1}))
    model.poll()
    assert states(model) == {2: "END", 1: "AVAILABLE"}


@pytest.mark.parametrize(
    ("signature", "value", "state"),
    [("failing", 1.0, "AVAILABLE"), ("failing", 20.0, "END"), ("nope", 1.0, "END")],
)
def test_warm_up_requests_have_to_succeed(
    versions: Versions, exported: Path, signature: str, value: float, state: str
) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([value]))
    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    path = model.base / "1" / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    model.poll()
    assert states(model) == {1: state}


@pytest.mark.parametrize("cut", [False, True])
def test_a_warm_up_file_that_is_broken_breaks_the_version(versions: Versions, exported: Path, cut: bool) -> None:
    import tensorflow as tf

    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    (model.base / "1" / "assets.extra").mkdir()
    path = model.base / "1" / "assets.extra" / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"12345")
    path.write_bytes(path.read_bytes()[:-6] if cut else b"no TFRecord at all")
    model.poll()
    (version,) = model.states()
    assert version.state.name == "END"
    assert "verify your warmup data is in TFRecord format" in str(version.error)


def test_more_than_a_thousand_warm_up_records_break_the_version(versions: Versions, exported: Path) -> None:
    import tensorflow as tf

    model = versions()
    shutil.copytree(exported / "1", model.base / "1")
    (model.base / "1" / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(model.base / "1" / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        for _ in range(1001):
            writer.write(b"")  # an empty PredictionLog asks for nothing
    model.poll()
    (version,) = model.states()
    assert "exceeds the maximum (1000)" in str(version.error)


def test_one_exported_version_is_served_as_it_stands(exported: Path) -> None:
    from textseq.serving.server import load_models

    models = load_models("m", exported / "1", lambda _: None)
    assert [version.number for version in models.status("m")] == [1]
    models.close()


def test_a_start_with_a_broken_newest_version_fails_and_says_why(tmp_path: Path) -> None:
    from textseq.errors import RunFailedError
    from textseq.serving.server import load_models

    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"\xff")
    with pytest.raises(RunFailedError, match="DATA_LOSS: Can't parse"):
        load_models("m", tmp_path, lambda _: None)
