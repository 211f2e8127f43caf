"""Reads what a class is and takes from its source, without importing it: importing an encoder costs seconds."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Their classes are where inheritance stops: a layer's `dtype` or `trainable` is no setting of an encoder.
_FOREIGN = {"abc", "builtins", "collections", "enum", "jax", "keras", "numpy", "tensorflow", "torch", "typing"}
# Where a component's own methods end: the base class of its kind.
_CONTRACTS = {"textseq.encoder:Encoder", "textseq.data.tokenizers.base:Tokenizer", "textseq.tasks.base:Task"}
_LONGEST_CHAIN = 20


@dataclass(frozen=True)
class Argument:
    """One argument of a component's constructor, which is one setting of its config section.

    Attributes:
        name: As in the signature.
        annotation: As written, module-level aliases resolved; "" where there is none.
        default: Its value; None where it is required.
        required: Whether it must be given.
        doc: What the docstring says of it.
    """

    name: str
    annotation: str
    default: Any
    required: bool
    doc: str = ""


@dataclass(frozen=True)
class Signature:
    """What a class's source tells.

    Attributes:
        summary: First line of its docstring.
        arguments: Of its constructor, those of its bases included where it takes `**kwargs`.
        methods: What it defines, its bases included, up to the base class of its kind.
    """

    summary: str
    arguments: tuple[Argument, ...]
    methods: frozenset[str] = frozenset()


class UnreadableError(Exception):
    """The source does not tell; the class has to be imported."""


@dataclass(frozen=True)
class _Found:
    """A top-level name of a module and the syntax that defines it."""

    module: str
    node: ast.stmt


def find_source(module: str) -> Path | None:
    """Returns the file of a module without importing it or its packages; None where there is none."""
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
        for depth in range(1, len(module.split("."))):
            if spec is None or spec.submodule_search_locations is None:
                return None
            name = ".".join(module.split(".")[: depth + 1])
            spec = importlib.machinery.PathFinder.find_spec(name, spec.submodule_search_locations)
    except (ImportError, ValueError):
        return None
    origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_file() else None


def read_class(module: str, name: str) -> Signature:
    """Reads a class from its source.

    Raises:
        UnreadableError: The source is not found, or does not define the class in plain sight.
    """
    found = _find(module, name)
    if found is None or not isinstance(found.node, ast.ClassDef):
        raise UnreadableError(f"{module}:{name}")
    arguments: dict[str, Argument] = {}
    for argument in _arguments(found.module, found.node):
        arguments.setdefault(argument.name, argument)
    docstring = ast.get_docstring(found.node) or ""
    methods = frozenset(_methods(found.module, found.node))
    return Signature(docstring.partition("\n")[0].strip(), tuple(arguments.values()), methods)


def source_fault(module: str) -> str | None:
    """Returns why a module's source cannot be read as Python; None where it can."""
    file = find_source(module)
    if file is None:
        return f"there is no module {module}"
    try:
        ast.parse(file.read_bytes())
    except SyntaxError as error:
        return f"{file}:{error.lineno}: SyntaxError: {error.msg}"
    except (OSError, ValueError) as error:
        return f"{file}: {error}"
    return None


def inspect_class(cls: type) -> Signature:
    """Reads an imported class: for those that no source line defines."""
    arguments: dict[str, Argument] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        if base.__module__.partition(".")[0] in _FOREIGN:
            break
        docs = documented_arguments(inspect.getdoc(base) or "")
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                arguments.setdefault(parameter.name, _inspected(parameter, docs))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    summary = (inspect.getdoc(cls) or "").partition("\n")[0].strip()
    own = itertools.takewhile(lambda base: f"{base.__module__}:{base.__name__}" not in _CONTRACTS, cls.__mro__)
    methods = frozenset(name for base in own for name, item in vars(base).items() if inspect.isfunction(item))
    return Signature(summary, tuple(arguments.values()), methods)


def documented_arguments(docstring: str) -> dict[str, str]:
    """Returns the text of each argument in a Google docstring's `Args:` or `Attributes:` section."""
    docs: dict[str, str] = {}
    current, inside = "", False
    for line in inspect.cleandoc(docstring).splitlines():
        if re.fullmatch(r"\w[\w ]*:", line):
            inside, current = line in ("Args:", "Attributes:"), ""
        elif inside and (match := re.match(r"    \*{0,2}(\w+)(?: \(.*?\))?: (.*)", line)):
            current = match[1]
            docs[current] = match[2].strip()
        elif inside and current and line.startswith("     "):
            docs[current] += f" {line.strip()}"
    return docs


