"""What a processor says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from textseq.layers import device


@pytest.mark.parametrize(
    ("said", "tiles"),
    [("flags : fma avx512f amx_bf16 amx_tile", True), ("flags : fma avx512f avx512_bf16", False), (None, False)],
)
def test_tiles_are_where_the_processor_says_so(
    said: str | None, tiles: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    if said is not None:
        path.write_text(said)
    monkeypatch.setattr(device, "_PROCESSORS", path)
    assert device.has_tiles.__wrapped__() is tiles
