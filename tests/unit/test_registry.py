"""The registry and plugin files: found, listed without an import, refused twice, traced back."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from textseq.errors import RegistryError
from textseq.plugins import load_plugin
from textseq.provenance import Provenance, check_provenance, copies_in
from textseq.registry import Registry, encoders, registries
from textseq.rundir import RunDirectory

OWN = '''
from textseq.encoder import Encoder
from textseq.registry import encoders


@encoders.register("{name}")
class Own(Encoder):
    """Gives back what it gets.

    Args:
        units: Width.
        depth: Of nothing.
    """

    def __init__(self, units: int, *, causal: bool = False, depth: int = 3, **kwargs):
        super().__init__(units, causal=causal, **kwargs)

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        return inputs
'''


def plugin(folder: Path, name: str, file: str = "own.py") -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(OWN.format(name=name))
    return path


def test_listing_and_reading_arguments_imports_no_encoder() -> None:
    for registry in registries.values():
        assert registry.names()
        for name in registry.names():
            assert registry.summary(name)
            registry.arguments(name)
    assert [argument.name for argument in encoders.arguments("lstm")][:2] == ["units", "causal"]


def test_arguments_have_defaults_types_and_words() -> None:
    found = {argument.name: argument for argument in encoders.arguments("transformer")}
    assert found["units"].required
    assert (found["heads"].default, found["heads"].annotation) == (4, "int")
    assert "Attention heads" in found["heads"].doc


def test_a_plugin_file_is_registered_with_its_origin(tmp_path: Path) -> None:
    (origin,) = load_plugin(plugin(tmp_path, "own_one"))
    assert (origin.name, origin.kind, origin.package) == ("own_one", "encoder", None)
    assert origin.file == str(tmp_path / "own.py")
    assert encoders.get("own_one").__name__ == "Own"
    assert [argument.default for argument in encoders.arguments("own_one") if argument.name == "depth"] == [3]
    assert load_plugin(tmp_path / "own.py") == (origin,)  # a second time changes nothing


def test_a_file_may_have_any_name_and_is_one_module(tmp_path: Path) -> None:
    (origin,) = load_plugin(plugin(tmp_path / "with space", "own_dotted", "own.v2-final.py"))
    assert origin.module.isidentifier()
    (record,) = Provenance.of(Made(("encoder", "own_dotted"))).records
    assert record["copy"] == "plugins/own.v2-final.py"


def test_two_folders_may_hold_files_of_one_name(tmp_path: Path) -> None:
    load_plugin(plugin(tmp_path, "own_two", "a/own.py"))
    load_plugin(plugin(tmp_path, "own_three", "b/own.py"))
    assert {"own_two", "own_three"} <= set(encoders.names())


def test_a_folder_of_files_and_a_package_are_plugins(tmp_path: Path) -> None:
    plugin(tmp_path, "own_four", "folder/a.py")
    plugin(tmp_path, "own_five", "folder/b.py")
    (tmp_path / "folder" / "test_a.py").write_text("raise RuntimeError('tests are no plugins')\n")
    assert [origin.name for origin in load_plugin(tmp_path / "folder")] == ["own_four", "own_five"]
    plugin(tmp_path, "own_six", "package/inner.py")
    (tmp_path / "package" / "__init__.py").write_text("from . import inner\n")
    assert [origin.name for origin in load_plugin(tmp_path / "package")] == ["own_six"]


def test_a_taken_name_is_refused_and_both_are_named(tmp_path: Path) -> None:
    load_plugin(plugin(tmp_path, "own_seven", "first.py"))
    other = plugin(tmp_path, "own_seven", "second.py")
    with pytest.raises(RegistryError, match=r"is defined twice, by .*first\.py.* and by .*second\.py"):
        load_plugin(other)


def test_a_broken_plugin_breaks_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = 1\nraise ValueError('not today')\n")
    before = {*sys.modules}
    with pytest.raises(RegistryError, match=r"broken\.py:2: ValueError: not today"):
        load_plugin(path)
    assert not [name for name in {*sys.modules} - before if "broken" in name]
    assert encoders.get("lstm")


def test_a_name_must_be_a_word() -> None:
    with pytest.raises(RegistryError, match="must be letters"):
        Registry("encoder", "nowhere").register("my encoder")


def test_provenance_tells_what_is_missing_and_what_changed(tmp_path: Path) -> None:
    path = plugin(tmp_path, "own_eight")
    load_plugin(path)
    origin = encoders.origin("own_eight")
    record = {
        name: getattr(origin, name) for name in ("kind", "name", "package", "version", "module", "qualified", "file")
    }
    assert check_provenance([{**record, "sha256": origin.sha256}]) == []
    (told,) = check_provenance([{**record, "sha256": "0" * 64}])
    assert "its source is another" in told
    with pytest.raises(RegistryError, match=r"not here\. Pass the file that defines it .* --plugin .*own\.py"):
        check_provenance([{**record, "name": "own_nine", "sha256": origin.sha256}])
    packaged = {**record, "name": "own_nine", "package": "other", "version": "1.2", "sha256": ""}
    with pytest.raises(RegistryError, match=r"pip install other==1\.2"):
        check_provenance([packaged])


class Made:
    """Names the components of a run that was made with plugin files."""

    def __init__(self, *components: tuple[str, str]) -> None:
        self.components = lambda: components


def test_a_run_carries_single_files_and_nothing_else(tmp_path: Path) -> None:
    load_plugin(plugin(tmp_path / "a", "carried_one"))
    load_plugin(plugin(tmp_path / "b", "carried_two"))
    load_plugin(plugin(tmp_path, "carried_three", "package/inner.py").parent)
    (tmp_path / "c").mkdir()
    plugin(tmp_path / "c", "carried_four", "inner.py")
    (tmp_path / "c" / "__init__.py").write_text("from . import inner\n")
    load_plugin(tmp_path / "c")
    names = ("lstm", "carried_one", "carried_two", "carried_three", "carried_four")
    found = Provenance.of(Made(*(("encoder", name) for name in names)))
    assert [record.get("copy") for record in found.records] == [
        None,  # comes with a package
        "plugins/own.py",
        "plugins/own_2.py",  # of one name, from another folder
        "plugins/inner.py",
        None,  # a part of a package, which would not work alone
    ]
    run = RunDirectory.create(tmp_path / "run")
    found.write(run)
    for record in found.records:
        if "copy" in record:
            copy = tmp_path / "run" / record["copy"]
            assert hashlib.sha256(copy.read_bytes()).hexdigest() == record["sha256"]
    assert copies_in(run) == [run.path / "plugins" / name for name in ("own.py", "own_2.py", "inner.py")]


def test_what_is_missing_is_in_the_copy_that_the_run_carries(tmp_path: Path) -> None:
    copy = tmp_path / "plugins" / "own.py"
    copy.parent.mkdir()
    copy.write_text("raise SystemExit('it was imported')\n")
    record = {"kind": "encoder", "name": "gone_for_good", "package": None, "file": "/x/own.py", "sha256": "0" * 64}
    with pytest.raises(RegistryError, match=rf"Pass the copy that the run carries: --plugin {copy}\.$"):
        check_provenance([{**record, "copy": "plugins/own.py"}], tmp_path)
    copy.unlink()
    with pytest.raises(RegistryError, match=r"Pass the file that defines it .* --plugin /x/own\.py\.$"):
        check_provenance([{**record, "copy": "plugins/own.py"}], tmp_path)


def test_what_changed_is_told_in_one_line_with_the_way_back(tmp_path: Path) -> None:
    path = plugin(tmp_path, "changed_one")
    load_plugin(path)
    (record,) = Provenance.of(Made(("encoder", "changed_one"))).records
    RunDirectory(tmp_path).write_bytes("plugins/own.py", path.read_bytes())
    path.write_text(path.read_text() + "# another\n")
    (told,) = check_provenance([record], tmp_path)
    assert "\n" not in told
    assert told.endswith(f"As it was: --plugin {tmp_path / 'plugins' / 'own.py'}.")