def _inspected(parameter: inspect.Parameter, docs: dict[str, str]) -> Argument:
    annotation = parameter.annotation
    if annotation is parameter.empty:
        annotation = ""
    elif not isinstance(annotation, str):
        annotation = inspect.formatannotation(annotation)
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    return Argument(parameter.name, annotation, default, required, docs.get(parameter.name, ""))


@functools.lru_cache(maxsize=256)
def _tree(module: str) -> dict[str, ast.stmt]:
    """Returns the module's top-level names and the statements that bind them."""
    file = find_source(module)
    if file is None:
        return {}
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    return {name: statement for statement in tree.body for name in _bound(statement)}


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        yield statement.name
    elif isinstance(statement, ast.ImportFrom | ast.Import):
        yield from (alias.asname or alias.name for alias in statement.names)
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id


def _find(module: str, name: str) -> _Found | None:
    """Finds where a name is defined, following `from … import …`."""
    for _ in range(_LONGEST_CHAIN):
        if module.partition(".")[0] in _FOREIGN:
            return None
        node = _tree(module).get(name)
        if not isinstance(node, ast.ImportFrom):
            return _Found(module, node) if node is not None else None
        name = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
        module = _imported_from(module, node)
    return None


def _imported_from(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    source = find_source(module)
    is_package = source is not None and source.name == "__init__.py"
    parts = module.split(".")
    parent = parts[: len(parts) - node.level + is_package]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _arguments(module: str, node: ast.ClassDef, seen: frozenset[str] = frozenset()) -> Iterator[Argument]:
    """Yields the constructor's arguments, then those that its bases take through `**kwargs`."""
    key = f"{module}:{node.name}"
    if key in seen:
        raise UnreadableError(key)
    init = next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
    own: list[Argument] = []
    if init is not None:
        own = _parameters(module, init.args, documented_arguments(ast.get_docstring(node) or ""))
        yield from own
        if init.args.kwarg is None:
            return
    named = {argument.name for argument in own}
    for base in node.bases:
        found = _base(module, base)
        if found is not None and isinstance(found.node, ast.ClassDef):
            inherited = _arguments(found.module, found.node, seen | {key})
            yield from (argument for argument in inherited if argument.name not in named)


def _methods(module: str, node: ast.ClassDef) -> Iterator[str]:
    """Yields the names of the methods of a class and of its bases, up to the base class of its kind."""
    if f"{module}:{node.name}" in _CONTRACTS:
        return
    yield from (item.name for item in node.body if isinstance(item, ast.FunctionDef))
    for base in node.bases:
        found = _base(module, base)
        if found is not None and isinstance(found.node, ast.ClassDef):
            yield from _methods(found.module, found.node)


def _base(module: str, base: ast.expr) -> _Found | None:
    if isinstance(base, ast.Subscript):
        base = base.value
    if isinstance(base, ast.Name):
        found = _find(module, base.id)
        if found is None and base.id not in _tree(module) and base.id not in dir(importlib.import_module("builtins")):
            raise UnreadableError(f"{module}:{base.id}")
        return found
    if isinstance(base, ast.Attribute) and ast.unparse(base).partition(".")[0] in _FOREIGN:
        return None
    raise UnreadableError(f"{module}: {ast.unparse(base)}")


def _parameters(module: str, arguments: ast.arguments, docs: dict[str, str]) -> list[Argument]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = [*zip(positional, [*defaults, *arguments.defaults], strict=True)][1:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [
        Argument(
            parameter.arg,
            _annotation(module, parameter.annotation),
            None if default is None else _literal(module, default),
            default is None,
            docs.get(parameter.arg, ""),
        )
        for parameter, default in pairs
    ]


def _annotation(module: str, node: ast.expr | None) -> str:
    """Returns an annotation as text; a name that stands for a type expression is replaced by it."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _annotation(module, ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.Name):
        found = _find(module, node.id)
        if found is not None and isinstance(found.node, ast.Assign | ast.AnnAssign) and found.node.value is not None:
            return node.id if node.id == "EncoderSpec" else _annotation(found.module, found.node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return f"{_annotation(module, node.left)} | {_annotation(module, node.right)}"
    return ast.unparse(node)


def _literal(module: str, node: ast.expr) -> Any:
    """Returns the value of a default: a literal, or a module-level name for one."""
    if isinstance(node, ast.Name) and isinstance(found := _find(module, node.id), _Found):
        statement = found.node
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            return _literal(found.module, statement.value)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise UnreadableError(f"{module}: {ast.unparse(node)}") from error
