"""The order of the house: who imports whom, what a start costs, and what a reader finds where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A level imports those above it and its own, never those below.
LEVELS = (
    ("textseq.errors", "textseq.files", "textseq.signatures"),
    ("textseq.registry",),
    ("textseq.plugins", "textseq.config", "textseq.rundir", "textseq.scaffold", "textseq.provenance"),
    ("textseq.data", "textseq.layers"),
    ("textseq.encoder",),
    ("textseq.model",),
    ("textseq.differentiation",),
    ("textseq.tasks",),
    ("textseq.training", "textseq.evaluation"),
    ("textseq.export", "textseq.serving", "textseq.probing", "textseq.explaining", "textseq.reporting"),
    ("textseq.testing",),
    ("textseq.cli", "textseq.__main__"),
)
# `training.checkpoints` reads and writes weights, which evaluation needs too; nothing goes the other way.
HEAVY = {"tensorflow", "keras", "datasets", "numpy", "jax", "sentencepiece", "pyarrow", "sklearn"}
LIGHT = ("textseq.errors", "textseq.files", "textseq.signatures", "textseq.registry", "textseq.plugins")
LIGHT += ("textseq.config", "textseq.rundir", "textseq.scaffold", "textseq.provenance")
PLUGINS_MAY = ("__future__", "collections", "math", "typing", "keras", "numpy", "textseq.registry", "textseq.encoder")
PLUGINS_MAY += ("textseq.layers", "textseq.errors")
VAGUE = {"utils", "helpers", "common", "misc", "util", "tools"}


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def module(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def imports(path: Path, *, at_the_top: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_the_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def level(name: str) -> int | None:
    found = [number for number, packages in enumerate(LEVELS) if any(inside(name, package) for package in packages)]
    return found[0] if found else None


def test_every_module_stands_on_a_level() -> None:
    names = [module(path) for path in sources("textseq")]
    assert len(names) > 50
    assert [name for name in names if level(name) is None] == ["textseq"]


@pytest.mark.parametrize("path", sources("textseq"), ids=module)
def test_a_module_imports_only_its_own_level_and_those_above(path: Path) -> None:
    mine = level(module(path))
    for name in imports(path):
        if inside(name, "textseq") and name != "textseq" and mine is not None:
            theirs = level(name)
            assert theirs is not None, f"{name} stands on no level"
            assert theirs <= mine, f"{module(path)} imports {name}, which stands below it"


def test_there_are_no_circles() -> None:
    graph = {module(path): {name for name in imports(path, at_the_top=True)} for path in sources("textseq")}
    done: set[str] = set()

    def visit(name: str, chain: tuple[str, ...]) -> None:
        assert name not in chain, f"a circle: {' → '.join((*chain, name))}"
        if name in done or name not in graph:
            return
        for other in graph[name]:
            if other != name:
                visit(other, (*chain, name))
        done.add(name)

    for name in graph:
        visit(name, ())
    assert done == set(graph)


def test_the_toolkit_never_imports_its_plugins() -> None:
    for path in sources("textseq"):
        assert not [name for name in imports(path) if inside(name, "textseq_plugins")], path


def test_plugins_import_only_what_a_stranger_may() -> None:
    paths = sources("plugins")
    assert len(paths) >= 5
    for path in paths:
        for name in imports(path):
            assert any(inside(name, allowed) for allowed in PLUGINS_MAY), f"{path.name} imports {name}"


@pytest.mark.parametrize("package", LIGHT)
def test_light_modules_import_nothing_heavy_at_the_top(package: str) -> None:
    paths = [path for path in sources("textseq") if inside(module(path), package)]
    assert paths
    for path in paths:
        assert not {name.partition(".")[0] for name in imports(path, at_the_top=True)} & HEAVY, path


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["explain", "--help"],
        ["export", "--help"],
        ["probe", "gradients", "--help"],
        ["report", "--help"],
        ["serve", "--help"],
        ["plugins", "list"],
        ["plugins", "show", "lstm"],
        ["config", "check", "configs/classification/trec-lstm.yaml"],
        ["config", "schema"],
    ],
    ids=" ".join,
)
def test_what_should_answer_at_once_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom textseq.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as ended:\n    code = ended.code\n"
        f"print('LOADED', code, sorted(set(sys.modules) & {HEAVY!r}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    assert done.stderr.strip().endswith("LOADED 0 []")
    assert done.stdout.strip()


def test_the_packages_that_are_installed_are_the_folders_there_are() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {module(path) for path in sources("textseq") if path.name == "__init__.py"}
    assert set(settings["packages"]) == folders | {"textseq_plugins"}
    assert settings["package-dir"] == {"textseq": "textseq", "textseq_plugins": "plugins"}


@pytest.mark.parametrize("folder", ["textseq", "plugins", "scripts", "tests"])
def test_files_are_short_and_named_for_what_they_hold(folder: str) -> None:
    paths = sources(folder)
    assert paths
    for path in paths:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 300, f"{path} has {lines} lines"
        assert path.stem not in VAGUE, path


@pytest.mark.parametrize("folder", ["textseq", "plugins", "scripts", "tests"])
def test_functions_are_short(folder: str) -> None:
    for path in sources(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (code := node.body[ast.get_docstring(node) is not None :]):
                lines = 1 + int(node.end_lineno or 0) - code[0].lineno
                assert lines <= 40, f"{path}: {node.name} has {lines} lines of code"


def test_every_module_says_what_it_is_for() -> None:
    for folder in ("textseq", "plugins", "scripts"):
        for path in sources(folder):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_nothing_is_left_undone_or_printed() -> None:
    for folder in ("textseq", "plugins"):
        for path in sources(folder):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\b(TODO|FIXME|XXX)\b|^\s*print\(", text, re.MULTILINE), path


def test_commands_are_one_file_each() -> None:
    from textseq.cli.main import COMMANDS

    for name in COMMANDS:
        assert (ROOT / "textseq" / "cli" / f"{name}.py").is_file()


def test_the_top_level_is_as_designed() -> None:
    shown = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    expected = {"README.md", "pyproject.toml", "LICENSE", "CHANGELOG.md", "constraints.txt"}
    expected |= {"textseq", "plugins", "configs", "tests", "scripts"}
    made = {"runs", "exports", "build", "dist", "textseq.egg-info"}  # by users and tools; git ignores them
    assert expected <= shown
    assert shown - expected <= made
