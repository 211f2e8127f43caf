"""Versions appear whole, under the next number."""

from __future__ import annotations

from pathlib import Path

import pytest

from textseq.export.versions import publish, workspace


def published(folder: Path, content: str = "model") -> Path:
    with workspace(folder) as beside:
        beside.mkdir()
        (beside / "saved_model.pb").write_text(content)
        return publish(beside, folder)


def test_the_first_version_is_1_and_the_next_is_one_more_than_the_highest(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert published(out).name == "1"
    (out / "00000010").mkdir()  # TensorFlow Serving takes it for 10
    (out / "notes").mkdir()
    (out / "12.old").mkdir()
    assert published(out, "new").name == "11"
    assert (out / "11" / "saved_model.pb").read_text() == "new"
    assert sorted(item.name for item in out.iterdir()) == ["00000010", "1", "11", "12.old", "notes"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="broken"):  # noqa: PT012, SIM117
        with workspace(out) as beside:
            beside.mkdir()
            (beside / "half").write_text("half")
            raise ValueError("broken")
    assert not out.exists()


def test_what_is_being_written_is_no_version(tmp_path: Path) -> None:
    with workspace(tmp_path / "out") as beside:
        assert not beside.name.isdigit()
        assert beside.parent == tmp_path / "out"


def test_a_number_that_another_export_took_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    real = Path.rename

    def slow(self: Path, target: Path) -> Path:
        if not (out / "1").exists():  # the other one is quicker, once
            (out / "1").mkdir()
            (out / "1" / "saved_model.pb").write_text("theirs")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", slow)
    assert published(out, "mine").name == "2"
    assert (out / "1" / "saved_model.pb").read_text() == "theirs"
    assert (out / "2" / "saved_model.pb").read_text() == "mine"
